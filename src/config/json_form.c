/* SPDX-License-Identifier: Apache-2.0 */
#include "config/json_form.h"

#include "base/check.h"

char *json_form_name(const struct schema_value *value, char *buf)
{
	size_t len = strlen(value->name);
	CHECK(len < JSON_FORM_NAME_BYTES);
	memcpy(buf, value->name, len + 1);
	for (size_t i = 0; value->role == SCHEMA_POSITIONAL && i < len; i++) {
		if (buf[i] >= 'A' && buf[i] <= 'Z')
			buf[i] = (char)(buf[i] - 'A' + 'a');
	}
	return buf;
}

const struct schema_value *json_form_find(const struct schema_directive *directive, const char *name)
{
	char buf[JSON_FORM_NAME_BYTES];
	for (size_t i = 0; i < directive->value_count; i++) {
		if (strcmp(json_form_name(&directive->values[i], buf), name) == 0)
			return &directive->values[i];
	}
	return NULL;
}

bool json_form_is_bare(const struct schema_directive *directive)
{
	return directive->value_count == 1 && directive->values[0].role == SCHEMA_POSITIONAL &&
	       ((directive->flags & SCHEMA_REPEATED) == 0 || directive->target == SCHEMA_INTO_RULE);
}
