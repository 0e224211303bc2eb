/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits of number and rate for each source of a service. What one source is, the prefixes of the table say
 * (stats/source.h): by default an IPv4 address, an IPv6 /64 (what one site can choose from freely), or all clients of unix
 * sockets together.
 *
 * The table never grows. It is cut into small sets; the hash that finds a source's set is keyed with the secret of the
 * process, so that nobody can aim at a set. A newcomer to a full set takes the place of a source that has no flow now,
 * the one whose rates say least. A source with flows is never pushed out, so a flood of invented sources only displaces
 * its own kind. What was known of a displaced source goes into a sketch (source_sketch.h) as far as it still matters, and
 * is taken from there when the source comes again: coming with ten million other sources gives nobody a fresh rate. Where
 * all sources of a set have flows newcomers to it are counted in the sketch, each by itself as far as four shared cells
 * tell it from others. The table has room for four times as many sources as flows are expected, so this is the rare case.
 * The limits are the caller's and may differ from call to call.
 *
 * Shared by all workers. Each set has a lock of its own, held for a few dozen instructions once for a new flow and once
 * when it ends; for packets only where they are limited. Nothing is allocated after source_table_new.
 */
#ifndef GUARD_SOURCE_TABLE_H
#define GUARD_SOURCE_TABLE_H

#include "base/addr.h"
#include "base/reason.h"
#include "guard/rate.h"
#include "stats/source.h"

#include <stddef.h>
#include <stdint.h>

enum {
	SOURCE_SET_WAYS = 7,
	SOURCE_SETS_MIN = 16,
	SOURCE_SETS_MAX = 1 << 17, /* 32 MiB of address space, and 12 of the sketch; used as sources come */
	SOURCE_SKETCH_CELLS_MIN = 4096,
};

struct source_limits {
	uint64_t flows_max;      /* at once; 0 = no limit */
	struct rate rate;        /* of new flows */
	struct rate packet_rate; /* of the datagrams of all flows together */
};

struct source_table;

/* flows_expected: how many flows there may be at once; the size follows from it, within the limits above. */
struct source_table *source_table_new(uint64_t flows_expected, struct source_prefixes prefixes);
/* Accepts NULL; clears the pointer. */
void source_table_free(struct source_table **table);

struct source_prefixes source_table_prefixes(const struct source_table *table);

/* Takes a place for a flow of the client: REASON_NONE; or REASON_LIMIT_PER_SOURCE, REASON_LIMIT_RATE. */
enum reason source_table_enter(struct source_table *table, const struct source_limits *limits,
			       const struct endpoint *client, uint64_t now_ns);
/* The flow has ended. */
void source_table_leave(struct source_table *table, const struct endpoint *client);
/* The flow was refused for another reason straight after it entered: as if it had not come. */
void source_table_withdraw(struct source_table *table, const struct source_limits *limits,
			   const struct endpoint *client);

/* How many of `count` datagrams, of a client that has a flow, are within its rate; from the first on. */
uint32_t source_table_take_packets(struct source_table *table, const struct source_limits *limits,
				   const struct endpoint *client, uint64_t now_ns, uint32_t count);

/* Bytes of address space the table takes. */
size_t source_table_bytes(const struct source_table *table);

#endif
