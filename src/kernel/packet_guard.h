/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The user-space side of the packet guard (bpf/guard.bpf.c): loads the program and its tables, puts it at interfaces, says
 * what is blocked and what are listen addresses, and reads what was dropped and why.
 *
 * Counts and blocks live in the kernel for as long as the guard does, whatever interfaces come and go. Nothing is pinned:
 * all goes with the process. One thread; packets may pass meanwhile.
 *
 * Loading takes about 10 ms, attaching to an interface less than 1 ms (docs/packet-guard.md).
 */
#ifndef KERNEL_PACKET_GUARD_H
#define KERNEL_PACKET_GUARD_H

#include "base/addr.h"
#include "bpf/abi.h"
#include "kernel/ingress_places.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	/* Open while it is loaded: programs, tables, descriptions; and one more for each interface. */
	PACKET_GUARD_DESCRIPTORS = 10,
};

struct packet_guard;

/*
 * Returns 0 or -errno: -EPERM without CAP_BPF and CAP_NET_ADMIN. The kernel has to have a BPF system call and the means
 * for it that Linux 5.10 has.
 */
int packet_guard_new(struct packet_guard **ret_guard);
/* Detaches it everywhere and unloads it. Accepts NULL; clears the pointer. */
void packet_guard_free(struct packet_guard **guard);

/* --- interfaces --- */

/* As ingress_places_attach; -EMEDIUMTYPE for an interface whose packets it cannot read. */
int packet_guard_attach(struct packet_guard *guard, const struct interface *interface);
const struct ingress_places *packet_guard_places(const struct packet_guard *guard);
void packet_guard_detach(struct packet_guard *guard, size_t number);

/* --- what is judged --- */

struct packet_guard_listen {
	struct addr addr; /* IPv4 or IPv6; all addresses are those of its family */
	uint8_t protocol; /* IPPROTO_TCP or IPPROTO_UDP */
};

/*
 * What blocked sources are kept from; nothing at first. Returns 0 or -errno, and then they are kept from nothing: -ENOSPC
 * when there are more than PACKET_LISTENS_MAX, each address counted once more.
 */
int packet_guard_set_listens(struct packet_guard *guard, const struct packet_guard_listen *listens, size_t count);

enum packet_guard_scope { PACKET_GUARD_EVERYTHING, PACKET_GUARD_LISTENS };
/* Which packets are dropped when they are malformed: all, as at first, or only those for listen addresses. */
void packet_guard_set_scope(struct packet_guard *guard, enum packet_guard_scope scope);

/* --- what was dropped --- */

/* "land", "tcp_syn_fin": the reason in metrics and API. */
const char *packet_class_word(enum packet_class class);
const char *packet_class_meaning(enum packet_class class);

/* Packets of each class since the guard was made; that of PACKET_PASSED stays 0. */
struct packet_guard_counts {
	uint64_t by_class[PACKET_CLASS_COUNT];
};
void packet_guard_read_counts(const struct packet_guard *guard, struct packet_guard_counts *ret_counts);

/* --- blocks: sources kept from the listen addresses; of several that hold an address the smallest counts --- */

/*
 * One that is there already keeps its count. Returns 0 or -errno: -ENOSPC when there are PACKET_BLOCKS_MAX of the family,
 * -EAFNOSUPPORT for the clients of unix sockets.
 */
int packet_guard_block_add(struct packet_guard *guard, const struct network *network);
/* Returns 0, or -ENOENT when it is not there. */
int packet_guard_block_remove(struct packet_guard *guard, const struct network *network);
/* How many packets the block has dropped. Returns as packet_guard_block_remove. */
int packet_guard_block_packets(const struct packet_guard *guard, const struct network *network, uint64_t *ret_packets);

/* The program for interfaces of this kind, to be run on packets of one's own (BPF_PROG_TEST_RUN); the guard's. */
int packet_guard_program(const struct packet_guard *guard, enum interface_link link);

#endif
