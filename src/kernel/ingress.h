/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts a program at an interface's tc ingress hook and takes it away again, in the better of two ways:
 *
 *   INGRESS_TCX  a link (Linux 6.6): it is ours alone, and goes with the process, however that ends, unless it is pinned
 *   INGRESS_TC   a filter of the clsact queueing discipline. It stays when the process is killed
 *
 * A program that is to go with the process tells its own filters from those that others have left behind by a number, kept
 * by a lock that the kernel opens when the process ends; whoever attaches takes away what processes left behind that are
 * gone. A program that is to stay is replaced by its successor, without a packet passing between both.
 *
 * Needs CAP_NET_ADMIN. Any one thread.
 */
#ifndef KERNEL_INGRESS_H
#define KERNEL_INGRESS_H

#include <stdbool.h>
#include <stdint.h>

enum ingress_mode { INGRESS_TCX, INGRESS_TC };

/* "tcx" or "tc". */
const char *ingress_mode_word(enum ingress_mode mode);

/* Which of the filters in this network namespace are ours: zero-initialise; taken when the first is needed. */
struct ingress_number {
	int lock_fd; /* 0: not taken */
	uint32_t number;
};

void ingress_number_release(struct ingress_number *number);

/* Takes a name that one process of the network namespace may have at a time. Returns a descriptor to be closed, or -errno. */
int ingress_lock(const char *name);

enum ingress_order {
	INGRESS_FIRST, /* before all other programs at the hook */
	INGRESS_LAST,  /* behind those that are there */
};

enum ingress_stay {
	INGRESS_GOES_WITH_PROCESS,
	INGRESS_STAYS, /* until it is detached */
};

struct ingress_program {
	int fd;
	enum ingress_order order;
	enum ingress_stay stay;
	struct ingress_number *number; /* of INGRESS_GOES_WITH_PROCESS */
	uint32_t filter_handle; /* of INGRESS_STAYS: what no other program of strait has in this network namespace */
	const char *pins;       /* of INGRESS_STAYS: a directory of a BPF file system; NULL: its links cannot stay */
};

struct ingress {
	uint32_t interface_index;
	enum ingress_mode mode;
	int link_fd; /* of INGRESS_TCX */
	uint32_t filter_handle;
	uint32_t filter_priority;
	bool owns_clsact; /* it was made for our filter, or for one that was left behind */
	char pin[128];    /* of a link that stays; empty: none */
};

/*
 * What is of the same program and stays from a process before is replaced. Returns 0 or -errno: -ENODEV when the interface
 * is gone, -EUSERS when too many others have a number.
 */
int ingress_attach(const struct ingress_program *program, uint32_t interface_index, struct ingress *ret_ingress);
/* The interface may be gone. */
void ingress_detach(struct ingress *ingress);

#endif
