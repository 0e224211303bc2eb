/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flows that began in the kernel (bpf/nat.h), as user space gets to know of them: each becomes a bare flow (bare_flow.h), with
 * its places at server and service, and is accounted for. And what has failed there: servers that refused or did not answer,
 * connections that a limit has ended.
 *
 * One worker does that for all. It is woken when something has happened, but not for each flow: the program rings at most once
 * in 17 ms, and the worker looks again LOOK_MS later until nothing comes any more. On the same occasion it sets slots aside
 * for flows to come, and notes which clients are on the link.
 *
 * The worker's thread.
 */
#ifndef RELAY_NAT_FLOWS_H
#define RELAY_NAT_FLOWS_H

#include "event/loop.h"
#include "event/timer_wheel.h"

#include <stdint.h>

struct nat_directory;
struct relay;

struct nat_flows {
	const struct nat_directory *directory; /* NULL: this worker has nothing to do with it */
	struct loop_source source;
	struct timer timer;
	uint32_t ways_left; /* to clients, that may be learnt in this look */
};

/* From now on, until the worker ends. The directory stays the caller's. */
void nat_flows_start(struct relay *relay, const struct nat_directory *directory);
/* Takes what has come still. The program begins no more flows. */
void nat_flows_stop(struct relay *relay);

#endif
