/* SPDX-License-Identifier: Apache-2.0 */
#include "net/socket.h"

#include "base/fd.h"

#include <errno.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sys/stat.h>
#include <unistd.h>

enum { UDP_BUFFER_BYTES = 4 << 20 };

#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51 /* Linux 6.3 */
#endif

static int set_int(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

static int open_socket(int family, int type)
{
	int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

static int fail(int fd, int error)
{
	fd_close(&fd);
	return error;
}

int socket_probe_address(const struct addr *addr, int type)
{
	int fd = open_socket(addr->sa.sa_family, type);
	if (fd < 0)
		return fd;
	if (addr->sa.sa_family == AF_INET6)
		set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	if (type == SOCK_STREAM)
		set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	int result = bind(fd, &addr->sa, addr->len) < 0 ? -errno : 0;
	fd_close(&fd);
	return result;
}

void socket_set_keepalive(int fd, const struct socket_keepalive *keepalive)
{
	set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, SOCKET_KEEPALIVE_IDLE_S);
	set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, SOCKET_KEEPALIVE_INTERVAL_S);
	set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, SOCKET_KEEPALIVE_COUNT);
	uint64_t timeout = keepalive->user_timeout_ms;
	set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, timeout < INT_MAX ? (int)timeout : INT_MAX);
}

/* A socket bound to the address as one of a SO_REUSEPORT group. */
static int bind_in_group(const struct addr *addr, int type)
{
	int fd = open_socket(addr->sa.sa_family, type);
	if (fd < 0)
		return fd;
	int result = set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (result == 0 && type == SOCK_STREAM)
		result = set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (result == 0 && addr->sa.sa_family == AF_INET6)
		result = set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	if (result == 0 && bind(fd, &addr->sa, addr->len) < 0)
		result = -errno;
	return result < 0 ? fail(fd, result) : fd;
}

void socket_send_at_once(int fd)
{
	set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

int socket_listen_tcp(const struct addr *addr, const struct socket_keepalive *keepalive)
{
	int fd = bind_in_group(addr, SOCK_STREAM);
	if (fd < 0)
		return fd;
	socket_send_at_once(fd);
	socket_set_keepalive(fd, keepalive);
	if (listen(fd, SOCKET_BACKLOG) < 0)
		return fail(fd, -errno);
	return fd;
}

/* More than the system's default where that is allowed: a burst of one client must not cost others their datagrams. */
static void set_udp_buffers(int fd)
{
	if (set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, UDP_BUFFER_BYTES) < 0)
		set_int(fd, SOL_SOCKET, SO_RCVBUF, UDP_BUFFER_BYTES);
	if (set_int(fd, SOL_SOCKET, SO_SNDBUFFORCE, UDP_BUFFER_BYTES) < 0)
		set_int(fd, SOL_SOCKET, SO_SNDBUF, UDP_BUFFER_BYTES);
}

int socket_listen_udp(const struct addr *addr)
{
	int fd = bind_in_group(addr, SOCK_DGRAM);
	if (fd < 0)
		return fd;
	set_udp_buffers(fd);
	int result = 0;
	if (addr_is_any(addr)) {
		if (addr->sa.sa_family == AF_INET6)
			result = set_int(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
		else
			result = set_int(fd, IPPROTO_IP, IP_PKTINFO, 1);
	}
	return result < 0 ? fail(fd, result) : fd;
}

/* True when a socket file is there and nobody answers on it: what a daemon that was killed leaves behind. */
static bool is_stale_unix_socket(const struct addr *addr)
{
	struct stat status;
	if (addr->un.sun_path[0] == '\0' || lstat(addr->un.sun_path, &status) < 0 || !S_ISSOCK(status.st_mode))
		return false;
	int fd = open_socket(AF_UNIX, SOCK_STREAM);
	if (fd < 0)
		return false;
	bool is_stale = connect(fd, &addr->sa, addr->len) < 0 && errno == ECONNREFUSED;
	fd_close(&fd);
	return is_stale;
}

int socket_listen_unix(const struct addr *addr)
{
	if (is_stale_unix_socket(addr))
		unlink(addr->un.sun_path);
	int fd = open_socket(AF_UNIX, SOCK_STREAM);
	if (fd < 0)
		return fd;
	if (bind(fd, &addr->sa, addr->len) < 0 || listen(fd, SOCKET_BACKLOG) < 0)
		return fail(fd, -errno);
	return fd;
}

/* A port that the kernel gives away by itself is taken like that: others may have it towards other servers. */
static bool take_port_late(int fd, uint16_t port)
{
	uint32_t range = (uint32_t)port << 16 | port;
	return set_int(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1) == 0 &&
	       setsockopt(fd, IPPROTO_IP, IP_LOCAL_PORT_RANGE, &range, sizeof(range)) == 0;
}

static int be_transparent(int fd, sa_family_t family)
{
	return family == AF_INET6 ? set_int(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, 1)
				  : set_int(fd, IPPROTO_IP, IP_TRANSPARENT, 1);
}

static int bind_source(int fd, int type, const struct socket_source *source)
{
	struct addr addr = source->addr;
	uint16_t port = addr_port(&addr);
	int result = source->is_foreign ? be_transparent(fd, addr.sa.sa_family) : 0;
	if (result < 0)
		return result;
	if (port == 0)
		set_int(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
	else if (type == SOCK_STREAM && source->is_port_ephemeral && take_port_late(fd, port))
		addr_set_port(&addr, 0);
	else if (type == SOCK_STREAM)
		set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	return bind(fd, &addr.sa, addr.len) < 0 ? -errno : 0;
}

int socket_open_from(int family, int type, const struct socket_source *source)
{
	int fd = open_socket(family, type);
	if (fd < 0 || source->addr.len == 0)
		return fd;
	int result = bind_source(fd, type, source);
	return result < 0 ? fail(fd, result) : fd;
}

int socket_connect(int fd, const struct addr *addr)
{
	/* A unix socket whose backlog is full says EAGAIN: nothing is in progress, so it is a failure like others. */
	return connect(fd, &addr->sa, addr->len) < 0 ? -errno : 0;
}

void socket_allow_fragments(int fd, int family)
{
	if (family == AF_INET6)
		set_int(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT);
	else
		set_int(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
}

bool socket_is_shortage(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

int socket_take_error(int fd)
{
	int error = 0;
	socklen_t len = sizeof(error);
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 ? errno : error;
}

void socket_reset_on_close(int fd)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 0 };
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

int socket_local_addr(int fd, struct addr *ret_addr)
{
	struct addr addr = { .len = sizeof(addr.un) };
	if (getsockname(fd, &addr.sa, &addr.len) < 0)
		return -errno;
	*ret_addr = addr;
	return 0;
}

struct endpoint socket_local_endpoint(int fd)
{
	struct addr addr;
	if (socket_local_addr(fd, &addr) < 0)
		return (struct endpoint){ 0 };
	return endpoint_from_sockaddr(&addr.sa);
}

struct endpoint socket_peer_endpoint(int fd)
{
	struct addr addr = { .len = sizeof(addr.un) };
	if (getpeername(fd, &addr.sa, &addr.len) < 0)
		return (struct endpoint){ 0 };
	return endpoint_from_sockaddr(&addr.sa);
}
