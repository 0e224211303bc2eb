/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/flow_progress.h"

#include "base/clock.h"
#include "relay/bare_flow.h"
#include "relay/flow_report.h"
#include "relay/tcp_connection.h"
#include "relay/udp_offload.h"
#include "relay/udp_session.h"

enum {
	LOOK_MS = 1000, /* how soon it is seen that a sink wants records */
	SLICE_MS = 1,
};

static void arm(struct flow_progress *progress, uint64_t at_ms)
{
	timer_arm(progress->relay->wheel, &progress->timer, at_ms);
}

/* Tells of one flow that began at start_ns, if it is a period old. */
static bool is_old_enough(const struct flow_progress *progress, uint64_t start_ns)
{
	return progress->round_ns >= start_ns + progress->period_ms * CLOCK_NS_PER_MS;
}

static struct flow_moment moment_of(const struct flow_progress *progress)
{
	return (struct flow_moment){ progress->round_ns, progress->previous_ns };
}

static void tell_connection(const struct flow_progress *progress, const struct tcp_connection *connection)
{
	struct flow_moment moment = moment_of(progress);
	if (connection->state != TCP_CLOSED && is_old_enough(progress, connection->start_ns))
		flow_report_connection_progress(connection, &moment);
}

static void tell_session(const struct flow_progress *progress, struct udp_session *session)
{
	struct flow_moment moment = moment_of(progress);
	if (session->is_ended || !is_old_enough(progress, session->start_ns))
		return;
	udp_offload_fold(session);
	flow_report_session_progress(session, &moment);
}

static void tell_bare(const struct flow_progress *progress, struct bare_flow *flow)
{
	struct flow_moment moment = moment_of(progress);
	if (flow->is_ended || !is_old_enough(progress, flow->start_ns))
		return;
	bare_flow_fold(flow);
	flow_report_bare_progress(flow, &moment);
}

/* Returns true when the round is over. */
static bool do_slice(struct flow_progress *progress)
{
	struct flow_met flow;
	for (int i = 0; i < FLOW_PROGRESS_SLOTS; i++) {
		if (!flow_walk_next(&progress->walk, progress->relay, &flow))
			return true;
		if (flow.connection != NULL)
			tell_connection(progress, flow.connection);
		else if (flow.session != NULL)
			tell_session(progress, flow.session);
		else
			tell_bare(progress, flow.bare);
	}
	return false;
}

static bool has_room(const struct relay *relay)
{
	uint64_t waiting = ring_put_bytes(&relay->records) - ring_taken_bytes(&relay->records);
	return waiting < relay->records.capacity / 2;
}

static void go_on(struct flow_progress *progress, uint64_t now_ms)
{
	if (has_room(progress->relay) && do_slice(progress)) {
		progress->is_under_way = false;
		progress->previous_ns = progress->round_ns;
		progress->round_ns += progress->period_ms * CLOCK_NS_PER_MS;
		uint64_t due_ms = progress->round_ns / CLOCK_NS_PER_MS;
		arm(progress, due_ms < now_ms + LOOK_MS ? due_ms : now_ms + LOOK_MS);
		return;
	}
	arm(progress, now_ms + SLICE_MS);
}

/* The sinks want another period, or none: the next round is a whole period away. */
static void change_period(struct flow_progress *progress, uint64_t period_ms)
{
	uint64_t now_ns = progress->relay->loop->now_ns;
	progress->period_ms = period_ms;
	progress->round_ns = now_ns + period_ms * CLOCK_NS_PER_MS;
	progress->previous_ns = now_ns;
}

static void on_timer(struct timer *timer, uint64_t now_ms)
{
	struct flow_progress *progress = LIST_OWNER(timer, struct flow_progress, timer);
	uint64_t period_ms = relay_settings_progress_ms(progress->relay->settings);
	if (!progress->is_under_way && period_ms != progress->period_ms)
		change_period(progress, period_ms);
	if (progress->period_ms == 0) {
		arm(progress, now_ms + LOOK_MS);
		return;
	}
	uint64_t due_ms = progress->round_ns / CLOCK_NS_PER_MS;
	if (!progress->is_under_way && now_ms < due_ms) {
		arm(progress, due_ms < now_ms + LOOK_MS ? due_ms : now_ms + LOOK_MS);
		return;
	}
	if (!progress->is_under_way) {
		progress->is_under_way = true;
		progress->walk = (struct flow_walk){ 0 };
	}
	go_on(progress, now_ms);
}

void flow_progress_start(struct flow_progress *progress, struct relay *relay)
{
	*progress = (struct flow_progress){ .timer = { .on_expiry = on_timer }, .relay = relay };
	arm(progress, relay->loop->now_ms);
}

void flow_progress_stop(struct flow_progress *progress)
{
	if (progress->relay != NULL)
		timer_disarm(progress->relay->wheel, &progress->timer);
}
