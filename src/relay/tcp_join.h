/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Joins the two established connections of a client and a server: from then on the kernel translates the segments of one
 * into those of the other (bpf/flow_tcp.h), and both sockets are closed without a word. Why that is correct, and what happens
 * to whatever comes between two steps, is in docs/joining.md.
 *
 *	tcp_join_read      may they be joined now, and with which numbers
 *	tcp_join_fill      writes them into a slot; the caller makes it a flow. From here on there is no way back
 *	tcp_join_start
 *	tcp_join_step      at once, because until then both peers are held back (docs/joining.md), and again and again: passes on
 *	                   what had still come to the sockets, until nothing is left in them and all of it is acknowledged;
 *	                   then closes them
 *
 * Belongs to the thread that owns the sockets. Sockets are named by what is read from them: sockets[FLOW_TO_SERVER] is the one
 * towards the client. Allocates nothing.
 */
#ifndef RELAY_TCP_JOIN_H
#define RELAY_TCP_JOIN_H

#include "bpf/flow_abi.h"
#include "net/tcp_repair.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	/*
	 * A packet that was past the flow program when the flow began is at its socket after this time. Within one processor's
	 * receive work it takes microseconds; another one may have to wait for its turn.
	 */
	TCP_JOIN_SETTLE_MS = 50,
	/* How often to step when nothing happens at the sockets. */
	TCP_JOIN_STEP_MS = 10,
};

/* Of both connections; what was read. */
struct tcp_join_numbers {
	struct tcp_numbers client;
	struct tcp_numbers server;
};

struct tcp_join {
	struct flow_slot *slot;
	int sockets[FLOW_WAY_COUNT];
	uint64_t start_ms;
	uint32_t next[FLOW_WAY_COUNT];       /* the number of the next byte that goes through the sockets this way */
	uint64_t tail_bytes[FLOW_WAY_COUNT]; /* that went through the sockets after the flow had begun */
	bool has_ended[FLOW_WAY_COUNT];      /* so did the end of the stream */
	enum flow_way broken;                /* TCP_JOIN_FAILED: which of the sockets */
};

enum tcp_join_state {
	TCP_JOIN_GOES_ON,
	TCP_JOIN_DONE,   /* the sockets are closed, and the flow lives in the kernel alone */
	TCP_JOIN_FAILED, /* a connection is broken; sockets and flow are the caller's to end */
};

/*
 * Nothing that was read from one of the sockets may be unsent. Returns 0, or -errno: -EAGAIN when *ret_obstacle is in the way
 * now, -EPERM without CAP_NET_ADMIN. When it returns 0 and the sockets are not read or written until the flow begins, the
 * numbers are right whatever the peers send.
 */
int tcp_join_read(int client_fd, int server_fd, struct tcp_join_numbers *ret_numbers, enum tcp_obstacle *ret_obstacle);

/* What a slot's sides need for it; the rest of the slot, addresses and interfaces, is the caller's. */
void tcp_join_fill(const struct tcp_join_numbers *numbers, struct flow_slot *slot);

/* The flow has begun. The sockets, which do not block, belong to the join now. */
void tcp_join_start(struct tcp_join *join, const struct tcp_join_numbers *numbers, struct flow_slot *slot,
		    const int sockets[FLOW_WAY_COUNT], uint64_t now_ms);

/* scratch: room for what is passed on at a time. */
enum tcp_join_state tcp_join_step(struct tcp_join *join, uint64_t now_ms, void *scratch, size_t scratch_bytes);

#endif
