/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An epoll loop: one per thread, and everything in it happens on that thread. Sources are registered once; a source is
 * embedded in whatever it belongs to and costs 16 bytes.
 *
 * A turn: wait, hand out the events, then those of late sources, then end the turn. Whoever frees an object that holds
 * sources does so only at the end of a turn (loop_defer), because a later event of the same turn may still point at it.
 */
#ifndef EVENT_LOOP_H
#define EVENT_LOOP_H

#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

struct loop_source {
	/* events: EPOLLIN, EPOLLOUT, ... as epoll_wait reports them */
	void (*on_event)(struct loop_source *source, uint32_t events);
	int fd;       /* not owned */
	bool is_late; /* its events are handed out after all others of the turn: for listeners, so that flows which end
	               * are accounted before new ones are judged */
};

/* Work put off to the end of the turn; runs once, in the order of deferring. */
struct loop_deferred {
	struct list link; /* unlinked: not waiting */
	void (*run)(struct loop_deferred *deferred);
};

enum { LOOP_EVENTS_PER_TURN = 256 };

struct loop {
	int epoll_fd;
	int event_count; /* what the last wait brought and is not handed out yet */
	uint32_t turn;   /* counts waits */
	uint64_t now_ms; /* monotonic, read once after each wait */
	uint64_t now_ns;
	struct list deferred;
	struct epoll_event events[LOOP_EVENTS_PER_TURN];
};

/* Returns 0 or -errno of epoll_create1. */
int loop_init(struct loop *loop);
void loop_done(struct loop *loop);

/*
 * Registers source->fd for the events (add EPOLLET for edge-triggered; closing the descriptor unregisters). Returns 0
 * or -errno.
 */
int loop_add(struct loop *loop, struct loop_source *source, uint32_t events);
int loop_change(struct loop *loop, struct loop_source *source, uint32_t events);
void loop_remove(struct loop *loop, struct loop_source *source);

/* The parts of a turn, in this order. Waits at most timeout_ms (-1: for ever) for events and reads the clock. */
void loop_wait(struct loop *loop, int timeout_ms);
/* Hands out the events, but those of late sources. */
void loop_dispatch(struct loop *loop);
/* Hands out those; a loop without late sources does without. */
void loop_dispatch_late(struct loop *loop);
/* Runs deferred work; work deferred meanwhile runs in the same call. */
void loop_end_turn(struct loop *loop);

void loop_defer(struct loop *loop, struct loop_deferred *deferred, void (*run)(struct loop_deferred *deferred));

#endif
