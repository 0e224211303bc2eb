/* SPDX-License-Identifier: Apache-2.0 */
#include "control/reload.h"

#include "balance/view.h"
#include "control/ceilings.h"
#include "control/own_addresses.h"
#include "control/retired.h"
#include "control/server_states.h"

#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>

static void tell_problem(struct reload_report *report, const struct listeners_error *error)
{
	char address[ADDR_TEXT_BYTES];
	snprintf(report->problem, sizeof(report->problem), "service %s cannot listen on %s%s: %s",
		 error->listen->service->name, error->listen->protocol == FLOW_UDP ? "udp " : "",
		 addr_format(&error->listen->addr, address, sizeof(address)), strerror(-error->error));
}

/* A service may be sent to a new pool the moment it is published, so the pool must be able to choose. */
static void publish_views_of_new_pools(struct daemon *daemon, const struct snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->pool_count; i++)
		if (snapshot->pools[i]->view == NULL)
			balance_view_publish(snapshot->pools[i], daemon->loop.now_ms);
}

static void replace_reflection(struct daemon *daemon)
{
	struct reflection *replaced = daemon->relay_settings.reflection;
	published_write(daemon->relay_settings.reflection, own_addresses_build_reflection(daemon->snapshot));
	reflection_free_later(replaced);
}

/* Nothing can fail from here on. */
static void publish(struct daemon *daemon, struct config *config, struct snapshot *snapshot,
		    struct listeners_change *change)
{
	struct snapshot_leftovers leftovers;
	own_addresses_mark_servers(snapshot);
	publish_views_of_new_pools(daemon, snapshot);
	snapshot_publish(snapshot, config, &daemon->snapshot, &leftovers);
	daemon->snapshot = snapshot;
	own_addresses_mark_servers(snapshot);
	daemon->has_stale_views = true;
	server_states_publish(daemon);
	replace_reflection(daemon);
	ceilings_apply(config, daemon->worker_count, &daemon->budget);
	listeners_commit(daemon->listeners, change);
	health_watch(daemon->health, snapshot);
	retired_add(daemon->retired, &leftovers, daemon->loop.now_ms);
	/* After views have been withdrawn: who waits for a pool that is gone goes, too. */
	for (uint32_t i = 0; i < daemon->worker_count; i++)
		worker_review_queue(daemon->workers[i]);
	config_free(&daemon->config);
	daemon->config = config;
}

/* Takes the configuration over when it is taken; else it stays the caller's. */
static bool take(struct daemon *daemon, struct config *config, struct reload_report *report)
{
	const char *fixed = diff_find_fixed(daemon->config, config);
	if (fixed != NULL) {
		snprintf(report->problem, sizeof(report->problem), "changing \"%s\" needs a restart", fixed);
		return false;
	}
	uint64_t generation = daemon->snapshot->generation + 1;
	struct snapshot *snapshot = snapshot_build(config, generation, daemon->worker_count, daemon->snapshot);
	struct listeners_error error;
	struct listeners_change *change = listeners_prepare(daemon->listeners, snapshot, &error);
	if (change == NULL) {
		tell_problem(report, &error);
		snapshot_discard(&snapshot, daemon->snapshot);
		return false;
	}
	diff_make(daemon->config, config, &report->diff);
	publish(daemon, config, snapshot, change);
	return true;
}

static void write_event(struct daemon *daemon, const struct reload_report *report)
{
	if (report->is_done) {
		log_event(daemon->log, CONFIG_LEVEL_INFO, "reloaded", record_number("generation", report->generation),
			  record_number("changes", report->diff.count));
		return;
	}
	const struct diagnostic *first = report->diagnostics.count > 0 ? &report->diagnostics.entries[0] : NULL;
	for (size_t i = 0; i < report->diagnostics.count; i++)
		if (report->diagnostics.entries[i].severity == DIAGNOSTIC_ERROR) {
			first = &report->diagnostics.entries[i];
			break;
		}
	bool is_problem = report->problem[0] != '\0' || first == NULL;
	log_event(daemon->log, CONFIG_LEVEL_ERROR, "reload_failed", record_number("generation", report->generation),
		  record_text("cause", is_problem ? report->problem : first->message),
		  record_text("file", is_problem ? daemon->config_path : first->file),
		  record_number("line", is_problem ? 0 : first->line),
		  record_number("column", is_problem ? 0 : first->column),
		  record_number("errors", report->diagnostics.error_count));
}

void reload_file(struct daemon *daemon, struct reload_report *ret_report)
{
	*ret_report = (struct reload_report){ .is_done = false };
	diagnostics_init(&ret_report->diagnostics);
	sd_notify(0, "RELOADING=1");
	if (daemon->phase == DAEMON_DRAINING) {
		snprintf(ret_report->problem, sizeof(ret_report->problem), "strait is stopping");
	} else if (daemon->config_path == NULL) {
		snprintf(ret_report->problem, sizeof(ret_report->problem), "there is no configuration file to read");
	} else {
		struct config *config = config_load(daemon->config_path, &ret_report->diagnostics);
		ret_report->is_done = config != NULL && take(daemon, config, ret_report);
		if (!ret_report->is_done)
			config_free(&config);
	}
	ret_report->generation = daemon->snapshot->generation;
	daemon->reload_count[ret_report->is_done]++;
	daemon->was_last_reload_good = ret_report->is_done;
	write_event(daemon, ret_report);
	sd_notify(0, "READY=1");
}

void reload_report_done(struct reload_report *report)
{
	diagnostics_done(&report->diagnostics);
	diff_done(&report->diff);
}
