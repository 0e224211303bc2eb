/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of hosts, as servers are written by: labels of letters, digits, '-' and '_' (as service names have it), of at
 * most 63 bytes, 253 in all (RFC 1035, 2.3.4; RFC 1123, 2.1). Pure; any thread. Nothing here resolves.
 */
#ifndef BASE_HOST_NAME_H
#define BASE_HOST_NAME_H

#include "base/span.h"

enum {
	HOST_NAME_LABEL_MAX = 63,
	HOST_NAME_BYTES = 254, /* with a zero */
};

/*
 * Copies the name in lower case and without the dot of the root behind it into ret_name, of HOST_NAME_BYTES. A name
 * whose last label is a number is refused: it is a mistyped address. Returns 0, or -EINVAL with *ret_problem set to a
 * static phrase for people.
 */
int host_name_parse(struct span text, char *ret_name, const char **ret_problem);

#endif
