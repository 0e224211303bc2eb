/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker tells control about a flow for the trends: one small message in a ring of its own, without a pointer.
 * How many flows and bytes a service has is in its counters anyway; this is about who they are from.
 */
#ifndef STATS_FLOW_OBSERVATION_H
#define STATS_FLOW_OBSERVATION_H

#include "base/addr.h"

#include <assert.h>
#include <stdint.h>

enum { OBSERVATION_RING_BYTES = 512 * 1024 }; /* of one worker: some 9,000 observations */

enum flow_observation_kind {
	FLOW_OBSERVED_BEGIN,
	FLOW_OBSERVED_END, /* with its bytes */
	FLOW_OBSERVED_REFUSAL,
};

struct flow_observation {
	uint64_t bytes_in; /* from the client */
	uint64_t bytes_out;
	struct endpoint source;
	uint32_t service; /* its number */
	uint32_t kind;    /* enum flow_observation_kind */
};
static_assert(sizeof(struct flow_observation) == 48, "two of them for each flow");

#endif
