/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hears when interfaces, their addresses or routes change, for those who put programs at interfaces. Changes come in bursts,
 * so they are told once, a moment after the first, and no sooner than pause_ms after they were told before. Control thread.
 */
#ifndef CONTROL_INTERFACE_WATCH_H
#define CONTROL_INTERFACE_WATCH_H

#include "event/loop.h"
#include "event/timer_wheel.h"
#include "kernel/rtnetlink.h"

struct interface_watch {
	struct loop *loop;
	struct timer_wheel *wheel;
	struct loop_source changes; /* fd -1: not watching */
	struct timer settle_timer;
	uint64_t pause_ms; /* 0 until the owner sets it */
	uint64_t told_ms;  /* when a change was told last */
	void (*on_change)(struct interface_watch *watch);
};

void interface_watch_init(struct interface_watch *watch, struct loop *loop, struct timer_wheel *wheel,
			  void (*on_change)(struct interface_watch *watch));
/* Does nothing when it watches already. Returns 0 or -errno. */
int interface_watch_start(struct interface_watch *watch, enum rtnetlink_subject subject);
void interface_watch_stop(struct interface_watch *watch);
/* As if something had changed: somebody wants to look again. */
void interface_watch_look_again(struct interface_watch *watch);

#endif
