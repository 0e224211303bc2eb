/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static struct timespec read_clock(clockid_t id)
{
	struct timespec time;
	clock_gettime(id, &time);
	return time;
}

uint64_t clock_monotonic_ns(void)
{
	struct timespec time = read_clock(CLOCK_MONOTONIC);
	return (uint64_t)time.tv_sec * CLOCK_NS_PER_S + (uint64_t)time.tv_nsec;
}

uint64_t clock_monotonic_ms(void)
{
	return clock_monotonic_ns() / CLOCK_NS_PER_MS;
}

int64_t clock_realtime_us(void)
{
	struct timespec time = read_clock(CLOCK_REALTIME);
	return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

char *clock_format_realtime(int64_t realtime_us, char *buf, uint64_t buf_bytes)
{
	time_t seconds = realtime_us / 1000000;
	struct tm broken_down;
	gmtime_r(&seconds, &broken_down);
	size_t len = strftime(buf, buf_bytes, "%Y-%m-%dT%H:%M:%S", &broken_down);
	snprintf(buf + len, buf_bytes - len, ".%03dZ", (int)(realtime_us / 1000 % 1000));
	return buf;
}
