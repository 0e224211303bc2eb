/* SPDX-License-Identifier: Apache-2.0 */
#include "control/json_bytes.h"

#include "base/check.h"
#include "base/memory.h"

#include <stdlib.h>

json_t *json_bytes(const char *text)
{
	json_t *string = json_string(text);
	if (string != NULL)
		return string;
	char *copy = memory_copy_text(text);
	for (char *at = copy; *at != '\0'; at++)
		*at = (unsigned char)*at < 0x80 ? *at : '?';
	string = json_string(copy);
	CHECK(string != NULL);
	free(copy);
	return string;
}
