/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/top_source.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "cli/document.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* What came of one question. */
struct top_answer {
	json_t *document; /* NULL: none */
	uint64_t at_ms;
	bool is_missing;
	bool is_new;
	char problem[TOP_PROBLEM_BYTES];
};

struct top_source {
	struct admin_client client;
	uint64_t every_ms;
	int fd;
	pthread_t thread;
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t changed;
	bool is_over;
	bool is_hurried[TOP_DOCUMENT_COUNT]; /* wanted now, which it was not */
	char paths[TOP_DOCUMENT_COUNT][TOP_PATH_BYTES];
	struct top_answer answers[TOP_DOCUMENT_COUNT];
};

/* --- the asking thread ------------------------------------------------------------------------------------------- */

static void read_answer(const struct admin_client_answer *answer, struct top_answer *ret_answer)
{
	json_t *document = json_loads(answer->body, 0, NULL);
	const char *detail = document_find_text(document, "detail");
	if (answer->status == 404)
		ret_answer->is_missing = true;
	else if (answer->status != 200)
		snprintf(ret_answer->problem, TOP_PROBLEM_BYTES, "%s", detail != NULL ? detail : "the daemon refused");
	else if (!json_is_object(document))
		snprintf(ret_answer->problem, TOP_PROBLEM_BYTES, "the answer is no JSON object");
	else
		ret_answer->document = json_incref(document);
	json_decref(document);
}

static struct top_answer ask(const struct top_source *source, const char *path)
{
	struct top_answer result = { .is_new = true };
	struct admin_client_answer answer;
	const struct admin_client_request request = { .method = "GET", .path = path, .timeout_ms = TOP_SOURCE_ASK_MS };
	if (admin_client_ask(&source->client, &request, &answer, result.problem) == 0) {
		result.problem[0] = '\0';
		read_answer(&answer, &result);
		free(answer.body);
	}
	result.at_ms = clock_monotonic_ms();
	return result;
}

static void leave_answer(struct top_source *source, int which, const struct top_answer *answer)
{
	pthread_mutex_lock(&source->lock);
	json_decref(source->answers[which].document);
	source->answers[which] = *answer;
	pthread_mutex_unlock(&source->lock);
	eventfd_write(source->fd, 1);
}

/* Returns what to ask for the document in this turn, "" for nothing. */
static char *take_path(struct top_source *source, int which, bool is_whole_turn, char *ret_path)
{
	ret_path[0] = '\0';
	pthread_mutex_lock(&source->lock);
	if (!source->is_over && (is_whole_turn || source->is_hurried[which]))
		memcpy(ret_path, source->paths[which], TOP_PATH_BYTES);
	source->is_hurried[which] = false;
	pthread_mutex_unlock(&source->lock);
	return ret_path;
}

static void ask_all(struct top_source *source, bool is_whole_turn)
{
	for (int which = 0; which < TOP_DOCUMENT_COUNT; which++) {
		char path[TOP_PATH_BYTES];
		if (take_path(source, which, is_whole_turn, path)[0] == '\0')
			continue;
		struct top_answer answer = ask(source, path);
		leave_answer(source, which, &answer);
	}
}

static bool has_hurry(const struct top_source *source)
{
	for (int i = 0; i < TOP_DOCUMENT_COUNT; i++)
		if (source->is_hurried[i])
			return true;
	return false;
}

/* Returns false when it is over. */
static bool wait_until(struct top_source *source, uint64_t due_ms)
{
	struct timespec due = { (time_t)(due_ms / 1000), (long)(due_ms % 1000 * CLOCK_NS_PER_MS) };
	pthread_mutex_lock(&source->lock);
	int error = 0;
	while (!source->is_over && !has_hurry(source) && error == 0)
		error = pthread_cond_timedwait(&source->changed, &source->lock, &due);
	bool goes_on = !source->is_over;
	pthread_mutex_unlock(&source->lock);
	return goes_on;
}

/* A daemon that needs long for an answer has half of the time for itself. */
static void *run(void *source_pointer)
{
	struct top_source *source = source_pointer;
	uint64_t due_ms = 0;
	do {
		uint64_t begun_ms = clock_monotonic_ms();
		bool is_whole_turn = begun_ms >= due_ms;
		ask_all(source, is_whole_turn);
		uint64_t rested_ms = clock_monotonic_ms() + source->every_ms / 2;
		if (is_whole_turn)
			due_ms = begun_ms + source->every_ms > rested_ms ? begun_ms + source->every_ms : rested_ms;
	} while (wait_until(source, due_ms));
	return NULL;
}

/* --- the other --------------------------------------------------------------------------------------------------- */

struct top_source *top_source_new(const struct admin_client *client, uint64_t every_ms)
{
	struct top_source *source = memory_alloc_zeroed(1, sizeof(*source));
	pthread_condattr_t attributes;
	source->client = *client;
	source->every_ms = every_ms;
	source->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	CHECK(source->fd >= 0);
	pthread_mutex_init(&source->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&source->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	int error = pthread_create(&source->thread, NULL, run, source);
	CHECK(error == 0);
	return source;
}

void top_source_free(struct top_source **source_pointer)
{
	struct top_source *source = *source_pointer;
	*source_pointer = NULL;
	if (source == NULL)
		return;
	pthread_mutex_lock(&source->lock);
	source->is_over = true;
	pthread_cond_signal(&source->changed);
	pthread_mutex_unlock(&source->lock);
	pthread_join(source->thread, NULL);
	for (int i = 0; i < TOP_DOCUMENT_COUNT; i++)
		json_decref(source->answers[i].document);
	pthread_cond_destroy(&source->changed);
	pthread_mutex_destroy(&source->lock);
	close(source->fd);
	free(source);
}

void top_source_want(struct top_source *source, char paths[TOP_DOCUMENT_COUNT][TOP_PATH_BYTES])
{
	pthread_mutex_lock(&source->lock);
	for (int i = 0; i < TOP_DOCUMENT_COUNT; i++) {
		if (strcmp(source->paths[i], paths[i]) == 0)
			continue;
		source->is_hurried[i] = paths[i][0] != '\0';
		memcpy(source->paths[i], paths[i], TOP_PATH_BYTES);
	}
	if (has_hurry(source))
		pthread_cond_signal(&source->changed);
	pthread_mutex_unlock(&source->lock);
}

int top_source_fd(const struct top_source *source)
{
	return source->fd;
}

static void take(struct top_model *model, enum top_document which, struct top_answer *answer)
{
	if (answer->document != NULL)
		top_model_take(model, which, answer->document, answer->at_ms);
	else if (answer->is_missing)
		top_model_note_missing(model, which);
	else
		top_model_note_problem(model, answer->problem);
	*answer = (struct top_answer){ 0 };
}

void top_source_take(struct top_source *source, struct top_model *model)
{
	eventfd_t count;
	eventfd_read(source->fd, &count);
	pthread_mutex_lock(&source->lock);
	for (int i = 0; i < TOP_DOCUMENT_COUNT; i++)
		if (source->answers[i].is_new)
			take(model, (enum top_document)i, &source->answers[i]);
	pthread_mutex_unlock(&source->lock);
}
