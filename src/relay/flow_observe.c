/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/flow_observe.h"

static void put(struct relay *relay, const struct flow_observation *observation)
{
	if (!ring_put(&relay->observations, observation, sizeof(*observation)))
		counter_add(&relay->observations_dropped, 1);
}

void flow_observe_begin(struct relay *relay, const struct service *service, const struct endpoint *client)
{
	struct flow_observation observation = {
		.source = *client,
		.service = service->number,
		.kind = FLOW_OBSERVED_BEGIN,
	};
	put(relay, &observation);
}

void flow_observe_end(struct relay *relay, const struct service *service, const struct endpoint *client,
		      uint64_t bytes_in, uint64_t bytes_out)
{
	struct flow_observation observation = {
		.bytes_in = bytes_in,
		.bytes_out = bytes_out,
		.source = *client,
		.service = service->number,
		.kind = FLOW_OBSERVED_END,
	};
	put(relay, &observation);
}

void flow_observe_refusal(struct relay *relay, const struct service *service, const struct endpoint *client)
{
	if (ring_put_bytes(&relay->observations) - ring_taken_bytes(&relay->observations) >=
	    OBSERVATION_RING_BYTES / 2) {
		counter_add(&relay->observations_dropped, 1);
		return;
	}
	struct flow_observation observation = {
		.source = *client,
		.service = service->number,
		.kind = FLOW_OBSERVED_REFUSAL,
	};
	put(relay, &observation);
}
