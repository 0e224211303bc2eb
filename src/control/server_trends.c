/* SPDX-License-Identifier: Apache-2.0 */
#include "control/server_trends.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

enum { FORMER_WAIT_S = 600 }; /* servers that are named may come late */

struct entry {
	uint32_t number;             /* of the server */
	bool is_there;               /* while looking: the server still is */
	struct server_counts counts; /* at the last look */
	char pool[POOL_NAME_BYTES];
	char name[SERVER_NAME_BYTES];
	struct server_trend trend;
};

struct server_trends {
	struct memory_budget *budget;
	struct entry **entries; /* by number, ascending */
	size_t count;
	struct entry **former; /* of a former process; number is 1 when it was taken up */
	size_t former_count;
	uint64_t former_until_s;
};

struct server_trends *server_trends_new(struct memory_budget *budget)
{
	struct server_trends *trends = memory_alloc_zeroed(1, sizeof(*trends));
	trends->budget = budget;
	return trends;
}

static struct entry *entry_new(struct server_trends *trends)
{
	return memory_budget_take(trends->budget, sizeof(struct entry)) ? memory_alloc_zeroed(1, sizeof(struct entry))
									: NULL;
}

static void entry_free(struct server_trends *trends, struct entry *entry)
{
	memory_budget_give(trends->budget, sizeof(*entry));
	free(entry);
}

static void forget_former(struct server_trends *trends)
{
	for (size_t i = 0; i < trends->former_count; i++)
		entry_free(trends, trends->former[i]);
	free(trends->former);
	trends->former = NULL;
	trends->former_count = 0;
}

void server_trends_free(struct server_trends **trends)
{
	if (*trends == NULL)
		return;
	forget_former(*trends);
	for (size_t i = 0; i < (*trends)->count; i++)
		entry_free(*trends, (*trends)->entries[i]);
	free((*trends)->entries);
	free(*trends);
	*trends = NULL;
}

/* --- looking ----------------------------------------------------------------------------------------------------- */

static struct server_counts counts_of(const struct server *server)
{
	struct server_counts sum = { 0 };
	for (uint32_t i = 0; i < server->worker_count; i++) {
		const struct server_counters *counters = &server->counters[i];
		sum.flows += counter_read(&counters->flows);
		sum.bytes_in += counter_read(&counters->bytes_in);
		sum.bytes_out += counter_read(&counters->bytes_out);
		sum.failures += counter_read(&counters->connect_refused) + counter_read(&counters->connect_timeout) +
				counter_read(&counters->connect_failed);
	}
	return sum;
}

/* Where the server's entry is, or would be. */
static size_t find_place(const struct server_trends *trends, uint32_t number)
{
	size_t low = 0;
	size_t high = trends->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (trends->entries[middle]->number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct entry *find(const struct server_trends *trends, uint32_t number)
{
	size_t place = find_place(trends, number);
	return place < trends->count && trends->entries[place]->number == number ? trends->entries[place] : NULL;
}

static int compare_names(const void *left, const void *right)
{
	const struct entry *a = *(struct entry *const *)left;
	const struct entry *b = *(struct entry *const *)right;
	int pools = strcmp(a->pool, b->pool);
	return pools != 0 ? pools : strcmp(a->name, b->name);
}

/* NULL when there is none, or it was taken up already. */
static struct entry *find_former(struct server_trends *trends, const struct pool *pool, const struct server *server)
{
	struct entry wanted = { .number = 0 };
	const struct entry *key = &wanted;
	if (trends->former_count == 0)
		return NULL;
	memcpy(wanted.pool, pool->name, sizeof(wanted.pool));
	memcpy(wanted.name, server->name, sizeof(wanted.name));
	struct entry **found =
		bsearch(&key, trends->former, trends->former_count, sizeof(struct entry *), compare_names);
	return found != NULL && (*found)->number == 0 ? *found : NULL;
}

static void insert(struct server_trends *trends, struct entry *entry)
{
	size_t place = find_place(trends, entry->number);
	trends->entries = memory_resize(trends->entries, trends->count + 1, sizeof(*trends->entries));
	memmove(trends->entries + place + 1, trends->entries + place,
		(trends->count - place) * sizeof(*trends->entries));
	trends->entries[place] = entry;
	trends->count++;
}

/* NULL when there is nothing to remember, or no memory. */
static struct entry *make_entry(struct server_trends *trends, const struct pool *pool, const struct server *server,
				const struct server_counts *counts, uint64_t now_s)
{
	const struct server_counts none = { 0 };
	struct entry *former = find_former(trends, pool, server);
	if (former == NULL && counts->flows == 0 && counts->failures == 0)
		return NULL;
	struct entry *entry = entry_new(trends);
	if (entry == NULL)
		return NULL;
	entry->number = server->number;
	memcpy(entry->pool, pool->name, sizeof(entry->pool));
	memcpy(entry->name, server->name, sizeof(entry->name));
	if (former != NULL) {
		entry->trend = former->trend;
		former->number = 1;
	} else {
		server_trend_init(&entry->trend, now_s, &none);
	}
	insert(trends, entry);
	return entry;
}

static void look_at(struct server_trends *trends, const struct pool *pool, const struct server *server, uint64_t now_s)
{
	struct server_counts counts = counts_of(server);
	struct entry *entry = find(trends, server->number);
	if (entry == NULL)
		entry = make_entry(trends, pool, server, &counts, now_s);
	if (entry == NULL)
		return;
	entry->is_there = true;
	entry->counts = counts;
	server_trend_advance(&entry->trend, now_s, &counts);
}

static void drop_gone(struct server_trends *trends)
{
	size_t kept = 0;
	for (size_t i = 0; i < trends->count; i++) {
		struct entry *entry = trends->entries[i];
		if (entry->is_there)
			trends->entries[kept++] = entry;
		else
			entry_free(trends, entry);
	}
	trends->count = kept;
}

void server_trends_look(struct server_trends *trends, const struct snapshot *snapshot, uint64_t now_s)
{
	if (trends->former_count > 0)
		qsort(trends->former, trends->former_count, sizeof(*trends->former), compare_names);
	for (size_t i = 0; i < trends->count; i++)
		trends->entries[i]->is_there = false;
	for (size_t i = 0; i < snapshot->pool_count; i++)
		for (size_t j = 0; j < snapshot->pools[i]->server_count; j++)
			look_at(trends, snapshot->pools[i], snapshot->pools[i]->servers[j], now_s);
	drop_gone(trends);
	if (now_s >= trends->former_until_s)
		forget_former(trends);
}

struct server_counts server_trends_read(const struct server_trends *trends, const struct server *server,
					enum trend_window window, uint64_t now_s)
{
	const struct entry *entry = find(trends, server->number);
	if (entry == NULL)
		return (struct server_counts){ 0 };
	struct server_counts counts = counts_of(server);
	return server_trend_read(&entry->trend, window, now_s, &counts);
}

/* --- in a file --------------------------------------------------------------------------------------------------- */

bool server_trends_write(const struct server_trends *trends, size_t index, struct byte_writer *writer)
{
	if (index >= trends->count)
		return false;
	const struct entry *entry = trends->entries[index];
	byte_writer_put(writer, entry->pool, sizeof(entry->pool));
	byte_writer_put(writer, entry->name, sizeof(entry->name));
	server_trend_write(&entry->trend, &entry->counts, writer);
	return true;
}

void server_trends_read_in(struct server_trends *trends, uint64_t now_s, uint64_t passed_s, struct byte_reader *reader)
{
	struct entry *entry = entry_new(trends);
	if (entry == NULL)
		return;
	byte_reader_take(reader, entry->pool, sizeof(entry->pool));
	byte_reader_take(reader, entry->name, sizeof(entry->name));
	server_trend_read_in(&entry->trend, now_s, passed_s, reader);
	if (entry->pool[sizeof(entry->pool) - 1] != '\0' || entry->name[sizeof(entry->name) - 1] != '\0')
		reader->has_failed = true;
	if (reader->has_failed) {
		entry_free(trends, entry);
		return;
	}
	trends->former = memory_resize(trends->former, trends->former_count + 1, sizeof(*trends->former));
	trends->former[trends->former_count++] = entry;
	trends->former_until_s = now_s + FORMER_WAIT_S;
}
