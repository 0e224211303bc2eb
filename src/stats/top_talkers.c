/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/top_talkers.h"

#include "base/check.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

enum { CAPACITY_MIN = 8 };

static uint64_t bytes_of(uint32_t capacity, bool has_index)
{
	return capacity * sizeof(struct talker) + (has_index ? 2 * (uint64_t)capacity * sizeof(uint16_t) : 0);
}

/* --- the index --------------------------------------------------------------------------------------------------- */

static uint32_t mask_of(const struct top_talkers *top)
{
	return 2 * top->capacity - 1;
}

/* Where it is, or the free place where it would be. */
static uint32_t look_up(const struct top_talkers *top, const struct network *source, uint32_t hash)
{
	uint32_t at = hash & mask_of(top);
	for (; top->index[at] != 0; at = (at + 1) & mask_of(top)) {
		const struct talker *talker = &top->talkers[top->index[at] - 1];
		if (talker->hash == hash && source_equal(&talker->source, source))
			break;
	}
	return at;
}

/* Closes the gap that the removed one leaves (Knuth, volume 3, section 6.4, algorithm R). */
static void remove_from_index(struct top_talkers *top, const struct talker *talker)
{
	uint32_t mask = mask_of(top);
	uint32_t gap = look_up(top, &talker->source, talker->hash);
	top->index[gap] = 0;
	for (uint32_t at = (gap + 1) & mask; top->index[at] != 0; at = (at + 1) & mask) {
		uint32_t home = top->talkers[top->index[at] - 1].hash & mask;
		if (((at - home) & mask) < ((at - gap) & mask))
			continue;
		top->index[gap] = top->index[at];
		top->index[at] = 0;
		gap = at;
	}
}

static void add_to_index(struct top_talkers *top, uint32_t number)
{
	const struct talker *talker = &top->talkers[number];
	top->index[look_up(top, &talker->source, talker->hash)] = (uint16_t)(number + 1);
}

/* --- places ------------------------------------------------------------------------------------------------------ */

static bool grow(struct top_talkers *top, struct memory_budget *budget)
{
	uint32_t capacity = top->capacity > 0 ? 2 * top->capacity : CAPACITY_MIN;
	CHECK(top->capacity_max <= TOP_TALKERS_MAX);
	/* Who lost a place may come again, and would seem to be rarer than it is. */
	if (top->has_replaced || capacity > top->capacity_max ||
	    !memory_budget_take(budget, bytes_of(capacity, true) - bytes_of(top->capacity, true)))
		return false;
	top->talkers = memory_resize(top->talkers, capacity, sizeof(*top->talkers));
	free(top->index);
	top->index = memory_alloc_zeroed(2 * (size_t)capacity, sizeof(*top->index));
	top->capacity = capacity;
	for (uint32_t i = 0; i < top->count; i++)
		add_to_index(top, i);
	return true;
}

/* Each search that goes all the way round raises the smallest count, so most searches are short. */
static struct talker *find_least(struct top_talkers *top)
{
	for (uint32_t i = 0; i < top->count; i++) {
		struct talker *talker = &top->talkers[(top->cursor + i) % top->count];
		if (talker->count <= top->least) {
			top->cursor = (top->cursor + i) % top->count;
			return talker;
		}
	}
	struct talker *least = &top->talkers[0];
	for (uint32_t i = 1; i < top->count; i++)
		if (top->talkers[i].count < least->count)
			least = &top->talkers[i];
	top->least = least->count;
	top->cursor = (uint32_t)(least - top->talkers);
	return least;
}

static struct talker *make_entry(struct top_talkers *top, const struct network *source, uint32_t hash,
				 uint32_t inherited, uint32_t number)
{
	struct talker *talker = &top->talkers[number];
	*talker = (struct talker){ .source = *source, .count = inherited, .error = inherited, .hash = hash };
	add_to_index(top, number);
	return talker;
}

static void raise(struct talker *talker, uint32_t weight)
{
	talker->count = talker->count <= UINT32_MAX - weight ? talker->count + weight : UINT32_MAX;
}

struct talker *top_talkers_find(const struct top_talkers *top, const struct network *source, uint64_t hash)
{
	if (top->index == NULL)
		return NULL;
	uint32_t at = look_up(top, source, (uint32_t)hash);
	return top->index[at] != 0 ? &top->talkers[top->index[at] - 1] : NULL;
}

struct talker *top_talkers_add(struct top_talkers *top, const struct network *source, uint64_t hash, uint32_t weight,
			       struct memory_budget *budget, bool *ret_is_fresh)
{
	struct talker *talker = top_talkers_find(top, source, hash);
	*ret_is_fresh = talker == NULL;
	if (talker == NULL && (top->count < top->capacity || grow(top, budget))) {
		talker = make_entry(top, source, (uint32_t)hash, 0, top->count);
		top->count++;
	} else if (talker == NULL && top->count > 0) {
		struct talker *least = find_least(top);
		if (weight == 0 && least->count > 0)
			return NULL;
		top->has_replaced = true;
		remove_from_index(top, least);
		talker = make_entry(top, source, (uint32_t)hash, least->count, (uint32_t)(least - top->talkers));
	}
	if (talker != NULL)
		raise(talker, weight);
	return talker;
}

/* --- closing ----------------------------------------------------------------------------------------------------- */

static int compare(const void *left, const void *right)
{
	const struct talker *a = left;
	const struct talker *b = right;
	if (a->count != b->count)
		return a->count > b->count ? -1 : 1;
	uint64_t bytes_a = a->bytes_in + a->bytes_out;
	uint64_t bytes_b = b->bytes_in + b->bytes_out;
	if (bytes_a != bytes_b)
		return bytes_a > bytes_b ? -1 : 1;
	return memcmp(&a->source, &b->source, sizeof(a->source));
}

static void drop_index(struct top_talkers *top, struct memory_budget *budget)
{
	if (top->index == NULL)
		return;
	memory_budget_give(budget, bytes_of(top->capacity, true) - bytes_of(top->capacity, false));
	free(top->index);
	top->index = NULL;
}

void top_talkers_sort(struct top_talkers *top, struct memory_budget *budget)
{
	drop_index(top, budget);
	if (top->count > 0)
		qsort(top->talkers, top->count, sizeof(*top->talkers), compare);
}

void top_talkers_close(struct top_talkers *top, uint32_t keep_max, struct memory_budget *budget)
{
	top_talkers_sort(top, budget);
	if (top->count > keep_max)
		top->count = keep_max;
	if (top->count == top->capacity)
		return;
	memory_budget_give(budget, bytes_of(top->capacity - top->count, false));
	top->talkers = memory_resize(top->talkers, top->count, sizeof(*top->talkers));
	top->capacity = top->count;
}

void top_talkers_clear(struct top_talkers *top, struct memory_budget *budget)
{
	drop_index(top, budget);
	memory_budget_give(budget, bytes_of(top->capacity, false));
	free(top->talkers);
	*top = (struct top_talkers){ .capacity_max = top->capacity_max };
}

/* --- in a file --------------------------------------------------------------------------------------------------- */

static void write_talker(const struct talker *talker, struct byte_writer *writer)
{
	BYTE_WRITER_PUT(writer, talker->source);
	BYTE_WRITER_PUT(writer, talker->is_new);
	BYTE_WRITER_PUT(writer, talker->first_seen_s);
	BYTE_WRITER_PUT(writer, talker->count);
	BYTE_WRITER_PUT(writer, talker->error);
	BYTE_WRITER_PUT(writer, talker->bytes_in);
	BYTE_WRITER_PUT(writer, talker->bytes_out);
}

void top_talkers_write(const struct top_talkers *top, struct byte_writer *writer)
{
	BYTE_WRITER_PUT(writer, top->count);
	for (uint32_t i = 0; i < top->count; i++)
		write_talker(&top->talkers[i], writer);
}

static bool is_source(const struct network *source)
{
	switch (source->family) {
	case 0:
	case AF_UNIX:
		return source->prefix_bits == 0;
	case AF_INET:
		return source->prefix_bits >= 96 && source->prefix_bits <= NETWORK_PREFIX_MAX;
	case AF_INET6:
		return source->prefix_bits <= NETWORK_PREFIX_MAX;
	default:
		return false;
	}
}

static void read_talker(struct top_talkers *top, struct byte_reader *reader, uint64_t secret,
			struct memory_budget *budget)
{
	struct talker read;
	uint8_t is_new; /* what a bool may hold is not for a file to say */
	bool is_fresh;
	BYTE_READER_TAKE(reader, read.source);
	BYTE_READER_TAKE(reader, is_new);
	BYTE_READER_TAKE(reader, read.first_seen_s);
	BYTE_READER_TAKE(reader, read.count);
	BYTE_READER_TAKE(reader, read.error);
	BYTE_READER_TAKE(reader, read.bytes_in);
	BYTE_READER_TAKE(reader, read.bytes_out);
	if (!is_source(&read.source) || read.error > read.count || is_new > 1)
		reader->has_failed = true;
	if (reader->has_failed)
		return;
	struct talker *talker =
		top_talkers_add(top, &read.source, source_hash(&read.source, secret), read.count, budget, &is_fresh);
	if (talker == NULL || !is_fresh)
		return;
	talker->error += talker->error <= UINT32_MAX - read.error ? read.error : UINT32_MAX - talker->error;
	talker->bytes_in = read.bytes_in;
	talker->bytes_out = read.bytes_out;
	talker->first_seen_s = read.first_seen_s;
	talker->is_new = is_new != 0;
}

void top_talkers_read(struct top_talkers *top, struct byte_reader *reader, uint64_t secret,
		      struct memory_budget *budget)
{
	uint32_t count;
	BYTE_READER_TAKE(reader, count);
	if (count > TOP_TALKERS_MAX)
		reader->has_failed = true;
	for (uint32_t i = 0; i < count && !reader->has_failed; i++)
		read_talker(top, reader, secret, budget);
}
