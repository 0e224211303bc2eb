/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The trends of all services: who uses them, how much, and whether that is usual (docs/trends.md). Owns what is
 * remembered, within one budget of memory, and three timers: workers' observations are taken from their rings every 50 ms
 * while some come, every 100 ms else; counters are read every second; and the state is written every five minutes.
 *
 * What is remembered of a service begins with its first traffic and ends when it is no longer configured; a reload changes
 * nothing of the others. Where memory is short a service has less or nothing.
 *
 * Time: two clocks. now_s counts seconds as the wall clock did at the start, but never jumps; all steps and windows are of
 * it. The wall clock says what a moment is called, and which hour of the week it is, in the local time zone. So
 * everything here can be tested in simulated time. Control thread.
 */
#ifndef CONTROL_TRENDS_H
#define CONTROL_TRENDS_H

#include "control/log_writer.h"
#include "control/server_trends.h"
#include "event/timer_wheel.h"
#include "stats/flow_observation.h"
#include "stats/service_trend.h"
#include "worker/worker.h"

struct trends;

struct trends_now {
	uint64_t s;
	int64_t realtime_us;
};

/*
 * Reads what a former process has left; whatever is wrong with that is an event, and never keeps anything from starting.
 * The log stays the caller's. started: the two clocks at this moment.
 */
struct trends *trends_new(const struct config *config, struct log_writer *log, struct trends_now started);
/* Arms the timers. The wheel and the workers stay the caller's until trends_stop. */
void trends_start(struct trends *trends, struct timer_wheel *wheel, struct worker *const *workers,
		  uint32_t worker_count);
/* Takes what is left in the rings, and writes the state. No worker runs any more; their rings are still there. */
void trends_stop(struct trends *trends);
/* Accepts NULL; clears the pointer. */
void trends_free(struct trends **trends);

/* These services and servers, and these settings, from now on. The snapshot stays the caller's until the next call. */
void trends_watch(struct trends *trends, const struct snapshot *snapshot, const struct config *config);

/* --- what the timers do, for them and for tests ---------------------------------------------------------------------- */

/* Call each second. */
void trends_tick(struct trends *trends, struct trends_now now);
void trends_observe(struct trends *trends, const struct flow_observation *observation, struct trends_now now);

/* --- answers --------------------------------------------------------------------------------------------------------- */

/* Takes what has come since the timers last did, so that an answer is of this moment. */
void trends_refresh(struct trends *trends);
struct trends_now trends_now(const struct trends *trends);
/* Both as long as the trends; NULL when nothing is remembered of the service. */
const struct service_trend *trends_of_service(const struct trends *trends, const struct service *service);
const struct server_trends *trends_of_servers(const struct trends *trends);
/* The report of a service's sources; the caller releases it with source_report_done. False when there is none. */
bool trends_report_sources(const struct trends *trends, const struct service *service, enum trend_window window,
			   struct source_report *ret_report);
/* Something of the service was left out for want of memory, or all. */
bool trends_has_left_out(const struct trends *trends, const struct service *service);
/* What is usual of the service and whether it is left. False when nothing is known. */
bool trends_read_usual(const struct trends *trends, const struct service *service, enum service_measure measure,
		       struct usual_verdict *ret_verdict);
/* What the verdict goes by: "Tuesday 14:00-15:00", "all hours" or "". buf: TRENDS_BASIS_BYTES. Returns buf. */
enum { TRENDS_BASIS_BYTES = 32 };
char *trends_format_basis(const struct usual_verdict *verdict, char buf[TRENDS_BASIS_BYTES]);

struct trends_usage {
	uint64_t used_bytes;
	uint64_t max_bytes;
	uint64_t refused_count;        /* how often something was not remembered for want of memory */
	uint64_t queue_bytes;          /* rings of observations, besides */
	uint64_t observations_dropped; /* by workers whose ring was full */
	const char *file;              /* NULL: nothing is kept */
};
struct trends_usage trends_usage(const struct trends *trends);

/* The most that trends may take with this configuration, rings included: what people are told. */
uint64_t trends_bytes_max(const struct config *config, uint32_t worker_count);

#endif
