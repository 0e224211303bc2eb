/* SPDX-License-Identifier: Apache-2.0 */
/* The form of the state file: what was written is read, and no bytes whatever do harm. */
#include "control/trends_state.h"

#include "stats/trend_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <xxhash.h>

#include <cmocka.h>

enum { START = 7200 * 100000 };

struct taken {
	struct memory_budget budget;
	uint32_t generals, seens, services, servers;
	uint64_t secret;
	uint64_t flows; /* of the services' first hour */
	char name[SERVICE_NAME_BYTES];
};

static void on_general(void *owner, const struct trends_general *general)
{
	struct taken *taken = owner;
	taken->generals++;
	taken->secret = general->secret;
}

static void on_seen(void *owner, struct byte_reader *reader)
{
	struct taken *taken = owner;
	byte_reader_take_span(reader, reader->left.len);
	taken->seens++;
}

static void on_service(void *owner, const struct trends_saved_service *service)
{
	struct taken *taken = owner;
	struct service_trend trend = service->trend;
	taken->services++;
	memcpy(taken->name, service->name, sizeof(taken->name));
	service_trend_set_time(&trend, START + 100, 40);
	if (trend.sources != NULL) {
		struct source_report report;
		source_trends_report(trend.sources, TREND_1H, START + 100, FIXTURE_SECRET, &report);
		taken->flows += report.totals.flows;
		source_report_done(&report);
	}
	service_trend_done(&trend, &taken->budget);
}

static void on_server(void *owner, struct byte_reader *reader)
{
	struct taken *taken = owner;
	byte_reader_take_span(reader, reader->left.len);
	taken->servers++;
}

static const char *read_file(struct span file, struct taken *ret_taken)
{
	*ret_taken = (struct taken){ .budget = fixture_budget() };
	const struct trends_state_reader reader = {
		.owner = ret_taken,
		.budget = &ret_taken->budget,
		.on_general = on_general,
		.on_seen = on_seen,
		.on_service = on_service,
		.on_server = on_server,
	};
	const char *problem = trends_state_read(file, &reader);
	assert_int_equal(ret_taken->budget.used_bytes, 0);
	return problem;
}

static void put_general(struct byte_writer *writer)
{
	struct trends_general general = { .secret = FIXTURE_SECRET, .written_realtime_s = START };
	size_t mark = trends_state_begin_section(writer, TRENDS_SECTION_GENERAL);
	BYTE_WRITER_PUT(writer, general);
	trends_state_end_section(writer, mark);
}

static void put_service(struct byte_writer *writer, const char *name)
{
	struct memory_budget budget = fixture_budget();
	struct service_trend trend = { 0 };
	struct source_totals totals = { .flows = 1 };
	struct source_seen seen = { .source = fixture_source(1), .now_realtime_s = START };
	seen.hash = fixture_hash(&seen.source);
	service_trend_make(&trend, START, &budget);
	source_trends_begin(trend.sources, &seen, &budget);
	source_trends_add_totals(trend.sources, &totals);
	trends_state_write_service(writer, name, &trend);
	service_trend_done(&trend, &budget);
}

static void put_text(struct byte_writer *writer, uint32_t kind, const char *text)
{
	size_t mark = trends_state_begin_section(writer, kind);
	byte_writer_put(writer, text, strlen(text));
	trends_state_end_section(writer, mark);
}

/* Head and tail around the sections. */
static struct byte_writer file_of(const struct byte_writer *sections)
{
	struct byte_writer file = { 0 };
	uint8_t head[TRENDS_HEAD_BYTES], tail[TRENDS_TAIL_BYTES];
	trends_state_write_head(head);
	trends_state_write_tail(sections->len, XXH3_64bits(sections->bytes, sections->len), tail);
	byte_writer_put(&file, head, sizeof(head));
	byte_writer_put(&file, sections->bytes, sections->len);
	byte_writer_put(&file, tail, sizeof(tail));
	return file;
}

static struct span span_of(const struct byte_writer *writer)
{
	return (struct span){ (const char *)writer->bytes, writer->len };
}

static struct byte_writer good_file(void)
{
	struct byte_writer sections = { 0 };
	put_general(&sections);
	put_text(&sections, TRENDS_SECTION_SEEN, "seen");
	put_service(&sections, "web");
	put_service(&sections, "dns");
	put_text(&sections, TRENDS_SECTION_SERVER, "server");
	struct byte_writer file = file_of(&sections);
	byte_writer_done(&sections);
	return file;
}

static void what_is_written_is_read(void **state)
{
	struct byte_writer file = good_file();
	struct taken taken;
	(void)state;
	assert_null(read_file(span_of(&file), &taken));
	assert_int_equal(taken.generals, 1);
	assert_int_equal(taken.seens, 1);
	assert_int_equal(taken.services, 2);
	assert_int_equal(taken.servers, 1);
	assert_int_equal(taken.flows, 2);
	assert_true(taken.secret == FIXTURE_SECRET);
	assert_string_equal(taken.name, "dns");
	byte_writer_done(&file);
}

static void sections_of_later_versions_are_passed_over(void **state)
{
	struct byte_writer sections = { 0 };
	struct taken taken;
	(void)state;
	put_general(&sections);
	put_text(&sections, 77, "what nobody knows yet");
	put_service(&sections, "web");
	struct byte_writer file = file_of(&sections);
	assert_null(read_file(span_of(&file), &taken));
	assert_int_equal(taken.services, 1);
	byte_writer_done(&file);
	byte_writer_done(&sections);
}

static void assert_nothing_taken(struct span file, const char *problem)
{
	struct taken taken;
	const char *found = read_file(file, &taken);
	assert_non_null(found);
	assert_string_equal(found, problem);
	assert_int_equal(taken.generals + taken.seens + taken.services + taken.servers, 0);
}

static void a_file_that_was_cut_gives_nothing(void **state)
{
	struct byte_writer file = good_file();
	struct taken taken;
	(void)state;
	assert_nothing_taken((struct span){ "", 0 }, "it holds no trends");
	assert_nothing_taken((struct span){ (const char *)file.bytes, 30 }, "its end is missing");
	for (size_t len = 0; len < file.len; len += 1 + len / 50) {
		/* The exact size, so that reading one byte too far is seen. */
		char *cut = malloc(len > 0 ? len : 1);
		memcpy(cut, file.bytes, len);
		assert_non_null(read_file((struct span){ cut, len }, &taken));
		assert_int_equal(taken.generals, 0);
		free(cut);
	}
	byte_writer_done(&file);
}

static void a_file_that_was_changed_gives_nothing(void **state)
{
	struct byte_writer file = good_file();
	struct taken taken;
	(void)state;
	for (size_t i = 0; i < file.len; i += 1 + i / 100) {
		file.bytes[i] ^= 0x10;
		assert_non_null(read_file(span_of(&file), &taken));
		assert_int_equal(taken.generals + taken.services, 0);
		file.bytes[i] ^= 0x10;
	}
	file.bytes[TRENDS_HEAD_BYTES + 9] ^= 1;
	assert_nothing_taken(span_of(&file), "its checksum is wrong");
	byte_writer_done(&file);
}

static void a_foreign_file_gives_nothing(void **state)
{
	struct byte_writer file = good_file();
	(void)state;
	file.bytes[14]++; /* the version */
	assert_nothing_taken(span_of(&file), "it is of another version or another kind of machine");
	file.bytes[14]--;
	file.bytes[16]++; /* the order of bytes */
	assert_nothing_taken(span_of(&file), "it is of another version or another kind of machine");
	assert_nothing_taken(span_from_text("service web { listen :80; to web }"), "it holds no trends");
	byte_writer_done(&file);
}

/* The checksum is right, but what stands in it is not: the good parts are taken. */
static void good_parts_of_nonsense_are_taken(void **state)
{
	struct byte_writer sections = { 0 };
	struct taken taken;
	(void)state;
	put_service(&sections, "early"); /* before the secret that its hashes are made with */
	put_general(&sections);
	put_general(&sections);
	put_text(&sections, TRENDS_SECTION_SERVICE, "");
	put_text(&sections, TRENDS_SECTION_SERVICE, "no service at all");
	put_service(&sections, "web");
	put_service(&sections, "");
	struct byte_writer file = file_of(&sections);
	const char *problem = read_file(span_of(&file), &taken);
	assert_string_equal(problem, "a part of it makes no sense");
	assert_int_equal(taken.generals, 1);
	assert_int_equal(taken.services, 1);
	assert_string_equal(taken.name, "web");
	byte_writer_done(&file);
	/* A section that is longer than the file. */
	uint32_t bytes = UINT32_MAX;
	memcpy(sections.bytes + 4, &bytes, sizeof(bytes));
	file = file_of(&sections);
	assert_string_equal(read_file(span_of(&file), &taken), "a part of it makes no sense");
	assert_int_equal(taken.services, 0);
	byte_writer_done(&file);
	byte_writer_done(&sections);
}

static void no_more_memory_is_taken_than_there_is(void **state)
{
	struct byte_writer file = good_file();
	struct taken taken = { .budget = { .max_bytes = 60000 } };
	const struct trends_state_reader reader = {
		.owner = &taken,
		.budget = &taken.budget,
		.on_general = on_general,
		.on_seen = on_seen,
		.on_service = on_service,
		.on_server = on_server,
	};
	(void)state;
	assert_null(trends_state_read(span_of(&file), &reader));
	assert_int_equal(taken.services, 2);
	assert_int_equal(taken.flows, 0); /* rings only */
	assert_true(taken.budget.refused_count > 0);
	assert_int_equal(taken.budget.used_bytes, 0);
	byte_writer_done(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(sections_of_later_versions_are_passed_over),
		cmocka_unit_test(a_file_that_was_cut_gives_nothing),
		cmocka_unit_test(a_file_that_was_changed_gives_nothing),
		cmocka_unit_test(a_foreign_file_gives_nothing),
		cmocka_unit_test(good_parts_of_nonsense_are_taken),
		cmocka_unit_test(no_more_memory_is_taken_than_there_is),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
