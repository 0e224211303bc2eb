/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The user-space side of flows that begin in the kernel (bpf/nat.h): the tables that its program chooses from, the slots that
 * it may take, and what it tells.
 *
 * Tables are the kernel's, mapped, so most of what is changed here costs no system call. Choices of a pool are written where
 * nothing refers to them and then published with one store; what they replace is used again at the earliest REST later,
 * when no packet can be on its way through it.
 *
 * Control opens, closes and fills tables. One worker takes events, notes ways back and sets slots aside, once control has set
 * the first ones aside and told it. Counts: any thread.
 */
#ifndef KERNEL_NAT_TABLE_H
#define KERNEL_NAT_TABLE_H

#include "base/addr.h"
#include "bpf/nat_abi.h"
#include "kernel/flow_table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Open while it is: descriptors of maps are the program's, besides that of a ring buffer's epoll. */
enum { NAT_TABLE_DESCRIPTORS = 12 };

struct nat_table;

/* Of a flow table that was opened with sizes, and stays until this one is closed. Returns 0 or -errno. */
int nat_table_open(struct flow_table *flows, struct nat_table **ret_table);
/* Nothing is begun any more. Gives slots back. Accepts NULL; clears the pointer. */
void nat_table_close(struct nat_table **table);

/* --- what is chosen from. Control --- */

/* Begins flows, if there are services. */
void nat_table_switch_on(struct nat_table *table);
/* Begins none any more; clients whose handshakes are not complete begin anew. */
void nat_table_switch_off(struct nat_table *table);

/* Port and protocol of an address that is not "all addresses". Returns 0 or -errno. */
int nat_table_add_listen(struct nat_table *table, const struct endpoint *listen, uint8_t protocol, uint32_t service);
void nat_table_remove_listen(struct nat_table *table, const struct endpoint *listen, uint8_t protocol);

/* Where flows come from, in the order in which they are used. At most NAT_PORTS_MAX. */
void nat_table_set_ports(struct nat_table *table, const uint16_t *ports, size_t count);

/*
 * A network of a set that has no network yet that holds this one; else nothing is done, because what was said first counts.
 * Returns 0 or -errno: -ENOSPC when there is no room.
 */
int nat_table_add_network(struct nat_table *table, uint32_t set, const struct network *network, bool is_allowed);
void nat_table_remove_network(struct nat_table *table, uint32_t set, const struct network *network);
void nat_table_set_blocked(struct nat_table *table, bool has_blocked);

/* Ways back to clients that were noted for another epoch are not known any more. */
void nat_table_set_routes_epoch(struct nat_table *table, uint32_t routes_epoch);

/* Entries of the tables, whose numbers are below those of flow_table_nat_sizes. */
struct nat_service *nat_table_service(const struct nat_table *table, uint32_t number);
struct nat_server *nat_table_server(const struct nat_table *table, uint32_t number);

/* Publishes a pool's choices; count 0: it has none. Returns 0, or -ENOSPC and then it has none. */
int nat_table_publish(struct nat_table *table, uint32_t pool, enum nat_choosing choosing, const uint64_t *choices,
		      uint32_t count);
/* The same, for as many as it has, in place: a packet may see some of these and some of those before. From the first on. */
void nat_table_refresh(struct nat_table *table, uint32_t pool, const uint64_t *choices, uint32_t count);

/* --- what it tells. One worker --- */

/* To be waited for. */
int nat_table_events_fd(const struct nat_table *table);
/* Hands out what has come, in order. Returns how many. */
size_t nat_table_take_events(struct nat_table *table, void (*on_event)(void *owner, const struct nat_event *event),
			     void *owner);
/* The way back to a client that has come by this interface, for flows to come. epoch: of the routes that it was found in. */
void nat_table_note_way(struct nat_table *table, const struct endpoint *client, uint32_t interface_index,
			uint32_t routes_epoch, uint32_t way_out);
/* Sets slots aside for flows to come. Returns false when there were not as many as wanted. */
bool nat_table_fill_slots(struct nat_table *table);

/* --- how it is --- */

struct nat_table_counts {
	uint64_t by_kind[NAT_COUNT_COUNT];
};
/* Control. */
void nat_table_read_counts(const struct nat_table *table, struct nat_table_counts *ret_counts);
const char *nat_count_word(enum nat_count kind);

#endif
