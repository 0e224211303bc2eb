/* SPDX-License-Identifier: Apache-2.0 */
#include "control/network_lists.h"

#include "base/fd.h"
#include "base/memory.h"
#include "config/network_list.h"
#include "config/source_file.h"
#include "control/log_writer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

enum { EVENTS_BYTES = 16 * 1024 };

/* What is known of one list of the tree. */
struct watched {
	int folder;       /* inotify's number of its folder; -1: it cannot be watched */
	const char *name; /* in that folder; part of the list's path */
	bool has_changed; /* and is to be read */
};

struct network_lists {
	struct loop_source source; /* inotify; fd -1 when there is none */
	struct loop *loop;
	struct timer_wheel *wheel;
	struct log_writer *log;
	network_lists_changed_fn *on_change;
	void *owner;
	struct timer settling;
	struct config *config;
	struct watched *watched; /* one for each list of the tree */
};

/* --- reading ----------------------------------------------------------------------------------------------------- */

struct first_problem {
	struct network_list_problem problem;
	size_t count;
};

static void on_problem(void *owner, const struct network_list_problem *problem)
{
	struct first_problem *first = owner;
	if (first->count++ == 0)
		first->problem = *problem;
}

static void tell_refused(const struct network_lists *lists, const struct config_list *list, const char *cause,
			 const struct first_problem *first)
{
	log_event(lists->log, CONFIG_LEVEL_ERROR, "list_refused", record_text("file", list->path),
		  record_text("cause", cause), record_number("line", first->problem.line),
		  record_number("column", first->problem.column), record_number("errors", first->count));
}

/* Reads the list into memory of its own. Returns false, and says why, when it cannot be used. */
static bool read_list(const struct network_lists *lists, const struct config_list *list, struct config_memory *memory,
		      struct network_list *ret_list)
{
	struct source_file file;
	struct first_problem first = { .count = 0 };
	const char *problem = NULL;
	struct config_memory *text_memory = config_memory_new();
	int result = source_file_read(list->path, NETWORK_LIST_BYTES_MAX, text_memory, &file, &problem);
	if (result == 0) {
		result = network_list_parse(file.text, memory, on_problem, &first, ret_list);
		problem = result == -E2BIG ? "it has too many networks" : first.problem.message;
	}
	if (result != 0)
		tell_refused(lists, list, problem, &first);
	config_memory_free(&text_memory);
	return result == 0;
}

static bool is_same(const struct config_list *list, const struct network_list *read)
{
	return list->count == read->count &&
	       (read->count == 0 || memcmp(list->networks, read->networks, read->count * sizeof(*read->networks)) == 0);
}

static void renew(struct network_lists *lists, size_t number)
{
	struct config_list *list = &lists->config->lists[number];
	struct config_memory *memory = config_memory_new();
	struct network_list read;
	if (!read_list(lists, list, memory, &read) || is_same(list, &read)) {
		config_memory_free(&memory);
		return;
	}
	list->networks = read.networks;
	list->count = read.count;
	config_memory_free(&list->memory);
	list->memory = memory;
	log_event(lists->log, CONFIG_LEVEL_INFO, "list_reloaded", record_text("file", list->path),
		  record_number("networks", read.count));
	lists->on_change(lists->owner, number);
}

static void on_settled(struct timer *timer, uint64_t now_ms)
{
	struct network_lists *lists = LIST_OWNER(timer, struct network_lists, settling);
	(void)now_ms;
	for (size_t i = 0; i < lists->config->list_count; i++) {
		if (!lists->watched[i].has_changed)
			continue;
		lists->watched[i].has_changed = false;
		renew(lists, i);
	}
}

/* --- watching ---------------------------------------------------------------------------------------------------- */

/* event NULL: events were lost, so any list may have changed. */
static void note_change(struct network_lists *lists, const struct inotify_event *event)
{
	for (size_t i = 0; lists->config != NULL && i < lists->config->list_count; i++) {
		struct watched *watched = &lists->watched[i];
		if (event == NULL ||
		    (event->wd == watched->folder && event->len > 0 && strcmp(event->name, watched->name) == 0)) {
			watched->has_changed = true;
			timer_arm(lists->wheel, &lists->settling, lists->loop->now_ms + NETWORK_LISTS_SETTLE_MS);
		}
	}
}

static void on_inotify(struct loop_source *source, uint32_t events)
{
	struct network_lists *lists = LIST_OWNER(source, struct network_lists, source);
	_Alignas(struct inotify_event) char buf[EVENTS_BYTES];
	ssize_t len;
	(void)events;
	while ((len = read(source->fd, buf, sizeof(buf))) > 0) {
		for (ssize_t at = 0; at < len;) {
			const struct inotify_event *event = (const void *)(buf + at);
			note_change(lists, event->mask & IN_Q_OVERFLOW ? NULL : event);
			at += (ssize_t)(sizeof(*event) + event->len);
		}
	}
}

struct network_lists *network_lists_new(struct loop *loop, struct timer_wheel *wheel, struct log_writer *log,
					network_lists_changed_fn *on_change, void *owner)
{
	struct network_lists *lists = memory_alloc_zeroed(1, sizeof(*lists));
	lists->source = (struct loop_source){ .on_event = on_inotify, .fd = -1 };
	lists->loop = loop;
	lists->wheel = wheel;
	lists->log = log;
	lists->on_change = on_change;
	lists->owner = owner;
	lists->settling.on_expiry = on_settled;
	return lists;
}

static void unwatch(struct network_lists *lists)
{
	timer_disarm(lists->wheel, &lists->settling);
	free(lists->watched);
	lists->watched = NULL;
	lists->config = NULL;
	fd_close(&lists->source.fd);
}

static void tell_unwatched(const struct network_lists *lists, const struct config_list *list, int error)
{
	log_event(lists->log, CONFIG_LEVEL_WARNING, "list_unwatched", record_text("file", list->path),
		  record_text("cause", strerror(error)));
}

static void watch_folder(struct network_lists *lists, const struct config_list *list, struct watched *ret_watched)
{
	const char *slash = strrchr(list->path, '/');
	char *folder = slash == NULL ? memory_copy_text(".")
				     : memory_copy_span((struct span){ list->path, (size_t)(slash - list->path) + 1 });
	ret_watched->name = slash == NULL ? list->path : slash + 1;
	ret_watched->folder =
		inotify_add_watch(lists->source.fd, folder, IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_ONLYDIR);
	if (ret_watched->folder < 0)
		tell_unwatched(lists, list, errno);
	free(folder);
}

void network_lists_watch(struct network_lists *lists, struct config *config)
{
	unwatch(lists);
	if (config->list_count == 0)
		return;
	lists->config = config;
	lists->watched = memory_alloc_zeroed(config->list_count, sizeof(lists->watched[0]));
	lists->source.fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (lists->source.fd < 0 || loop_add(lists->loop, &lists->source, EPOLLIN) < 0)
		tell_unwatched(lists, &config->lists[0], errno);
	for (size_t i = 0; i < config->list_count; i++)
		watch_folder(lists, &config->lists[i], &lists->watched[i]);
	/* They may have changed since the tree was made. */
	note_change(lists, NULL);
}

void network_lists_free(struct network_lists **lists)
{
	if (*lists == NULL)
		return;
	unwatch(*lists);
	free(*lists);
	*lists = NULL;
}
