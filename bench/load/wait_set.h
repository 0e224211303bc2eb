/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for many sockets. Ends the program with a message when the system refuses. */
#ifndef LOAD_WAIT_SET_H
#define LOAD_WAIT_SET_H

#include <stdint.h>
#include <sys/epoll.h>

enum { WAIT_SET_EVENTS_MAX = 256 };

struct wait_set {
	int fd;
	int count;
	struct epoll_event events[WAIT_SET_EVENTS_MAX];
};

void wait_set_init(struct wait_set *set);
/* Edge-triggered, both directions: one registration for a socket's life. */
void wait_set_add(struct wait_set *set, int fd, void *data);
/* Fills events; waits at most until then, or for ever with a time of 0. */
void wait_set_wait(struct wait_set *set, uint64_t until_ns);

#endif
