/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin_events.h"

#include "base/check.h"
#include "control/event_history.h"
#include "control/event_stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_DIGITS_MAX = 18 };

/* Digits only. Returns false for anything else; NULL is the number that stands for none. */
static bool read_number(const char *text, uint64_t none, uint64_t *ret_number)
{
	*ret_number = none;
	if (text == NULL)
		return true;
	size_t digits = strspn(text, "0123456789");
	if (digits == 0 || digits > NUMBER_DIGITS_MAX || text[digits] != '\0')
		return false;
	*ret_number = strtoull(text, NULL, 10);
	return true;
}

/* --- the history ------------------------------------------------------------------------------------------------- */

/* A span of numbers; none when first is last + 1. */
struct stretch {
	uint64_t first;
	uint64_t last;
};

static struct stretch choose(const struct event_history *history, bool has_after, uint64_t after, uint64_t limit)
{
	struct stretch stretch = { event_history_first(history), event_history_last(history) };
	if (after >= stretch.last)
		stretch.first = stretch.last + 1;
	else if (after >= stretch.first)
		stretch.first = after + 1;
	if (stretch.last + 1 - stretch.first <= limit)
		return stretch;
	if (has_after)
		stretch.last = stretch.first + limit - 1;
	else
		stretch.first = stretch.last + 1 - limit;
	return stretch;
}

/* Records are JSON objects already, of at least a time. */
static void answer_stretch(struct admin_answer *answer, const struct event_history *history, struct stretch stretch)
{
	*answer = (struct admin_answer){ .status = ADMIN_OK, .type = "application/json" };
	FILE *out = open_memstream(&answer->body, &answer->body_bytes);
	CHECK(out != NULL);
	fputs("{\"events\":[", out);
	for (uint64_t id = stretch.first; id <= stretch.last; id++) {
		struct span record = event_history_record(history, id);
		fprintf(out, "%s{\"id\":%llu,%.*s", id > stretch.first ? "," : "", (unsigned long long)id,
			(int)record.len - 1, record.data + 1);
	}
	fprintf(out, "],\"first_id\":%llu,\"last_id\":%llu}\n", (unsigned long long)event_history_first(history),
		(unsigned long long)event_history_last(history));
	fclose(out);
}

void admin_events_history(struct admin_request *request, struct admin_answer *answer)
{
	const struct event_history *history = event_stream_history(request->daemon->event_stream);
	const char *after_text = admin_argument(request, "after");
	uint64_t after, limit;
	if (!read_number(after_text, 0, &after))
		admin_refuse(answer, ADMIN_BAD_REQUEST, "after is the number of an event");
	else if (!read_number(admin_argument(request, "limit"), UINT64_MAX, &limit))
		admin_refuse(answer, ADMIN_BAD_REQUEST, "limit is a number");
	else
		answer_stretch(answer, history, choose(history, after_text != NULL, after, limit));
}

/* --- the stream -------------------------------------------------------------------------------------------------- */

/* What is no number of ours is passed over: a browser that is refused would never come back. */
void admin_events_stream(struct admin_request *request, struct admin_answer *answer)
{
	uint64_t after;
	if (!read_number(request->last_event_id, UINT64_MAX, &after))
		after = UINT64_MAX;
	struct admin_stream *stream = event_stream_subscribe(request->daemon->event_stream, after);
	if (stream == NULL)
		admin_refuse(answer, ADMIN_UNAVAILABLE, "there are as many streams of events as there can be");
	else
		*answer = (struct admin_answer){ .status = ADMIN_OK, .type = "text/event-stream", .stream = stream };
}
