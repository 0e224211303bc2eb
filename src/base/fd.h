/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors: closing them once, and how many this process may have. Any thread. */
#ifndef BASE_FD_H
#define BASE_FD_H

#include <stdint.h>

/* Closes and sets to -1; does nothing to a negative one. */
void fd_close(int *fd);

/* Raises the soft limit of descriptors to the hard one as far as the kernel lets us; returns the soft limit then. */
uint64_t fd_raise_limit(void);

/* The soft limit now. */
uint64_t fd_limit(void);

/* Descriptors open in this process now, counted in /proc/self/fd; 0 when that cannot be read. */
uint64_t fd_count_open(void);

#endif
