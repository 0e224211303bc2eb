/* SPDX-License-Identifier: Apache-2.0 */
#include "wait_set.h"
#include "measurement.h"

#include <err.h>
#include <errno.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <time.h>

void wait_set_init(struct wait_set *set)
{
	set->count = 0;
	set->fd = epoll_create1(EPOLL_CLOEXEC);
	if (set->fd < 0)
		err(1, "epoll_create1");
	prctl(PR_SET_TIMERSLACK, 1); /* open loops wake up when they mean to */
}

void wait_set_add(struct wait_set *set, int fd, void *data)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = data };
	if (epoll_ctl(set->fd, EPOLL_CTL_ADD, fd, &event) < 0)
		err(1, "epoll_ctl");
}

void wait_set_wait(struct wait_set *set, uint64_t until_ns)
{
	struct timespec timeout = { 0 };
	if (until_ns) {
		uint64_t now = now_ns();
		uint64_t left = until_ns > now ? until_ns - now : 0;
		timeout = (struct timespec){ .tv_sec = (time_t)(left / NS_PER_S), .tv_nsec = (long)(left % NS_PER_S) };
	}
	set->count = epoll_pwait2(set->fd, set->events, WAIT_SET_EVENTS_MAX, until_ns ? &timeout : NULL, NULL);
	if (set->count < 0) {
		if (errno != EINTR)
			err(1, "epoll_pwait2");
		set->count = 0;
	}
}
