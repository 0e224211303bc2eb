/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose the numbers are that the kernel has for services and servers (nat_table.h); to this floor both are names only. Control writes, through RCU: what
 * is taken out is there for as long as a worker may have read it. A number comes back into use only after all others, and
 * with another generation.
 */
#ifndef KERNEL_NAT_DIRECTORY_H
#define KERNEL_NAT_DIRECTORY_H

#include "base/published.h"
#include "bpf/nat_abi.h"

#include <stddef.h>
#include <stdint.h>

struct flow_table;
struct nat_table;
struct server;
struct service;

struct nat_directory_server {
	struct server *server; /* published; NULL: nobody's */
	uint32_t generation;   /* as in nat_server.state */
};

struct nat_directory {
	struct flow_table *flows;
	struct nat_table *table;
	struct service **services; /* published; NULL: nobody's */
	uint32_t service_count;
	struct nat_directory_server *servers;
	uint32_t server_count;
};

/* For workers, inside their RCU read side. NULL when it is gone. */
static inline struct service *nat_directory_service(const struct nat_directory *directory, uint32_t number)
{
	return number < directory->service_count ? published_read(directory->services[number]) : NULL;
}

/* state: of the server when it was chosen. */
static inline struct server *nat_directory_server(const struct nat_directory *directory, uint32_t number,
						  uint32_t state)
{
	if (number >= directory->server_count)
		return NULL;
	const struct nat_directory_server *entry = &directory->servers[number];
	struct server *server = published_read(entry->server);
	uint32_t generation = __atomic_load_n(&entry->generation, __ATOMIC_ACQUIRE);
	return generation == (state & ~(uint32_t)NAT_SERVER_AVAILABLE) ? server : NULL;
}

#endif
