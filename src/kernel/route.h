/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks the kernel which way packets go: by its routing tables and rules, as for packets of this machine. A question takes a
 * few microseconds. Needs no privilege. A finder belongs to one thread.
 */
#ifndef KERNEL_ROUTE_H
#define KERNEL_ROUTE_H

#include "base/addr.h"

#include <stdbool.h>
#include <stdint.h>

struct route_finder {
	int fd; /* 0: not open, so zero-initialise */
};

struct route_answer {
	uint32_t interface_index;
	bool has_source;
	struct endpoint source; /* the address that the kernel would send from; port and scope 0 */
	bool is_local;          /* to this machine itself */
	bool is_on_link;        /* the destination is on the link of that interface, and not behind a router */
};

/*
 * Opens the finder when it is the first question. source: the address that packets come from, or NULL. Returns 0 or
 * -errno: -ENETUNREACH and the like when there is no way.
 */
int route_find(struct route_finder *finder, const struct endpoint *dest, const struct endpoint *source,
	       struct route_answer *ret_answer);
void route_finder_close(struct route_finder *finder);

#endif
