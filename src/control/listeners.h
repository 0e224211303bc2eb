/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's listening sockets: which are open, and the change from one snapshot's to the next one's. Each worker gets
 * a socket of its own: one of a SO_REUSEPORT group for IP addresses, a duplicate of the same socket for unix ones. A
 * listener whose address stays is left alone, so its group keeps its sockets and no client is hashed to another
 * worker. Remembers the unix socket files, to remove them when their listener goes. Control thread.
 */
#ifndef CONTROL_LISTENERS_H
#define CONTROL_LISTENERS_H

#include "net/socket.h"
#include "pool/snapshot.h"
#include "worker/worker.h"

#include <stddef.h>
#include <stdint.h>

/* Connections that may wait for being accepted, for each worker and address; the kernel cuts it to net.core.somaxconn. */
enum { LISTENERS_BACKLOG = SOCKET_BACKLOG };

struct listeners;
struct listeners_change;

struct listeners_error {
	const struct snapshot_listen *listen; /* the one that could not be opened */
	int error;                            /* -errno */
};

/* The workers stay the caller's. */
struct listeners *listeners_new(struct worker *const *workers, uint32_t worker_count);

/*
 * Opens what the snapshot wants and is not open, and says nothing to workers yet. Returns NULL when one could not be
 * opened, and tells which: then nothing has changed.
 */
struct listeners_change *listeners_prepare(struct listeners *listeners, const struct snapshot *snapshot,
					   struct listeners_error *ret_error);

/* Hands new sockets to the workers, assigns those that stay to their services, and has the others closed. */
void listeners_commit(struct listeners *listeners, struct listeners_change *change);

/* Closes again what was opened. */
void listeners_abandon(struct listeners_change *change);

/* Removes the unix socket files that are still ours; the workers have gone. Accepts NULL; clears the pointer. */
void listeners_free(struct listeners **listeners);

#endif
