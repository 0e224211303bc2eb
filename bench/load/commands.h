/* SPDX-License-Identifier: Apache-2.0 */
/* The subcommands. Each runs to its end and prints one line of JSON. */
#ifndef LOAD_COMMANDS_H
#define LOAD_COMMANDS_H

#include "options.h"

/* TCP and UDP on one port until killed; see message.h for what it answers. Prints its line when ready. */
void serve(const struct options *options);

/* Closed loop: each of `connections` keep-alive connections sends a request when the last one is answered. */
void tcp_round_trips(const struct options *options);
/* Closed loop: connect, one request, its answer, close, and again; `connections` at a time. */
void tcp_churn(const struct options *options);
/* Open loop: `rate` requests per second over `connections`; latency counts from when a request was due. */
void tcp_open_loop(const struct options *options);

/*
 * Closed loop over `connections` sessions, of which `active` at a time wait for an answer, in turn; a datagram not
 * answered in 200 ms is an error, and another one is sent.
 */
void udp_round_trips(const struct options *options);
/* Open loop, as tcp_open_loop; errors are datagrams that got no answer. */
void udp_open_loop(const struct options *options);
/* One session sends trains of `segments` datagrams as fast as it can; the count is what reached the server. */
void udp_trains(const struct options *options);

/* Opens connections or sessions, makes one round trip on each, and keeps them until standard input ends. */
void hold_tcp(const struct options *options);
void hold_udp(const struct options *options);

#endif
