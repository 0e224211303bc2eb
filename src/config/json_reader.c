/* SPDX-License-Identifier: Apache-2.0 */
#include "config/json_reader.h"

#include "config/config_memory.h"
#include "config/json_form.h"
#include "config/parser.h"
#include "config/problem.h"
#include "config/suggest.h"

#include <errno.h>
#include <stdio.h>

void json_reader_init(struct json_reader *reader, struct apply *apply, uint32_t file)
{
	struct report *report = apply->parsed->report;
	*reader = (struct json_reader){
		.apply = apply,
		.report = report,
		.pointers = json_pointers_new(report->memory),
		.file = file,
		.where = SCHEMA_TOP,
	};
	report->sources[file].pointers = reader->pointers;
}

static struct config_place place_of(const struct json_reader *reader, uint32_t pointer)
{
	return (struct config_place){ .file = reader->file, .line = pointer, .len = 1 };
}

static const char *type_name(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "an array";
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
		return "a number";
	case JSON_REAL:
		return "a number with a fraction or exponent";
	case JSON_TRUE:
	case JSON_FALSE:
		return "true or false";
	case JSON_NULL:
		return "null";
	}
	return "something else";
}

static void type_report(struct json_reader *reader, uint32_t place, const json_t *value, const char *expected)
{
	report_error_hint(reader->report, place_of(reader, place),
			  json_is_null(value) ? "what is not set is left out" : NULL, "%s is expected here, not %s",
			  expected, type_name(value));
}

static bool is_over(const struct json_reader *reader)
{
	return reader->report->found_count[DIAGNOSTIC_ERROR] >= PARSER_ERRORS_MAX;
}

/* --- values as tokens -------------------------------------------------------------------------------------------- */

static int hex_digit(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

/* {"hex": "00ff"}; false when it is something else. */
static bool hex_read(struct json_reader *reader, const json_t *object, struct span *ret_text)
{
	const json_t *digits = json_object_get(object, JSON_FORM_HEX);
	if (json_object_size(object) != 1 || !json_is_string(digits) || json_string_length(digits) % 2 != 0)
		return false;
	const char *hex = json_string_value(digits);
	size_t len = json_string_length(digits) / 2;
	char *bytes = config_memory_alloc(reader->report->memory, len + 1);
	for (size_t i = 0; i < len; i++) {
		int high = hex_digit(hex[2 * i]);
		int low = hex_digit(hex[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		bytes[i] = (char)(high * 16 + low);
	}
	*ret_text = (struct span){ bytes, len };
	return true;
}

/* Reads what stands for one value of a statement; false, with a message, when it is of a wrong type. */
static bool text_read(struct json_reader *reader, uint32_t place, const json_t *value, struct span *ret_text)
{
	if (json_is_string(value)) {
		*ret_text = (struct span){ json_string_value(value), json_string_length(value) };
	} else if (json_is_integer(value)) {
		const char *text = config_memory_format(reader->report->memory, "%" JSON_INTEGER_FORMAT,
							json_integer_value(value));
		*ret_text = span_from_text(text);
	} else if (json_is_object(value) && json_object_get(value, JSON_FORM_HEX) != NULL) {
		if (!hex_read(reader, value, ret_text)) {
			report_error(reader->report, place_of(reader, place),
				     "\"hex\" stands alone and takes pairs of hexadecimal digits");
			return false;
		}
	} else {
		type_report(reader, place, value, "a string or a whole number");
		return false;
	}
	if (ret_text->len <= JSON_FORM_TEXT_BYTES_MAX)
		return true;
	report_error(reader->report, place_of(reader, place), "a value is longer than %d bytes",
		     JSON_FORM_TEXT_BYTES_MAX);
	return false;
}

static void token_add(struct json_reader *reader, struct token token)
{
	struct statement *statement = &reader->statement;
	statement->has_bad = statement->has_bad || token.is_bad;
	if (statement->value_count == PARSER_VALUES_MAX) {
		if (!statement->has_bad)
			report_error(reader->report, token.place, "a statement has more than %d values",
				     PARSER_VALUES_MAX);
		statement->has_bad = true;
		return;
	}
	if (statement->value_count == reader->value_capacity) {
		size_t capacity = reader->value_capacity > 0 ? 2 * reader->value_capacity : 16;
		struct token *values = config_memory_alloc(reader->report->memory, capacity * sizeof(*values));
		if (statement->value_count > 0)
			memcpy(values, statement->values, statement->value_count * sizeof(*values));
		statement->values = values;
		reader->value_capacity = capacity;
	}
	statement->values[statement->value_count++] = token;
}

static struct token token_make(struct json_reader *reader, uint32_t place, const json_t *value)
{
	struct token token = {
		.kind = TOKEN_VALUE,
		.place = place_of(reader, place),
		.value_place = place_of(reader, place),
		.is_quoted = true, /* so that it is never taken for a switch */
	};
	token.is_bad = !text_read(reader, place, value, &token.value);
	return token;
}

static void key_add(struct json_reader *reader, const struct schema_value *value, uint32_t place, const json_t *content)
{
	struct token token = token_make(reader, place, content);
	token.key = span_from_text(value->name);
	token_add(reader, token);
}

static void switch_token_add(struct json_reader *reader, const struct schema_value *value, uint32_t place)
{
	struct token token = { .kind = TOKEN_VALUE, .value = span_from_text(value->name) };
	token.place = place_of(reader, place);
	token.value_place = token.place;
	token_add(reader, token);
}

static void switch_add(struct json_reader *reader, const struct schema_value *value, uint32_t place,
		       const json_t *content)
{
	if (json_is_true(content)) {
		switch_token_add(reader, value, place);
	} else if (!json_is_false(content)) {
		type_report(reader, place, content, "true or false");
		reader->statement.has_bad = true;
	}
}

/* An optional word that is none of its words would be taken for the value behind it. */
static bool is_known_word(const struct schema_value *value, const struct token *token)
{
	if (value->kind != SCHEMA_WORD || (value->flags & SCHEMA_REQUIRED) != 0)
		return true;
	for (const struct schema_word *word = value->words; word->word != NULL; word++) {
		if (span_equals(token->value, word->word))
			return true;
	}
	return false;
}

static void positional_add(struct json_reader *reader, const struct schema_value *value, uint32_t place,
			   const json_t *content)
{
	static const struct store_note nothing;
	struct token token = token_make(reader, place, content);
	if (!token.is_bad && !is_known_word(value, &token)) {
		problem_report_value(reader->report, value, &token, -ENOENT, &nothing);
		token.is_bad = true;
	}
	token_add(reader, token);
}

/* One value, or an array of them where the schema allows several. */
static void positionals_add(struct json_reader *reader, const struct schema_value *value, uint32_t place,
			    json_t *content)
{
	if ((value->flags & SCHEMA_MANY) == 0 || !json_is_array(content)) {
		positional_add(reader, value, place, content);
		return;
	}
	for (size_t i = 0; i < json_array_size(content) && !is_over(reader); i++)
		positional_add(reader, value, json_pointers_add_index(reader->pointers, place, i),
			       json_array_get(content, i));
}

/* --- the state of a server, for which the language has a switch for each ------------------------------------------ */

static bool has_state(const struct schema_directive *directive)
{
	return directive->target == SCHEMA_INTO_SERVER;
}

static const struct schema_value *state_find(const struct schema_directive *directive, struct span word)
{
	for (size_t i = 0; i < directive->value_count; i++) {
		const struct schema_value *value = &directive->values[i];
		if (value->role == SCHEMA_SWITCH && value->words != NULL && span_equals(word, value->words[0].word))
			return value;
	}
	return NULL;
}

static const char *states_list(struct report *report, const struct schema_directive *directive)
{
	const char *list = "up";
	for (size_t i = 0; i < directive->value_count; i++) {
		const struct schema_value *value = &directive->values[i];
		if (value->role == SCHEMA_SWITCH && value->words != NULL)
			list = report_text(report, "%s %s", list, value->words[0].word);
	}
	return list;
}

static void state_add(struct json_reader *reader, const struct schema_directive *directive, uint32_t place,
		      const json_t *content)
{
	struct token token = token_make(reader, place, content);
	const struct schema_value *state = state_find(directive, token.value);
	reader->statement.has_bad = reader->statement.has_bad || token.is_bad;
	if (token.is_bad || span_equals(token.value, "up"))
		return;
	if (state != NULL) {
		switch_token_add(reader, state, place);
		return;
	}
	struct finding finding = {
		.severity = DIAGNOSTIC_ERROR,
		.place = token.place,
		.message = report_text(reader->report, "unknown state %s", report_quote(reader->report, token.value)),
		.accepted = states_list(reader->report, directive),
	};
	report_add(reader->report, &finding);
}

/* --- statements -------------------------------------------------------------------------------------------------- */

static void unknown_member_report(struct json_reader *reader, const struct schema_directive *directive, uint32_t place,
				  const char *name)
{
	struct report *report = reader->report;
	struct suggestion suggestion;
	const char *list = has_state(directive) ? JSON_FORM_STATE : "";
	suggest_begin(&suggestion, span_from_text(name));
	for (size_t i = directive->value_count; i > 0; i--) {
		char *key = config_memory_alloc(report->memory, JSON_FORM_NAME_BYTES);
		json_form_name(&directive->values[i - 1], key);
		suggest_offer(&suggestion, key);
		list = report_text(report, "%s%s%s", key, *list == '\0' ? "" : " ", list);
	}
	struct finding finding = {
		.severity = DIAGNOSTIC_ERROR,
		.place = place_of(reader, place),
		.message = report_text(report, "\"%s\" has no %s", directive->name,
				       report_quote(report, span_from_text(name))),
		.hint = suggestion.word != NULL ? report_text(report, "did you mean \"%s\"?", suggestion.word) : NULL,
		.accepted = list,
	};
	report_add(report, &finding);
}

/* Settings and switches in the order written; positionals after them, in that of the schema. */
static void members_add(struct json_reader *reader, const struct schema_directive *directive, uint32_t place,
			json_t *object)
{
	const char *name = NULL;
	json_t *content = NULL;
	char key[JSON_FORM_NAME_BYTES];
	json_object_foreach(object, name, content)
	{
		const struct schema_value *value = json_form_find(directive, name);
		if (is_over(reader))
			return;
		if (value != NULL && value->role == SCHEMA_POSITIONAL)
			continue;
		uint32_t member = json_pointers_add_key(reader->pointers, place, name);
		if (value != NULL && value->role == SCHEMA_KEY) {
			key_add(reader, value, member, content);
		} else if (value != NULL) {
			switch_add(reader, value, member, content);
		} else if (has_state(directive) && strcmp(name, JSON_FORM_STATE) == 0) {
			state_add(reader, directive, member, content);
		} else {
			unknown_member_report(reader, directive, member, name);
			reader->statement.has_bad = true;
		}
	}
	for (size_t i = 0; i < directive->value_count; i++) {
		const struct schema_value *value = &directive->values[i];
		const json_t *owner = value->role == SCHEMA_POSITIONAL ? object : NULL;
		content = json_object_get(owner, json_form_name(value, key));
		if (content != NULL)
			positionals_add(reader, value,
					json_pointers_add_key(reader->pointers, place,
							      json_object_iter_key(json_object_iter_at(object, key))),
					content);
	}
}

static const struct schema_value *many_find(const struct schema_directive *directive)
{
	for (size_t i = 0; i < directive->value_count; i++) {
		if ((directive->values[i].flags & SCHEMA_MANY) != 0)
			return &directive->values[i];
	}
	return NULL;
}

static void statement_begin(struct json_reader *reader, const char *word, uint32_t place)
{
	reader->statement = (struct statement){ .values = reader->statement.values };
	reader->statement.word = (struct token){
		.kind = TOKEN_VALUE,
		.place = place_of(reader, place),
		.value_place = place_of(reader, place),
		.value = span_from_text(word),
	};
}

void json_reader_read_statement(struct json_reader *reader, const struct schema_directive *directive, uint32_t place,
				json_t *value)
{
	const struct schema_value *many = many_find(directive);
	statement_begin(reader, directive->name, place);
	if (json_is_object(value))
		members_add(reader, directive, place, value);
	else if (json_is_array(value) && many != NULL)
		positionals_add(reader, many, place, value);
	else
		token_add(reader, token_make(reader, place, value));
	apply_statement(reader->apply, directive, &reader->statement);
}

/* It could not be read, but is not missing. */
static void mark_given(struct json_reader *reader, const struct schema_directive *directive, uint32_t place)
{
	marks_add(reader->report, parsed_marks(reader->apply->parsed, reader->where), directive,
		  place_of(reader, place));
}

static void mark_lost(struct json_reader *reader)
{
	reader->apply->parsed->has_lost_services = true;
	reader->apply->parsed->has_lost_pools = true;
}

static void repeated_read(struct json_reader *reader, const struct schema_directive *directive, uint32_t place,
			  json_t *value)
{
	if (!json_is_array(value)) {
		type_report(reader, place, value, "an array");
		mark_given(reader, directive, place);
		return;
	}
	for (size_t i = 0; i < json_array_size(value) && !is_over(reader); i++)
		json_reader_read_statement(reader, directive, json_pointers_add_index(reader->pointers, place, i),
					   json_array_get(value, i));
}

/* [{"deny": "10.0.0.1"}, {"allow": ["10.0.0.0/8", "fd00::/8"]}] */
static void rules_read(struct json_reader *reader, uint32_t place, json_t *value)
{
	if (!json_is_array(value)) {
		type_report(reader, place, value, "an array");
		return;
	}
	for (size_t i = 0; i < json_array_size(value) && !is_over(reader); i++) {
		json_t *rule = json_array_get(value, i);
		uint32_t item = json_pointers_add_index(reader->pointers, place, i);
		void *member = json_object_size(rule) == 1 ? json_object_iter(rule) : NULL;
		const char *name = member != NULL ? json_object_iter_key(member) : "";
		const struct schema_directive *directive = schema_find(SCHEMA_SERVICE, span_from_text(name));
		if (directive == NULL || directive->target != SCHEMA_INTO_RULE)
			report_error(reader->report, place_of(reader, item),
				     "a rule is {\"allow\": NETWORK} or {\"deny\": NETWORK}");
		else
			json_reader_read_statement(reader, directive,
						   json_pointers_add_key(reader->pointers, item, name),
						   json_object_iter_value(member));
	}
}

/* --- blocks ------------------------------------------------------------------------------------------------------ */

static void directive_report_unknown(struct json_reader *reader, uint32_t place, const char *name)
{
	const struct token word = { .place = place_of(reader, place),
				    .value_place = place_of(reader, place),
				    .value = span_from_text(name) };
	const struct schema_directive *guess = problem_report_unknown_directive(reader->report, reader->where, &word);
	if (guess != NULL)
		mark_given(reader, guess, place);
	if (reader->where == SCHEMA_TOP)
		mark_lost(reader);
}

/* A directive that is not a block. */
static void directive_read(struct json_reader *reader, uint32_t place, const char *name, json_t *value)
{
	const struct schema_directive *directive = schema_find(reader->where, span_from_text(name));
	if (reader->where == SCHEMA_SERVICE && strcmp(name, JSON_FORM_RULES) == 0)
		rules_read(reader, place, value);
	else if (directive == NULL)
		directive_report_unknown(reader, place, name);
	else if (directive->target == SCHEMA_INTO_RULE)
		report_error_hint(reader->report, place_of(reader, place),
				  "write \"access\": [{\"allow\": NETWORK}, {\"deny\": NETWORK}]",
				  "\"%s\" stands in \"access\", which keeps the order of the rules", name);
	else if ((directive->flags & SCHEMA_REPEATED) != 0)
		repeated_read(reader, directive, place, value);
	else
		json_reader_read_statement(reader, directive, place, value);
}

static void block_read(struct json_reader *reader, const struct schema_directive *head, uint32_t place,
		       const char *name, json_t *block)
{
	const char *member = NULL;
	json_t *value = NULL;
	if (!json_is_object(block)) {
		type_report(reader, place, block, "an object");
		mark_lost(reader);
		return;
	}
	statement_begin(reader, head->name, place);
	token_add(reader, (struct token){ .kind = TOKEN_VALUE,
					  .place = place_of(reader, place),
					  .value_place = place_of(reader, place),
					  .value = span_from_text(name),
					  .is_quoted = true });
	apply_block(reader->apply, head, &reader->statement);
	reader->where = head->target == SCHEMA_INTO_SERVICE ? SCHEMA_SERVICE : SCHEMA_POOL;
	json_object_foreach(block, member, value)
	{
		if (is_over(reader))
			break;
		directive_read(reader, json_pointers_add_key(reader->pointers, place, member), member, value);
	}
	reader->where = SCHEMA_TOP;
}

static void blocks_read(struct json_reader *reader, const struct schema_directive *head, uint32_t place, json_t *blocks)
{
	const char *name = NULL;
	json_t *block = NULL;
	if (!json_is_object(blocks)) {
		type_report(reader, place, blocks, "an object");
		mark_lost(reader);
		return;
	}
	json_object_foreach(blocks, name, block)
	{
		if (is_over(reader))
			return;
		block_read(reader, head, json_pointers_add_key(reader->pointers, place, name), name, block);
	}
}

void json_reader_read_document(struct json_reader *reader, json_t *document)
{
	const char *name = NULL;
	json_t *value = NULL;
	if (!json_is_object(document)) {
		type_report(reader, JSON_POINTER_ROOT, document, "an object");
		mark_lost(reader);
		return;
	}
	json_object_foreach(document, name, value)
	{
		uint32_t place = json_pointers_add_key(reader->pointers, JSON_POINTER_ROOT, name);
		const struct schema_directive *directive = schema_find(SCHEMA_TOP, span_from_text(name));
		if (is_over(reader))
			return;
		if (directive != NULL && (directive->flags & SCHEMA_BLOCK) != 0)
			blocks_read(reader, directive, place, value);
		else
			directive_read(reader, place, name, value);
	}
}
