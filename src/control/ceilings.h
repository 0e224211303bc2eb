/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many flows this process can have at once: what the configuration allows, as far as descriptors and memory reach.
 * What the daemon needs for itself (listeners, health checks, admin connections, log files) is set aside first, so that
 * a flood of clients never takes it away. Pure arithmetic, used at start and by `strait check`.
 */
#ifndef CONTROL_CEILINGS_H
#define CONTROL_CEILINGS_H

#include "config/config.h"
#include "guard/flow_budget.h"
#include "worker/worker.h"

#include <stdint.h>

struct ceilings {
	uint64_t descriptors; /* for flows: a connection needs two, a session one */
	uint64_t connections;
	uint64_t sessions;
	uint64_t tail_bytes; /* of all workers, for bytes that a slow side has not taken yet */
};

struct ceilings_resources {
	uint64_t descriptor_limit; /* RLIMIT_NOFILE */
	uint64_t memory_bytes;     /* of the machine */
	uint32_t worker_count;
};

/* A connection needs two, a session one. */
static inline uint64_t ceilings_descriptors_of(uint64_t connections, uint64_t sessions)
{
	return 2 * connections + sessions;
}

struct ceilings ceilings_compute(const struct config *config, const struct ceilings_resources *resources);

/* Sets the daemon's ceilings to what the configuration allows on this machine. */
void ceilings_apply(const struct config *config, uint32_t worker_count, struct flow_budget *budget);

/* The most that any configuration could allow: the sizes of tables. Of one worker: tails. */
void ceilings_set_capacities(uint32_t worker_count, struct relay_settings *settings);

/* Those of this process and machine. */
struct ceilings_resources ceilings_read_resources(uint32_t worker_count);

/* What `workers` in the configuration comes to on this machine. */
uint32_t ceilings_worker_count(const struct config *config);

#endif
