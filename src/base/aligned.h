/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Allocation for objects that several threads write to and that therefore begin on a cache line of their own. As in
 * memory.h, running out of memory ends the program. Released with free. Any thread.
 */
#ifndef BASE_ALIGNED_H
#define BASE_ALIGNED_H

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

/* Zeroed; alignment is a power of two, at least the size of a pointer. */
static inline void *aligned_alloc_zeroed(size_t alignment, size_t bytes)
{
	void *memory = NULL;
	int error = posix_memalign(&memory, alignment, bytes > 0 ? bytes : 1);
	CHECK(error == 0);
	return memset(memory, 0, bytes);
}

#endif
