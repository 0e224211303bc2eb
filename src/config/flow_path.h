/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of a service's settings keep its flows from a faster path (`path`): what has to be done to each byte or datagram
 * in user space. One list for `strait check`, for what is told about services, and for the policy that workers follow.
 * Pure; any thread.
 */
#ifndef CONFIG_FLOW_PATH_H
#define CONFIG_FLOW_PATH_H

#include "config/config.h"

#include <stdint.h>

/* X(NAME, how it is written) */
#define FLOW_OBSTACLE_LIST(X)                                                                                          \
	X(ACCEPT_PROXY, "accept-proxy")                                                                                \
	X(SEND_PROXY, "send-proxy")                                                                                    \
	X(BANDWIDTH, "limit bandwidth=, upload= or download=")                                                         \
	X(SOURCE_PACKETS, "limit per-source-packets=")                                                                 \
	X(REPLIES, "session replies=")                                                                                 \
	X(REQUESTS, "session requests=")                                                                               \
	X(SOURCE_CLIENT, "source client")                                                                              \
	X(UNIX_SOCKETS, "a unix socket")                                                                               \
	X(PER_SOURCE, "limit per-source= or per-source-rate=")                                                         \
	X(QUEUE, "timeout queue=")                                                                                     \
	X(DRY_RUN, "guard dry-run")                                                                                    \
	X(AMPLIFICATION, "session amplification=")                                                                     \
	X(SERVER_MAX, "max-connections= of a server")                                                                  \
	X(LOAD, "balance load=")                                                                                       \
	X(LOOPBACK, "a loopback listen address")

enum flow_obstacle {
#define FLOW_OBSTACLE_ENUM(name, text) FLOW_OBSTACLE_##name,
	FLOW_OBSTACLE_LIST(FLOW_OBSTACLE_ENUM)
#undef FLOW_OBSTACLE_ENUM
		FLOW_OBSTACLE_COUNT
};

/* "relay", "auto", "offload" or "nat". */
const char *flow_path_word(enum config_path path);

const char *flow_obstacle_text(enum flow_obstacle obstacle);

/*
 * What keeps the service's flows of the protocol from being moved into the kernel: bit n for obstacle n. The service goes
 * to a pool that was found.
 */
uint32_t flow_path_obstacles(const struct config *config, const struct config_service *service,
			     enum config_protocol protocol);

/*
 * What makes it impossible that the service's flows begin in the kernel (`path nat`), whatever their protocol; and what can
 * only be done in user space is wanted for all of them.
 */
uint32_t flow_path_nat_obstacles(const struct config *config, const struct config_service *service);

#endif
