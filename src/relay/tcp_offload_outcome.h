/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of TCP connections that are to be moved into the kernel (relay/tcp_offload.h). */
#ifndef RELAY_TCP_OFFLOAD_OUTCOME_H
#define RELAY_TCP_OFFLOAD_OUTCOME_H

#include "net/tcp_repair.h"

/*
 * What became of a try. Those that TCP_OBSTACLE_LIST has follow, in its order: what was in the way when it was given up for a
 * while, or for good.
 *
 * X(NAME, word, what it means)
 */
#define TCP_OFFLOAD_OUTCOME_LIST(X)                                                                                    \
	X(JOINED, "joined", "the kernel carries it")                                                                   \
	X(LOCAL, "local", "one end is a unix socket, or strait itself")                                                \
	X(NO_PORT, "no_port", "it has no port of its own, and so cannot do without its socket")                        \
	X(NO_PLACE, "no_place", "the table is full, or there is no way by an interface where the program is")          \
	X(UNSENT, "unsent", "one side has not taken what was sent to it")

enum tcp_offload_outcome {
#define TCP_OFFLOAD_OUTCOME_ENUM(name, word, meaning) TCP_OFFLOAD_##name,
	TCP_OFFLOAD_OUTCOME_LIST(TCP_OFFLOAD_OUTCOME_ENUM)
#undef TCP_OFFLOAD_OUTCOME_ENUM
		TCP_OFFLOAD_OBSTACLES,
	TCP_OFFLOAD_OUTCOME_COUNT = TCP_OFFLOAD_OBSTACLES + TCP_OBSTACLE_COUNT - 1,
};

/* A word for machines. */
const char *tcp_offload_outcome_word(enum tcp_offload_outcome outcome);

#endif
