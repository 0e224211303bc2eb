/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of the trends share: sources made of numbers, a budget without an end, and reading what was written. */
#ifndef TESTS_STATS_TREND_FIXTURE_H
#define TESTS_STATS_TREND_FIXTURE_H

#include "base/byte_stream.h"
#include "stats/memory_budget.h"
#include "stats/source.h"

#include <stdint.h>
#include <string.h>

#define FIXTURE_SECRET UINT64_C(0x5ec2e7)

static inline struct memory_budget fixture_budget(void)
{
	return (struct memory_budget){ .max_bytes = UINT64_MAX };
}

/* 10.x.y.z of the number. */
static inline struct network fixture_source(uint32_t number)
{
	struct network source = { .family = AF_INET, .prefix_bits = 128 };
	const uint8_t ip[] = { 10, (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number };
	memcpy(source.ip + 10, "\xff\xff", 2);
	memcpy(source.ip + 12, ip, sizeof(ip));
	return source;
}

static inline uint64_t fixture_hash(const struct network *source)
{
	return source_hash(source, FIXTURE_SECRET);
}

static inline struct byte_reader fixture_reader(const struct byte_writer *writer)
{
	return (struct byte_reader){ .left = { (const char *)writer->bytes, writer->len } };
}

#endif
