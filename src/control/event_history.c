/* SPDX-License-Identifier: Apache-2.0 */
#include "control/event_history.h"

#include "base/check.h"
#include "base/memory.h"

#include <stdlib.h>

struct event_history {
	uint64_t first;
	uint64_t last;
	size_t bytes;
	size_t bytes_max;
	size_t count_max;
	struct span records[]; /* by number modulo count_max; heap */
};

struct event_history *event_history_new(size_t count_max, size_t bytes_max)
{
	struct event_history *history =
		memory_alloc_zeroed(1, sizeof(*history) + count_max * sizeof(history->records[0]));
	history->first = 1;
	history->bytes_max = bytes_max;
	history->count_max = count_max;
	return history;
}

static struct span *place_of(struct event_history *history, uint64_t id)
{
	return &history->records[id % history->count_max];
}

static size_t count(const struct event_history *history)
{
	return history->last + 1 - history->first;
}

static void forget_first(struct event_history *history)
{
	struct span *place = place_of(history, history->first++);
	history->bytes -= place->len;
	free((char *)place->data);
}

uint64_t event_history_add(struct event_history *history, struct span record)
{
	CHECK(record.len <= history->bytes_max);
	while (count(history) == history->count_max || record.len > history->bytes_max - history->bytes)
		forget_first(history);
	history->last++;
	*place_of(history, history->last) = (struct span){ memory_copy_span(record), record.len };
	history->bytes += record.len;
	return history->last;
}

uint64_t event_history_first(const struct event_history *history)
{
	return history->first;
}

uint64_t event_history_last(const struct event_history *history)
{
	return history->last;
}

struct span event_history_record(const struct event_history *history, uint64_t id)
{
	CHECK(id >= history->first && id <= history->last);
	return history->records[id % history->count_max];
}

void event_history_free(struct event_history **history_pointer)
{
	struct event_history *history = *history_pointer;
	*history_pointer = NULL;
	if (history == NULL)
		return;
	while (count(history) > 0)
		forget_first(history);
	free(history);
}
