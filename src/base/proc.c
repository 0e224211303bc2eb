/* SPDX-License-Identifier: Apache-2.0 */
#include "base/proc.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

size_t proc_read_numbers(const char *path, uint64_t *ret_numbers, size_t max)
{
	FILE *file = fopen(path, "re");
	size_t count = 0;
	if (file == NULL)
		return 0;
	while (count < max && fscanf(file, "%" SCNu64, &ret_numbers[count]) == 1)
		count++;
	fclose(file);
	return count;
}

uint64_t proc_read_capabilities(const char *path)
{
	char line[256];
	uint64_t capabilities = 0;
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return 0;
	while (fgets(line, sizeof(line), file) != NULL)
		if (sscanf(line, "CapEff: %" SCNx64, &capabilities) == 1)
			break;
	fclose(file);
	return capabilities;
}

bool proc_may_be_transparent(uint64_t capabilities)
{
	return (capabilities & (UINT64_C(1) << PROC_CAP_NET_ADMIN | UINT64_C(1) << PROC_CAP_NET_RAW)) != 0;
}
