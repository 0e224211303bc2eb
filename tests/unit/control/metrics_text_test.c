/* SPDX-License-Identifier: Apache-2.0 */
#include "control/metrics_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void label_is(const char *value, const char *expected)
{
	struct metrics_labels labels = { 0 };
	metrics_labels_add(&labels, "sink", value);
	assert_int_equal(labels.len, strlen(expected));
	assert_memory_equal(labels.text, expected, labels.len);
}

/* What stands in a name cannot end the label, the line or the encoding. */
static void labels_are_escaped(void **state)
{
	(void)state;
	label_is("", "sink=\"\"");
	label_is("/var/log/strait.log", "sink=\"/var/log/strait.log\"");
	label_is("a\"} 1\nstrait_up 0", "sink=\"a\\\"} 1\\nstrait_up 0\"");
	label_is("back\\slash", "sink=\"back\\\\slash\"");
	label_is("gr\xc3\xbc\xc3\x9f dich", "sink=\"gr\xc3\xbc\xc3\x9f dich\"");
	label_is("\xf0\x9f\x9a\x80", "sink=\"\xf0\x9f\x9a\x80\"");
	/* Not UTF-8: alone, cut off, overlong, a surrogate, above the last character. */
	label_is("a\xff"
		 "b",
		 "sink=\"a?b\"");
	label_is("\xc3", "sink=\"?\"");
	label_is("\xe2\x82", "sink=\"??\"");
	label_is("\xc0\xaf", "sink=\"??\"");
	label_is("\xe0\x80\xaf", "sink=\"???\"");
	label_is("\xed\xa0\x80", "sink=\"???\"");
	label_is("\xf4\x90\x80\x80", "sink=\"????\"");
}

static void long_labels_are_cut_between_characters(void **state)
{
	struct metrics_labels labels = { 0 };
	char value[3 * METRICS_LABELS_BYTES];
	(void)state;
	for (size_t i = 0; i + 2 < sizeof(value); i += 2)
		memcpy(value + i, "\xc3\xbc", 2);
	value[sizeof(value) - 2] = '\0';
	metrics_labels_add(&labels, "sink", value);
	assert_true(labels.len <= sizeof(labels.text) && labels.len > sizeof(labels.text) - 3);
	assert_int_equal(labels.text[labels.len - 1], '"');
	assert_int_equal((unsigned char)labels.text[labels.len - 2], 0xbc);
	/* No room for another: it is left out whole. */
	size_t len = labels.len;
	metrics_labels_add(&labels, "another", "value");
	assert_int_equal(labels.len, len);
}

static void text_is(struct metrics_text *text, const char *expected)
{
	assert_int_equal(text->len, strlen(expected));
	assert_memory_equal(text->data, expected, text->len);
	metrics_text_done(text);
	assert_null(text->data);
}

static void writes_numbers(void **state)
{
	struct metrics_text text = { 0 };
	struct metrics_labels labels = { 0 };
	struct metrics_series series = { .name = "a_total", .suffix = "", .labels = &labels, .more = "" };
	(void)state;
	metrics_text_header(&text, "a_total", "counter", "What it is");
	metrics_text_number(&text, &series, 0);
	series.more = "direction=\"in\"";
	metrics_text_number(&text, &series, UINT64_MAX);
	metrics_labels_add(&labels, "pool", "p");
	metrics_labels_add(&labels, "server", "s");
	metrics_text_number(&text, &series, 10);
	series.more = "";
	metrics_text_number(&text, &series, 7);
	text_is(&text, "# HELP a_total What it is\n# TYPE a_total counter\na_total 0\n"
		       "a_total{direction=\"in\"} 18446744073709551615\n"
		       "a_total{pool=\"p\",server=\"s\",direction=\"in\"} 10\na_total{pool=\"p\",server=\"s\"} 7\n");
}

static void writes_seconds(void **state)
{
	struct metrics_text text = { 0 };
	struct metrics_series series = { .name = "t", .suffix = "", .more = "" };
	(void)state;
	metrics_text_microseconds(&text, &series, 0);
	metrics_text_microseconds(&text, &series, 1);
	metrics_text_microseconds(&text, &series, 2500);
	metrics_text_microseconds(&text, &series, 1500000);
	metrics_text_microseconds(&text, &series, 60000000);
	text_is(&text, "t 0\nt 0.000001\nt 0.0025\nt 1.5\nt 60\n");
}

static void writes_histograms(void **state)
{
	static const struct histogram_scale scale = { .count = 2, .bounds_us = { 1000, 2500000 } };
	struct metrics_text text = { 0 };
	struct metrics_labels labels = { 0 };
	struct metrics_series series = { .name = "d_seconds", .suffix = "", .labels = &labels, .more = "" };
	struct histogram_total total = { .buckets = { 1, 2, 4 }, .sum_us = 12500000 };
	(void)state;
	metrics_labels_add(&labels, "service", "web");
	metrics_text_histogram(&text, &series, &scale, &total);
	text_is(&text, "d_seconds_bucket{service=\"web\",le=\"0.001\"} 1\n"
		       "d_seconds_bucket{service=\"web\",le=\"2.5\"} 3\n"
		       "d_seconds_bucket{service=\"web\",le=\"+Inf\"} 7\n"
		       "d_seconds_sum{service=\"web\"} 12.5\nd_seconds_count{service=\"web\"} 7\n");
}

static void grows(void **state)
{
	struct metrics_text text = { 0 };
	struct metrics_series series = { .name = "a_total", .suffix = "", .more = "" };
	(void)state;
	for (uint64_t i = 0; i < 100000; i++)
		metrics_text_number(&text, &series, 1);
	assert_int_equal(text.len, 100000 * strlen("a_total 1\n"));
	assert_memory_equal(text.data + text.len - 10, "a_total 1\n", 10);
	metrics_text_done(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(labels_are_escaped), cmocka_unit_test(long_labels_are_cut_between_characters),
		cmocka_unit_test(writes_numbers),     cmocka_unit_test(writes_seconds),
		cmocka_unit_test(writes_histograms),  cmocka_unit_test(grows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
