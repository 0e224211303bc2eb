/* SPDX-License-Identifier: Apache-2.0 */
/* The socket sinks against listeners of the test's own, whose other end is read here. */
#include "control/log_sink.h"

#include "base/clock.h"
#include "base/fd.h"
#include "config/config_memory.h"
#include "config/log_target.h"
#include "control/log_sink_socket.h"
#include "control/record_format.h"

#include <arpa/inet.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

enum { WAIT_MS = 5000, GOT_BYTES = 1 << 20 };

static _Atomic uint64_t all_dropped;
static struct config_memory *memory;
static char socket_path[64];

static struct log_sink *open_sink(const char *target)
{
	struct config_log config = { 0 };
	char hint[LOG_TARGET_HINT_BYTES];
	struct log_sink *sink = NULL;
	assert_int_equal(log_target_parse(span_from_text(target), memory, &config, hint), 0);
	assert_int_equal(log_sink_open(&config, &all_dropped, &sink), 0);
	return sink;
}

static void put(struct log_sink *sink, enum config_log_level level, const char *name, const char *line)
{
	const struct log_message message = {
		.level = level,
		.realtime_us = INT64_C(1763879359266000),
		.name = name,
		.line = span_from_text(line),
		.journal = span_from_text("STRAIT_EVENT=x\n"),
	};
	log_sink_append(sink, &message);
}

static int bind_inet(int type, char *ret_target, const char *kind)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	getsockname(fd, (struct sockaddr *)&addr, &len);
	sprintf(ret_target, "syslog:%s:127.0.0.1:%u", kind, ntohs(addr.sin_port));
	return fd;
}

static int listen_inet(int type, char *ret_target, const char *kind)
{
	int fd = bind_inet(type, ret_target, kind);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 5), 0);
	return fd;
}

static int listen_unix(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	strcpy(addr.sun_path, socket_path);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	unlink(socket_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

static bool is_readable(int fd, int wait_ms)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	return poll(&pollfd, 1, wait_ms) == 1;
}

/* Flushes until the sink has written all, as the writer does. */
static void flush_all(struct log_sink *sink)
{
	uint64_t deadline_ms = clock_monotonic_ms() + WAIT_MS;
	log_sink_flush(sink);
	while (sink->has_unwritten && clock_monotonic_ms() < deadline_ms) {
		usleep(1000);
		log_sink_flush(sink);
	}
	assert_false(sink->has_unwritten);
}

/* Waits for a datagram, which must begin and end so. */
static void receives(int fd, const char *begin, const char *end)
{
	static char got[65536];
	assert_true(is_readable(fd, WAIT_MS));
	ssize_t len = recv(fd, got, sizeof(got) - 1, 0);
	assert_true(len >= (ssize_t)strlen(end));
	got[len] = '\0';
	assert_memory_equal(got, begin, strlen(begin));
	assert_string_equal(got + len - strlen(end), end);
}

static void syslog_messages_are_as_the_rfc_says(void **state)
{
	char target[64];
	char end[128];
	(void)state;
	int fd = listen_inet(SOCK_DGRAM, target, "udp");
	struct log_sink *sink = open_sink(target);
	assert_string_equal(sink->name, target);
	put(sink, CONFIG_LEVEL_WARNING, "server_down", "{\"a\":1}\n");
	put(sink, CONFIG_LEVEL_INFO, "flow_end", "flow_end id=1\n");
	put(sink, CONFIG_LEVEL_ERROR, "lost", "x\n");
	flush_all(sink);
	snprintf(end, sizeof(end), " strait %d server_down - {\"a\":1}", (int)getpid());
	receives(fd, "<28>1 2025-11-23T06:29:19.266Z ", end);
	snprintf(end, sizeof(end), " strait %d flow_end - flow_end id=1", (int)getpid());
	receives(fd, "<30>1 ", end);
	receives(fd, "<27>1 ", " - x");
	assert_int_equal(log_sink_dropped(sink), 0);
	log_sink_close(&sink);
	fd_close(&fd);
}

/* Nobody is there yet, then somebody, then another: what was written meanwhile arrives, in order. */
static void unix_socket_may_come_later_and_again(void **state)
{
	char target[96];
	(void)state;
	snprintf(target, sizeof(target), "syslog:unix:%s", socket_path);
	struct log_sink *sink = open_sink(target);
	put(sink, CONFIG_LEVEL_INFO, "a", "first\n");
	log_sink_flush(sink);
	assert_true(sink->is_blocked && sink->has_unwritten && sink->fd < 0);
	assert_true(sink->wake_ms > 0);
	int fd = listen_unix();
	flush_all(sink);
	receives(fd, "<30>1 ", " - first");
	fd_close(&fd);
	put(sink, CONFIG_LEVEL_INFO, "a", "second\n");
	log_sink_flush(sink);
	fd = listen_unix();
	put(sink, CONFIG_LEVEL_INFO, "a", "third\n");
	flush_all(sink);
	receives(fd, "<30>1 ", " - second");
	receives(fd, "<30>1 ", " - third");
	assert_int_equal(log_sink_dropped(sink), 0);
	log_sink_close(&sink);
	fd_close(&fd);
}

static void journal_gets_fields(void **state)
{
	char target[96];
	(void)state;
	int fd = listen_unix();
	snprintf(target, sizeof(target), "journald:%s", socket_path);
	struct log_sink *sink = open_sink(target);
	assert_true(sink->wants_journal);
	put(sink, CONFIG_LEVEL_WARNING, "server_down", "server_down pool=web\n");
	flush_all(sink);
	receives(fd, "PRIORITY=4\nSYSLOG_IDENTIFIER=strait\nMESSAGE=server_down pool=web\n", "\nSTRAIT_EVENT=x\n");
	log_sink_close(&sink);
	fd_close(&fd);
}

static void full_queue_drops_whole_messages(void **state)
{
	char target[96];
	char line[1001];
	(void)state;
	snprintf(target, sizeof(target), "syslog:unix:%s.nobody", socket_path);
	struct log_sink *sink = open_sink(target);
	memset(line, 'x', sizeof(line) - 2);
	memcpy(line + sizeof(line) - 2, "\n", 2);
	uint64_t before = all_dropped;
	for (int i = 0; i < 1000; i++)
		put(sink, CONFIG_LEVEL_INFO, "a", line);
	uint64_t dropped = log_sink_dropped(sink);
	assert_true(dropped > 400 && dropped < 600);
	assert_int_equal(all_dropped - before, dropped);
	log_sink_close(&sink);
	assert_int_equal(all_dropped - before, 1000);
}

/* --- TCP: frames are followed through connections that break anywhere ---------------------------------------------- */

/* Numbers of the frames in the bytes, which end on a frame's border or, when may_be_cut, anywhere. */
static size_t read_frames(const char *bytes, size_t len, bool may_be_cut, int *numbers)
{
	size_t count = 0;
	size_t at = 0;
	while (at < len) {
		int digits = 0;
		size_t frame_len = 0;
		if (memchr(bytes + at, ' ', len - at) == NULL)
			break;
		assert_int_equal(sscanf(bytes + at, "%zu %n", &frame_len, &digits), 1);
		if (at + (size_t)digits + frame_len > len)
			break;
		at += (size_t)digits;
		assert_memory_equal(bytes + at, "<30>1 ", 6);
		const char *hash = memchr(bytes + at, '#', frame_len);
		assert_non_null(hash);
		numbers[count++] = atoi(hash + 1);
		assert_int_equal(bytes[at + frame_len - 1], 'e');
		at += frame_len;
	}
	assert_true(may_be_cut || at == len);
	return count;
}

static size_t receive_some(int fd, char *bytes, size_t len, size_t wanted)
{
	while (len < wanted) {
		if (!is_readable(fd, 50))
			break;
		ssize_t got = recv(fd, bytes + len, wanted - len, 0);
		if (got <= 0)
			break;
		len += (size_t)got;
	}
	return len;
}

static void put_numbered(struct log_sink *sink, int *next, int count)
{
	enum { LINE_BYTES = 900 };
	char line[LINE_BYTES + 1];
	for (int end = *next + count; *next < end; (*next)++) {
		memset(line, 'e', sizeof(line));
		int len = snprintf(line, sizeof(line), "#%d ", *next);
		line[len] = 'e';
		line[LINE_BYTES - 1] = '\n';
		line[LINE_BYTES] = '\0';
		put(sink, CONFIG_LEVEL_INFO, "a", line);
	}
}

static void tcp_frames_survive_broken_connections(void **state)
{
	static char got[GOT_BYTES];
	static int numbers[4096];
	enum { FIRST_MESSAGES = 300, MORE_MESSAGES = 100, ROUNDS = 6 };
	char target[64];
	int last = 0;
	(void)state;
	int listener = listen_inet(SOCK_STREAM, target, "tcp");
	int small = 4096;
	setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	struct log_sink *sink = open_sink(target);
	put_numbered(sink, &last, FIRST_MESSAGES);
	/* Each connection takes a while, then resets in the middle of something; the last one takes all. */
	int highest = -1;
	for (int round = 0; round < ROUNDS; round++) {
		bool is_last = round == ROUNDS - 1;
		put_numbered(sink, &last, MORE_MESSAGES);
		uint64_t deadline_ms = clock_monotonic_ms() + WAIT_MS;
		while (!is_readable(listener, 1) && clock_monotonic_ms() < deadline_ms)
			log_sink_flush(sink);
		assert_true(is_readable(listener, 0));
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		size_t wanted = !is_last ? (size_t)(7000 + 3333 * round) : sizeof(got);
		size_t len = 0;
		for (int i = 0; i < 2000 && len < wanted && (!is_last || sink->has_unwritten || i < 20); i++) {
			log_sink_flush(sink);
			len = receive_some(fd, got, len, wanted);
		}
		for (size_t before = 0; is_last && before < len;) {
			before = len;
			usleep(200 * 1000);
			len = receive_some(fd, got, len, wanted);
		}
		size_t count = read_frames(got, len, !is_last, numbers);
		assert_true(count > 0);
		for (size_t i = 0; i < count; i++) {
			assert_true(numbers[i] > highest || i == 0);
			highest = numbers[i];
		}
		struct linger linger = { .l_onoff = 1 };
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
		fd_close(&fd);
	}
	assert_false(sink->has_unwritten);
	assert_int_equal(highest, last - 1);
	assert_int_equal(log_sink_dropped(sink), 0);
	log_sink_close(&sink);
	fd_close(&listener);
}

/* A server that has closed its end is not written to: the message goes over a new connection. */
static void tcp_server_may_restart(void **state)
{
	static char got[4096];
	static int numbers[8];
	char target[64];
	(void)state;
	int listener = listen_inet(SOCK_STREAM, target, "tcp");
	struct log_sink *sink = open_sink(target);
	for (int i = 0; i < 3; i++) {
		char line[32];
		snprintf(line, sizeof(line), "#%d e\n", i);
		put(sink, CONFIG_LEVEL_INFO, "a", line);
		flush_all(sink);
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		size_t len = receive_some(fd, got, 0, sizeof(got));
		assert_int_equal(read_frames(got, len, false, numbers), 1);
		assert_int_equal(numbers[0], i);
		fd_close(&fd);
	}
	log_sink_close(&sink);
	fd_close(&listener);
}

static void nobody_is_asked_too_often(void **state)
{
	char target[64];
	(void)state;
	/* Taken, so that nobody else can listen there. */
	int taken = bind_inet(SOCK_STREAM, target, "tcp");
	struct log_sink *sink = open_sink(target);
	put(sink, CONFIG_LEVEL_INFO, "a", "x\n");
	for (uint64_t pause_ms = SOCKET_RETRY_FIRST_MS; pause_ms <= 8 * SOCKET_RETRY_FIRST_MS; pause_ms *= 2) {
		uint64_t before_ms = sink->wake_ms;
		uint64_t deadline_ms = clock_monotonic_ms() + WAIT_MS;
		uint64_t asked_ms;
		do {
			usleep(1000);
			asked_ms = clock_monotonic_ms();
			log_sink_flush(sink);
		} while ((sink->fd >= 0 || sink->wake_ms == before_ms) && asked_ms < deadline_ms);
		assert_true(sink->fd < 0 && sink->wake_ms >= asked_ms + pause_ms);
	}
	log_sink_close(&sink);
	fd_close(&taken);
}

static int set_up(void **state)
{
	(void)state;
	memory = config_memory_new();
	snprintf(socket_path, sizeof(socket_path), "/tmp/log_sink_socket_test.%d", (int)getpid());
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(socket_path);
	config_memory_free(&memory);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(syslog_messages_are_as_the_rfc_says),
		cmocka_unit_test(unix_socket_may_come_later_and_again),
		cmocka_unit_test(journal_gets_fields),
		cmocka_unit_test(full_queue_drops_whole_messages),
		cmocka_unit_test(tcp_frames_survive_broken_connections),
		cmocka_unit_test(tcp_server_may_restart),
		cmocka_unit_test(nobody_is_asked_too_often),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
