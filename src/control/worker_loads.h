/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How busy each worker was in about the last ten seconds, found by looking at its counter of busy time once a second.
 * Control thread; workers do not take part.
 */
#ifndef CONTROL_WORKER_LOADS_H
#define CONTROL_WORKER_LOADS_H

#include "config/config.h"
#include "event/timer_wheel.h"
#include "worker/worker.h"

#include <stdint.h>

enum { WORKER_LOADS_SAMPLES = 11 }; /* one a second */

struct worker_loads {
	struct timer timer;
	struct timer_wheel *wheel;
	struct worker *const *workers;
	uint32_t worker_count;
	uint64_t sample_count; /* taken so far */
	uint64_t at_ns[WORKER_LOADS_SAMPLES];
	uint64_t busy_ns[WORKER_LOADS_SAMPLES][CONFIG_WORKERS_MAX];
};

/* wheel and workers stay the caller's, and outlive it. */
void worker_loads_start(struct worker_loads *loads, struct timer_wheel *wheel, struct worker *const *workers,
			uint32_t worker_count);
void worker_loads_stop(struct worker_loads *loads);

/* Millionths of the time that it was busy: 0 to 1000000. 0 before the second sample. */
uint64_t worker_loads_busy_ppm(const struct worker_loads *loads, uint32_t worker);

#endif
