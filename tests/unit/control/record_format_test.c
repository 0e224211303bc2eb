/* SPDX-License-Identifier: Apache-2.0 */
#include "control/record_format.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* 2026-11-23T06:29:19.266Z */
static const int64_t time_us = INT64_C(1795415359266000);

static struct endpoint ipv4(uint32_t ip, uint16_t port)
{
	struct addr addr = { .len = sizeof(addr.in), .in = { .sin_family = AF_INET, .sin_port = htons(port) } };
	addr.in.sin_addr.s_addr = htonl(ip);
	return endpoint_from_addr(&addr);
}

static struct flow_record sample(void)
{
	struct flow_record record = {
		.id = 0x2a,
		.end_realtime_us = time_us,
		.client = ipv4(0xc0000201, 40000),
		.listen = ipv4(0xc6336401, 443),
		.server = ipv4(0x0a00010c, 8443),
		.local = ipv4(0x0a000009, 51000),
		.connect_us = 812,
		.duration_us = 2500999,
		.bytes_in = 1000,
		.bytes_out = 50000,
		.protocol = FLOW_TCP,
		.path = FLOW_PATH_RELAY,
		.reason = REASON_CLIENT_FIN,
		.chosen_by = "least-connections",
		.service = "web",
		.pool = "web",
		.server_name = "blue",
	};
	return record;
}

static const char *format_flow(const struct flow_record *record, enum config_log_format format)
{
	static struct record_line line;
	static char text[RECORD_LINE_BYTES + 1];
	record_format_flow(record, (enum record_form)format, 1, &line);
	assert_in_range(line.len, 1, RECORD_LINE_BYTES);
	memcpy(text, line.text, line.len);
	text[line.len] = '\0';
	return text;
}

/* An event with one text field. */
static const char *format_text(const char *value, enum config_log_format format)
{
	static struct record_line line;
	static char text[RECORD_LINE_BYTES + 1];
	const struct record_field field = record_text("name", value);
	record_format_event(&(struct record_event){ time_us, "test", &field, 1 }, (enum record_form)format, &line);
	memcpy(text, line.text, line.len);
	text[line.len] = '\0';
	return text;
}

static void json_has_all_keys_in_order(void **state)
{
	(void)state;
	struct flow_record record = sample();
	assert_string_equal(format_flow(&record, CONFIG_LOG_JSON),
			    "{\"ts\":\"2026-11-23T06:29:19.266Z\",\"event\":\"flow_end\",\"id\":\"000000000000002a\","
			    "\"service\":\"web\",\"protocol\":\"tcp\",\"client\":\"192.0.2.1:40000\","
			    "\"listen\":\"198.51.100.1:443\",\"pool\":\"web\",\"server\":\"blue\","
			    "\"server_address\":\"10.0.1.12:8443\",\"local\":\"10.0.0.9:51000\",\"path\":\"relay\","
			    "\"reason\":\"client_fin\",\"connect_us\":812,\"duration_ms\":2500,\"bytes_in\":1000,"
			    "\"bytes_out\":50000,\"packets_in\":0,\"packets_out\":0,\"retries\":0,\"tried\":[],"
			    "\"chosen_by\":\"least-connections\"}\n");
}

static void text_has_the_same_facts(void **state)
{
	(void)state;
	struct flow_record record = sample();
	assert_string_equal(
		format_flow(&record, CONFIG_LOG_TEXT),
		"2026-11-23T06:29:19.266Z flow_end id=000000000000002a service=web protocol=tcp "
		"client=192.0.2.1:40000 listen=198.51.100.1:443 pool=web server=blue "
		"server_address=10.0.1.12:8443 local=10.0.0.9:51000 path=relay reason=client_fin connect_us=812 "
		"duration_ms=2500 bytes_in=1000 bytes_out=50000 packets_in=0 packets_out=0 retries=0 tried=\"\" "
		"chosen_by=least-connections\n");
}

static void what_is_not_known_is_empty(void **state)
{
	(void)state;
	struct flow_record record = {
		.client = ipv4(0xc0000201, 40000),
		.protocol = FLOW_UDP,
		.reason = REASON_DENIED_ACCESS,
		.service = "dns",
	};
	json_t *json = json_loads(format_flow(&record, CONFIG_LOG_JSON), 0, NULL);
	assert_non_null(json);
	assert_string_equal(json_string_value(json_object_get(json, "server")), "");
	assert_string_equal(json_string_value(json_object_get(json, "server_address")), "");
	assert_string_equal(json_string_value(json_object_get(json, "local")), "");
	assert_string_equal(json_string_value(json_object_get(json, "reason")), "denied_access");
	assert_string_equal(json_string_value(json_object_get(json, "protocol")), "udp");
	assert_int_equal(json_array_size(json_object_get(json, "tried")), 0);
	json_decref(json);
}

static void tried_servers_are_a_list(void **state)
{
	(void)state;
	struct flow_record record = sample();
	record.tried_count = 2;
	strcpy(record.tried[0], "red");
	strcpy(record.tried[1], "10.0.0.1:80");
	assert_non_null(strstr(format_flow(&record, CONFIG_LOG_JSON), "\"tried\":[\"red\",\"10.0.0.1:80\"]"));
	assert_non_null(strstr(format_flow(&record, CONFIG_LOG_TEXT), " tried=red,10.0.0.1:80 "));
	strcpy(record.tried[1], "a,b");
	assert_non_null(strstr(format_flow(&record, CONFIG_LOG_TEXT), " tried=red,\"a,b\" "));
}

static void unix_server_is_named_by_its_path(void **state)
{
	(void)state;
	struct flow_record record = sample();
	record.server = (struct endpoint){ .family = AF_UNIX };
	assert_non_null(strstr(format_flow(&record, CONFIG_LOG_JSON), "\"server_address\":\"unix:\""));
	strcpy(record.server_unix, "unix:/run/x.sock");
	assert_non_null(strstr(format_flow(&record, CONFIG_LOG_JSON), "\"server_address\":\"unix:/run/x.sock\""));
}

static void numbers_keep_all_their_digits(void **state)
{
	(void)state;
	struct flow_record record = sample();
	record.bytes_in = UINT64_MAX;
	assert_non_null(strstr(format_flow(&record, CONFIG_LOG_JSON), "\"bytes_in\":18446744073709551615,"));
}

struct escape_case {
	const char *text;
	const char *escaped;
};

static void json_escapes(void **state)
{
	(void)state;
	static const struct escape_case cases[] = {
		{ "plain", "plain" },
		{ "a\"b\\c", "a\\\"b\\\\c" },
		{ "\b\t\n\f\r", "\\b\\t\\n\\f\\r" },
		{ "\x01\x1b[31m\x7f", "\\u0001\\u001b[31m\\u007f" },
		{ "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80" },
		{ "\xc2\x85", "\\u0085" },        /* a C1 control */
		{ "\x80", "\\u0080" },            /* a lone continuation */
		{ "\xc3", "\\u00c3" },            /* cut off */
		{ "\xe2\x82", "\\u00e2\\u0082" }, /* cut off */
		{ "\xc0\xaf", "\\u00c0\\u00af" }, /* overlong */
		{ "\xe0\x80\x80", "\\u00e0\\u0080\\u0080" },
		{ "\xed\xa0\x80", "\\u00ed\\u00a0\\u0080" }, /* a surrogate */
		{ "\xf4\x90\x80\x80", "\\u00f4\\u0090\\u0080\\u0080" },
		{ "\xf0\x80\x80\x80", "\\u00f0\\u0080\\u0080\\u0080" },
		{ "\xff\xfe", "\\u00ff\\u00fe" },
		{ "\xf0\x9f\x98", "\\u00f0\\u009f\\u0098" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char expected[256];
		snprintf(expected, sizeof(expected),
			 "{\"ts\":\"2026-11-23T06:29:19.266Z\",\"event\":\"test\",\"name\":\"%s\"}\n",
			 cases[i].escaped);
		const char *line = format_text(cases[i].text, CONFIG_LOG_JSON);
		assert_string_equal(line, expected);
		json_t *json = json_loads(line, 0, NULL);
		assert_non_null(json);
		json_decref(json);
	}
}

static void text_cannot_be_forged(void **state)
{
	(void)state;
	static const struct escape_case cases[] = {
		{ "blue", "blue" },
		{ "", "\"\"" },
		{ "a b", "\"a b\"" },
		{ "x\nserver=evil", "\"x\\nserver=evil\"" },
		{ "a=b", "\"a=b\"" },
		{ "say \"hi\"", "\"say \\\"hi\\\"\"" },
		{ "[fd00::1]:53", "[fd00::1]:53" },
		{ "caf\xc3\xa9", "\"caf\xc3\xa9\"" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char expected[256];
		snprintf(expected, sizeof(expected), "2026-11-23T06:29:19.266Z test name=%s\n", cases[i].escaped);
		assert_string_equal(format_text(cases[i].text, CONFIG_LOG_TEXT), expected);
	}
}

static void every_single_byte_gives_one_valid_line(void **state)
{
	(void)state;
	for (int byte = 1; byte < 256; byte++) {
		const char value[] = { 'a', (char)byte, 'b', '\0' };
		const char *line = format_text(value, CONFIG_LOG_JSON);
		json_t *json = json_loads(line, 0, NULL);
		assert_non_null(json);
		json_decref(json);
		assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
		line = format_text(value, CONFIG_LOG_TEXT);
		assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
	}
}

static void long_texts_are_cut(void **state)
{
	(void)state;
	char text[2 * RECORD_TEXT_BYTES_MAX];
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_non_null(strstr(format_text(text, CONFIG_LOG_JSON), "aaa...\"}\n"));
	assert_non_null(strstr(format_text(text, CONFIG_LOG_TEXT), "aaa...\"\n"));
}

static void fields_that_do_not_fit_are_left_out(void **state)
{
	(void)state;
	char text[RECORD_TEXT_BYTES_MAX];
	struct record_line line;
	struct record_field fields[6];
	memset(text, '\x01', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (size_t i = 0; i < 6; i++)
		fields[i] = record_text("name", text);
	for (enum config_log_format format = CONFIG_LOG_TEXT; format <= CONFIG_LOG_JSON; format++) {
		record_format_event(&(struct record_event){ time_us, "test", fields, 6 }, (enum record_form)format,
				    &line);
		assert_in_range(line.len, 1, RECORD_LINE_BYTES);
		assert_int_equal(line.text[line.len - 1], '\n');
		assert_non_null(
			memmem(line.text, line.len, format == CONFIG_LOG_JSON ? "\"cut\":true" : "cut=true", 8));
	}
	json_t *json = json_loadb(line.text, line.len, 0, NULL);
	assert_non_null(json);
	assert_true(json_is_true(json_object_get(json, "cut")));
	json_decref(json);
}

static void events_have_typed_fields(void **state)
{
	(void)state;
	struct record_line line;
	const struct record_field fields[] = { record_text("pool", "web"), record_number("after_ms", 5),
					       record_boolean("is_last", true), record_text("cause", NULL) };
	record_format_event(&(struct record_event){ time_us, "server_down", fields, 4 }, RECORD_FORM_JSON, &line);
	line.text[line.len] = '\0';
	assert_string_equal(line.text,
			    "{\"ts\":\"2026-11-23T06:29:19.266Z\",\"event\":\"server_down\",\"pool\":\"web\","
			    "\"after_ms\":5,\"is_last\":true,\"cause\":\"\"}\n");
}

/* A sink that takes one flow in many says so; one that takes all says nothing. */
static void sampled_records_say_so(void **state)
{
	(void)state;
	struct flow_record record = sample();
	struct record_line line;
	record_format_flow(&record, RECORD_FORM_JSON, 100, &line);
	assert_non_null(memmem(line.text, line.len, ",\"sample\":100}\n", 15));
	record_format_flow(&record, RECORD_FORM_TEXT, 100, &line);
	assert_non_null(memmem(line.text, line.len, " sample=100\n", 12));
	record_format_flow(&record, RECORD_FORM_JSON, 0, &line);
	assert_null(memmem(line.text, line.len, "sample", 6));
}

static void flows_that_go_on_have_an_event_of_their_own(void **state)
{
	(void)state;
	struct flow_record record = sample();
	record.is_progress = true;
	record.reason = REASON_NONE;
	const char *line = format_flow(&record, CONFIG_LOG_JSON);
	assert_non_null(strstr(line, "\"event\":\"flow_progress\""));
	assert_non_null(strstr(line, "\"reason\":\"none\""));
}

/* No text can end its line, whatever bytes it has, so it cannot be another field. */
static void journal_fields_are_lines(void **state)
{
	(void)state;
	struct record_line line;
	const struct record_field fields[] = { record_text("pool", "web"), record_number("after_ms", 5),
					       record_boolean("is_last", true),
					       record_text("cause", "a\nPRIORITY=0\r \"b\" \\ \xff\xc3\xbc") };
	record_format_event(&(struct record_event){ time_us, "server_down", fields, 4 }, RECORD_FORM_JOURNAL, &line);
	line.text[line.len] = '\0';
	assert_string_equal(line.text,
			    "STRAIT_EVENT=server_down\nSTRAIT_POOL=web\nSTRAIT_AFTER_MS=5\nSTRAIT_IS_LAST=true\n"
			    "STRAIT_CAUSE=a\\nPRIORITY=0\\r \"b\" \\\\ \\u00ff\xc3\xbc\n");
	for (int byte = 1; byte < 256; byte++) {
		const char text[] = { 'x', (char)byte, 'y', '\0' };
		const struct record_field field = record_text("name", text);
		record_format_event(&(struct record_event){ time_us, "test", &field, 1 }, RECORD_FORM_JOURNAL, &line);
		assert_memory_equal(line.text, "STRAIT_EVENT=test\nSTRAIT_NAME=x", 31);
		assert_ptr_equal(memchr(line.text + 18, '\n', line.len - 18), line.text + line.len - 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_has_all_keys_in_order),
		cmocka_unit_test(text_has_the_same_facts),
		cmocka_unit_test(what_is_not_known_is_empty),
		cmocka_unit_test(tried_servers_are_a_list),
		cmocka_unit_test(unix_server_is_named_by_its_path),
		cmocka_unit_test(numbers_keep_all_their_digits),
		cmocka_unit_test(json_escapes),
		cmocka_unit_test(text_cannot_be_forged),
		cmocka_unit_test(every_single_byte_gives_one_valid_line),
		cmocka_unit_test(long_texts_are_cut),
		cmocka_unit_test(fields_that_do_not_fit_are_left_out),
		cmocka_unit_test(events_have_typed_fields),
		cmocka_unit_test(sampled_records_say_so),
		cmocka_unit_test(flows_that_go_on_have_an_event_of_their_own),
		cmocka_unit_test(journal_fields_are_lines),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
