/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The numbers that are told once a second to all who watch: of services and servers, as one JSON document, whole or
 * only of those of which something has changed since the numbers were taken last. Values are absolute, so whoever
 * misses a document loses nothing but time.
 *
 *   {"ts":"...","generation":1,"phase":"running","is_degraded":false,"is_full":true,
 *    "services":[{"name":"web","flows_active":1,"flows_total":7,"bytes_in":..,"bytes_out":..,"packets_in":..,
 *                 "packets_out":..,"refused_total":0}],
 *    "servers":[{"pool":"web","name":"a","state":"up","flows_active":1,"flows_total":7,"bytes_in":..,"bytes_out":..,
 *                "connect_failures_total":0}]}
 *
 * It is cheap where there are thousands of servers: what has changed is found by comparing numbers, and text is written
 * by hand and only of what is told. Sums over workers are taken while they run. Control thread.
 */
#ifndef CONTROL_TICK_H
#define CONTROL_TICK_H

#include "pool/snapshot.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tick;

/* What is said of the daemon as a whole. */
struct tick_head {
	int64_t realtime_us;
	const char *phase;
	bool is_degraded;
};

struct tick *tick_new(void);
/* Accepts NULL; clears the pointer. */
void tick_free(struct tick **tick);

/*
 * Takes the numbers of now. Returns false when those of before do not belong to the same services and servers, as after
 * a reload, so that a document of changes says nothing and everything has to be told.
 */
bool tick_take(struct tick *tick, const struct snapshot *snapshot, const struct tick_head *head);

/* Do the numbers belong to the services and servers of this snapshot? */
bool tick_is_of(const struct tick *tick, const struct snapshot *snapshot);

enum tick_form { TICK_CHANGES, TICK_FULL };

/* The document of what was taken last, heap, with a zero behind it. The snapshot has to be the same still. */
char *tick_format(const struct tick *tick, enum tick_form form, size_t *ret_bytes);

#endif
