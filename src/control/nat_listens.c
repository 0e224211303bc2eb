/* SPDX-License-Identifier: Apache-2.0 */
#include "control/nat_listens.h"

#include "base/memory.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static void add_listen(struct nat_listens *list, const struct endpoint *endpoint, const struct snapshot_listen *listen)
{
	if (list->count == list->capacity) {
		list->capacity = list->capacity > 0 ? 2 * list->capacity : 64;
		list->all = memory_resize(list->all, list->capacity, sizeof(*list->all));
	}
	struct nat_listen_place *added = &list->all[list->count++];
	memset(added, 0, sizeof(*added)); /* they are compared byte by byte */
	added->endpoint = *endpoint;
	added->endpoint.port = addr_port(&listen->addr);
	added->protocol = listen->protocol == FLOW_UDP ? IPPROTO_UDP : IPPROTO_TCP;
	added->service = listen->service->nat_number - 1;
}

static void add_all(struct nat_listens *list, const struct snapshot_listen *listen,
		    const struct interface_list *interfaces)
{
	bool is_ipv6 = listen->addr.sa.sa_family == AF_INET6;
	for (size_t i = 0; i < interfaces->count; i++) {
		const struct interface *interface = &interfaces->interfaces[i];
		for (size_t j = 0; j < interface->address_count && !interface->is_loopback; j++) {
			bool is_address_ipv4 = endpoint_is_ipv4(&interface->addresses[j]);
			if (is_address_ipv4 ? !is_ipv6 || listen->is_dual : is_ipv6)
				add_listen(list, &interface->addresses[j], listen);
		}
	}
}

static int compare_listens(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct nat_listen_place));
}

static struct nat_listens find_listens(const struct snapshot *snapshot, const struct interface_list *interfaces)
{
	struct nat_listens list = { 0 };
	for (size_t i = 0; i < snapshot->listen_count; i++) {
		const struct snapshot_listen *listen = &snapshot->listens[i];
		if (listen->service->nat_number == 0 || addr_is_unix(&listen->addr) || addr_is_loopback(&listen->addr))
			continue;
		struct endpoint endpoint = endpoint_from_addr(&listen->addr);
		if (addr_is_any(&listen->addr))
			add_all(&list, listen, interfaces);
		else
			add_listen(&list, &endpoint, listen);
	}
	if (list.count > 0)
		qsort(list.all, list.count, sizeof(*list.all), compare_listens);
	return list;
}

static bool has_listen(const struct nat_listens *listens, const struct nat_listen_place *listen)
{
	return listens->count > 0 &&
	       bsearch(listen, listens->all, listens->count, sizeof(*listen), compare_listens) != NULL;
}

/* Those that stay are there all the time; one that goes to another service is never without. */
bool nat_listens_replace(struct nat_listens *listens, struct nat_table *table, const struct snapshot *snapshot,
			 const struct interface_list *interfaces)
{
	struct nat_listens list = find_listens(snapshot, interfaces);
	bool has_room = true;
	for (size_t i = 0; i < listens->count; i++)
		if (!has_listen(&list, &listens->all[i]))
			nat_table_remove_listen(table, &listens->all[i].endpoint, listens->all[i].protocol);
	for (size_t i = 0; i < list.count; i++)
		has_room &= nat_table_add_listen(table, &list.all[i].endpoint, list.all[i].protocol,
						 list.all[i].service) == 0;
	nat_listens_done(listens);
	*listens = list;
	return has_room;
}

void nat_listens_done(struct nat_listens *listens)
{
	free(listens->all);
	*listens = (struct nat_listens){ 0 };
}
