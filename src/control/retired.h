/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Services, pools and servers that are no longer configured but may still be in use: by flows that go on, by views not
 * yet freed, by workers that have not done all orders. Looked at about once a second and freed when nobody has them any
 * more and a grace period has passed since. Control thread.
 */
#ifndef CONTROL_RETIRED_H
#define CONTROL_RETIRED_H

#include "event/timer_wheel.h"
#include "pool/snapshot.h"
#include "worker/worker.h"

#include <stdint.h>

struct retired;

/* The wheel and the workers stay the caller's. */
struct retired *retired_new(struct timer_wheel *wheel, struct worker *const *workers, uint32_t worker_count);

/* Takes over what a snapshot left behind, and frees the arrays. The leftover pools' views may still be there. */
void retired_add(struct retired *retired, struct snapshot_leftovers *leftovers, uint64_t now_ms);

/* How many objects are waiting. Accepts NULL: none. */
size_t retired_count(const struct retired *retired);

/* Frees all that is left, when no worker runs any more. Accepts NULL; clears the pointer. */
void retired_free(struct retired **retired);

#endif
