/* SPDX-License-Identifier: Apache-2.0 */
#include "event/loop.h"

#include "base/clock.h"
#include "base/fd.h"

#include <errno.h>

static void read_clock(struct loop *loop)
{
	loop->now_ns = clock_monotonic_ns();
	loop->now_ms = loop->now_ns / CLOCK_NS_PER_MS;
}

int loop_init(struct loop *loop)
{
	*loop = (struct loop){ .epoll_fd = epoll_create1(EPOLL_CLOEXEC) };
	list_init(&loop->deferred);
	read_clock(loop);
	return loop->epoll_fd < 0 ? -errno : 0;
}

void loop_done(struct loop *loop)
{
	fd_close(&loop->epoll_fd);
}

static int control(struct loop *loop, int operation, struct loop_source *source, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = source };
	return epoll_ctl(loop->epoll_fd, operation, source->fd, &event) < 0 ? -errno : 0;
}

int loop_add(struct loop *loop, struct loop_source *source, uint32_t events)
{
	return control(loop, EPOLL_CTL_ADD, source, events);
}

int loop_change(struct loop *loop, struct loop_source *source, uint32_t events)
{
	return control(loop, EPOLL_CTL_MOD, source, events);
}

void loop_remove(struct loop *loop, struct loop_source *source)
{
	control(loop, EPOLL_CTL_DEL, source, 0);
}

void loop_wait(struct loop *loop, int timeout_ms)
{
	int count = epoll_wait(loop->epoll_fd, loop->events, LOOP_EVENTS_PER_TURN, timeout_ms);
	loop->event_count = count < 0 ? 0 : count; /* EINTR: nothing has happened */
	loop->turn++;
	read_clock(loop);
}

void loop_dispatch(struct loop *loop)
{
	int count = loop->event_count;
	loop->event_count = 0;
	for (int i = 0; i < count; i++) {
		struct loop_source *source = loop->events[i].data.ptr;
		if (source->is_late)
			loop->events[loop->event_count++] = loop->events[i];
		else
			source->on_event(source, loop->events[i].events);
	}
}

void loop_dispatch_late(struct loop *loop)
{
	int count = loop->event_count;
	loop->event_count = 0;
	for (int i = 0; i < count; i++) {
		struct loop_source *source = loop->events[i].data.ptr;
		source->on_event(source, loop->events[i].events);
	}
}

void loop_defer(struct loop *loop, struct loop_deferred *deferred, void (*run)(struct loop_deferred *deferred))
{
	if (list_is_linked(&deferred->link))
		return;
	deferred->run = run;
	list_add_last(&loop->deferred, &deferred->link);
}

void loop_end_turn(struct loop *loop)
{
	struct list *link;
	while ((link = list_take_first(&loop->deferred)) != NULL) {
		struct loop_deferred *deferred = LIST_OWNER(link, struct loop_deferred, link);
		deferred->run(deferred);
	}
}
