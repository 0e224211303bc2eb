/* SPDX-License-Identifier: Apache-2.0 */
#include "control/reload.h"

#include "balance/view.h"
#include "base/clock.h"
#include "control/admin.h"
#include "control/blocks.h"
#include "control/ceilings.h"
#include "control/network_lists.h"
#include "control/own_addresses.h"
#include "control/pool_sources.h"
#include "control/pool_update.h"
#include "control/server_states.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>

struct prepared {
	struct log_sink_set *sinks;
	struct admin_change *admin;
	struct snapshot *snapshot;
	struct listeners_change *listeners;
};

__attribute__((format(printf, 2, 3))) static void refuse(struct reload_report *report, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(report->problem, sizeof(report->problem), format, arguments);
	va_end(arguments);
	report->outcome = RELOAD_REFUSED;
}

static void tell_log_problem(struct reload_report *report, const struct config_log *failed, int error)
{
	if (failed != NULL)
		refuse(report, "cannot open the log file %s: %s", failed->path, strerror(-error));
	else
		refuse(report, "the log writer hangs, and %d changes of its sinks wait for it",
		       LOG_CHANGES_WAITING_MAX);
}

static void tell_listener_problem(struct reload_report *report, const struct listeners_error *error)
{
	char address[ADDR_TEXT_BYTES];
	refuse(report, "service %s cannot listen on %s%s: %s", error->listen->service->name,
	       error->listen->protocol == FLOW_UDP ? "udp " : "",
	       addr_format(&error->listen->addr, address, sizeof(address)), strerror(-error->error));
}

static void tell_admin_problem(struct reload_report *report, const struct admin_error *error, int result)
{
	char address[ADDR_TEXT_BYTES];
	refuse(report, "the admin API on %s cannot %s: %s", addr_format(&error->admin->addr, address, sizeof(address)),
	       error->what, strerror(-result));
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

static void change_ring(struct daemon *daemon, const struct config *config)
{
	atomic_store_explicit(&daemon->relay_settings.wants_ring, config->io_uring == CONFIG_IO_URING_ON,
			      memory_order_relaxed);
}

static void change_ephemeral_ports(struct daemon *daemon)
{
	atomic_store_explicit(&daemon->relay_settings.ephemeral_ports, pool_sources_read_ephemeral_ports(),
			      memory_order_relaxed);
}

static void change_log(struct daemon *daemon, struct log_sink_set *sinks)
{
	log_writer_commit(daemon->log, sinks);
	atomic_store_explicit(&daemon->relay_settings.writes_records, log_writer_wants_flows(daemon->log),
			      memory_order_release);
	atomic_store_explicit(&daemon->relay_settings.progress_ms, log_writer_progress_ms(daemon->log),
			      memory_order_release);
}

/* Nothing can fail from here on. Returns the configuration that was in force, which is the caller's now. */
static struct config *publish(struct daemon *daemon, struct config *config, struct prepared *prepared)
{
	struct snapshot *snapshot = prepared->snapshot;
	struct snapshot_leftovers leftovers;
	struct config *replaced = daemon->config;
	change_log(daemon, prepared->sinks);
	change_ring(daemon, config);
	change_ephemeral_ports(daemon);
	admin_commit(daemon->admin, prepared->admin);
	own_addresses_mark_servers(snapshot);
	publish_views_of_new_pools(daemon, snapshot);
	snapshot_publish(snapshot, config, &daemon->snapshot, &leftovers);
	daemon->snapshot = snapshot;
	own_addresses_mark_servers(snapshot);
	daemon->has_stale_views = true;
	server_states_publish(daemon);
	replace_reflection(daemon);
	ceilings_apply(config, daemon->worker_count, &daemon->budget);
	listeners_commit(daemon->listeners, prepared->listeners);
	health_watch(daemon->health, snapshot);
	pool_update_retire(daemon, &leftovers);
	/* After views have been withdrawn: who waits for a pool that is gone goes, too. */
	for (uint32_t i = 0; i < daemon->worker_count; i++)
		worker_review_queue(daemon->workers[i]);
	daemon->config = config;
	names_watch(daemon->names, config);
	network_lists_watch(daemon->network_lists, config);
	blocks_configure(daemon->blocks, config);
	trends_watch(daemon->trends, snapshot, config);
	ingress_guard_apply(daemon->ingress_guard, config, snapshot);
	blocks_use_guard(daemon->blocks, ingress_guard_packets(daemon->ingress_guard));
	kernel_path_apply(daemon->kernel_path, config, snapshot);
	blocks_use_nat(daemon->blocks, kernel_path_nat(daemon->kernel_path));
	pool_sources_report_problems(daemon);
	return replaced;
}

/* Whatever is there of it. */
static void throw_away(struct daemon *daemon, struct prepared *prepared)
{
	if (prepared->listeners != NULL)
		listeners_abandon(prepared->listeners);
	if (prepared->snapshot != NULL)
		snapshot_discard(&prepared->snapshot, daemon->snapshot);
	if (prepared->admin != NULL)
		admin_abandon(prepared->admin);
	if (prepared->sinks != NULL)
		log_writer_abandon(daemon->log, prepared->sinks);
}

static bool prepare_log(struct daemon *daemon, const struct config *config, struct prepared *prepared,
			struct reload_report *report)
{
	const struct config_log *failed;
	int result = log_writer_prepare(daemon->log, config, &prepared->sinks, &failed);
	if (result < 0)
		tell_log_problem(report, failed, result);
	return result == 0;
}

static bool prepare_admin(struct daemon *daemon, const struct config *config, struct prepared *prepared,
			  struct reload_report *report)
{
	struct admin_error error;
	int result = admin_prepare(daemon->admin, config, &prepared->admin, &error);
	if (result < 0)
		tell_admin_problem(report, &error, result);
	return result == 0;
}

static bool prepare_services(struct daemon *daemon, struct config *config, struct prepared *prepared,
			     struct reload_report *report)
{
	struct listeners_error error;
	uint64_t generation = daemon->snapshot->generation + 1;
	names_attach(daemon->names, config);
	prepared->snapshot = snapshot_build(config, generation, daemon->worker_count, daemon->snapshot);
	prepared->listeners = listeners_prepare(daemon->listeners, prepared->snapshot, &error);
	if (prepared->listeners == NULL)
		tell_listener_problem(report, &error);
	return prepared->listeners != NULL;
}

/* What is made before anything is changed, and thrown away when one part of it cannot be made. */
static bool prepare(struct daemon *daemon, struct config *config, struct prepared *ret_prepared,
		    struct reload_report *report)
{
	*ret_prepared = (struct prepared){ 0 };
	if (prepare_log(daemon, config, ret_prepared, report) && prepare_admin(daemon, config, ret_prepared, report) &&
	    prepare_services(daemon, config, ret_prepared, report))
		return true;
	throw_away(daemon, ret_prepared);
	return false;
}

/* Takes the configuration over when it is taken and returns the one before; else returns NULL and it stays the
 * caller's. */
static struct config *take(struct daemon *daemon, struct config *config, bool is_dry, struct reload_report *report)
{
	const char *fixed = diff_find_fixed(daemon->config, config);
	if (fixed != NULL) {
		refuse(report, "changing \"%s\" needs a restart", fixed);
		return NULL;
	}
	if (config->service_count == 0 && daemon->config->service_count > 0) {
		refuse(report, "the configuration has no service; was its file being written?");
		return NULL;
	}
	struct prepared prepared;
	if (!prepare(daemon, config, &prepared, report))
		return NULL;
	diff_make(daemon->config, config, &report->diff);
	if (!is_dry)
		return publish(daemon, config, &prepared);
	throw_away(daemon, &prepared);
	return NULL;
}

/* --- confirmation ------------------------------------------------------------------------------------------------ */

static void forget_unconfirmed(struct daemon *daemon)
{
	timer_disarm(&daemon->wheel, &daemon->confirm_timer);
	config_free(&daemon->unconfirmed);
	server_changes_free(&daemon->unconfirmed_changes);
}

/* What cannot be taken back stays: its address may have been taken by others meanwhile. */
static void on_confirm_over(struct timer *timer, uint64_t now_ms)
{
	(void)now_ms;
	struct daemon *daemon = LIST_OWNER(timer, struct daemon, confirm_timer);
	struct config *former = daemon->unconfirmed;
	struct reload_report report = { .outcome = RELOAD_DONE };
	diagnostics_init(&report.diagnostics);
	daemon->unconfirmed = NULL;
	struct config *replaced = take(daemon, former, false, &report);
	log_event(daemon->log, CONFIG_LEVEL_WARNING, replaced != NULL ? "reload_reverted" : "reload_revert_failed",
		  record_number("generation", daemon->snapshot->generation), record_text("cause", report.problem));
	if (replaced != NULL) {
		server_changes_free(&daemon->changes);
		daemon->changes = daemon->unconfirmed_changes;
		daemon->unconfirmed_changes = NULL;
	} else {
		replaced = former;
	}
	config_free(&replaced);
	server_changes_free(&daemon->unconfirmed_changes);
	reload_report_done(&report);
}

bool reload_confirm(struct daemon *daemon)
{
	if (daemon->unconfirmed == NULL)
		return false;
	forget_unconfirmed(daemon);
	log_event(daemon->log, CONFIG_LEVEL_INFO, "reload_confirmed",
		  record_number("generation", daemon->snapshot->generation));
	return true;
}

void reload_done(struct daemon *daemon)
{
	forget_unconfirmed(daemon);
}

static void await_confirmation(struct daemon *daemon, struct config *former, struct server_changes *changes,
			       uint64_t confirm_ms)
{
	daemon->unconfirmed = former;
	daemon->unconfirmed_changes = changes;
	daemon->confirm_timer.on_expiry = on_confirm_over;
	timer_arm(&daemon->wheel, &daemon->confirm_timer, daemon->loop.now_ms + confirm_ms);
}

/* --- the ways in ------------------------------------------------------------------------------------------------- */

static const struct diagnostic *first_error(const struct reload_report *report)
{
	for (size_t i = 0; i < report->diagnostics.count; i++)
		if (report->diagnostics.entries[i].severity == DIAGNOSTIC_ERROR)
			return &report->diagnostics.entries[i];
	return NULL;
}

static void write_event(struct daemon *daemon, const struct reload_report *report)
{
	if (report->outcome == RELOAD_DONE) {
		log_event(daemon->log, CONFIG_LEVEL_INFO, "reloaded", record_number("generation", report->generation),
			  record_number("changes", report->diff.count));
		return;
	}
	const struct diagnostic *error = first_error(report);
	log_event(daemon->log, CONFIG_LEVEL_ERROR, "reload_failed", record_number("generation", report->generation),
		  record_text("cause", error != NULL ? error->message : report->problem),
		  record_text("file", error != NULL ? error->file : ""),
		  record_number("line", error != NULL ? error->line : 0),
		  record_number("column", error != NULL ? error->column : 0),
		  record_number("errors", report->diagnostics.error_count));
}

/* Why no configuration can be taken now, or NULL. */
static const char *find_obstacle(const struct daemon *daemon)
{
	if (daemon->phase == DAEMON_DRAINING)
		return "strait is stopping";
	if (daemon->unconfirmed != NULL)
		return "a configuration waits for being confirmed; confirm it, or wait until the old one is back";
	return NULL;
}

static void note_outcome(struct daemon *daemon, struct reload_report *report)
{
	bool is_done = report->outcome == RELOAD_DONE;
	report->generation = daemon->snapshot->generation;
	daemon->reload_count[is_done]++;
	daemon->was_last_reload_good = is_done;
	write_event(daemon, report);
}

/* The configuration was taken: what it replaced is kept until it is confirmed, or dropped. */
static void replace(struct daemon *daemon, struct config *former, struct server_changes *changes, uint64_t confirm_ms)
{
	struct server_changes *former_changes = daemon->changes;
	daemon->changes = changes;
	if (confirm_ms > 0) {
		await_confirmation(daemon, former, former_changes, confirm_ms);
		return;
	}
	config_free(&former);
	server_changes_free(&former_changes);
}

/* config: NULL when it was not valid. changes: what was made in it at run time. Both are taken over. */
static void load(struct daemon *daemon, struct config *config, struct server_changes *changes,
		 const struct reload_options *options, struct reload_report *report)
{
	const char *obstacle = find_obstacle(daemon);
	struct config *former = NULL;
	if (obstacle != NULL) {
		refuse(report, "%s", obstacle);
	} else if (config == NULL) {
		report->outcome = RELOAD_INVALID;
		snprintf(report->problem, sizeof(report->problem), "the configuration is not valid");
	} else {
		former = take(daemon, config, options->is_dry, report);
	}
	if (former != NULL) {
		replace(daemon, former, changes, options->confirm_ms);
	} else {
		config_free(&config);
		server_changes_free(&changes);
	}
	if (options->is_dry)
		report->generation = daemon->snapshot->generation;
	else
		note_outcome(daemon, report);
}

void reload_file(struct daemon *daemon, const struct reload_options *options, struct reload_report *ret_report)
{
	*ret_report = (struct reload_report){ .outcome = RELOAD_DONE };
	diagnostics_init(&ret_report->diagnostics);
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)clock_monotonic_ns() / 1000);
	if (daemon->config_path == NULL) {
		refuse(ret_report, "there is no configuration file to read");
		note_outcome(daemon, ret_report);
	} else {
		struct config *config = config_load(daemon->config_path, &ret_report->diagnostics);
		struct server_changes *changes = server_changes_copy(daemon->changes);
		if (config != NULL)
			server_changes_apply(changes, config);
		load(daemon, config, changes, options, ret_report);
	}
	sd_notify(0, "READY=1");
}

void reload_config(struct daemon *daemon, struct config *config, struct diagnostics *diagnostics,
		   const struct reload_options *options, struct reload_report *ret_report)
{
	*ret_report = (struct reload_report){ .outcome = RELOAD_DONE, .diagnostics = *diagnostics };
	diagnostics_init(diagnostics);
	load(daemon, config, server_changes_new(), options, ret_report);
}

void reload_report_done(struct reload_report *report)
{
	diagnostics_done(&report->diagnostics);
	diff_done(&report->diff);
}
