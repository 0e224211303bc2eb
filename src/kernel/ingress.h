/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts a program at an interface's tc ingress hook and takes it away again, in the better of two ways:
 *
 *   INGRESS_TCX  a link (Linux 6.6): it is ours alone, and goes with the process, however that ends
 *   INGRESS_TC   a filter of the clsact queueing discipline. It stays when the process is killed, so each strait in the
 *                network namespace has a number, kept by a lock that the kernel opens when the process ends; whoever
 *                attaches takes away what processes left behind that are gone
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

struct ingress {
	uint32_t interface_index;
	enum ingress_mode mode;
	int link_fd; /* of INGRESS_TCX */
	uint32_t filter_handle;
	bool owns_clsact; /* it was made for our filter, or for one that was left behind */
};

/* Returns 0 or -errno: -ENODEV when the interface is gone, -EUSERS when too many others have a number. */
int ingress_attach(int program_fd, uint32_t interface_index, struct ingress_number *number,
		   struct ingress *ret_ingress);
/* The interface may be gone. */
void ingress_detach(struct ingress *ingress);

#endif
