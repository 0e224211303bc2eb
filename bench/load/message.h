/* SPDX-License-Identifier: Apache-2.0 */
/* What travels between load generator and server. Both run on one machine, so numbers are in its byte order. */
#ifndef LOAD_MESSAGE_H
#define LOAD_MESSAGE_H

#include <stdint.h>

/*
 * The beginning of each TCP request. The server takes request_bytes, these included, and then sends response_bytes.
 * Equal sizes are an echo, a response of 0 is a discard, a request of the header alone with a long response a source.
 */
struct tcp_request {
	uint32_t request_bytes;
	uint32_t response_bytes;
};

enum udp_kind {
	UDP_ECHO = 1, /* comes back as it is */
	UDP_DISCARD,  /* is counted */
	UDP_COUNT,    /* comes back with the number of datagrams that were counted so far as its value */
};

/* The beginning of each datagram. */
struct udp_message {
	uint64_t kind;
	uint64_t value; /* echo: when it was, or should have been, sent */
};

enum { UDP_PAYLOAD_BYTES_MAX = 65507 };

#endif
