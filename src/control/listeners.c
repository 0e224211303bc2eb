/* SPDX-License-Identifier: Apache-2.0 */
#include "control/listeners.h"

#include "base/fd.h"
#include "base/memory.h"
#include "net/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A socket file as it was when we made it: somebody else's new one of the same name is not removed. */
struct socket_file {
	char path[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
	dev_t device;
	ino_t inode;
};

struct listeners {
	struct socket_file *files;
	size_t file_count;
};

struct opening {
	const struct snapshot_listen *listen;
	struct worker *const *workers;
	uint32_t worker_count;
};

/* Both families have the same port, so a wildcard of both is two sockets; IPv6 may be missing from the system. */
static bool is_family_missing(int error)
{
	return error == -EAFNOSUPPORT || error == -EADDRNOTAVAIL;
}

static int open_ip_socket(const struct snapshot_listen *listen, const struct addr *addr)
{
	if (listen->protocol == FLOW_UDP)
		return socket_listen_udp(addr);
	struct socket_keepalive keepalive = { .user_timeout_ms = listen->service->policy->idle_ms };
	return socket_listen_tcp(addr, &keepalive);
}

static int hand_over(const struct opening *opening, uint32_t worker_index, int fd)
{
	int result = worker_add_listener(opening->workers[worker_index], opening->listen->service,
					 opening->listen->protocol, fd);
	if (result < 0)
		fd_close(&fd);
	return result;
}

static int open_ip(const struct opening *opening, const struct addr *addr)
{
	int result = socket_probe_address(addr, opening->listen->protocol == FLOW_TCP ? SOCK_STREAM : SOCK_DGRAM);
	for (uint32_t i = 0; i < opening->worker_count && result == 0; i++) {
		int fd = open_ip_socket(opening->listen, addr);
		result = fd < 0 ? fd : hand_over(opening, i, fd);
	}
	return result;
}

static int open_both_families(const struct opening *opening)
{
	struct addr ipv4 = { .len = sizeof(struct sockaddr_in) };
	ipv4.in.sin_family = AF_INET;
	addr_set_port(&ipv4, addr_port(&opening->listen->addr));
	int result = open_ip(opening, &opening->listen->addr);
	if (result < 0 && !is_family_missing(result))
		return result;
	return open_ip(opening, &ipv4);
}

static void remember_file(struct listeners *listeners, const struct addr *addr)
{
	struct stat status;
	if (addr->un.sun_path[0] == '\0' || lstat(addr->un.sun_path, &status) < 0)
		return;
	listeners->files = memory_resize(listeners->files, listeners->file_count + 1, sizeof(*listeners->files));
	struct socket_file *file = &listeners->files[listeners->file_count++];
	*file = (struct socket_file){ .device = status.st_dev, .inode = status.st_ino };
	span_copy(span_from_text(addr->un.sun_path), file->path, sizeof(file->path));
}

static int open_unix(struct listeners *listeners, const struct opening *opening)
{
	int first = socket_listen_unix(&opening->listen->addr);
	if (first < 0)
		return first;
	remember_file(listeners, &opening->listen->addr);
	int result = 0;
	for (uint32_t i = 0; i < opening->worker_count && result == 0; i++) {
		int fd = i == 0 ? first : fcntl(first, F_DUPFD_CLOEXEC, 0);
		result = fd < 0 ? -errno : hand_over(opening, i, fd);
	}
	return result;
}

static int open_one(struct listeners *listeners, const struct opening *opening)
{
	if (addr_is_unix(&opening->listen->addr))
		return open_unix(listeners, opening);
	if (opening->listen->is_dual)
		return open_both_families(opening);
	return open_ip(opening, &opening->listen->addr);
}

struct listeners *listeners_open(const struct snapshot *snapshot, struct worker *const *workers, uint32_t worker_count,
				 struct listeners_error *ret_error)
{
	struct listeners *listeners = memory_alloc_zeroed(1, sizeof(*listeners));
	for (size_t i = 0; i < snapshot->listen_count; i++) {
		struct opening opening = { &snapshot->listens[i], workers, worker_count };
		int result = open_one(listeners, &opening);
		if (result < 0) {
			*ret_error = (struct listeners_error){ .listen = opening.listen, .error = result };
			listeners_free(&listeners);
			return NULL;
		}
	}
	return listeners;
}

size_t listeners_count(const struct snapshot *snapshot)
{
	size_t count = 0;
	for (size_t i = 0; i < snapshot->listen_count; i++)
		count += snapshot->listens[i].is_dual ? 2 : 1;
	return count;
}

void listeners_free(struct listeners **listeners)
{
	if (*listeners == NULL)
		return;
	for (size_t i = 0; i < (*listeners)->file_count; i++) {
		const struct socket_file *file = &(*listeners)->files[i];
		struct stat status;
		if (lstat(file->path, &status) == 0 && status.st_dev == file->device && status.st_ino == file->inode)
			unlink(file->path);
	}
	free((*listeners)->files);
	free(*listeners);
	*listeners = NULL;
}
