/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each server was given lately (stats/server_trend.h), for all servers with traffic, found by their numbers. Looks at
 * the counters of all servers every 15 seconds; needs nothing of workers. Control thread.
 */
#ifndef CONTROL_SERVER_TRENDS_H
#define CONTROL_SERVER_TRENDS_H

#include "pool/snapshot.h"
#include "stats/memory_budget.h"
#include "stats/server_trend.h"

struct server_trends;

struct server_trends *server_trends_new(struct memory_budget *budget);
/* Accepts NULL; clears the pointer. */
void server_trends_free(struct server_trends **trends);

/* Remembers the counts of all servers of the snapshot, and forgets servers that are in it no more. */
void server_trends_look(struct server_trends *trends, const struct snapshot *snapshot, uint64_t now_s);

/* What the server was given in the window; zeros when nothing is known of it. */
struct server_counts server_trends_read(const struct server_trends *trends, const struct server *server,
					enum trend_window window, uint64_t now_s);

/* One server after the other, for the file: false when there is none of that index. */
bool server_trends_write(const struct server_trends *trends, size_t index, struct byte_writer *writer);
/* What was written by a former process about a server; it is taken up when there is one of that pool and name. */
void server_trends_read_in(struct server_trends *trends, uint64_t now_s, uint64_t passed_s, struct byte_reader *reader);

#endif
