/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signals strait acts on (HUP, USR1, USR2, TERM, INT), received as events of one loop through a signalfd. No
 * handler ever interrupts a thread; PIPE is ignored, CHLD is not. A signal that comes again before it was received counts once.
 */
#ifndef EVENT_SIGNALS_H
#define EVENT_SIGNALS_H

#include "event/loop.h"

struct signals {
	struct loop_source source;
	void (*on_signal)(struct signals *signals, int signal_number);
};

/* Blocks them in the calling thread and in all that it starts later: call it before the first thread is started. */
void signals_block(void);

/* Call on the loop's thread, or before it runs, after signals_block. Returns 0 or -errno. */
int signals_open(struct signals *signals, struct loop *loop,
		 void (*on_signal)(struct signals *signals, int signal_number));
/* The signals stay blocked. May be called from on_signal, and twice. */
void signals_close(struct signals *signals);

#endif
