/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's end of a TCP connection: sends requests, counts the bytes of the answers, and remembers when each
 * request was sent, or should have been. Requests may be sent before earlier ones are answered.
 */
#ifndef LOAD_TCP_CONNECTION_H
#define LOAD_TCP_CONNECTION_H

#include "measurement.h"

#include <stdbool.h>
#include <stdint.h>

enum { TCP_UNANSWERED_MAX = 256 };

/* What all connections of one run share. */
struct tcp_traffic {
	uint8_t *request;
	uint32_t request_bytes;
	uint32_t response_bytes;
};

struct tcp_connection {
	int fd;
	uint64_t unsent_bytes;
	uint64_t received_bytes; /* of the answer that is coming in */
	uint32_t sent_count;     /* requests begun; also those below wrap */
	uint32_t answered_count;
	uint64_t stamps[TCP_UNANSWERED_MAX];
};

void tcp_traffic_init(struct tcp_traffic *traffic, const struct options *options);
void tcp_traffic_done(struct tcp_traffic *traffic);

/* Starts to connect. 0 or -errno. The caller closes fd, also after an error. */
int tcp_connection_open(struct tcp_connection *connection, const struct sockaddr_in *address);
uint32_t tcp_connection_unanswered(const struct tcp_connection *connection);
/* Notes a request for the next flush; time_ns is what its latency counts from. False: too many unanswered. */
bool tcp_connection_request(struct tcp_connection *connection, const struct tcp_traffic *traffic, uint64_t time_ns);
/* Sends what the socket takes. 0 or -errno. */
int tcp_connection_flush(struct tcp_connection *connection, const struct tcp_traffic *traffic);
/* Reads what is there and records each answer. Returns their number, or -errno; -EPIPE when the other end closed. */
int tcp_connection_receive(struct tcp_connection *connection, const struct tcp_traffic *traffic,
			   struct measurement *measurement);

#endif
