/* SPDX-License-Identifier: Apache-2.0 */
#include "control/process_usage.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

enum { US_PER_SECOND = 1000000 };

static uint64_t microseconds(const struct timeval *time)
{
	return (uint64_t)time->tv_sec * US_PER_SECOND + (uint64_t)time->tv_usec;
}

uint64_t process_cpu_us(void)
{
	struct rusage usage;
	if (getrusage(RUSAGE_SELF, &usage) < 0)
		return 0;
	return microseconds(&usage.ru_utime) + microseconds(&usage.ru_stime);
}

struct process_memory process_memory(void)
{
	struct process_memory memory = { 0 };
	uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	FILE *file = fopen("/proc/self/statm", "re");
	if (file == NULL)
		return memory;
	if (fscanf(file, "%" SCNu64 " %" SCNu64, &memory.virtual_bytes, &memory.resident_bytes) != 2)
		memory = (struct process_memory){ 0 };
	fclose(file);
	memory.virtual_bytes *= page_bytes;
	memory.resident_bytes *= page_bytes;
	return memory;
}
