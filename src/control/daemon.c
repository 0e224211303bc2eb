/* SPDX-License-Identifier: Apache-2.0 */
#include "control/daemon.h"

#include "balance/view.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/version.h"
#include "control/admin.h"
#include "control/automatic_blocks.h"
#include "control/blocks.h"
#include "control/ceilings.h"
#include "control/event_stream.h"
#include "control/network_lists.h"
#include "control/own_addresses.h"
#include "control/pool_sources.h"
#include "control/pool_update.h"
#include "control/reload.h"
#include "control/server_states.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>
#include <urcu-qsbr.h>

enum {
	WAIT_MS_MAX = 60 * 1000,
	TIMERS_PER_TURN = 4096,
	US_PER_S = 1000000,
};

const char *daemon_phase_word(enum daemon_phase phase)
{
	static const char *const words[] = {
		[DAEMON_STARTING] = "starting",
		[DAEMON_RUNNING] = "running",
		[DAEMON_DRAINING] = "draining",
	};
	return words[phase];
}

/* --- signals and stopping ---------------------------------------------------------------------------------------- */

static void on_drain_over(struct timer *timer, uint64_t now_ms)
{
	(void)now_ms;
	struct daemon *daemon = LIST_OWNER(timer, struct daemon, drain_timer);
	log_event(daemon->log, CONFIG_LEVEL_WARNING, "drain_timeout",
		  record_number("after_ms", daemon->snapshot->drain_ms));
	daemon->is_stopping = true;
}

static void begin_drain(struct daemon *daemon, const char *signal_name)
{
	daemon->phase = DAEMON_DRAINING;
	log_event(daemon->log, CONFIG_LEVEL_INFO, "stopping", record_text("signal", signal_name),
		  record_number("drain_ms", daemon->snapshot->drain_ms));
	sd_notify(0, "STOPPING=1\nSTATUS=draining");
	kernel_path_stop(daemon->kernel_path);
	for (uint32_t i = 0; i < daemon->worker_count; i++)
		worker_drain(daemon->workers[i]);
	daemon->drain_timer.on_expiry = on_drain_over;
	timer_arm(&daemon->wheel, &daemon->drain_timer, daemon->loop.now_ms + daemon->snapshot->drain_ms);
}

static void on_stop_signal(struct daemon *daemon, const char *signal_name)
{
	if (daemon->phase == DAEMON_DRAINING)
		daemon->is_stopping = true;
	else
		begin_drain(daemon, signal_name);
}

/* What went wrong is in the event: nobody waits for an answer. */
static void reload(struct daemon *daemon)
{
	const struct reload_options options = { 0 };
	struct reload_report report;
	reload_file(daemon, &options, &report);
	reload_report_done(&report);
}

static void refuse_signal(struct daemon *daemon, const char *signal_name)
{
	log_event(daemon->log, CONFIG_LEVEL_WARNING, "signal_ignored", record_text("signal", signal_name),
		  record_text("cause", "not supported by this version; nothing was changed"));
}

static void on_signal(struct signals *signals, int number)
{
	struct daemon *daemon = LIST_OWNER(signals, struct daemon, signals);
	switch (number) {
	case SIGTERM:
		on_stop_signal(daemon, "TERM");
		break;
	case SIGINT:
		on_stop_signal(daemon, "INT");
		break;
	case SIGUSR1:
		log_writer_reopen(daemon->log);
		break;
	case SIGHUP:
		reload(daemon);
		break;
	case SIGUSR2:
		refuse_signal(daemon, "USR2");
		break;
	default:
		break;
	}
}

/* --- what workers report ----------------------------------------------------------------------------------------- */

static void on_report(struct mailbox *mailbox, const struct message *message)
{
	struct daemon *daemon = LIST_OWNER(mailbox, struct daemon, reports);
	const struct service *service;
	switch ((enum relay_report)message->kind) {
	case RELAY_REPORT_EJECTED:
		server_states_on_ejection(daemon, message->subject);
		break;
	case RELAY_REPORT_REFUSAL:
		service = message->subject;
		log_event(daemon->log, CONFIG_LEVEL_WARNING, "limit_reached", record_text("service", service->name),
			  record_text("reason", reason_word(message->number)));
		break;
	case RELAY_REPORT_SPARED:
		service = message->subject;
		log_event(daemon->log, CONFIG_LEVEL_WARNING, "limit_spared", record_text("service", service->name),
			  record_text("reason", reason_word(message->number)));
		break;
	case RELAY_REPORT_BLOCK_DUE:
		automatic_blocks_on_report(daemon, message);
		break;
	case RELAY_REPORT_NO_SOURCE:
		pool_sources_report_refusal(daemon, message->subject, (int)message->number);
		break;
	case RELAY_REPORT_RING_REFUSED:
		log_event(daemon->log, CONFIG_LEVEL_INFO, "io_uring_refused",
			  record_text("error", strerror((int)message->number)));
		break;
	case RELAY_REPORT_DRAINED:
		daemon->drained_count++;
		if (daemon->drained_count == daemon->worker_count)
			daemon->is_stopping = true;
		break;
	}
}

/* --- the service manager ----------------------------------------------------------------------------------------- */

static void on_watchdog(struct timer *timer, uint64_t now_ms)
{
	struct daemon *daemon = LIST_OWNER(timer, struct daemon, watchdog_timer);
	uint64_t interval_us;
	if (sd_watchdog_enabled(0, &interval_us) <= 0)
		return;
	sd_notify(0, "WATCHDOG=1");
	timer_arm(&daemon->wheel, timer, now_ms + interval_us / 1000 / 2);
}

static void notify_ready(struct daemon *daemon)
{
	sd_notifyf(0, "READY=1\nSTATUS=generation %llu, %zu services", (unsigned long long)daemon->snapshot->generation,
		   daemon->snapshot->service_count);
	daemon->watchdog_timer.on_expiry = on_watchdog;
	on_watchdog(&daemon->watchdog_timer, daemon->loop.now_ms);
}

/* --- start ------------------------------------------------------------------------------------------------------- */

static bool fail(const char *what, int error)
{
	fprintf(stderr, "strait: cannot %s: %s\n", what, strerror(-error));
	return false;
}

static bool start_log(struct daemon *daemon)
{
	const struct config_log *failed = NULL;
	int result = log_writer_new(daemon->config, &daemon->log, &failed);
	if (result == 0)
		return true;
	if (failed == NULL)
		return fail("start the log", result);
	fprintf(stderr, "strait: cannot open the log file %s: %s\n", failed->path, strerror(-result));
	return false;
}

/* Those who were blocked may have flows. */
static void on_blocks_added(void *owner)
{
	struct daemon *daemon = owner;
	for (uint32_t i = 0; i < daemon->worker_count; i++)
		worker_close_lost(daemon->workers[i]);
}

static void on_list_changed(void *owner, size_t list)
{
	struct daemon *daemon = owner;
	snapshot_update_list(daemon->snapshot, daemon->config, list);
	kernel_path_update_rules(daemon->kernel_path);
	blocks_configure(daemon->blocks, daemon->config);
}

static void make_blocks(struct daemon *daemon)
{
	daemon->blocks = blocks_new(&daemon->loop, &daemon->wheel, daemon->log, on_blocks_added, daemon);
	daemon->network_lists = network_lists_new(&daemon->loop, &daemon->wheel, daemon->log, on_list_changed, daemon);
	blocks_configure(daemon->blocks, daemon->config);
	network_lists_watch(daemon->network_lists, daemon->config);
}

static void fill_relay_settings(struct daemon *daemon)
{
	ceilings_apply(daemon->config, daemon->worker_count, &daemon->budget);
	daemon->relay_settings = (struct relay_settings){
		.budget = &daemon->budget,
		.own_flows = daemon->own_flows,
		.reflection = own_addresses_build_reflection(daemon->snapshot),
		.blocks = blocks_list(daemon->blocks),
		.to_control = &daemon->reports,
		.worker_count = daemon->worker_count,
		.relays = daemon->relays,
		.writes_records = log_writer_wants_flows(daemon->log),
		.progress_ms = log_writer_progress_ms(daemon->log),
		.ephemeral_ports = pool_sources_read_ephemeral_ports(),
		.wants_ring = daemon->config->io_uring == CONFIG_IO_URING_ON,
		.wake_log = log_writer_wake,
		.log = daemon->log,
	};
	ceilings_set_capacities(daemon->worker_count, &daemon->relay_settings);
}

static bool open_listeners(struct daemon *daemon)
{
	struct listeners_error error;
	daemon->listeners = listeners_new(daemon->workers, daemon->worker_count);
	struct listeners_change *change = listeners_prepare(daemon->listeners, daemon->snapshot, &error);
	if (change != NULL) {
		listeners_commit(daemon->listeners, change);
		return true;
	}
	char text[ADDR_TEXT_BYTES];
	fprintf(stderr, "strait: service %s cannot listen on %s%s: %s\n", error.listen->service->name,
		error.listen->protocol == FLOW_UDP ? "udp " : "", addr_format(&error.listen->addr, text, sizeof(text)),
		strerror(-error.error));
	return false;
}

static bool make_workers(struct daemon *daemon)
{
	for (uint32_t i = 0; i < daemon->worker_count; i++) {
		int result = worker_new(&daemon->relay_settings, i, &daemon->workers[i]);
		if (result < 0)
			return fail("make a worker", result);
		log_writer_add_ring(daemon->log, worker_records(daemon->workers[i]));
	}
	daemon->retired = retired_new(&daemon->wheel, daemon->workers, daemon->worker_count);
	return open_listeners(daemon);
}

static bool start_admin(struct daemon *daemon)
{
	struct admin_error error;
	struct admin_change *change;
	daemon->admin = admin_new(daemon);
	int result = admin_prepare(daemon->admin, daemon->config, &change, &error);
	if (result == 0) {
		admin_commit(daemon->admin, change);
		return true;
	}
	char text[ADDR_TEXT_BYTES];
	fprintf(stderr, "strait: the admin API on %s cannot %s: %s\n",
		addr_format(&error.admin->addr, text, sizeof(text)), error.what, strerror(-result));
	return false;
}

static bool start_threads(struct daemon *daemon)
{
	int result = log_writer_start(daemon->log);
	for (uint32_t i = 0; i < daemon->worker_count && result == 0; i++)
		result = worker_start(daemon->workers[i]);
	return result == 0 || fail("start a thread", result);
}

static void publish_first_views(struct daemon *daemon)
{
	for (size_t i = 0; i < daemon->snapshot->pool_count; i++)
		daemon->snapshot->pools[i]->is_view_stale = true;
	daemon->has_stale_views = true;
	server_states_publish(daemon);
}

static bool open_events(struct daemon *daemon)
{
	int result = loop_init(&daemon->loop);
	if (result == 0)
		result = mailbox_open(&daemon->reports, &daemon->loop, on_report);
	if (result == 0)
		result = signals_open(&daemon->signals, &daemon->loop, on_signal);
	timer_wheel_init(&daemon->wheel, daemon->loop.now_ms);
	list_init(&daemon->ejections);
	return result == 0 || fail("set up events", result);
}

static void make_trends(struct daemon *daemon)
{
	struct trends_now started = {
		.s = (uint64_t)daemon->start_realtime_us / US_PER_S,
		.realtime_us = daemon->start_realtime_us,
	};
	daemon->trends = trends_new(daemon->config, daemon->log, started);
	trends_watch(daemon->trends, daemon->snapshot, daemon->config);
}

static void make_kernel_path(struct daemon *daemon)
{
	const struct kernel_path_carriers carriers = {
		.settings = &daemon->relay_settings,
		.workers = daemon->workers,
		.worker_count = daemon->worker_count,
	};
	daemon->kernel_path = kernel_path_new(&daemon->loop, &daemon->wheel, daemon->log, &carriers);
	kernel_path_reserve_ports(daemon->kernel_path, daemon->config);
}

static bool start(struct daemon *daemon)
{
	fd_raise_limit();
	daemon->worker_count = ceilings_worker_count(daemon->config);
	if (!open_events(daemon) || !start_log(daemon))
		return false;
	daemon->event_stream = event_stream_new(daemon);
	daemon->start_ms = daemon->loop.now_ms;
	daemon->start_realtime_us = clock_realtime_us();
	daemon->snapshot = snapshot_build(daemon->config, 1, daemon->worker_count, NULL);
	daemon->own_flows = own_flows_new();
	own_addresses_mark_servers(daemon->snapshot);
	publish_first_views(daemon);
	make_blocks(daemon);
	fill_relay_settings(daemon);
	make_trends(daemon);
	daemon->health = health_new(&daemon->loop, &daemon->wheel, server_states_on_verdict, daemon);
	if (!make_workers(daemon) || !start_admin(daemon))
		return false;
	make_kernel_path(daemon);
	if (!start_threads(daemon))
		return false;
	health_watch(daemon->health, daemon->snapshot);
	daemon->names = names_new(&daemon->loop, &daemon->wheel, daemon->log, pool_update_on_names, daemon);
	names_watch(daemon->names, daemon->config);
	trends_start(daemon->trends, &daemon->wheel, daemon->workers, daemon->worker_count);
	worker_loads_start(&daemon->loads, &daemon->wheel, daemon->workers, daemon->worker_count);
	daemon->phase = DAEMON_RUNNING;
	log_event(daemon->log, CONFIG_LEVEL_INFO, "started", record_text("version", STRAIT_VERSION),
		  record_number("generation", daemon->snapshot->generation),
		  record_number("workers", daemon->worker_count),
		  record_number("connections_max", daemon->budget.connections.max),
		  record_number("sessions_max", daemon->budget.sessions.max));
	daemon->ingress_guard = ingress_guard_new(&daemon->loop, &daemon->wheel, daemon->log);
	ingress_guard_apply(daemon->ingress_guard, daemon->config, daemon->snapshot);
	blocks_use_guard(daemon->blocks, ingress_guard_packets(daemon->ingress_guard));
	kernel_path_apply(daemon->kernel_path, daemon->config, daemon->snapshot);
	blocks_use_nat(daemon->blocks, kernel_path_nat(daemon->kernel_path));
	pool_sources_report_problems(daemon);
	/* What the system's files say of names is there before the first client. */
	loop_end_turn(&daemon->loop);
	notify_ready(daemon);
	return true;
}

/* --- running and the end ----------------------------------------------------------------------------------------- */

static void turn(struct daemon *daemon, bool has_more_timers)
{
	int wait_ms = has_more_timers ? 0 : timer_wheel_wait_ms(&daemon->wheel, daemon->loop.now_ms, WAIT_MS_MAX);
	loop_wait(&daemon->loop, wait_ms);
	loop_dispatch(&daemon->loop);
}

static void run(struct daemon *daemon)
{
	bool has_more_timers = false;
	while (!daemon->is_stopping) {
		turn(daemon, has_more_timers);
		has_more_timers = timer_wheel_advance(&daemon->wheel, daemon->loop.now_ms, TIMERS_PER_TURN);
		server_states_publish(daemon);
		loop_end_turn(&daemon->loop);
	}
}

static void stop_threads(struct daemon *daemon)
{
	for (uint32_t i = 0; i < daemon->worker_count; i++)
		if (daemon->workers[i] != NULL)
			worker_stop(daemon->workers[i]);
	trends_stop(daemon->trends);
	if (daemon->phase != DAEMON_STARTING)
		log_event(daemon->log, CONFIG_LEVEL_INFO, "stopped");
	if (daemon->log != NULL)
		log_writer_stop(daemon->log);
}

/* In reverse of start; whatever was not reached is NULL or empty. */
static void done(struct daemon *daemon)
{
	reload_done(daemon);
	ingress_guard_free(&daemon->ingress_guard);
	names_free(&daemon->names);
	network_lists_free(&daemon->network_lists);
	health_free(&daemon->health);
	worker_loads_stop(&daemon->loads);
	admin_free(&daemon->admin); /* it may have something to log */
	stop_threads(daemon);
	for (uint32_t i = 0; i < daemon->worker_count; i++)
		worker_free(&daemon->workers[i]);
	kernel_path_free(&daemon->kernel_path);
	trends_free(&daemon->trends);
	own_flows_free(&daemon->own_flows);
	reflection_free(&daemon->relay_settings.reflection);
	blocks_free(&daemon->blocks);
	listeners_free(&daemon->listeners);
	server_states_done(daemon);
	if (daemon->snapshot != NULL)
		for (size_t i = 0; i < daemon->snapshot->pool_count; i++)
			balance_view_discard(daemon->snapshot->pools[i]);
	rcu_barrier();
	retired_free(&daemon->retired);
	snapshot_free(&daemon->snapshot);
	event_stream_free(&daemon->event_stream);
	log_writer_free(&daemon->log);
	signals_close(&daemon->signals);
	mailbox_close(&daemon->reports);
	loop_done(&daemon->loop);
	server_changes_free(&daemon->changes);
	config_free(&daemon->config);
}

int daemon_run(struct config *config, const char *config_path)
{
	signals_block();
	struct daemon daemon = {
		.config = config,
		.changes = server_changes_new(),
		.config_path = config_path,
		.was_last_reload_good = true,
		.loop = { .epoll_fd = -1 },
		.signals = { .source = { .fd = -1 } },
	};
	list_init(&daemon.ejections);
	if (start(&daemon))
		run(&daemon);
	else
		daemon.exit_code = 1;
	done(&daemon);
	return daemon.exit_code;
}
