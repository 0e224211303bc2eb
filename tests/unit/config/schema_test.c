/* SPDX-License-Identifier: Apache-2.0 */
/* The table agrees with itself, and what it tells people is true: its examples load, its defaults are in bounds. */
#include "config/schema.h"

#include "config/config.h"
#include "config/store.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void rows_are_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < schema_directive_count; i++) {
		const struct schema_directive *directive = &schema_directives[i];
		assert_true(directive->value_count > 0);
		assert_true(directive->help[0] >= 'a' && directive->help[0] <= 'z');
		assert_int_not_equal(directive->help[strlen(directive->help) - 1], '.');
		assert_non_null(directive->example);
		assert_ptr_equal(schema_find(directive->where, span_from_text(directive->name)), directive);
		for (size_t j = 0; j < directive->value_count; j++) {
			const struct schema_value *value = &directive->values[j];
			assert_non_null(value->name);
			assert_non_null(value->help);
			assert_true(value->kind != SCHEMA_WORD || (value->words != NULL && value->noun != NULL));
			assert_ptr_equal(schema_find_value(directive, value->role, span_from_text(value->name)), value);
		}
	}
}

static void every_setting_tells_its_default(void **state)
{
	(void)state;
	for (size_t i = 0; i < schema_directive_count; i++) {
		for (size_t j = 0; j < schema_directives[i].value_count; j++) {
			const struct schema_value *value = &schema_directives[i].values[j];
			if (value->role == SCHEMA_KEY)
				assert_true(value->fallback != NULL || value->absent != NULL);
		}
	}
}

static void defaults_are_in_bounds(void **state)
{
	(void)state;
	struct config_memory *memory = config_memory_new();
	for (size_t i = 0; i < schema_directive_count; i++) {
		for (size_t j = 0; j < schema_directives[i].value_count; j++) {
			const struct schema_value *value = &schema_directives[i].values[j];
			char target[sizeof(struct config_pool) + sizeof(struct config_service)] = { 0 };
			struct store_note note;
			if (value->fallback != NULL)
				assert_int_equal(
					store_value(value, span_from_text(value->fallback), memory, target, &note), 0);
		}
	}
	config_memory_free(&memory);
}

static void words_are_accepted(void **state)
{
	(void)state;
	for (size_t i = 0; i < schema_directive_count; i++) {
		for (size_t j = 0; j < schema_directives[i].value_count; j++) {
			const struct schema_value *value = &schema_directives[i].values[j];
			for (const struct schema_word *word = value->words; word != NULL && word->word != NULL;
			     word++) {
				char target[sizeof(struct config_pool) + sizeof(struct config_service)] = { 0 };
				struct store_note note;
				assert_int_equal(store_value(value, span_from_text(word->word), NULL, target, &note),
						 0);
			}
		}
	}
}

/* A whole file with the directive's example in it. */
static char *example_in_place(const struct schema_directive *directive)
{
	static const char pool[] = "check tcp\nserver 10.9.9.9:9 name=own\n";
	const char *service_part = directive->where == SCHEMA_SERVICE ? directive->example : "";
	const char *pool_part = directive->where == SCHEMA_POOL ? directive->example : "";
	const char *top_part = directive->where == SCHEMA_TOP ? directive->example : "";
	bool is_to = strcmp(directive->name, "to") == 0;
	bool is_check = strcmp(directive->name, "check") == 0;
	bool is_service = strcmp(directive->name, "service") == 0;
	bool is_pool = strcmp(directive->name, "pool") == 0;
	char *text = NULL;
	assert_true(asprintf(&text, "%s\nservice own {\nlisten *:9\n%s\n%s\n}\npool %s {\n%s\n%s\n}\n", top_part,
			     service_part,
			     is_to     ? ""
			     : is_pool ? "to own"
				       : "to web",
			     is_pool ? "own" : "web", pool_part, is_check ? pool + strlen("check tcp\n") : pool) > 0);
	assert_true(!is_service || strstr(text, "to     web") != NULL);
	return text;
}

static void examples_load(void **state)
{
	(void)state;
	for (size_t i = 0; i < schema_directive_count; i++) {
		struct diagnostics diagnostics;
		if (strcmp(schema_directives[i].name, "include") == 0)
			continue;
		char *text = example_in_place(&schema_directives[i]);
		diagnostics_init(&diagnostics);
		struct config *config = config_load_text("example", span_from_text(text), &diagnostics);
		if (config == NULL)
			diagnostics_print(&diagnostics, stderr);
		assert_non_null(config);
		config_free(&config);
		diagnostics_done(&diagnostics);
		free(text);
	}
}

static void bounds_are_what_is_said(void **state)
{
	(void)state;
	char text[SCHEMA_TEXT_BYTES];
	const struct schema_directive *timeout = schema_find(SCHEMA_SERVICE, span_from_text("timeout"));
	const struct schema_directive *balance = schema_find(SCHEMA_POOL, span_from_text("balance"));
	const struct schema_directive *server = schema_find(SCHEMA_POOL, span_from_text("server"));
	assert_string_equal(schema_format_bounds(&timeout->values[0], text), "1ms to 365d");
	assert_string_equal(schema_format_bounds(&balance->values[0], text), "");
	assert_string_equal(schema_format_usage(balance, text),
			    "balance round-robin|least-connections|source-hash|random|maglev|first [slow-start=TIME] "
			    "[load=PERCENT]");
	assert_string_equal(schema_format_usage(server, text),
			    "server ADDRESS [weight=N] [name=NAME] [max-connections=N] [backup] [drain] [maint]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_whole),         cmocka_unit_test(every_setting_tells_its_default),
		cmocka_unit_test(defaults_are_in_bounds), cmocka_unit_test(words_are_accepted),
		cmocka_unit_test(examples_load),          cmocka_unit_test(bounds_are_what_is_said),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
