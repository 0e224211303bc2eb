/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A listening socket of the admin API, TCP or unix. A unix socket file that a dead process left behind is replaced; one
 * that somebody answers on is not. The file has mode 0660 and is removed on close if it is still the same file.
 * Control thread.
 */
#ifndef CONTROL_ADMIN_SOCKET_H
#define CONTROL_ADMIN_SOCKET_H

#include "base/addr.h"

#include <sys/types.h>

struct admin_socket {
	int fd;
	struct addr addr;
	dev_t device; /* of the unix socket file; inode 0: there is none */
	ino_t inode;
};

/* Non-blocking. Returns 0 or -errno: -EADDRINUSE also when a process answers on the unix socket. */
int admin_socket_open(struct admin_socket *socket, const struct addr *addr);
void admin_socket_close(struct admin_socket *socket);

#endif
