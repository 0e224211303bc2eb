/* SPDX-License-Identifier: Apache-2.0 */
#include "control/worker_loads.h"

#include "base/clock.h"

enum { INTERVAL_MS = 1000, MILLION = 1000000 };

static void take_sample(struct worker_loads *loads, uint64_t now_ms)
{
	size_t slot = loads->sample_count % WORKER_LOADS_SAMPLES;
	loads->at_ns[slot] = clock_monotonic_ns();
	for (uint32_t i = 0; i < loads->worker_count; i++)
		loads->busy_ns[slot][i] = counter_read(&worker_load(loads->workers[i])->busy_ns);
	loads->sample_count++;
	timer_arm(loads->wheel, &loads->timer, now_ms + INTERVAL_MS);
}

static void on_timer(struct timer *timer, uint64_t now_ms)
{
	take_sample(LIST_OWNER(timer, struct worker_loads, timer), now_ms);
}

void worker_loads_start(struct worker_loads *loads, struct timer_wheel *wheel, struct worker *const *workers,
			uint32_t worker_count)
{
	*loads = (struct worker_loads){
		.timer = { .on_expiry = on_timer },
		.wheel = wheel,
		.workers = workers,
		.worker_count = worker_count,
	};
	take_sample(loads, clock_monotonic_ms());
}

void worker_loads_stop(struct worker_loads *loads)
{
	if (loads->wheel != NULL)
		timer_disarm(loads->wheel, &loads->timer);
}

uint64_t worker_loads_busy_ppm(const struct worker_loads *loads, uint32_t worker)
{
	if (loads->sample_count < 2)
		return 0;
	uint64_t oldest = loads->sample_count < WORKER_LOADS_SAMPLES ? 0 : loads->sample_count % WORKER_LOADS_SAMPLES;
	uint64_t newest = (loads->sample_count - 1) % WORKER_LOADS_SAMPLES;
	uint64_t time_ns = loads->at_ns[newest] - loads->at_ns[oldest];
	uint64_t busy_ns = loads->busy_ns[newest][worker] - loads->busy_ns[oldest][worker];
	if (time_ns == 0)
		return 0;
	/* A turn is counted when it is over: a long one may begin before the oldest sample. */
	return busy_ns < time_ns ? busy_ns * MILLION / time_ns : MILLION;
}
