/* SPDX-License-Identifier: Apache-2.0 */
/* Answers in one piece and byte by byte: both must be read alike. */
#include "net/http_response.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct http_response response;

static enum http_progress read_in_pieces(const char *method, struct span text, size_t piece_len, bool is_all)
{
	http_response_init(&response, method);
	for (size_t at = 0; at < text.len; at += piece_len) {
		size_t len = text.len - at < piece_len ? text.len - at : piece_len;
		http_response_feed(&response, (struct span){ text.data + at, len });
	}
	return is_all ? http_response_finish(&response) : response.progress;
}

/* Reads in one piece, byte by byte and in pieces of three; is_all: the connection ends behind it. */
static void reads(const char *method, const char *text, bool is_all, enum http_progress progress, const char *body)
{
	static const size_t piece_lens[] = { 1, 3, 1 << 20 };
	for (int i = 0; i < 3; i++) {
		struct span span = span_from_text(text);
		assert_int_equal(read_in_pieces(method, span, piece_lens[i], is_all), progress);
		if (progress == HTTP_MALFORMED) {
			assert_string_equal(response.problem, body);
			continue;
		}
		assert_int_equal(response.body_len, strlen(body));
		assert_memory_equal(response.body, body, strlen(body));
	}
}

static void refuses(const char *text, const char *problem)
{
	reads("GET", text, true, HTTP_MALFORMED, problem);
}

static void bodies_end_as_they_say(void **state)
{
	(void)state;
	reads("GET", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody", false, HTTP_WHOLE, "body");
	reads("GET", "HTTP/1.1 200 OK\r\ncontent-LENGTH:4 \t\r\n\r\nbody and more", false, HTTP_WHOLE, "body");
	reads("GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nbody", false, HTTP_BODY, "body");
	reads("GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, HTTP_WHOLE, "");
	reads("GET", "HTTP/1.1 200\r\n\r\nuntil the end", false, HTTP_BODY, "until the end");
	reads("GET", "HTTP/1.0 200 OK\r\n\r\nuntil the end", true, HTTP_WHOLE, "until the end");
	reads("GET", "HTTP/1.1 200 OK\r\nServer: x", false, HTTP_HEAD, "");
}

static void some_answers_have_no_body(void **state)
{
	(void)state;
	reads("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", false, HTTP_WHOLE, "");
	reads("GET", "HTTP/1.1 204 No Content\r\n\r\n", false, HTTP_WHOLE, "");
	reads("GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\n", false, HTTP_WHOLE, "");
}

static void status_is_told(void **state)
{
	(void)state;
	reads("GET", "HTTP/1.1 503 Service Unavailable\r\n\r\n", false, HTTP_BODY, "");
	assert_int_equal(response.status, 503);
}

static void interim_answers_are_passed_over(void **state)
{
	(void)state;
	reads("GET",
	      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\nContent-Length: 9\r\n\r\n"
	      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
	      false, HTTP_WHOLE, "ok");
	assert_int_equal(response.status, 200);
	refuses("HTTP/1.1 101 Switching Protocols\r\n\r\n", "another protocol was not asked for");
	refuses("HTTP/1.1 100 Continue\r\n\r\n", "the answer ended within its head");
}

#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"

static void chunks_are_put_together(void **state)
{
	(void)state;
	reads("GET", CHUNKED "3\r\nhea\r\n00004 ; name=\"value\"\r\nlthy\r\n0\r\n\r\n", false, HTTP_WHOLE, "healthy");
	reads("GET", CHUNKED "3\r\nhea\r\n", false, HTTP_BODY, "hea");
	reads("GET", CHUNKED "a\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n", false, HTTP_WHOLE, "0123456789");
	reads("GET", CHUNKED "A\r\n0123456789\r\n0\r\n", false, HTTP_BODY, "0123456789");
	refuses(CHUNKED "3\r\nhea\r\n", "the answer ended within its body");
	refuses(CHUNKED "3\r\nheal\r\n", "a chunk is longer than its size");
	refuses(CHUNKED "x\r\n", "the size of a chunk is no number");
	refuses(CHUNKED "\r\n", "the size of a chunk is no number");
	refuses(CHUNKED "-1\r\n", "the size of a chunk is no number");
	refuses(CHUNKED "3 4\r\n", "the size of a chunk is no number");
	refuses(CHUNKED "10000000000000000\r\n", "the size of a chunk is too large");
	refuses(CHUNKED "3\nhea\n", "a line does not end with CR LF");
	refuses(CHUNKED "0\r\nno field\r\n\r\n", "a line behind the body is no field");
	reads("GET", CHUNKED "ffffffffffffffff\r\nabc", false, HTTP_BODY, "abc");
}

static void what_is_not_http_is_refused(void **state)
{
	(void)state;
	refuses("SSH-2.0-OpenSSH_9.2\r\n", "the answer is not HTTP/1");
	refuses("HTTP/2 200\r\n\r\n", "the answer is not HTTP/1");
	refuses("HTTP/1.2 200 OK\r\n\r\n", "the answer is not HTTP/1");
	refuses("HTTP/1.1 20 OK\r\n\r\n", "the answer is not HTTP/1");
	refuses("HTTP/1.1 2000 OK\r\n\r\n", "the answer is not HTTP/1");
	refuses("HTTP/1.1  200 OK\r\n\r\n", "the answer is not HTTP/1");
	refuses("http/1.1 200 OK\r\n\r\n", "the answer is not HTTP/1");
	refuses("HTTP/1.1 000 OK\r\n\r\n", "there is no such status code");
	refuses("HTTP/1.1 600 OK\r\n\r\n", "there is no such status code");
	refuses("\r\nHTTP/1.1 200 OK\r\n\r\n", "the answer is not HTTP/1");
	refuses("", "the answer ended within its head");
}

static void fields_are_read_strictly(void **state)
{
	(void)state;
	refuses("HTTP/1.1 200 OK\r\nno field\r\n\r\n", "a line of the head is no field");
	refuses("HTTP/1.1 200 OK\r\nName : x\r\n\r\n", "a line of the head is no field");
	refuses("HTTP/1.1 200 OK\r\n: x\r\n\r\n", "a line of the head is no field");
	refuses("HTTP/1.1 200 OK\r\nA: x\r\n folded\r\n\r\n", "a line of the head is no field");
	refuses("HTTP/1.1 200 OK\r\nA: x\rB: y\r\n\r\n", "a line holds control characters");
	refuses("HTTP/1.1 200 OK\nA: x\n\n", "a line does not end with CR LF");
	reads("GET", "HTTP/1.1 200 OK\r\nA:\tx\xff\r\nB:\r\n\r\n", false, HTTP_BODY, "");
}

static void a_zero_byte_is_refused(void **state)
{
	(void)state;
	static const char text[] = "HTTP/1.1 200 OK\r\nA: \0\r\n\r\n";
	assert_int_equal(read_in_pieces("GET", (struct span){ text, sizeof(text) - 1 }, 7, true), HTTP_MALFORMED);
	assert_string_equal(response.problem, "a line holds control characters");
}

static void a_length_is_said_once(void **state)
{
	(void)state;
	static const char *const heads[] = {
		"Content-Length: \r\n",
		"Content-Length: -1\r\n",
		"Content-Length: +1\r\n",
		"Content-Length: 1 1\r\n",
		"Content-Length: 1, 1\r\n",
		"Content-Length: 0x1\r\n",
		"Content-Length: 18446744073709551616\r\n",
		"Content-Length: 1\r\nContent-Length: 1\r\n",
		"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
		"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n",
		"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
	};
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		char text[200];
		snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\n%s\r\n", heads[i]);
		refuses(text, "the length of the body is not clear");
	}
	refuses("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "the length of the body is not clear");
	refuses("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "the transfer coding was not asked for");
	refuses("HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n\r\n", "the transfer coding was not asked for");
}

/* A head whose last field has a value of that length. */
static char *text_with_field(size_t value_len)
{
	char *text = malloc(value_len + 100);
	assert_non_null(text);
	size_t len = (size_t)snprintf(text, 100, "HTTP/1.1 200 OK\r\nA: ");
	memset(text + len, 'x', value_len);
	memcpy(text + len + value_len, "\r\n\r\n", 5);
	return text;
}

static void heads_are_bounded(void **state)
{
	(void)state;
	char *fits = text_with_field(HTTP_LINE_BYTES_MAX - 5);
	char *long_line = text_with_field(HTTP_LINE_BYTES_MAX - 4);
	reads("GET", fits, false, HTTP_BODY, "");
	refuses(long_line, "the head is too long");
	free(fits);
	free(long_line);
	http_response_init(&response, "GET");
	http_response_feed(&response, span_from_text("HTTP/1.1 200 OK\r\n"));
	for (int i = 0; i < HTTP_HEAD_BYTES_MAX / 5 - 4; i++)
		assert_int_equal(http_response_feed(&response, span_from_text("A:x\r\n")), HTTP_HEAD);
	for (int i = 0; i < 10; i++)
		http_response_feed(&response, span_from_text("A:x\r\n"));
	assert_int_equal(response.progress, HTTP_MALFORMED);
	assert_string_equal(response.problem, "the head is too long");
}

static void endless_interim_answers_are_refused(void **state)
{
	(void)state;
	http_response_init(&response, "GET");
	for (int i = 0; i < HTTP_HEAD_BYTES_MAX / 10; i++)
		http_response_feed(&response, span_from_text("HTTP/1.1 100 Continue\r\n\r\n"));
	assert_string_equal(response.problem, "the head is too long");
}

static void only_the_beginning_of_a_body_is_kept(void **state)
{
	(void)state;
	http_response_init(&response, "GET");
	http_response_feed(&response, span_from_text("HTTP/1.1 200 OK\r\nContent-Length: 40000\r\n\r\n"));
	for (int i = 0; i < 3999; i++)
		assert_int_equal(http_response_feed(&response, span_from_text("0123456789")), HTTP_BODY);
	assert_int_equal(response.body_len, HTTP_BODY_BYTES_MAX);
	assert_int_equal(http_response_feed(&response, span_from_text("0123456789")), HTTP_WHOLE);
	assert_int_equal(response.body[HTTP_BODY_BYTES_MAX - 1], '0' + (HTTP_BODY_BYTES_MAX - 1) % 10);
}

/* Small chunks have more framing than a head may have bytes. */
static void many_small_chunks_are_fine(void **state)
{
	(void)state;
	http_response_init(&response, "GET");
	http_response_feed(&response, span_from_text(CHUNKED));
	for (int i = 0; i < HTTP_BODY_BYTES_MAX; i++)
		assert_int_equal(http_response_feed(&response, span_from_text("1\r\nx\r\n")), HTTP_BODY);
	assert_int_equal(response.body_len, HTTP_BODY_BYTES_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bodies_end_as_they_say),
		cmocka_unit_test(some_answers_have_no_body),
		cmocka_unit_test(status_is_told),
		cmocka_unit_test(interim_answers_are_passed_over),
		cmocka_unit_test(chunks_are_put_together),
		cmocka_unit_test(what_is_not_http_is_refused),
		cmocka_unit_test(fields_are_read_strictly),
		cmocka_unit_test(a_zero_byte_is_refused),
		cmocka_unit_test(a_length_is_said_once),
		cmocka_unit_test(heads_are_bounded),
		cmocka_unit_test(endless_interim_answers_are_refused),
		cmocka_unit_test(only_the_beginning_of_a_body_is_kept),
		cmocka_unit_test(many_small_chunks_are_fine),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
