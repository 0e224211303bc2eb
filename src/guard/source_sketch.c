/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/source_sketch.h"

#include "base/check.h"
#include "base/memory.h"

#include <stdatomic.h>
#include <stdlib.h>

struct cell {
	_Atomic uint64_t flow_arrival_ns;
	_Atomic uint64_t packet_arrival_ns;
	_Atomic uint32_t active;
};

struct source_sketch {
	uint64_t cells; /* of a row */
	struct cell rows[];
};

struct source_sketch *source_sketch_new(uint64_t cells)
{
	size_t rows_bytes = SOURCE_SKETCH_ROWS * cells * sizeof(struct cell);
	CHECK(cells > 0 && (cells & (cells - 1)) == 0);
	/* Zeroed memory of this size comes from the kernel untouched and costs nothing until a cell is used. */
	struct source_sketch *sketch = memory_alloc_zeroed(1, sizeof(*sketch) + rows_bytes);
	sketch->cells = cells;
	return sketch;
}

void source_sketch_free(struct source_sketch **sketch)
{
	free(*sketch);
	*sketch = NULL;
}

size_t source_sketch_bytes(const struct source_sketch *sketch)
{
	return sizeof(*sketch) + SOURCE_SKETCH_ROWS * sketch->cells * sizeof(struct cell);
}

/* Rows need places that have nothing to do with each other: odd factors of the golden ratio's family mix the key anew. */
static size_t cell_index(const struct source_sketch *sketch, uint64_t key, unsigned int row)
{
	static const uint64_t factors[SOURCE_SKETCH_ROWS] = { 0x9e3779b97f4a7c15u, 0xbf58476d1ce4e5b9u,
							      0x94d049bb133111ebu, 0xd6e8feb86659fd93u };
	uint64_t mixed = (key ^ key >> 32) * factors[row];
	return row * sketch->cells + ((mixed ^ mixed >> 29) * factors[row] >> 20 & (sketch->cells - 1));
}

static struct cell *cell_of(struct source_sketch *sketch, uint64_t key, unsigned int row)
{
	return &sketch->rows[cell_index(sketch, key, row)];
}

struct source_account source_sketch_read(const struct source_sketch *sketch, uint64_t key)
{
	struct source_account least = { UINT64_MAX, UINT64_MAX, UINT32_MAX };
	for (unsigned int row = 0; row < SOURCE_SKETCH_ROWS; row++) {
		const struct cell *cell = &sketch->rows[cell_index(sketch, key, row)];
		uint64_t flows = atomic_load_explicit(&cell->flow_arrival_ns, memory_order_relaxed);
		uint64_t packets = atomic_load_explicit(&cell->packet_arrival_ns, memory_order_relaxed);
		uint32_t active = atomic_load_explicit(&cell->active, memory_order_relaxed);
		least.flow_arrival_ns = flows < least.flow_arrival_ns ? flows : least.flow_arrival_ns;
		least.packet_arrival_ns = packets < least.packet_arrival_ns ? packets : least.packet_arrival_ns;
		least.active = active < least.active ? active : least.active;
	}
	return least;
}

static void raise(_Atomic uint64_t *arrival_ns, uint64_t to_ns)
{
	uint64_t now = atomic_load_explicit(arrival_ns, memory_order_relaxed);
	while (now < to_ns && !atomic_compare_exchange_weak_explicit(arrival_ns, &now, to_ns, memory_order_relaxed,
								     memory_order_relaxed))
		;
}

void source_sketch_remember(struct source_sketch *sketch, uint64_t key, const struct source_account *account)
{
	for (unsigned int row = 0; row < SOURCE_SKETCH_ROWS; row++) {
		struct cell *cell = cell_of(sketch, key, row);
		raise(&cell->flow_arrival_ns, account->flow_arrival_ns);
		raise(&cell->packet_arrival_ns, account->packet_arrival_ns);
	}
}

void source_sketch_enter(struct source_sketch *sketch, uint64_t key)
{
	for (unsigned int row = 0; row < SOURCE_SKETCH_ROWS; row++)
		atomic_fetch_add_explicit(&cell_of(sketch, key, row)->active, 1, memory_order_relaxed);
}

void source_sketch_leave(struct source_sketch *sketch, uint64_t key)
{
	for (unsigned int row = 0; row < SOURCE_SKETCH_ROWS; row++) {
		uint32_t before =
			atomic_fetch_sub_explicit(&cell_of(sketch, key, row)->active, 1, memory_order_relaxed);
		CHECK(before > 0);
	}
}
