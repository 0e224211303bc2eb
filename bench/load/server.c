/* SPDX-License-Identifier: Apache-2.0 */
#include "server.h"
#include "commands.h"
#include "socket.h"

#include <err.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>

void serve(const struct options *options)
{
	static struct wait_set set;
	uint64_t datagram_count = 0;
	int listener_fd = socket_bind(SOCK_STREAM, &options->address);
	int datagram_fd = socket_bind(SOCK_DGRAM, &options->address);
	if (listen(listener_fd, SOMAXCONN) < 0)
		err(1, "listen");
	socket_set_option(datagram_fd, SOL_UDP, UDP_GRO, 1);
	wait_set_init(&set);
	wait_set_add(&set, listener_fd, &listener_fd);
	wait_set_add(&set, datagram_fd, &datagram_fd);
	printf("{\"command\": \"serve\", \"ready\": true}\n");
	fflush(stdout);
	while (true) {
		wait_set_wait(&set, 0);
		for (int i = 0; i < set.count; i++) {
			void *data = set.events[i].data.ptr;
			if (data == &listener_fd)
				tcp_peer_accept(listener_fd, &set);
			else if (data == &datagram_fd)
				udp_server_receive(datagram_fd, &datagram_count);
			else
				tcp_peer_handle_event(data, set.events[i].events);
		}
	}
}
