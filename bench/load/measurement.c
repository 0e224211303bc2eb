/* SPDX-License-Identifier: Apache-2.0 */
#include "measurement.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

uint64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

void measurement_init(struct measurement *measurement, const struct options *options)
{
	*measurement = (struct measurement){ .options = options };
	measurement->begin_ns = now_ns() + (uint64_t)(options->warm_up * NS_PER_S);
	measurement->end_ns = measurement->begin_ns + (uint64_t)(options->seconds * NS_PER_S);
}

bool measurement_contains(const struct measurement *measurement, uint64_t time_ns)
{
	return time_ns >= measurement->begin_ns && time_ns < measurement->end_ns;
}

void measurement_record(struct measurement *measurement, uint64_t time_ns, uint64_t latency_ns)
{
	if (!measurement_contains(measurement, time_ns))
		return;
	measurement->count++;
	histogram_add(&measurement->latency, latency_ns);
}

void measurement_record_error(struct measurement *measurement, uint64_t time_ns)
{
	if (measurement_contains(measurement, time_ns))
		measurement->errors++;
}

static double latency_us(const struct measurement *measurement, double percent)
{
	return (double)histogram_percentile(&measurement->latency, percent) / 1000;
}

void measurement_print(const struct measurement *measurement)
{
	double seconds = (double)(measurement->end_ns - measurement->begin_ns) / NS_PER_S;
	printf("{\"command\": \"%s\", \"seconds\": %.3f, \"count\": %" PRIu64 ", \"errors\": %" PRIu64
	       ", \"rate\": %.1f, ",
	       measurement->options->command, seconds, measurement->count, measurement->errors,
	       (double)measurement->count / seconds);
	printf("\"latency_us\": {\"p50\": %.1f, \"p99\": %.1f, \"p99.9\": %.1f, \"max\": %.1f}}\n",
	       latency_us(measurement, 50), latency_us(measurement, 99), latency_us(measurement, 99.9),
	       (double)measurement->latency.max / 1000);
	fflush(stdout);
}
