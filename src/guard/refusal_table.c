/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/refusal_table.h"

#include "base/memory.h"
#include "base/random.h"
#include "base/spin_lock.h"

#include <stdlib.h>

struct refused_source {
	uint64_t since_ms; /* the first refusal of the window */
	uint32_t mark;     /* of the source, from its hash */
	uint32_t count;    /* 0 = unused */
};

struct refusal_set {
	struct spin_lock lock;
	struct refused_source sources[REFUSAL_SET_WAYS];
};

struct refusal_table {
	uint64_t secret;
	struct refusal_set sets[REFUSAL_SETS];
};

struct refusal_table *refusal_table_new(void)
{
	struct refusal_table *table = memory_alloc_zeroed(1, sizeof(*table));
	table->secret = random_secret();
	return table;
}

void refusal_table_free(struct refusal_table **table)
{
	free(*table);
	*table = NULL;
}

static bool is_over(const struct refused_source *source, uint64_t window_ms, uint64_t now_ms)
{
	/* The clocks of two workers may be a little apart. */
	return now_ms > source->since_ms && now_ms - source->since_ms > window_ms;
}

/* The source's place, or the one it takes: an unused one, one whose window is over, or that of the least refused. */
static struct refused_source *set_take(struct refusal_set *set, uint32_t mark, uint64_t window_ms, uint64_t now_ms)
{
	struct refused_source *least = NULL;
	for (int i = 0; i < REFUSAL_SET_WAYS; i++) {
		struct refused_source *source = &set->sources[i];
		if (source->count > 0 && is_over(source, window_ms, now_ms))
			source->count = 0;
		if (source->count > 0 && source->mark == mark)
			return source;
		if (least == NULL || source->count < least->count)
			least = source;
	}
	*least = (struct refused_source){ .since_ms = now_ms, .mark = mark };
	return least;
}

bool refusal_table_note(struct refusal_table *table, const struct refusal_threshold *threshold,
			const struct network *source, uint64_t now_ms, uint32_t count)
{
	uint64_t hash = source_hash(source, table->secret);
	struct refusal_set *set = &table->sets[hash % REFUSAL_SETS];
	spin_lock_take(&set->lock);
	struct refused_source *refused = set_take(set, (uint32_t)(hash >> 32), threshold->window_ms, now_ms);
	uint32_t room = UINT32_MAX - refused->count;
	refused->count += count < room ? count : room;
	bool is_reached = refused->count >= threshold->count;
	if (is_reached)
		refused->count = 0;
	spin_lock_give(&set->lock);
	return is_reached;
}
