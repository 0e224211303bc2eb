/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pipes of one worker, through which streams are spliced. A pipe is lent for one move: it is filled from the source
 * and emptied into the sink at once, and only when the sink does not take everything does the pipe stay with it, as a tail
 * buffer does. So one is enough for any number of streams, and more are opened, TCP_PIPES_MAX at most, while sinks are
 * slower than sources. Who gets none copies.
 *
 * The first pipe's descriptors are set aside at start; those of others are taken from what flows may have, and given back
 * when flows want them. The worker's thread.
 */
#ifndef RELAY_TCP_PIPES_H
#define RELAY_TCP_PIPES_H

#include "base/list.h"
#include "guard/flow_budget.h"
#include "net/splice.h"

#include <stdint.h>

enum {
	TCP_PIPES_MAX = 32,
	TCP_PIPES_SHARE = 64,      /* at most one in so many of the descriptors that flows may have */
	TCP_PIPES_DESCRIPTORS = 2, /* what is to be set aside for a worker */
};

struct tcp_pipe {
	struct list link; /* unlinked: lent */
	struct splice_pipe splice;
};

struct tcp_pipes {
	struct flow_ceiling *descriptors;
	struct list idle; /* open and empty; the one used last is first */
	struct list closed;
	uint32_t open_count;
	struct tcp_pipe pipes[TCP_PIPES_MAX];
};

void tcp_pipes_init(struct tcp_pipes *pipes, struct flow_ceiling *descriptors);
/* All have been given back. */
void tcp_pipes_done(struct tcp_pipes *pipes);

/* An empty pipe, or NULL. */
struct tcp_pipe *tcp_pipes_take(struct tcp_pipes *pipes);
/* What it holds is dropped. */
void tcp_pipes_give(struct tcp_pipes *pipes, struct tcp_pipe *pipe);

/* Closes all that are idle, so that their descriptors are free. Returns true when there were any. */
bool tcp_pipes_trim(struct tcp_pipes *pipes);

#endif
