/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Allocation for the control plane, where running out of memory is answered by ending the program with a message: these
 * never return NULL. Workers do not use them after start; they have slabs. Whatever comes from here is released with
 * free. Any thread.
 */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include "base/span.h"

#include <stddef.h>

/* Zero bytes are allowed everywhere and give a pointer that may be released, not used. */
void *memory_alloc(size_t bytes);
void *memory_alloc_zeroed(size_t count, size_t item_bytes);
void *memory_resize(void *memory, size_t count, size_t item_bytes);
/* A copy with a zero behind it. NULL stays NULL. */
char *memory_copy_text(const char *text);
char *memory_copy_span(struct span span);

#endif
