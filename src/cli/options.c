/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/options.h"

#include "base/check.h"
#include "config/suggest.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct parser {
	const struct option_spec *specs;
	size_t spec_count;
	char **next; /* the words not read yet */
	char **end;
	struct options *options;
	char *problem;
};

static int __attribute__((format(printf, 2, 3))) refuse(struct parser *parser, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(parser->problem, OPTIONS_PROBLEM_BYTES, format, arguments);
	va_end(arguments);
	return -EINVAL;
}

static int refuse_unknown(struct parser *parser, struct span name)
{
	struct suggestion suggestion;
	suggest_begin(&suggestion, name);
	for (size_t i = 0; i < parser->spec_count; i++)
		suggest_offer(&suggestion, parser->specs[i].name);
	if (suggestion.word != NULL)
		return refuse(parser, "unknown option --%.*s; did you mean --%s?", (int)name.len, name.data,
			      suggestion.word);
	return refuse(parser, "unknown option --%.*s", (int)name.len, name.data);
}

static int check_word(struct parser *parser, const struct option_spec *spec, const char *value)
{
	char accepted[OPTIONS_PROBLEM_BYTES / 2] = "";
	size_t len = 0;
	for (const char *const *word = spec->words; word != NULL && *word != NULL; word++) {
		if (strcmp(*word, value) == 0)
			return 0;
		int written = snprintf(accepted + len, sizeof(accepted) - len, " %s", *word);
		CHECK(written > 0 && (size_t)written < sizeof(accepted) - len);
		len += (size_t)written;
	}
	return spec->words == NULL ? 0
				   : refuse(parser, "--%s cannot be \"%s\"; accepted:%s", spec->name, value, accepted);
}

/* attached: the value that stands in the same word, or NULL. */
static int take_option(struct parser *parser, const struct option_spec *spec, const char *attached)
{
	const char **value = &parser->options->values[spec - parser->specs];
	if (*value != NULL)
		return refuse(parser, "--%s is given twice", spec->name);
	if (spec->value == NULL) {
		*value = "";
		return attached == NULL ? 0 : refuse(parser, "--%s takes no value", spec->name);
	}
	if (attached == NULL && parser->next == parser->end)
		return refuse(parser, "--%s needs a value: --%s %s", spec->name, spec->name, spec->value);
	*value = attached != NULL ? attached : *parser->next++;
	return check_word(parser, spec, *value);
}

static int parse_long(struct parser *parser, const char *word)
{
	const char *equals = strchr(word, '=');
	struct span name = { word, equals != NULL ? (size_t)(equals - word) : strlen(word) };
	for (size_t i = 0; i < parser->spec_count; i++) {
		if (span_equals(name, parser->specs[i].name))
			return take_option(parser, &parser->specs[i], equals != NULL ? equals + 1 : NULL);
	}
	return refuse_unknown(parser, name);
}

static int parse_short(struct parser *parser, const char *word)
{
	const char *attached = word[1] != '\0' ? word + 1 : NULL;
	for (size_t i = 0; i < parser->spec_count; i++) {
		if (parser->specs[i].letter == word[0])
			return take_option(parser, &parser->specs[i], attached);
	}
	return refuse(parser, "unknown option -%s", word);
}

static int parse_word(struct parser *parser, char *word)
{
	if (word[0] != '-' || word[1] == '\0') {
		parser->options->arguments[parser->options->argument_count++] = word;
		return 0;
	}
	if (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0) {
		parser->options->wants_help = true;
		return 0;
	}
	return word[1] == '-' ? parse_long(parser, word + 2) : parse_short(parser, word + 1);
}

int options_parse(const struct option_spec *specs, size_t spec_count, int argc, char **argv,
		  struct options *ret_options, char *ret_problem)
{
	struct parser parser = { specs, spec_count, argv, argv + argc, ret_options, ret_problem };
	CHECK(spec_count <= OPTIONS_MAX);
	/* Arguments are gathered at the front: there are never more of them than words read. */
	*ret_options = (struct options){ .arguments = argv };
	bool is_all_arguments = false;
	while (parser.next < parser.end && !ret_options->wants_help) {
		char *word = *parser.next++;
		int error = 0;
		if (is_all_arguments)
			ret_options->arguments[ret_options->argument_count++] = word;
		else if (strcmp(word, "--") == 0)
			is_all_arguments = true;
		else
			error = parse_word(&parser, word);
		if (error < 0)
			return error;
	}
	return 0;
}
