/* SPDX-License-Identifier: Apache-2.0 */
/* The network interfaces of this network namespace and their addresses, as they are at the moment. Any thread. */
#ifndef KERNEL_INTERFACES_H
#define KERNEL_INTERFACES_H

#include "base/addr.h"

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* With which header packets of an interface begin. */
enum interface_link {
	INTERFACE_ETHERNET,
	INTERFACE_IP, /* none: tun, WireGuard, PPP */
	INTERFACE_OTHER,
};

struct interface {
	uint32_t index;
	char name[IF_NAMESIZE];
	enum interface_link link;
	bool is_loopback;
	bool is_port;               /* of a bridge, bond or team, by which its packets come again */
	struct endpoint *addresses; /* without ports and scopes */
	size_t address_count;
};

struct interface_list {
	struct interface *interfaces;
	size_t count;
};

/* Returns 0 or -errno. */
int interfaces_read(struct interface_list *ret_list);
void interfaces_done(struct interface_list *list);

#endif
