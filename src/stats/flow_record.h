/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is written about a flow when it ends or is refused, as it travels from a worker to the log writer: one
 * self-contained message in the worker's ring, without a pointer, so that nothing needs to stay alive for it.
 */
#ifndef STATS_FLOW_RECORD_H
#define STATS_FLOW_RECORD_H

#include "base/addr.h"
#include "base/reason.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	FLOW_NAME_BYTES = 64,
	FLOW_TRIED_MAX = 11, /* retries 10 and the first */
	FLOW_PATH_TEXT_BYTES = ADDR_TEXT_BYTES,
};

enum flow_protocol { FLOW_TCP, FLOW_UDP, FLOW_PROTOCOL_COUNT };

/* From the client, and to it. */
enum flow_direction { FLOW_IN, FLOW_OUT, FLOW_DIRECTION_COUNT };

enum flow_path { FLOW_PATH_RELAY, FLOW_PATH_OFFLOAD, FLOW_PATH_NAT, FLOW_PATH_COUNT };

struct flow_record {
	uint64_t id; /* unique while the daemon runs; written as hexadecimal digits */
	int64_t end_realtime_us;
	struct endpoint client;
	struct endpoint listen; /* the address the client asked for; family AF_UNIX: see listen_unix */
	struct endpoint server; /* family 0: none was chosen; AF_UNIX: see server_unix */
	struct endpoint local;  /* strait's own address towards the server; family 0: never connected */
	uint64_t connect_us;    /* from the start of the last connect to its end; 0: none or UDP */
	uint64_t duration_us;
	uint64_t bytes_in; /* from the client */
	uint64_t bytes_out;
	uint64_t packets_in; /* datagrams; 0 for TCP */
	uint64_t packets_out;
	uint8_t protocol; /* enum flow_protocol */
	uint8_t path;     /* enum flow_path */
	uint8_t reason;   /* enum reason */
	uint8_t retries;  /* further servers tried after the first */
	uint8_t tried_count;
	bool is_progress;     /* the flow goes on: end_realtime_us is now */
	bool is_spared;       /* the flow begins, though limits on trial would have refused it */
	uint64_t previous_us; /* with is_progress: how old the flow was when the worker last told of its flows */
	char chosen_by[24];   /* the algorithm's word; empty: no server was chosen */
	char service[FLOW_NAME_BYTES];
	char pool[FLOW_NAME_BYTES];
	char server_name[FLOW_NAME_BYTES];      /* empty: none */
	char listen_unix[FLOW_PATH_TEXT_BYTES]; /* "unix:/path"; empty for IP */
	char server_unix[FLOW_PATH_TEXT_BYTES];
	/* Last and variable: only tried_count entries travel. The names of the servers tried before the last one. */
	char tried[FLOW_TRIED_MAX][FLOW_NAME_BYTES];
};

/* Bytes of the record that carry something. */
static inline size_t flow_record_bytes(const struct flow_record *record)
{
	return offsetof(struct flow_record, tried) + (size_t)record->tried_count * FLOW_NAME_BYTES;
}

#endif
