/* SPDX-License-Identifier: Apache-2.0 */
#include "base/host_name.h"

#include <errno.h>

static int refuse(const char *problem, const char **ret_problem)
{
	*ret_problem = problem;
	return -EINVAL;
}

static bool is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

/* As it stands in the name, or 0. */
static char label_byte(char byte)
{
	if (byte >= 'A' && byte <= 'Z')
		return (char)(byte - 'A' + 'a');
	return (byte >= 'a' && byte <= 'z') || is_digit(byte) || byte == '-' || byte == '_' ? byte : '\0';
}

static int label_parse(struct span label, char *ret_label, const char **ret_problem)
{
	if (label.len == 0)
		return refuse("a name has no empty parts: db.example.com", ret_problem);
	if (label.len > HOST_NAME_LABEL_MAX)
		return refuse("a part of a name is at most 63 bytes long", ret_problem);
	if (label.data[0] == '-' || label.data[label.len - 1] == '-')
		return refuse("a part of a name neither begins nor ends with '-'", ret_problem);
	for (size_t i = 0; i < label.len; i++) {
		ret_label[i] = label_byte(label.data[i]);
		if (ret_label[i] == '\0')
			return refuse("a name has letters, digits, '-', '_' and dots", ret_problem);
	}
	return 0;
}

static bool is_number(const char *label)
{
	size_t len = 0;
	while (is_digit(label[len]))
		len++;
	return label[len] == '\0';
}

int host_name_parse(struct span text, char *ret_name, const char **ret_problem)
{
	char name[HOST_NAME_BYTES] = "";
	size_t label = 0;
	if (text.len > 1 && text.data[text.len - 1] == '.')
		text.len--;
	if (text.len == 0)
		return refuse("a name is missing", ret_problem);
	if (text.len >= HOST_NAME_BYTES)
		return refuse("a name is at most 253 bytes long", ret_problem);
	for (size_t at = 0; at <= text.len; at++) {
		if (at < text.len && text.data[at] != '.')
			continue;
		int error = label_parse((struct span){ text.data + label, at - label }, name + label, ret_problem);
		if (error != 0)
			return error;
		if (at == text.len)
			break;
		name[at] = '.';
		label = at + 1;
	}
	if (is_number(name + label))
		return refuse("the last part of a name is not a number; an IPv4 address has four, from 0 to 255",
			      ret_problem);
	memcpy(ret_name, name, sizeof(name));
	return 0;
}
