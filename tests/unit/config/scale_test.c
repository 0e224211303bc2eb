/* SPDX-License-Identifier: Apache-2.0 */
/* Large configurations are read in time that grows with their size and not with its square. */
#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

/* What a machine ten times slower, under sanitizers, still keeps; a quadratic search would take minutes. */
enum { MS_MAX = 20000 };

static double now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1000 + (double)now.tv_nsec / 1e6;
}

/* Loads the text, prints how long it took, and returns whether it was accepted. */
static bool load_timed(const char *what, char *text, size_t len)
{
	struct diagnostics diagnostics;
	diagnostics_init(&diagnostics);
	double begin = now_ms();
	struct config *config = config_load_text("scale", (struct span){ text, len }, &diagnostics);
	double took_ms = now_ms() - begin;
	bool is_accepted = config != NULL;
	printf("%s: %.1f ms for %zu bytes\n", what, took_ms, len);
	config_free(&config);
	diagnostics_done(&diagnostics);
	free(text);
	assert_true(took_ms < MS_MAX);
	return is_accepted;
}

static void reads_ten_thousand_servers(void **state)
{
	(void)state;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	for (int i = 0; i < 1000; i++) {
		fprintf(out, "service s%d { listen *:%d; to p%d }\n", i, 10000 + i, i);
		fprintf(out, "pool p%d {\n balance least-connections\n check tcp every=2s\n", i);
		for (int j = 0; j < 10; j++)
			fprintf(out, " server 10.%d.%d.%d:80 weight=%d name=s%d\n", i / 250, i % 250, j, j + 1, j);
		fprintf(out, "}\n");
	}
	fclose(out);
	assert_true(load_timed("10,000 servers in 1,000 pools", text, len));
}

static void reads_one_large_pool_and_many_rules(void **state)
{
	(void)state;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	fprintf(out, "service s {\n listen *:80\n to p\n");
	for (int i = 0; i < 50000; i++)
		fprintf(out, " deny 10.%d.%d.0/24 2001:db8:%x::/48\n", i / 250, i % 250, i);
	fprintf(out, "}\npool p {\n check tcp\n");
	for (int i = 0; i < 50000; i++)
		fprintf(out, " server 10.%d.%d.1:80\n", i / 250, i % 250);
	fprintf(out, "}\n");
	fclose(out);
	assert_true(load_timed("50,000 servers in one pool, 100,000 rules", text, len));
}

/* One more than the 16-bit indexes of its table can tell apart. */
static void refuses_too_many_servers_for_maglev(void **state)
{
	(void)state;
	for (int too_many = 0; too_many <= 1; too_many++) {
		char *text = NULL;
		size_t len = 0;
		FILE *out = open_memstream(&text, &len);
		fprintf(out, "service s { listen *:80; to p }\npool p {\n balance maglev\n check tcp\n");
		for (int i = 0; i < CONFIG_MAGLEV_SERVERS_MAX + too_many; i++)
			fprintf(out, " server 10.%d.%d.1:80\n", i / 256, i % 256);
		fprintf(out, "}\n");
		fclose(out);
		assert_int_equal(load_timed("a large pool for maglev", text, len), !too_many);
	}
}

static void gives_up_on_a_file_full_of_mistakes(void **state)
{
	(void)state;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	for (int i = 0; i < 1000000; i++)
		fprintf(out, "limt a= b\n");
	fclose(out);
	assert_false(load_timed("a million wrong lines", text, len));
}

static void survives_many_unknown_pools(void **state)
{
	(void)state;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	for (int i = 0; i < 10000; i++)
		fprintf(out, "service s%d { listen 10.%d.%d.1:1; to q%d }\npool p%d { server 10.0.0.1:1 }\n", i,
			i / 250, i % 250, i, i);
	fclose(out);
	assert_false(load_timed("10,000 unknown pools", text, len));
}

static void survives_deep_nesting(void **state)
{
	(void)state;
	enum { LEN = 8 << 20 };
	char *text = malloc(LEN);
	assert_non_null(text);
	for (size_t i = 0; i < LEN; i++)
		text[i] = i % 1000 == 999 ? '\n' : '{';
	assert_false(load_timed("8 MiB of {", text, LEN));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_ten_thousand_servers),
		cmocka_unit_test(reads_one_large_pool_and_many_rules),
		cmocka_unit_test(refuses_too_many_servers_for_maglev),
		cmocka_unit_test(gives_up_on_a_file_full_of_mistakes),
		cmocka_unit_test(survives_many_unknown_pools),
		cmocka_unit_test(survives_deep_nesting),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
