/* SPDX-License-Identifier: Apache-2.0 */
/* What the process takes of the machine, from getrusage(2) and /proc/self/statm (proc(5)). Any thread. */
#ifndef CONTROL_PROCESS_USAGE_H
#define CONTROL_PROCESS_USAGE_H

#include <stdint.h>

/* User and system time of all threads so far. */
uint64_t process_cpu_us(void);

struct process_memory {
	uint64_t virtual_bytes;
	uint64_t resident_bytes;
};
/* Zeros where /proc cannot be read. */
struct process_memory process_memory(void);

#endif
