/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Active health checks: when each server is asked, with what, and what a row of answers means. Runs on the control
 * thread's loop and timer wheel; each check is non-blocking and holds a descriptor while it runs (that of a program
 * two).
 *
 * A server starts as up; its first check decides at once, later ones need `rise` or `fall` in a row. Checks are spread
 * evenly over the interval, with jitter, so that thousands of servers are never asked in the same millisecond.
 * health decides and reports; setting the server's state bit is the caller's business (on_verdict).
 */
#ifndef HEALTH_HEALTH_H
#define HEALTH_HEALTH_H

#include "event/loop.h"
#include "event/timer_wheel.h"
#include "pool/snapshot.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Checks running at once, each with a descriptor; at most an eighth of the descriptors this process may have. More wait
 * for their turn, first come first served.
 */
enum { HEALTH_RUNNING_MAX = 512 };

/*
 * Programs of `check exec` among them; at most half of the checks that may run. One that was killed counts until it is
 * gone. More wait for their turn, and are not failed for that.
 */
enum { HEALTH_PROGRAMS_MAX = 64 };

struct health;

struct health_verdict {
	struct pool *pool;
	struct server *server;
	bool is_up;
	const char *cause;    /* why, for people and records: "connection refused", "no answer within 1s", ... */
	uint64_t duration_us; /* of the check that decided */
};

/*
 * owner is passed back. Called on the control thread for each change of verdict only; not to call health_watch,
 * health_watch_pool or health_free.
 */
typedef void health_verdict_fn(void *owner, const struct health_verdict *verdict);

struct health *health_new(struct loop *loop, struct timer_wheel *wheel, health_verdict_fn *on_verdict, void *owner);

/*
 * Watches all servers of all pools of the snapshot that have a check, and no others. May be called again for another
 * snapshot, and must be when a pool got another policy: servers that stay keep what is known of them. Those in maint
 * are left alone while they are, and decided anew by their first check after it.
 */
void health_watch(struct health *health, const struct snapshot *snapshot);

/*
 * The same for one pool whose servers or policy have changed, at the cost of that pool: `removed` are those that it no
 * longer has. Servers of other pools keep their places in time.
 */
void health_watch_pool(struct health *health, const struct snapshot *snapshot, size_t pool_index,
		       struct server *const *removed, size_t removed_count);

/* Tells the last outcome of a server for status: false if it was never checked. */
struct health_last {
	uint64_t at_ms; /* monotonic */
	bool was_good;
	uint64_t duration_us;
	char cause[128]; /* empty when good; "not asked: ..." when strait itself could not check in the latest round */
};
bool health_read_last(const struct health *health, const struct server *server, struct health_last *ret_last);

/* Ends all running checks; programs are killed and reaped. Between turns of the loop, not within one. Accepts NULL; clears the pointer. */
void health_free(struct health **health);

#endif
