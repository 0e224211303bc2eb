/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/unique_count.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
	CAPACITY_MIN = 16,
	CAPACITY_MAX = 2048, /* then the registers take no more memory */
	RANK_MAX = 64 - UNIQUE_INDEX_BITS + 1,
};

/* --- the exact form ---------------------------------------------------------------------------------------------- */

static uint64_t *find_slot(uint64_t *hashes, uint32_t capacity, uint64_t hash)
{
	uint32_t at = (uint32_t)hash & (capacity - 1);
	while (hashes[at] != 0 && hashes[at] != hash)
		at = (at + 1) & (capacity - 1);
	return &hashes[at];
}

static bool grow(struct unique_count *unique, struct memory_budget *budget)
{
	uint32_t capacity = unique->capacity > 0 ? 2 * unique->capacity : CAPACITY_MIN;
	if (!memory_budget_take(budget, capacity * sizeof(uint64_t)))
		return false;
	uint64_t *hashes = memory_alloc_zeroed(capacity, sizeof(uint64_t));
	for (uint32_t i = 0; i < unique->capacity; i++)
		if (unique->hashes[i] != 0)
			*find_slot(hashes, capacity, unique->hashes[i]) = unique->hashes[i];
	free(unique->hashes);
	memory_budget_give(budget, unique->capacity * sizeof(uint64_t));
	unique->hashes = hashes;
	unique->capacity = capacity;
	return true;
}

/* --- registers --------------------------------------------------------------------------------------------------- */

static void note_rank(uint8_t *registers, uint64_t hash)
{
	uint64_t index = hash >> (64 - UNIQUE_INDEX_BITS);
	uint64_t rest = hash << UNIQUE_INDEX_BITS;
	uint8_t rank = rest != 0 ? (uint8_t)(__builtin_clzll(rest) + 1) : RANK_MAX;
	if (registers[index] < rank)
		registers[index] = rank;
}

static bool become_registers(struct unique_count *unique, struct memory_budget *budget)
{
	if (!memory_budget_take(budget, UNIQUE_REGISTERS))
		return false;
	unique->registers = memory_alloc_zeroed(UNIQUE_REGISTERS, 1);
	for (uint32_t i = 0; i < unique->capacity; i++)
		if (unique->hashes[i] != 0)
			note_rank(unique->registers, unique->hashes[i]);
	free(unique->hashes);
	memory_budget_give(budget, unique->capacity * sizeof(uint64_t));
	unique->hashes = NULL;
	unique->capacity = 0;
	unique->count = 0;
	return true;
}

static double sigma(double x)
{
	double y = 1, z = x, before;
	if (x == 1)
		return INFINITY;
	do {
		x *= x;
		before = z;
		z += x * y;
		y += y;
	} while (z != before);
	return z;
}

static double tau(double x)
{
	double y = 1, z = 1 - x, before;
	if (x == 0 || x == 1)
		return 0;
	do {
		x = sqrt(x);
		before = z;
		y *= 0.5;
		z -= (1 - x) * (1 - x) * y;
	} while (z != before);
	return z / 3;
}

static uint64_t estimate_registers(const uint8_t *registers)
{
	const double m = UNIQUE_REGISTERS;
	const double alpha = 0.5 / log(2);
	uint32_t counts[RANK_MAX + 1] = { 0 };
	for (uint32_t i = 0; i < UNIQUE_REGISTERS; i++)
		counts[registers[i]]++;
	double z = m * tau(1 - counts[RANK_MAX] / m);
	for (int rank = RANK_MAX - 1; rank >= 1; rank--)
		z = 0.5 * (z + counts[rank]);
	z += m * sigma(counts[0] / m);
	return (uint64_t)llround(alpha * m * m / z);
}

/* --- both -------------------------------------------------------------------------------------------------------- */

/* Makes room for one more hash. False when it cannot be had. */
static bool make_room(struct unique_count *unique, struct memory_budget *budget)
{
	if (unique->count >= UNIQUE_EXACT_MAX)
		return become_registers(unique, budget);
	if (unique->count < unique->capacity / 4 * 3)
		return true;
	return unique->capacity < CAPACITY_MAX ? grow(unique, budget) : become_registers(unique, budget);
}

void unique_count_add(struct unique_count *unique, uint64_t hash, struct memory_budget *budget)
{
	hash += hash == 0;
	if (unique->registers == NULL) {
		if (unique->capacity > 0 && *find_slot(unique->hashes, unique->capacity, hash) == hash)
			return;
		if (!make_room(unique, budget)) {
			unique->is_cut = true;
			return;
		}
	}
	if (unique->registers != NULL) {
		note_rank(unique->registers, hash);
		return;
	}
	*find_slot(unique->hashes, unique->capacity, hash) = hash;
	unique->count++;
}

void unique_count_unite(struct unique_count *into, const struct unique_count *from, struct memory_budget *budget)
{
	into->is_cut = into->is_cut || from->is_cut;
	for (uint32_t i = 0; i < from->capacity; i++)
		if (from->hashes[i] != 0)
			unique_count_add(into, from->hashes[i], budget);
	if (from->registers == NULL)
		return;
	if (into->registers == NULL && !become_registers(into, budget)) {
		into->is_cut = true;
		return;
	}
	for (uint32_t i = 0; i < UNIQUE_REGISTERS; i++)
		if (into->registers[i] < from->registers[i])
			into->registers[i] = from->registers[i];
}

uint64_t unique_count_estimate(const struct unique_count *unique)
{
	return unique->registers != NULL ? estimate_registers(unique->registers) : unique->count;
}

void unique_count_clear(struct unique_count *unique, struct memory_budget *budget)
{
	memory_budget_give(budget, unique->capacity * sizeof(uint64_t));
	if (unique->registers != NULL)
		memory_budget_give(budget, UNIQUE_REGISTERS);
	free(unique->hashes);
	free(unique->registers);
	*unique = (struct unique_count){ 0 };
}

/* --- in a file --------------------------------------------------------------------------------------------------- */

void unique_count_write(const struct unique_count *unique, struct byte_writer *writer)
{
	uint32_t count = unique->registers != NULL ? UINT32_MAX : unique->count;
	BYTE_WRITER_PUT(writer, unique->is_cut);
	BYTE_WRITER_PUT(writer, count);
	if (unique->registers != NULL)
		byte_writer_put(writer, unique->registers, UNIQUE_REGISTERS);
	for (uint32_t i = 0; i < unique->capacity; i++)
		if (unique->hashes[i] != 0)
			BYTE_WRITER_PUT(writer, unique->hashes[i]);
}

static void read_registers(struct unique_count *unique, struct byte_reader *reader, struct memory_budget *budget)
{
	struct span span = byte_reader_take_span(reader, UNIQUE_REGISTERS);
	for (size_t i = 0; i < span.len; i++)
		if ((uint8_t)span.data[i] > RANK_MAX)
			reader->has_failed = true;
	if (reader->has_failed)
		return;
	if (become_registers(unique, budget))
		memcpy(unique->registers, span.data, span.len);
	else
		unique->is_cut = true;
}

void unique_count_read(struct unique_count *unique, struct byte_reader *reader, struct memory_budget *budget)
{
	uint8_t is_cut;
	uint32_t count;
	BYTE_READER_TAKE(reader, is_cut);
	BYTE_READER_TAKE(reader, count);
	unique->is_cut = is_cut != 0;
	if (count == UINT32_MAX) {
		read_registers(unique, reader, budget);
		return;
	}
	if (count > UNIQUE_EXACT_MAX)
		reader->has_failed = true;
	for (uint32_t i = 0; i < count && !reader->has_failed; i++) {
		uint64_t hash;
		if (BYTE_READER_TAKE(reader, hash))
			unique_count_add(unique, hash, budget);
	}
}
