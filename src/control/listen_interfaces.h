/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which interfaces packets for a listen address come in by. An address that no interface has, or only the loopback
 * interface, may be reached by any; so it counts as all addresses do. Packets of a port of a bridge, bond or team come
 * again by the bridge. Pure.
 */
#ifndef CONTROL_LISTEN_INTERFACES_H
#define CONTROL_LISTEN_INTERFACES_H

#include "base/addr.h"
#include "kernel/interfaces.h"

#include <stdbool.h>

/* Sets those of the address in wanted, one for each interface of the list. */
void listen_interfaces_add(const struct addr *addr, const struct interface_list *list, bool *wanted);

/* Clears those that no program can be of use at: loopback, ports, and of a link that is not known. */
void listen_interfaces_clear_useless(const struct interface_list *list, bool *wanted);

#endif
