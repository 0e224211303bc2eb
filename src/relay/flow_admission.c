/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/flow_admission.h"

#include "guard/block_list.h"
#include "relay/flow_report.h"

#include <string.h>

static struct service_counters *counters_of(const struct relay *relay, struct service *service)
{
	return &service->counters[relay->worker_index];
}

bool flow_is_blocked(const struct relay *relay, const struct endpoint *client)
{
	return block_list_find(relay->settings->blocks, client) != NULL;
}

bool flow_is_kept_out(struct relay *relay, const struct endpoint *client)
{
	struct block *block = block_list_find(relay->settings->blocks, client);
	if (block == NULL)
		return false;
	atomic_fetch_add_explicit(&block->refused, 1, memory_order_relaxed);
	return true;
}

/* When control's mailbox is full the source is refused so often again, and then told. */
static void ask_for_block(struct relay *relay, struct service *service, const struct endpoint *client)
{
	struct network source = guard_source(service->guard, client);
	struct message message = {
		.kind = RELAY_REPORT_BLOCK_DUE,
		.number = (uint32_t)source.family << 8 | source.prefix_bits,
		.subject = service,
	};
	memcpy(message.address, source.ip, sizeof(message.address));
	mailbox_post(relay->settings->to_control, message);
}

static void note_spared(struct relay *relay, struct service *service, enum guard_kind kind,
			const struct endpoint *client, enum reason reason)
{
	struct flow_refusal spared = {
		.service = service,
		.protocol = kind == GUARD_CONNECTION ? FLOW_TCP : FLOW_UDP,
		.reason = reason,
		.client = *client,
	};
	counter_add(&counters_of(relay, service)->spared[reason], 1);
	flow_report_spared(relay, &spared);
}

/* What follows from the judgement besides the answer. */
static void note_verdict(struct relay *relay, struct service *service, enum guard_kind kind,
			 const struct endpoint *client, const struct guard_verdict *verdict)
{
	if (verdict->is_block_due)
		ask_for_block(relay, service, client);
	if (verdict->spared != REASON_NONE)
		note_spared(relay, service, kind, client, verdict->spared);
}

enum reason flow_admit(struct relay *relay, struct service *service, enum guard_kind kind,
		       const struct endpoint *client, struct guard_ticket *ret_ticket)
{
	if (flow_is_kept_out(relay, client))
		return REASON_BLOCKED;
	struct guard_verdict verdict = guard_admit(service->guard, kind, client, relay->loop->now_ns);
	note_verdict(relay, service, kind, client, &verdict);
	if (verdict.reason == REASON_NONE)
		*ret_ticket = verdict.ticket;
	return verdict.reason;
}

enum reason flow_admit_instead(struct relay *relay, struct service *service, enum guard_kind kind,
			       const struct endpoint *client, struct guard_ticket *ret_ticket)
{
	struct guard_verdict verdict = guard_admit_instead(service->guard, kind, client, relay->loop->now_ns);
	note_verdict(relay, service, kind, client, &verdict);
	if (verdict.reason == REASON_NONE)
		*ret_ticket = verdict.ticket;
	return verdict.reason;
}

uint32_t flow_admit_packets(struct relay *relay, struct service *service, const struct endpoint *client, uint32_t count)
{
	struct guard_packets_verdict verdict = guard_admit_packets(service->guard, client, relay->loop->now_ns, count);
	uint32_t dropped = count - verdict.admitted;
	if (verdict.is_block_due)
		ask_for_block(relay, service, client);
	if (verdict.spared > 0) {
		counter_add(&counters_of(relay, service)->spared[REASON_LIMIT_RATE], verdict.spared);
		flow_report_limit_spared(relay, service, REASON_LIMIT_RATE);
	}
	if (dropped > 0) {
		counter_add(&counters_of(relay, service)->packets_dropped, dropped);
		counter_add(&counters_of(relay, service)->packets_limited, dropped);
		flow_report_limit(relay, service, REASON_LIMIT_RATE);
	}
	return verdict.admitted;
}

void flow_note_misbehaviour(struct relay *relay, struct service *service, const struct endpoint *client)
{
	if (guard_note_refusal(service->guard, client, relay->loop->now_ns))
		ask_for_block(relay, service, client);
}
