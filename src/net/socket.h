/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stream and datagram sockets as strait wants them: non-blocking, closed on exec, with the right options. Any thread.
 * Functions that return a descriptor return it or -errno; the caller owns it.
 */
#ifndef NET_SOCKET_H
#define NET_SOCKET_H

#include "base/addr.h"

#include <stdbool.h>
#include <stdint.h>

/* Options of connections that live long; accepted sockets inherit them from their listener (Linux). */
struct socket_keepalive {
	uint64_t
		user_timeout_ms; /* TCP_USER_TIMEOUT (RFC 5482): unacknowledged bytes for this long end the connection */
};

enum {
	/* A peer that has vanished is noticed after idle + count * interval: 2 minutes. */
	SOCKET_KEEPALIVE_IDLE_S = 60,
	SOCKET_KEEPALIVE_INTERVAL_S = 15,
	SOCKET_KEEPALIVE_COUNT = 4,
	SOCKET_BACKLOG = 4096, /* the kernel cuts it to net.core.somaxconn */
};

/*
 * Is the address free? Binding with SO_REUSEPORT alone would quietly share the port with another daemon of the same
 * user. Returns 0 or -errno (-EADDRINUSE). type: SOCK_STREAM or SOCK_DGRAM.
 */
int socket_probe_address(const struct addr *addr, int type);

/* Listening sockets; IP ones are one of a SO_REUSEPORT group, IPv6 ones take IPv6 only. */
int socket_listen_tcp(const struct addr *addr, const struct socket_keepalive *keepalive);
/* One on a wildcard address tells the destination of each datagram (IP_PKTINFO). */
int socket_listen_udp(const struct addr *addr);
/* Replaces a socket file that nobody listens on any more; -EADDRINUSE when somebody does. */
int socket_listen_unix(const struct addr *addr);

/* Sets keep-alive and the user time-out on a connected TCP socket; errors do not matter. */
void socket_set_keepalive(int fd, const struct socket_keepalive *keepalive);

/* Switches Nagle's algorithm off (TCP_NODELAY), which sockets that are accepted inherit from their listener. */
void socket_send_at_once(int fd);

/* Where a connection comes from. All zero: the kernel chooses when it connects. */
struct socket_source {
	struct addr addr; /* port 0: the kernel chooses one that is free towards the destination, when it connects */
	bool is_foreign;  /* another machine's, whose packets are routed here (IP_TRANSPARENT); wants CAP_NET_ADMIN */
	/*
	 * The port is one of those that the kernel gives away (ip_local_port_range). TCP then takes it when it connects, as if it
	 * had been given (IP_LOCAL_PORT_RANGE, Linux 6.3): a port that is bound beforehand is given to nobody else on this
	 * machine, so that many of them would leave none.
	 */
	bool is_port_ephemeral;
};

/*
 * A socket that is bound to the source, to connect with socket_connect. Returns it, or -errno: -EADDRNOTAVAIL when the
 * address is not of this machine, -EADDRINUSE or -EACCES when the port cannot be had, -EPERM without the capability.
 */
int socket_open_from(int family, int type, const struct socket_source *source);

/*
 * Starts to connect. Returns 0 when connected at once, -EINPROGRESS when the outcome will be known once the descriptor
 * is writable, or -errno; the descriptor stays the caller's. No port is left: -EADDRNOTAVAIL of TCP, -EAGAIN of UDP.
 */
int socket_connect(int fd, const struct addr *addr);

/*
 * Datagrams that are larger than the path takes are fragmented, here or on the way, and what ICMP says of their size is no
 * error of the socket. For datagram sockets.
 */
void socket_allow_fragments(int fd, int family);

/* Does this positive errno say that the process or the system has run out of something, and nothing about the peer? */
bool socket_is_shortage(int error);

/* The pending error of a socket, as a positive errno, or 0; reading clears it. */
int socket_take_error(int fd);

/* close() will reset the connection instead of ending it in the normal way. */
void socket_reset_on_close(int fd);

/* The local address; -errno when it cannot be told. An accepted unix socket has its listener's. */
int socket_local_addr(int fd, struct addr *ret_addr);
/* The same as an endpoint; family 0 when it cannot be told. */
struct endpoint socket_local_endpoint(int fd);
/* Likewise of the other side. */
struct endpoint socket_peer_endpoint(int fd);

#endif
