/* SPDX-License-Identifier: Apache-2.0 */
#include "control/interface_watch.h"

#include "base/fd.h"
#include "base/list.h"

enum { SETTLE_MS = 100 };

static void on_settled(struct timer *timer, uint64_t now_ms)
{
	struct interface_watch *watch = LIST_OWNER(timer, struct interface_watch, settle_timer);
	watch->told_ms = now_ms;
	watch->on_change(watch);
}

static void on_event(struct loop_source *source, uint32_t events)
{
	(void)events;
	rtnetlink_take_changes(source->fd);
	interface_watch_look_again(LIST_OWNER(source, struct interface_watch, changes));
}

void interface_watch_init(struct interface_watch *watch, struct loop *loop, struct timer_wheel *wheel,
			  void (*on_change)(struct interface_watch *watch))
{
	*watch = (struct interface_watch){
		.loop = loop,
		.wheel = wheel,
		.changes = { .on_event = on_event, .fd = -1 },
		.settle_timer = { .on_expiry = on_settled },
		.on_change = on_change,
	};
}

int interface_watch_start(struct interface_watch *watch, enum rtnetlink_subject subject)
{
	if (watch->changes.fd >= 0)
		return 0;
	int fd = rtnetlink_watch(subject);
	if (fd < 0)
		return fd;
	watch->changes.fd = fd;
	return loop_add(watch->loop, &watch->changes, EPOLLIN);
}

void interface_watch_stop(struct interface_watch *watch)
{
	timer_disarm(watch->wheel, &watch->settle_timer);
	fd_close(&watch->changes.fd);
}

void interface_watch_look_again(struct interface_watch *watch)
{
	uint64_t at_ms = watch->loop->now_ms + SETTLE_MS;
	if (watch->changes.fd < 0 || timer_is_armed(&watch->settle_timer))
		return;
	if (watch->told_ms != 0 && at_ms < watch->told_ms + watch->pause_ms)
		at_ms = watch->told_ms + watch->pause_ms;
	timer_arm(watch->wheel, &watch->settle_timer, at_ms);
}
