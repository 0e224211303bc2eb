/* SPDX-License-Identifier: Apache-2.0 */
#include "control/listen_interfaces.h"

#include <string.h>

static void want_all(const struct interface_list *list, bool *wanted)
{
	for (size_t i = 0; i < list->count; i++)
		wanted[i] = true;
}

static bool has_address(const struct interface *interface, const struct endpoint *address)
{
	for (size_t i = 0; i < interface->address_count; i++)
		if (memcmp(interface->addresses[i].ip, address->ip, sizeof(address->ip)) == 0)
			return true;
	return false;
}

static void want_for_address(const struct addr *addr, const struct interface_list *list, bool *wanted)
{
	struct endpoint address = endpoint_from_addr(addr);
	bool is_found = false;
	for (size_t i = 0; i < list->count; i++) {
		const struct interface *interface = &list->interfaces[i];
		if (interface->is_loopback || !has_address(interface, &address))
			continue;
		wanted[i] = true;
		is_found = true;
	}
	if (!is_found)
		want_all(list, wanted);
}

void listen_interfaces_add(const struct addr *addr, const struct interface_list *list, bool *wanted)
{
	if (addr_is_unix(addr) || addr_is_loopback(addr))
		return;
	if (addr_is_any(addr))
		want_all(list, wanted);
	else
		want_for_address(addr, list, wanted);
}

void listen_interfaces_clear_useless(const struct interface_list *list, bool *wanted)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct interface *interface = &list->interfaces[i];
		if (interface->is_port || interface->link == INTERFACE_OTHER || interface->is_loopback)
			wanted[i] = false;
	}
}
