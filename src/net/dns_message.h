/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The little of the DNS that a health check needs (RFC 1035, section 4): writing a question, and telling whether a
 * datagram is an answer to it. Records are not looked at, so there are no compressed names to follow.
 *
 * Pure, no I/O, any thread.
 */
#ifndef NET_DNS_MESSAGE_H
#define NET_DNS_MESSAGE_H

#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	DNS_HEADER_BYTES = 12,
	DNS_NAME_BYTES_MAX = 255,
	DNS_LABEL_BYTES_MAX = 63,
	DNS_QUERY_BYTES_MAX = DNS_HEADER_BYTES + DNS_NAME_BYTES_MAX + 4,
	DNS_RCODE_COUNT = 16,
	DNS_RCODE_TEXT_BYTES = 24,
};

/*
 * Writes a query of class IN that asks for recursion into buf of DNS_QUERY_BYTES_MAX. The name is written with dots,
 * with or without the last; "." is the root. Returns its length, or -EINVAL: that is no name.
 */
int dns_write_query(uint16_t id, struct span name, uint16_t type, uint8_t *buf);

struct dns_answer {
	unsigned int rcode; /* below DNS_RCODE_COUNT */
	bool is_truncated;
};

/*
 * Is the datagram an answer to this query: with its id and opcode, marked as a response, repeating the very question
 * (the case of letters does not matter)? What follows the question is not looked at.
 */
bool dns_read_answer(struct span query, struct span datagram, struct dns_answer *ret_answer);

/* "SERVFAIL"; "rcode 11" for what has no name here. buf: DNS_RCODE_TEXT_BYTES. Returns buf. */
char *dns_format_rcode(unsigned int rcode, char *buf);

#endif
