/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small server for `strait demo`: TCP and UDP on two loopback ports, in a process of its own, so that it can be
 * stopped and killed to see what strait does. To a TCP client it says its name and then repeats what comes; to a
 * datagram it answers with its name and the datagram.
 */
#ifndef CLI_ECHO_SERVER_H
#define CLI_ECHO_SERVER_H

#include <stdint.h>
#include <sys/types.h>

struct echo_server {
	const char *name; /* at most 32 bytes */
	pid_t pid;        /* 0: does not run */
	uint16_t tcp_port;
	uint16_t udp_port;
};

/* Before any thread is started. The process ends with its parent. Returns 0 or -errno. */
int echo_server_start(struct echo_server *server, const char *name);
/* Ends the process and waits for it. Does nothing when it does not run. */
void echo_server_stop(struct echo_server *server);

#endif
