/* SPDX-License-Identifier: Apache-2.0 */
/* The interfaces that a program is at (kernel/ingress.h). Zero-initialise; whoever owns it detaches what is left. One thread. */
#ifndef KERNEL_INGRESS_PLACES_H
#define KERNEL_INGRESS_PLACES_H

#include "kernel/ingress.h"
#include "kernel/interfaces.h"

#include <stddef.h>
#include <stdint.h>

enum { INGRESS_PLACES_MAX = 64 };

struct ingress_place {
	uint32_t interface_index;
	char interface[IF_NAMESIZE]; /* its name when the program was attached */
	struct ingress ingress;
};

struct ingress_places {
	size_t count;
	struct ingress_place all[INGRESS_PLACES_MAX];
};

/* NULL when the program is not there. */
const struct ingress_place *ingress_places_find(const struct ingress_places *places, uint32_t interface_index);

/* An interface that has another name now is another one. wanted: one for each interface of the list. */
bool ingress_place_is_wanted(const struct ingress_place *place, const struct interface_list *list, const bool *wanted);

/*
 * Puts the program before what the interface brings in. Does nothing when it is there already. Returns 0 or -errno; -ENOSPC
 * when it is at INGRESS_PLACES_MAX.
 */
int ingress_places_attach(struct ingress_places *places, const struct ingress_program *program,
			  const struct interface *interface);

/* Why that failed, for people. */
const char *ingress_problem(int error);

/* Those behind it have another number then. The interface may be gone. */
void ingress_places_detach(struct ingress_places *places, size_t number);
void ingress_places_detach_all(struct ingress_places *places);

#endif
