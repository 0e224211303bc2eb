/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the kinds of value that only health checks have: what goes into an HTTP request, which status codes are good,
 * names of the DNS, programs. What is accepted can be put into a request as it is: there is nothing in it that could end
 * a line or a field. Pure, any thread; as in values.h the functions return 0, -EINVAL or -ERANGE, and write the hint on
 * failure only.
 */
#ifndef CONFIG_CHECK_VALUES_H
#define CONFIG_CHECK_VALUES_H

#include "base/http_statuses.h"
#include "config/values.h"

enum {
	CHECK_HTTP_PATH_BYTES_MAX = 1024,
	CHECK_HTTP_HOST_BYTES_MAX = 255 + 6,
	CHECK_DNS_NAME_BYTES_MAX = 254, /* 253 and the last dot (RFC 1035, section 2.3.4) */
	CHECK_PROGRAM_BYTES_MAX = 1024,
};

/* A path and query (RFC 9112, section 3.2.1: origin-form): printable ASCII, beginning with a slash. */
int check_value_accept_http_path(struct span text, struct value_hint *ret_hint);
/* The value of a Host field: a name or an address, an IPv6 one in brackets, and perhaps a port. */
int check_value_accept_http_host(struct span text, struct value_hint *ret_hint);
/* "200", "200-399", "200,204,301-302"; final codes only, so from 200 to 599. */
int check_value_parse_statuses(struct span text, struct http_statuses *ret_statuses, struct value_hint *ret_hint);
/* A name of the DNS, with or without its last dot; "." is the root. Letters, digits, '-', '_'. */
int check_value_accept_dns_name(struct span text, struct value_hint *ret_hint);
/* The whole path of a program or another file; whether it is there is another question. */
int check_value_accept_program(struct span text, struct value_hint *ret_hint);

#endif
