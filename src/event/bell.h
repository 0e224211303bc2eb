/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bell: any thread rings, and the owner of the loop is told once, soon. It carries no message, so it cannot be full
 * and never blocks; ringing it again before the owner has heard it costs one atomic exchange.
 *
 * What the ringing thread did before it rang is seen by on_ring and what follows it: both exchange the same flag, and
 * the owner clears it before on_ring is called.
 */
#ifndef EVENT_BELL_H
#define EVENT_BELL_H

#include "event/loop.h"

#include <stdatomic.h>
#include <stdbool.h>

struct bell {
	struct loop_source source;
	void (*on_ring)(struct bell *bell);
	_Atomic bool is_rung; /* and not yet heard */
};

/* Call on the owner's thread, or before it runs. Returns 0 or -errno. */
int bell_open(struct bell *bell, struct loop *loop, void (*on_ring)(struct bell *bell));
/* Nobody rings any more. Does nothing to a bell that is closed or was never opened and is all zero. */
void bell_close(struct bell *bell);

/* Any thread. */
void bell_ring(struct bell *bell);

#endif
