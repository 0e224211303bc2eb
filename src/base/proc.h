/* SPDX-License-Identifier: Apache-2.0 */
/* What /proc tells of the kernel's settings and of this process. Each call opens a file, reads and closes it. Any thread. */
#ifndef BASE_PROC_H
#define BASE_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As in linux/capability.h. */
enum {
	PROC_CAP_NET_BIND_SERVICE = 10,
	PROC_CAP_NET_ADMIN = 12,
	PROC_CAP_NET_RAW = 13,
	PROC_CAP_PERFMON = 38,
	PROC_CAP_BPF = 39
};

/* The numbers that the file begins with, at most `max`: "32768\t60999\n". Returns how many; 0 when it cannot be read. */
size_t proc_read_numbers(const char *path, uint64_t *ret_numbers, size_t max);

/* Bit n for capability n, of those that are in effect (CapEff); 0 when that cannot be read. path: /proc/self/status. */
uint64_t proc_read_capabilities(const char *path);

/* Has this process one of the capabilities that IP_TRANSPARENT wants? */
bool proc_may_be_transparent(uint64_t capabilities);

#endif
