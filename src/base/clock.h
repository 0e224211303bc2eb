/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two clocks. Time-outs and durations use the monotonic one only, in 64 bits, so they neither jump nor wrap;
 * the wall clock is for showing to people. Any thread.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

#define CLOCK_NS_PER_US UINT64_C(1000)
#define CLOCK_NS_PER_MS UINT64_C(1000000)
#define CLOCK_NS_PER_S  UINT64_C(1000000000)
#define CLOCK_MS_PER_S  UINT64_C(1000)
#define CLOCK_US_PER_MS UINT64_C(1000)

uint64_t clock_monotonic_ns(void);
uint64_t clock_monotonic_ms(void);
/* Microseconds since 1970-01-01 UTC. */
int64_t clock_realtime_us(void);

enum { CLOCK_TEXT_BYTES = 32 };
/* "2026-11-23T06:29:19.266Z" (RFC 3339, milliseconds). Returns buf. */
char *clock_format_realtime(int64_t realtime_us, char *buf, uint64_t buf_bytes);

#endif
