/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The listen addresses of services whose flows begin in the kernel, as its table has them (kernel/nat_table.h). "All addresses"
 * are those that the machine has now, because what goes to others by way of this machine is none of our business. Control.
 */
#ifndef CONTROL_NAT_LISTENS_H
#define CONTROL_NAT_LISTENS_H

#include "kernel/interfaces.h"
#include "kernel/nat_table.h"
#include "pool/snapshot.h"

struct nat_listen_place {
	struct endpoint endpoint;
	uint8_t protocol;
	uint32_t service;
};

/* All zero: none. */
struct nat_listens {
	struct nat_listen_place *all; /* sorted */
	size_t count;
	size_t capacity;
};

/*
 * Those of the snapshot's services that have a number. What stays is there all the time; an address that goes to another
 * service is never without. Returns false when not all have room.
 */
bool nat_listens_replace(struct nat_listens *listens, struct nat_table *table, const struct snapshot *snapshot,
			 const struct interface_list *interfaces);
/* The table goes as a whole. */
void nat_listens_done(struct nat_listens *listens);

#endif
