/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The blocked networks: where each came from, why, and until when. They come through the API, from services that have
 * refused a source too often, and from the directive `block`; they stay over reloads, but for those of the directive, which
 * follow it, and end with the daemon. Owns the list that workers look at (guard/block_list.h).
 *
 * A block keeps out what is new at once, and ends the flows that its network has. Control thread.
 */
#ifndef CONTROL_BLOCKS_H
#define CONTROL_BLOCKS_H

#include "base/addr.h"
#include "event/loop.h"
#include "event/timer_wheel.h"
#include "guard/block_list.h"
#include "kernel/packet_guard.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BLOCK_CAUSE_BYTES = 256, BLOCK_SERVICE_BYTES = 64 };

enum block_origin { BLOCK_FROM_API, BLOCK_FROM_SERVICE, BLOCK_FROM_CONFIGURATION, BLOCK_ORIGIN_COUNT };

/* "api", "service", "configuration" */
const char *block_origin_word(enum block_origin origin);

struct blocks;
struct nat_services;
struct log_writer;
struct config;

/* Somebody has been blocked: flows are to be looked through. At most some 20 times a second. */
typedef void blocks_added_fn(void *owner);

/* log may be NULL. */
struct blocks *blocks_new(struct loop *loop, struct timer_wheel *wheel, struct log_writer *log,
			  blocks_added_fn *on_added, void *owner);
/* Accepts NULL; clears the pointer. No worker runs any more. */
void blocks_free(struct blocks **blocks);

/* For relay_settings. Lives as long as blocks. */
struct block_list *blocks_list(struct blocks *blocks);

/* What is to be blocked, and what there is to say of it. */
struct block_request {
	struct network network;
	enum block_origin origin;
	uint64_t for_ms;     /* 0 = until it is removed */
	const char *cause;   /* or NULL; cut to BLOCK_CAUSE_BYTES */
	const char *service; /* that has refused it; or NULL */
};

/*
 * Blocks the network, or gives the block that it has new time and cause: through the API always, automatically only where
 * that makes it longer. Returns 1 when it is new, 0 when it is not; -EPERM when the configuration blocks it, -ENOSPC when
 * there are BLOCKS_MAX.
 */
int blocks_add(struct blocks *blocks, const struct block_request *request);
/* 0, -ENOENT, or -EPERM when the configuration blocks it. */
int blocks_remove(struct blocks *blocks, const struct network *network);

/* Those of the directive `block` are what the tree now says; also after a list of it has changed. */
void blocks_configure(struct blocks *blocks, const struct config *config);

/*
 * The packets of those who are blocked are dropped by this guard, too, before workers see them, as far as it has room: what
 * it has none for is kept out by workers alone. It stays the caller's until the blocks are freed. NULL: there is none.
 */
void blocks_use_guard(struct blocks *blocks, struct packet_guard *packets);

/*
 * Flows of those who are blocked do not begin in the kernel: what the guard lets pass is left to workers, who refuse it. It
 * stays the caller's until the blocks are freed. NULL: no flow begins there.
 */
void blocks_use_nat(struct blocks *blocks, struct nat_services *nat);

struct block_status {
	struct network network;
	enum block_origin origin;
	const char *cause;   /* "" if there is none; as the next */
	const char *service; /* valid until something changes */
	int64_t since_realtime_us;
	uint64_t remaining_ms; /* 0 = until it is removed */
	uint64_t refused;      /* flows and datagrams kept out by workers */
	uint64_t packets;      /* dropped by the packet guard */
};

/* The newest first. Stops when visit returns false. */
void blocks_visit(const struct blocks *blocks, bool (*visit)(void *owner, const struct block_status *status),
		  void *owner);
/* The block of exactly this network. Returns false when there is none. */
bool blocks_get(const struct blocks *blocks, const struct network *network, struct block_status *ret_status);
/* The block that an address falls under. Returns false when there is none. */
bool blocks_find(const struct blocks *blocks, const struct endpoint *client, struct block_status *ret_status);

struct blocks_counts {
	uint64_t now[BLOCK_ORIGIN_COUNT];
	uint64_t added[BLOCK_ORIGIN_COUNT]; /* since the start */
	uint64_t failed;                    /* there was no room */
};
struct blocks_counts blocks_count(const struct blocks *blocks);

#endif
