/* SPDX-License-Identifier: Apache-2.0 */
#include "config/write.h"

#include "base/check.h"
#include "config/json_form.h"
#include "config/unparse.h"
#include "config/values.h"

#include <stdint.h>

struct json_writer {
	struct unparse_writer writer; /* the first member */
	json_t *document;
	json_t *block; /* where statements go: the document, or a service or pool in it */
};

/* Member `name` of object, made by make when it is not there. */
static json_t *member_open(json_t *object, const char *name, json_t *(*make)(void))
{
	json_t *member = json_object_get(object, name);
	if (member == NULL) {
		member = make();
		json_object_set_new(object, name, member);
	}
	CHECK(member != NULL);
	return member;
}

/* Bytes that no JSON string can hold. */
static json_t *hex_make(struct span text)
{
	static const char digits[] = "0123456789abcdef";
	json_t *object = json_object();
	char hex[2 * JSON_FORM_TEXT_BYTES_MAX];
	CHECK(text.len <= JSON_FORM_TEXT_BYTES_MAX);
	for (size_t i = 0; i < text.len; i++) {
		hex[2 * i] = digits[(unsigned char)text.data[i] >> 4];
		hex[2 * i + 1] = digits[(unsigned char)text.data[i] & 0x0f];
	}
	json_object_set_new(object, JSON_FORM_HEX, json_stringn(hex, 2 * text.len));
	return object;
}

static json_t *text_make(struct span text)
{
	json_t *string = memchr(text.data, '\0', text.len) == NULL ? json_stringn(text.data, text.len) : NULL;
	return string != NULL ? string : hex_make(text);
}

/* Counts are numbers; what has a unit stays as people write it. */
static json_t *value_make(const struct unparsed_value *unparsed)
{
	uint64_t count = 0;
	struct value_hint hint;
	if (unparsed->value->kind == SCHEMA_FLAG)
		return json_true();
	if (unparsed->value->kind == SCHEMA_COUNT && value_parse_count(unparsed->text, &count, &hint) == 0 &&
	    count <= INT64_MAX)
		return json_integer((json_int_t)count);
	return text_make(unparsed->text);
}

static json_t *statement_make(const struct schema_directive *directive, const struct unparsed_value *values,
			      size_t count)
{
	char name[JSON_FORM_NAME_BYTES];
	if (json_form_is_bare(directive) && count == 1)
		return value_make(&values[0]);
	json_t *object = json_object();
	for (size_t i = 0; i < count; i++) {
		bool is_one_of_many = i + 1 < count && values[i + 1].value == values[i].value;
		bool is_further = i > 0 && values[i - 1].value == values[i].value;
		json_form_name(values[i].value, name);
		if (is_one_of_many || is_further)
			json_array_append_new(member_open(object, name, json_array), value_make(&values[i]));
		else
			json_object_set_new(object, name, value_make(&values[i]));
	}
	return object;
}

static void statement_add(struct unparse_writer *unparse_writer, const struct schema_directive *directive,
			  const struct unparsed_value *values, size_t count)
{
	struct json_writer *writer = (struct json_writer *)unparse_writer;
	json_t *statement = statement_make(directive, values, count);
	if (directive->target == SCHEMA_INTO_RULE) {
		json_t *rule = json_object();
		json_object_set_new(rule, directive->name, statement);
		json_array_append_new(member_open(writer->block, JSON_FORM_RULES, json_array), rule);
	} else if ((directive->flags & SCHEMA_REPEATED) != 0) {
		json_array_append_new(member_open(writer->block, directive->name, json_array), statement);
	} else {
		json_object_set_new(writer->block, directive->name, statement);
	}
}

static void block_begin(struct unparse_writer *unparse_writer, const struct schema_directive *directive,
			const char *name)
{
	struct json_writer *writer = (struct json_writer *)unparse_writer;
	writer->block = member_open(member_open(writer->document, directive->name, json_object), name, json_object);
}

static void block_end(struct unparse_writer *unparse_writer)
{
	struct json_writer *writer = (struct json_writer *)unparse_writer;
	writer->block = writer->document;
}

json_t *config_write_json(const struct config *config)
{
	struct json_writer writer = {
		.writer = { .statement = statement_add, .block_begin = block_begin, .block_end = block_end },
		.document = json_object(),
	};
	writer.block = writer.document;
	unparse(config, &writer.writer);
	return writer.document;
}
