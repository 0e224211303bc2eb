/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UDP sources that no client has, but forged datagrams do: one datagram from such a source makes two machines answer
 * each other for ever. Suspect are our own UDP listeners, and the ports of services that answer anything with something
 * (echo, daytime, qotd, chargen, time; CERT advisory CA-1996-01).
 *
 * Made by control from the addresses of the machine at the time; immutable, shared by all workers, replaced through RCU.
 */
#ifndef GUARD_REFLECTION_H
#define GUARD_REFLECTION_H

#include "base/addr.h"

#include <stdbool.h>
#include <stddef.h>

struct reflection;

/* own: the endpoints of our UDP listeners, wildcards written out for every address; copied. */
struct reflection *reflection_new(const struct endpoint *own, size_t count);
/* Accepts NULL; clears the pointer. */
void reflection_free(struct reflection **reflection);
/* Frees one that workers may still be reading, after a grace period. */
void reflection_free_later(struct reflection *reflection);

bool reflection_is_suspect(const struct reflection *reflection, const struct endpoint *client);

#endif
