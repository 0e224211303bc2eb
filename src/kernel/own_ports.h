/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ports for flows that have no socket in the end: nothing but strait keeps them from others, so they are taken from outside of
 * the range from which the system gives ports away (net.ipv4.ip_local_port_range). From OWN_PORTS_FIRST on, those on which
 * nothing listens when the list is made; shuffled, so that nobody can tell which one comes next. Flows that begin in the
 * kernel and connections that may be moved there have lists of their own.
 *
 * A port is one of many flows' as long as they go to different servers. Immutable; any thread.
 */
#ifndef KERNEL_OWN_PORTS_H
#define KERNEL_OWN_PORTS_H

#include <stddef.h>
#include <stdint.h>

enum { OWN_PORTS_FIRST = 10240 };

/* What is said when there are none. */
#define OWN_PORTS_TOO_FEW "net.ipv4.ip_local_port_range leaves too few ports above 10240 that are not the system's own"

enum own_ports_use { OWN_PORTS_OF_CONNECTIONS, OWN_PORTS_OF_NAT };

struct own_ports {
	size_t count;
	uint16_t all[];
};

/* ephemeral: the system's range, first | last << 16. Heap; the caller frees it with free(). */
struct own_ports *own_ports_new(uint32_t ephemeral, enum own_ports_use use);

#endif
