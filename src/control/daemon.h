/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon: owns everything that lives while strait runs and puts it together. Its thread, the control thread, is the
 * main thread. All of control/ and health/ runs on it, except the log writer, which has a thread of its own: a sink
 * that blocks must not hold up health checks.
 *
 * Order of life: DAEMON_STARTING, then RUNNING, then after the first TERM or INT DRAINING: nothing new is accepted, what
 * there is may finish within `timeout drain`. A second TERM, or the time-out, ends what is left.
 */
#ifndef CONTROL_DAEMON_H
#define CONTROL_DAEMON_H

#include "config/config.h"
#include "control/ingress_guard.h"
#include "control/kernel_path.h"
#include "control/listeners.h"
#include "control/log_writer.h"
#include "control/names.h"
#include "control/retired.h"
#include "control/server_changes.h"
#include "control/trends.h"
#include "control/worker_loads.h"
#include "event/loop.h"
#include "event/mailbox.h"
#include "event/signals.h"
#include "event/timer_wheel.h"
#include "guard/flow_budget.h"
#include "health/health.h"
#include "pool/snapshot.h"
#include "worker/worker.h"

#include <stdbool.h>
#include <stdint.h>

enum daemon_phase { DAEMON_STARTING, DAEMON_RUNNING, DAEMON_DRAINING };

struct daemon {
	struct loop loop;
	struct timer_wheel wheel;
	struct mailbox reports; /* from workers: enum relay_report */
	struct signals signals;
	struct timer drain_timer;
	struct timer watchdog_timer; /* the service manager's watchdog */
	struct timer ramp_timer;     /* views of pools with a server in its slow start are built anew */
	enum daemon_phase phase;
	bool is_stopping;     /* leave the loop */
	bool has_stale_views; /* some pool's is_view_stale is set */
	uint64_t start_ms;    /* monotonic */
	int64_t start_realtime_us;
	struct config *config; /* what the snapshot was built from, run-time changes included */
	struct server_changes *changes;
	struct config *unconfirmed;                 /* what comes back when confirm_timer fires; NULL: nothing waits */
	struct server_changes *unconfirmed_changes; /* that belong to it */
	struct timer confirm_timer;
	const char *config_path; /* NULL: made from the command line */
	struct snapshot *snapshot;
	struct flow_budget budget;
	struct own_flows *own_flows;
	struct relay_settings relay_settings;
	struct relay *relays[CONFIG_WORKERS_MAX]; /* the workers' own; they find each other here */
	uint32_t worker_count;
	uint32_t drained_count; /* workers without flows, while draining */
	struct worker *workers[CONFIG_WORKERS_MAX];
	struct worker_loads loads;
	struct listeners *listeners;
	struct retired *retired;   /* no longer configured, still in use */
	uint64_t reload_count[2];  /* failed and done */
	bool was_last_reload_good; /* true when there was none */
	struct list ejections;     /* struct ejection, see server_states.c */
	struct log_writer *log;
	struct event_stream *event_stream;
	struct trends *trends;
	struct health *health;
	struct names *names;
	struct blocks *blocks;
	struct network_lists *network_lists;
	struct ingress_guard *ingress_guard;
	struct kernel_path *kernel_path;
	struct admin *admin;
	int exit_code;
};

/*
 * Runs until it is told to stop. config is taken over; config_path is NULL when it was made from the command line.
 * Returns 0 after a graceful stop, 1 when it could not start: what went wrong has been said on stderr.
 */
int daemon_run(struct config *config, const char *config_path);

/* "starting", "running" or "draining". */
const char *daemon_phase_word(enum daemon_phase phase);

#endif
