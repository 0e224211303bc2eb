/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/seen_sources.h"

#include "base/check.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

enum { BITS_OF_A_KEY = 4, WORD_BITS = 64 };

void seen_sources_init(struct seen_sources *seen, uint64_t bytes)
{
	uint64_t bits = WORD_BITS;
	while (2 * bits * SEEN_GENERATIONS <= bytes * 8)
		bits *= 2;
	*seen = (struct seen_sources){ .bit_count = bits };
}

static uint64_t bytes_of(const struct seen_sources *seen)
{
	return SEEN_GENERATIONS * seen->bit_count / 8;
}

void seen_sources_done(struct seen_sources *seen, struct memory_budget *budget)
{
	if (seen->words != NULL)
		memory_budget_give(budget, bytes_of(seen));
	free(seen->words);
	seen->words = NULL;
}

static uint64_t *filter_of(const struct seen_sources *seen, uint32_t number)
{
	return seen->words + number * (seen->bit_count / WORD_BITS);
}

static bool allocate(struct seen_sources *seen, struct memory_budget *budget)
{
	if (seen->words != NULL)
		return true;
	if (!memory_budget_take(budget, bytes_of(seen)))
		return false;
	seen->words = memory_alloc_zeroed(bytes_of(seen), 1);
	return true;
}

static void turn(struct seen_sources *seen, uint64_t now_s)
{
	if (now_s < seen->begun_s || seen->begun_s == 0)
		seen->begun_s = now_s;
	if (now_s - seen->begun_s < SEEN_GENERATION_S && seen->set_count <= seen->bit_count / 2)
		return;
	seen->newest = (seen->newest + 1) % SEEN_GENERATIONS;
	memset(filter_of(seen, seen->newest), 0, seen->bit_count / 8);
	seen->set_count = 0;
	seen->begun_s = now_s;
}

/* The bits of a key are made of two halves of its hash (Kirsch and Mitzenmacher, 2006). */
static uint64_t bit_of(const struct seen_sources *seen, uint64_t hash, uint64_t number)
{
	return ((hash >> 32) + number * ((hash & UINT32_MAX) | 1) * UINT64_C(0x9e3779b97f4a7c15)) &
	       (seen->bit_count - 1);
}

static bool is_in(const struct seen_sources *seen, uint32_t filter, uint64_t hash)
{
	const uint64_t *words = filter_of(seen, filter);
	for (uint64_t i = 0; i < BITS_OF_A_KEY; i++) {
		uint64_t bit = bit_of(seen, hash, i);
		if ((words[bit / WORD_BITS] >> bit % WORD_BITS & 1) == 0)
			return false;
	}
	return true;
}

static void put(struct seen_sources *seen, uint64_t hash)
{
	uint64_t *words = filter_of(seen, seen->newest);
	for (uint64_t i = 0; i < BITS_OF_A_KEY; i++) {
		uint64_t bit = bit_of(seen, hash, i);
		uint64_t mask = UINT64_C(1) << bit % WORD_BITS;
		seen->set_count += (words[bit / WORD_BITS] & mask) == 0;
		words[bit / WORD_BITS] |= mask;
	}
}

bool seen_sources_note(struct seen_sources *seen, uint64_t hash, uint64_t now_s, struct memory_budget *budget)
{
	if (!allocate(seen, budget))
		return false;
	turn(seen, now_s);
	if (is_in(seen, seen->newest, hash))
		return true;
	bool was_seen = false;
	for (uint32_t i = 0; i < SEEN_GENERATIONS && !was_seen; i++)
		was_seen = i != seen->newest && is_in(seen, i, hash);
	put(seen, hash);
	return was_seen;
}

void seen_sources_write(const struct seen_sources *seen, struct byte_writer *writer)
{
	uint8_t is_there = seen->words != NULL;
	BYTE_WRITER_PUT(writer, is_there);
	if (!is_there)
		return;
	BYTE_WRITER_PUT(writer, seen->bit_count);
	BYTE_WRITER_PUT(writer, seen->set_count);
	BYTE_WRITER_PUT(writer, seen->begun_s);
	BYTE_WRITER_PUT(writer, seen->newest);
	byte_writer_put(writer, seen->words, bytes_of(seen));
}

void seen_sources_read(struct seen_sources *seen, struct byte_reader *reader, struct memory_budget *budget)
{
	struct seen_sources read = { 0 };
	uint8_t is_there;
	CHECK(seen->words == NULL);
	if (!BYTE_READER_TAKE(reader, is_there) || is_there == 0)
		return;
	BYTE_READER_TAKE(reader, read.bit_count);
	BYTE_READER_TAKE(reader, read.set_count);
	BYTE_READER_TAKE(reader, read.begun_s);
	BYTE_READER_TAKE(reader, read.newest);
	bool is_size = read.bit_count >= WORD_BITS && (read.bit_count & (read.bit_count - 1)) == 0;
	if (!is_size || read.bit_count > 8 * reader->left.len || read.newest >= SEEN_GENERATIONS)
		reader->has_failed = true;
	if (reader->has_failed)
		return;
	struct span words = byte_reader_take_span(reader, bytes_of(&read));
	if (reader->has_failed || read.bit_count != seen->bit_count || !allocate(seen, budget))
		return;
	memcpy(seen->words, words.data, words.len);
	seen->set_count = read.set_count;
	seen->begun_s = read.begun_s;
	seen->newest = read.newest;
}
