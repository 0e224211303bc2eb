/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening the listening sockets of a snapshot and giving each worker its own: one of a SO_REUSEPORT group for IP
 * addresses, a duplicate of the same socket for unix ones. Remembers the unix socket files, to remove them at the end.
 * Control thread.
 */
#ifndef CONTROL_LISTENERS_H
#define CONTROL_LISTENERS_H

#include "pool/snapshot.h"
#include "worker/worker.h"

#include <stddef.h>
#include <stdint.h>

struct listeners;

struct listeners_error {
	const struct snapshot_listen *listen; /* the one that failed */
	int error;                            /* -errno */
};

/*
 * Opens all of the snapshot's listeners for the workers, which have not been started. Returns NULL when one could not
 * be opened and tells which; the workers are then to be freed.
 */
struct listeners *listeners_open(const struct snapshot *snapshot, struct worker *const *workers, uint32_t worker_count,
				 struct listeners_error *ret_error);

/* Sockets that one worker gets. */
size_t listeners_count(const struct snapshot *snapshot);

/* Removes the unix socket files that are still ours. Accepts NULL; clears the pointer. */
void listeners_free(struct listeners **listeners);

#endif
