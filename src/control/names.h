/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names of servers and what they stand for. Each name that the configuration in force holds is asked for again when
 * its TTL is over (1 s to 1 h, or what `resolver ttl=` says), and whenever its set of addresses has changed the pools
 * that use it are told.
 *
 * A name never loses what it had because somebody could not be asked, or said that there is no such name: the last
 * answer is kept for as long as it takes, the name is `failed` for all to see, and is asked for again after 1 s, 2 s,
 * 4 s ... 30 s. An address goes when a later answer has others; all go when SRV records say that the service is not
 * available (target "."). A name that was never resolved has no addresses, and nothing waits for it.
 *
 * Answers belong to (resolver, host, kind) and stay over reloads. A name that is asked from another resolver than before
 * begins with the answer that it had. Control thread.
 */
#ifndef CONTROL_NAMES_H
#define CONTROL_NAMES_H

#include "config/config.h"
#include "event/loop.h"
#include "event/timer_wheel.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	NAMES_TTL_MIN_MS = 1000,
	NAMES_TTL_MAX_MS = 3600 * 1000,
	NAMES_RETRY_MIN_MS = 1000,
	NAMES_RETRY_MAX_MS = 30 * 1000,
	NAMES_RUNNING_MAX = 64, /* lookups of one resolver at a time; more wait */
};

struct names;
struct log_writer;

/* The servers of this pool of the watched tree have another `resolved` now. At the end of a turn. */
typedef void names_changed_fn(void *owner, size_t pool_number);

/* log may be NULL. */
struct names *names_new(struct loop *loop, struct timer_wheel *wheel, struct log_writer *log,
			names_changed_fn *on_change, void *owner);

/* Fills in what is known of the names of a tree that may come into force. Asks nobody. */
void names_attach(const struct names *names, struct config *config);

/*
 * The tree is in force: its names are kept up to date, in the tree, until another one is watched; names of the one
 * before are forgotten. The tree stays the caller's, who frees the one before first.
 */
void names_watch(struct names *names, struct config *config);

enum name_state {
	NAME_PENDING, /* not answered yet since it came */
	NAME_RESOLVED,
	NAME_FAILED, /* the latest lookup failed; what is known is older */
};

struct name_status {
	enum name_state state;
	bool has_answer;
	uint64_t age_ms;        /* of the answer */
	uint64_t ttl_ms;        /* as it is used */
	const char *last_error; /* of the latest lookup, also where only a part of it failed; or NULL */
};

/* False when the server of the watched tree is no name. */
bool names_read(const struct names *names, const struct config_pool *pool, const struct config_server *server,
		struct name_status *ret_status);
const char *name_state_word(enum name_state state);

/* Between turns. Accepts NULL; clears the pointer. */
void names_free(struct names **names);

#endif
