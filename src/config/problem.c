/* SPDX-License-Identifier: Apache-2.0 */
#include "config/problem.h"

#include "config/suggest.h"

#include <errno.h>

static const char *did_you_mean(struct report *report, const char *word, const char *ending)
{
	return word != NULL ? report_text(report, "did you mean \"%s%s\"?", word, ending) : NULL;
}

/* All words of a value, or all settings of a directive, in a row. */
static const char *words_list(struct report *report, const struct schema_value *value)
{
	const char *list = "";
	for (const struct schema_word *word = value->words; word->word != NULL; word++)
		list = report_text(report, "%s%s%s", list, word == value->words ? "" : " ", word->word);
	return list;
}

static const char *keys_list(struct report *report, const struct schema_directive *directive)
{
	const char *list = "";
	for (size_t i = 0; i < directive->value_count; i++) {
		if (directive->values[i].role == SCHEMA_KEY)
			list = report_text(report, "%s%s%s=", list, *list == '\0' ? "" : " ",
					   directive->values[i].name);
	}
	return *list != '\0' ? list : NULL;
}

static const char *directives_list(struct report *report, enum schema_where where)
{
	const char *list = "";
	for (size_t i = 0; i < schema_directive_count; i++) {
		if (schema_directives[i].where == where)
			list = report_text(report, "%s%s%s", list, *list == '\0' ? "" : " ", schema_directives[i].name);
	}
	return list;
}

static const char *usage_of(struct report *report, const struct schema_directive *directive)
{
	char buf[SCHEMA_TEXT_BYTES];
	return report_text(report, "%s", schema_format_usage(directive, buf));
}

static const char *value_name(struct report *report, const struct schema_value *value)
{
	if (value->role == SCHEMA_KEY)
		return report_text(report, "\"%s=\"", value->name);
	return value->noun != NULL ? value->noun : value->name;
}

/* The part of a list that is none of the words; of a single word, all of it. */
static struct span unknown_part(const struct schema_value *value, struct span text)
{
	while (value->kind == SCHEMA_WORDS && text.len > 0) {
		const char *comma = memchr(text.data, ',', text.len);
		struct span part = { text.data, comma != NULL ? (size_t)(comma - text.data) : text.len };
		bool is_known = false;
		for (const struct schema_word *word = value->words; word->word != NULL; word++)
			is_known = is_known || span_equals(part, word->word);
		if (!is_known)
			return part;
		text = (struct span){ comma != NULL ? comma + 1 : NULL, text.len - part.len - (comma != NULL) };
	}
	return text;
}

static void report_unknown_word(struct report *report, const struct schema_value *value, const struct token *token)
{
	struct suggestion suggestion;
	struct span unknown = unknown_part(value, token->value);
	suggest_begin(&suggestion, unknown);
	for (const struct schema_word *word = value->words; word != NULL && word->word != NULL; word++)
		suggest_offer(&suggestion, word->word);
	for (size_t i = 0; value->kind == SCHEMA_SINK && i < 3; i++)
		suggest_offer(&suggestion, (const char *const[]){ "stderr", "syslog", "journald" }[i]);
	if (value->kind == SCHEMA_SINK && span_equals(token->value, "stdout"))
		suggestion.word = "stderr";
	struct finding finding = {
		.severity = DIAGNOSTIC_ERROR,
		.place = token->value_place,
		.message = report_text(report, "unknown %s %s", value->noun, report_quote(report, unknown)),
		.hint = did_you_mean(report, suggestion.word, ""),
		.accepted = value->words != NULL ? words_list(report, value) : schema_kind_examples(value->kind),
	};
	report_add(report, &finding);
}

static void report_out_of_range(struct report *report, const struct schema_value *value, const struct token *token,
				const char *hint)
{
	char bounds[SCHEMA_TEXT_BYTES];
	schema_format_bounds(value, bounds);
	if (bounds[0] == '\0')
		report_error_hint(report, token->value_place, hint, "%s is too long",
				  report_quote(report, token->value));
	else
		report_error_hint(report, token->value_place, hint, "%s must be from %s", value_name(report, value),
				  bounds);
}

static const char *accepted_of(struct report *report, const struct schema_value *value)
{
	char bounds[SCHEMA_TEXT_BYTES];
	if (value->words != NULL)
		return report_text(report, "%s, %s", words_list(report, value), schema_format_bounds(value, bounds));
	return value->examples != NULL ? value->examples : schema_kind_examples(value->kind);
}

/* An address may stand where a word was passed over: listen upd *:53 */
static const char *address_hint(struct report *report, const struct schema_value *value, const struct token *token)
{
	const struct schema_directive *listen = schema_find(SCHEMA_SERVICE, span_from_text("listen"));
	struct suggestion suggestion;
	if (value != schema_find_value(listen, SCHEMA_POSITIONAL, span_from_text("ADDRESS")))
		return NULL;
	suggest_begin(&suggestion, token->value);
	for (const struct schema_word *word = listen->values[0].words; word->word != NULL; word++)
		suggest_offer(&suggestion, word->word);
	return did_you_mean(report, suggestion.word, "");
}

void problem_report_value(struct report *report, const struct schema_value *value, const struct token *token, int error,
			  const struct store_note *note)
{
	const char *hint = note->hint.text[0] != '\0' ? report_text(report, "%s", note->hint.text) : NULL;
	if (error == -ENOENT) {
		report_unknown_word(report, value, token);
		return;
	}
	if (error == -ERANGE) {
		report_out_of_range(report, value, token, hint);
		return;
	}
	const char *word_hint = value->kind == SCHEMA_ADDRESS ? address_hint(report, value, token) : NULL;
	bool is_own_noun = value->kind == SCHEMA_ADDRESS || value->kind == SCHEMA_SERVER_ADDRESS ||
			   value->kind == SCHEMA_NAME_SERVER || value->kind == SCHEMA_SOURCE ||
			   value->kind == SCHEMA_NETWORK;
	const char *noun = is_own_noun ? value->noun : schema_kind_noun(value->kind);
	struct finding finding = {
		.severity = DIAGNOSTIC_ERROR,
		.place = token->value_place,
		.message = report_text(report, "%s is not %s", report_quote(report, token->value), noun),
		.hint = word_hint != NULL ? word_hint : hint,
		.accepted = accepted_of(report, value),
	};
	report_add(report, &finding);
}

void problem_report_host_bits(struct report *report, const struct network *network, const struct token *token)
{
	char text[NETWORK_TEXT_BYTES];
	if (report->kept_count[DIAGNOSTIC_WARNING] == REPORT_FINDINGS_MAX) {
		/* It is only counted: a list of networks may be long. */
		report_warning_hint(report, token->place, NULL, "%s", "");
		return;
	}
	report_warning_hint(report, token->place,
			    report_text(report, "this is read as %s", network_format(network, text, sizeof(text))),
			    "%s has bits set behind its prefix", report_quote(report, token->value));
}

/* The directive of the same block, or the same directive elsewhere, that has such a setting. */
static const char *key_owner_hint(struct report *report, const struct schema_directive *directive, struct span key)
{
	for (size_t i = 0; i < schema_directive_count; i++) {
		const struct schema_directive *other = &schema_directives[i];
		bool is_near = other->where == directive->where || strcmp(other->name, directive->name) == 0;
		if (!is_near || schema_find_value(other, SCHEMA_KEY, key) == NULL)
			continue;
		if (other->where == directive->where)
			return report_text(report, "it belongs to \"%s\"", other->name);
		return report_text(report, "it belongs to \"%s\" %s%s", other->name,
				   other->where == SCHEMA_TOP ? "at the " : "in a ", schema_where_name(other->where));
	}
	return NULL;
}

void problem_report_unknown_key(struct report *report, const struct schema_directive *directive,
				const struct token *token)
{
	struct suggestion suggestion;
	struct config_place place = token->place;
	suggest_begin(&suggestion, token->key);
	for (size_t i = 0; i < directive->value_count; i++) {
		if (directive->values[i].role == SCHEMA_KEY)
			suggest_offer(&suggestion, directive->values[i].name);
	}
	const char *hint = key_owner_hint(report, directive, token->key);
	const char *keys = keys_list(report, directive);
	place.len = (uint32_t)token->key.len + 1;
	struct finding finding = {
		.severity = DIAGNOSTIC_ERROR,
		.place = place,
		.message = report_text(report, "\"%s\" has no setting \"%.*s=\"", directive->name,
				       token->key.len < 60 ? (int)token->key.len : 60, token->key.data),
		.hint = hint != NULL ? hint : did_you_mean(report, suggestion.word, "="),
		.accepted = keys != NULL ? keys : usage_of(report, directive),
	};
	report_add(report, &finding);
}

static const char *unexpected_hint(struct report *report, const struct schema_directive *directive,
				   const struct token *token)
{
	struct suggestion suggestion;
	char usage[SCHEMA_TEXT_BYTES];
	const struct schema_value *key = schema_find_value(directive, SCHEMA_KEY, token->value);
	if (key != NULL)
		return report_text(report, "a setting is written %s", schema_format_value(key, usage));
	if (token->is_quoted && schema_find_value(directive, SCHEMA_SWITCH, token->value) != NULL)
		return "write it without quotes";
	suggest_begin(&suggestion, token->value);
	for (size_t i = 0; i < directive->value_count; i++) {
		if (directive->values[i].role == SCHEMA_SWITCH)
			suggest_offer(&suggestion, directive->values[i].name);
	}
	return did_you_mean(report, suggestion.word, "");
}

void problem_report_unexpected(struct report *report, const struct schema_directive *directive,
			       const struct token *token)
{
	struct finding finding = {
		.severity = DIAGNOSTIC_ERROR,
		.place = token->place,
		.message = report_text(report, "\"%s\" does not take %s here", directive->name,
				       report_quote(report, token->value)),
		.hint = unexpected_hint(report, directive, token),
		.accepted = usage_of(report, directive),
	};
	report_add(report, &finding);
}

void problem_report_missing(struct report *report, const struct schema_directive *directive,
			    const struct schema_value *value, struct config_place place)
{
	const char *what = "at least one setting";
	if (value != NULL && value->role == SCHEMA_KEY)
		what = report_text(report, "\"%s=\"", value->name);
	else if (value != NULL)
		what = value->kind == SCHEMA_WORD ? report_text(report, "a word: %s", words_list(report, value))
						  : report_text(report, "%s", schema_kind_noun(value->kind));
	struct finding finding = {
		.severity = DIAGNOSTIC_ERROR,
		.place = place,
		.message = report_text(report, "\"%s\" needs %s", directive->name, what),
		.accepted = usage_of(report, directive),
	};
	report_add(report, &finding);
}

/* Where a directive that exists, but not here, belongs. */
static const char *elsewhere_text(struct report *report, const struct schema_directive *directive)
{
	if (directive->where == SCHEMA_TOP)
		return "at the top level, outside of blocks";
	return report_text(report, "inside a %s", schema_where_name(directive->where));
}

const struct schema_directive *problem_report_unknown_directive(struct report *report, enum schema_where where,
								const struct token *word)
{
	struct suggestion suggestion;
	const struct schema_directive *elsewhere = schema_find_anywhere(word->value);
	if (elsewhere != NULL) {
		report_error(report, word->place, "\"%s\" belongs %s", elsewhere->name,
			     elsewhere_text(report, elsewhere));
		return NULL;
	}
	suggest_begin(&suggestion, word->value);
	for (size_t i = 0; i < schema_directive_count; i++) {
		if (schema_directives[i].where == where)
			suggest_offer(&suggestion, schema_directives[i].name);
	}
	struct finding finding = {
		.severity = DIAGNOSTIC_ERROR,
		.place = word->place,
		.message = report_text(report, "unknown directive %s", report_quote(report, word->value)),
		.hint = did_you_mean(report, suggestion.word, ""),
		.accepted = directives_list(report, where),
	};
	report_add(report, &finding);
	return suggestion.word != NULL ? schema_find(where, span_from_text(suggestion.word)) : NULL;
}
