/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin_socket.h"

#include "base/fd.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	BACKLOG = 64,
	/*
	 * What the system holds for a client that does not read. Left to itself it is some megabytes for each connection, so
	 * that 32 of them would keep this thread busy for seconds, and longer on a slow machine. Linux doubles the number.
	 */
	SEND_BYTES = 128 << 10,
	UNIX_MODE = 0660,
};

/* Abstract names have no file. */
static bool has_file(const struct addr *addr)
{
	return addr_is_unix(addr) && addr->un.sun_path[0] != '\0';
}

static bool is_answered(const struct addr *addr)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* EAGAIN: its backlog is full, so there is somebody. */
	bool result = fd < 0 || connect(fd, &addr->sa, addr->len) == 0 || errno == EAGAIN;
	fd_close(&fd);
	return result;
}

static int remove_stale(const struct addr *addr)
{
	struct stat status;
	if (lstat(addr->un.sun_path, &status) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(status.st_mode) || is_answered(addr))
		return -EADDRINUSE;
	return unlink(addr->un.sun_path) < 0 && errno != ENOENT ? -errno : 0;
}

static int set_options(int fd, const struct addr *addr)
{
	int on = 1;
	int send_bytes = SEND_BYTES;
	if (addr_is_unix(addr))
		/* What bind creates takes the mode of the socket, less the umask: never wider than wanted. */
		return fchmod(fd, UNIX_MODE) < 0 ? -errno : 0;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_bytes, sizeof(send_bytes)) < 0)
		return -errno;
	if (addr->sa.sa_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0)
		return -errno;
	return 0;
}

/* The umask may have taken the group's part away. */
static int remember_file(struct admin_socket *admin)
{
	struct stat status;
	const char *path = admin->addr.un.sun_path;
	if (chmod(path, UNIX_MODE) < 0 || lstat(path, &status) < 0)
		return -errno;
	admin->device = status.st_dev;
	admin->inode = status.st_ino;
	return 0;
}

static int bind_and_listen(struct admin_socket *admin)
{
	const struct addr *addr = &admin->addr;
	int error = set_options(admin->fd, addr);
	if (error == 0 && has_file(addr))
		error = remove_stale(addr);
	if (error < 0)
		return error;
	if (bind(admin->fd, &addr->sa, addr->len) < 0)
		return -errno;
	if (has_file(addr))
		error = remember_file(admin);
	if (error == 0 && listen(admin->fd, BACKLOG) < 0)
		error = -errno;
	return error;
}

int admin_socket_open(struct admin_socket *admin, const struct addr *addr)
{
	*admin = (struct admin_socket){ .addr = *addr };
	admin->fd = socket(addr->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (admin->fd < 0)
		return -errno;
	int error = bind_and_listen(admin);
	if (error < 0)
		admin_socket_close(admin);
	return error;
}

void admin_socket_close(struct admin_socket *admin)
{
	struct stat status;
	const char *path = admin->addr.un.sun_path;
	fd_close(&admin->fd);
	if (admin->inode != 0 && lstat(path, &status) == 0 && status.st_dev == admin->device &&
	    status.st_ino == admin->inode)
		unlink(path);
	admin->inode = 0;
}
