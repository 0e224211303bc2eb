/* SPDX-License-Identifier: Apache-2.0 */
#include "control/log_writer.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum {
	WAIT_MS_MAX = 5000,
	PIPE_BYTES = 4096,
	FLOOD = 8000, /* records: more than pipe, sink buffer and ring hold together */
	RING_BYTES = 1 << 20,
};

static char directory[] = "/tmp/log_writer_test.XXXXXX";
static char path[64];
static char moved_path[64];

static struct config_log to_stderr(enum config_log_format format)
{
	return (struct config_log){ .sink = CONFIG_LOG_STDERR, .format = format, .level = CONFIG_LEVEL_INFO };
}

static struct config_log to_file(const char *file, enum config_log_level level)
{
	return (struct config_log){ .sink = CONFIG_LOG_FILE, .path = file, .format = CONFIG_LOG_JSON, .level = level };
}

static struct log_writer *open_log(struct config_log *logs, size_t count)
{
	struct config config = { .logs = logs, .log_count = count };
	const struct config_log *failed = NULL;
	struct log_writer *log = NULL;
	assert_int_equal(log_writer_new(&config, &log, &failed), 0);
	return log;
}

/* While it is replaced; -1: it is not. */
static int saved_stderr = -1;

/* Makes stderr a pipe of the smallest size until the test is over; returns the end to read from. */
static int replace_stderr(void)
{
	int ends[2];
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES);
	saved_stderr = dup(STDERR_FILENO);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	return ends[0];
}

static int tear_down(void **state)
{
	(void)state;
	if (saved_stderr >= 0) {
		dup2(saved_stderr, STDERR_FILENO);
		close(saved_stderr);
	}
	saved_stderr = -1;
	return 0;
}

static char *read_file(const char *file)
{
	static char text[1 << 24];
	FILE *in = fopen(file, "re");
	if (in == NULL)
		return "";
	size_t len = fread(text, 1, sizeof(text) - 1, in);
	fclose(in);
	text[len] = '\0';
	return text;
}

static size_t count_lines(const char *text)
{
	size_t count = 0;
	for (; (text = strchr(text, '\n')) != NULL; text++)
		count++;
	return count;
}

static void wait_for_text(const char *file, const char *text)
{
	for (int i = 0; i < WAIT_MS_MAX / 10 && strstr(read_file(file), text) == NULL; i++)
		usleep(10000);
	assert_non_null(strstr(read_file(file), text));
}

static void wait_for_lines(const char *file, size_t count)
{
	for (int i = 0; i < WAIT_MS_MAX && count_lines(read_file(file)) < count; i++)
		usleep(1000);
	assert_int_equal(count_lines(read_file(file)), count);
}

static void put_records(struct log_writer *log, struct ring *ring, size_t count)
{
	static struct flow_record record;
	for (size_t i = 0; i < count; i++) {
		record.id++;
		while (!ring_put(ring, &record, flow_record_bytes(&record)))
			usleep(100);
		log_writer_wake(log);
	}
}

/* Every line begins and ends as a record does. */
static void check_lines(char *text)
{
	for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
		assert_memory_equal(line, "{\"ts\":", 6);
		assert_int_equal(line[strlen(line) - 1], '}');
	}
}

static int set_up(void **state)
{
	(void)state;
	unlink(path);
	unlink(moved_path);
	return 0;
}

static void writes_events_and_records(void **state)
{
	(void)state;
	struct config_log logs[] = { to_file(path, CONFIG_LEVEL_INFO) };
	struct log_writer *log = open_log(logs, 1);
	struct ring ring;
	ring_init(&ring, RING_BYTES);
	log_writer_add_ring(log, &ring);
	assert_true(log_writer_wants_flows(log));
	log_event(log, CONFIG_LEVEL_INFO, "before_start");
	assert_int_equal(log_writer_start(log), 0);
	put_records(log, &ring, 1);
	log_event(log, CONFIG_LEVEL_WARNING, "server_down", record_text("pool", "web"), record_number("after_ms", 3));
	wait_for_text(path, "\"event\":\"server_down\",\"pool\":\"web\",\"after_ms\":3}");
	wait_for_text(path, "before_start");
	wait_for_text(path, "flow_end");
	put_records(log, &ring, 1000);
	log_writer_stop(log);
	assert_int_equal(count_lines(read_file(path)), 1003);
	assert_int_equal(log_writer_dropped(log), 0);
	log_writer_free(&log);
	assert_null(log);
	ring_done(&ring);
}

static void stop_without_start_writes_what_is_there(void **state)
{
	(void)state;
	struct config_log logs[] = { to_file(path, CONFIG_LEVEL_INFO) };
	struct log_writer *log = open_log(logs, 1);
	log_event(log, CONFIG_LEVEL_ERROR, "start_failed");
	log_writer_stop(log);
	log_writer_free(&log);
	assert_non_null(strstr(read_file(path), "start_failed"));
}

static void levels_filter(void **state)
{
	(void)state;
	struct config_log logs[] = { to_file(path, CONFIG_LEVEL_WARNING) };
	struct log_writer *log = open_log(logs, 1);
	assert_false(log_writer_wants_flows(log));
	log_event(log, CONFIG_LEVEL_ERROR, "error");
	log_event(log, CONFIG_LEVEL_WARNING, "warning");
	log_event(log, CONFIG_LEVEL_INFO, "info");
	log_event(log, CONFIG_LEVEL_DEBUG, "debug");
	log_writer_stop(log);
	log_writer_free(&log);
	assert_int_equal(count_lines(read_file(path)), 2);
	assert_null(strstr(read_file(path), "info"));
}

static void no_log_is_no_harm(void **state)
{
	(void)state;
	struct log_writer *log = NULL;
	log_event(log, CONFIG_LEVEL_ERROR, "nothing");
	log_writer_stop(log);
	log_writer_free(&log);
}

static void a_file_that_cannot_be_opened_is_named(void **state)
{
	(void)state;
	struct config_log logs[] = { to_stderr(CONFIG_LOG_TEXT), to_file("/nowhere/at/all", CONFIG_LEVEL_INFO) };
	struct config config = { .logs = logs, .log_count = 2 };
	struct log_writer *log = NULL;
	const struct config_log *failed = NULL;
	assert_int_equal(log_writer_new(&config, &log, &failed), -ENOENT);
	assert_ptr_equal(failed, &logs[1]);
	assert_null(log);
}

static void a_blocked_pipe_does_not_stop_a_file(void **state)
{
	(void)state;
	int reader = replace_stderr();
	struct config_log logs[] = { to_stderr(CONFIG_LOG_JSON), to_file(path, CONFIG_LEVEL_INFO) };
	struct log_writer *log = open_log(logs, 2);
	struct log_writer_place place;
	struct ring ring;
	ring_init(&ring, RING_BYTES);
	log_writer_add_ring(log, &ring);
	log_writer_start(log);
	/* put_records waits for the ring, so it ends only if the writer goes on. */
	put_records(log, &ring, FLOOD);
	wait_for_lines(path, FLOOD);
	assert_true(log_writer_read_place(log, 1, &place));
	assert_string_equal(place.name, "stderr");
	assert_true(place.dropped > FLOOD / 2);
	assert_true(log_writer_read_place(log, 2, &place));
	assert_string_equal(place.name, path);
	assert_int_equal(place.dropped, 0);
	assert_false(log_writer_read_place(log, 3, &place));
	/* Stopping gives up on the pipe in bounded time, and counts what was left. */
	uint64_t start_ms = clock_monotonic_ms();
	log_writer_stop(log);
	assert_in_range(clock_monotonic_ms() - start_ms, LOG_STOP_MS, 4 * LOG_STOP_MS);
	log_writer_free(&log);
	ring_done(&ring);
	close(reader);
}

static void a_reader_that_comes_back_gets_whole_lines(void **state)
{
	(void)state;
	static char text[1 << 22];
	struct log_writer_place place;
	int reader = replace_stderr();
	struct config_log logs[] = { to_stderr(CONFIG_LOG_JSON) };
	struct log_writer *log = open_log(logs, 1);
	struct ring ring;
	ring_init(&ring, RING_BYTES);
	log_writer_add_ring(log, &ring);
	log_writer_start(log);
	put_records(log, &ring, FLOOD);
	fcntl(reader, F_SETFL, O_NONBLOCK);
	/* Until each record has been written or counted. */
	size_t len = 0;
	size_t lines = 0;
	uint64_t deadline_ms = clock_monotonic_ms() + WAIT_MS_MAX;
	do {
		ssize_t bytes = read(reader, text + len, sizeof(text) - 1 - len);
		size_t more = bytes > 0 ? (size_t)bytes : 0;
		text[len + more] = '\0';
		lines += count_lines(text + len);
		len += more;
		usleep(more > 0 ? 0 : 1000);
		assert_true(log_writer_read_place(log, 1, &place));
	} while (lines + place.dropped < FLOOD && clock_monotonic_ms() < deadline_ms);
	log_writer_stop(log);
	log_writer_free(&log);
	ring_done(&ring);
	close(reader);
	/* The rings' own count does not matter here: put_records tries again. */
	assert_int_equal(count_lines(text) + place.dropped, FLOOD);
	assert_true(count_lines(text) > 100);
	check_lines(text);
}

static void stderr_without_a_reader_is_counted(void **state)
{
	(void)state;
	int reader = replace_stderr();
	struct config_log logs[] = { to_stderr(CONFIG_LOG_TEXT) };
	struct log_writer *log = open_log(logs, 1);
	log_writer_start(log);
	close(reader);
	log_event(log, CONFIG_LEVEL_INFO, "unread");
	log_event(log, CONFIG_LEVEL_INFO, "unread");
	log_writer_stop(log);
	assert_int_equal(log_writer_dropped(log), 2);
	log_writer_free(&log);
}

static void stderr_stays_as_it_was_for_others(void **state)
{
	(void)state;
	int reader = replace_stderr();
	struct config_log logs[] = { to_stderr(CONFIG_LOG_TEXT) };
	struct log_writer *log = open_log(logs, 1);
	assert_int_equal(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK, 0);
	log_writer_free(&log);
	assert_int_not_equal(fcntl(STDERR_FILENO, F_GETFD), -1);
	close(reader);
}

static void a_full_disk_is_counted(void **state)
{
	(void)state;
	struct config_log logs[] = { to_file("/dev/full", CONFIG_LEVEL_INFO), to_file(path, CONFIG_LEVEL_INFO) };
	struct log_writer *log = open_log(logs, 2);
	struct log_writer_place place;
	log_writer_start(log);
	for (int i = 0; i < 10; i++)
		log_event(log, CONFIG_LEVEL_INFO, "lost");
	log_writer_stop(log);
	assert_true(log_writer_read_place(log, 1, &place));
	assert_int_equal(place.dropped, 10);
	assert_int_equal(log_writer_dropped(log), 10);
	log_writer_free(&log);
	assert_int_equal(count_lines(read_file(path)), 10);
}

static void reopen_follows_the_name(void **state)
{
	(void)state;
	struct config_log logs[] = { to_file(path, CONFIG_LEVEL_INFO) };
	struct log_writer *log = open_log(logs, 1);
	log_writer_start(log);
	log_event(log, CONFIG_LEVEL_INFO, "first");
	wait_for_text(path, "first");
	assert_int_equal(rename(path, moved_path), 0);
	log_event(log, CONFIG_LEVEL_INFO, "second");
	wait_for_text(moved_path, "second");
	log_writer_reopen(log);
	wait_for_text(path, "log_reopened");
	log_event(log, CONFIG_LEVEL_INFO, "third");
	wait_for_text(path, "third");
	log_writer_stop(log);
	log_writer_free(&log);
	assert_null(strstr(read_file(moved_path), "third"));
}

static void a_failed_reopen_keeps_the_old_file(void **state)
{
	(void)state;
	int reader = replace_stderr();
	struct config_log logs[] = { to_file(path, CONFIG_LEVEL_INFO) };
	struct log_writer *log = open_log(logs, 1);
	log_writer_start(log);
	assert_int_equal(rename(path, moved_path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	log_writer_reopen(log);
	wait_for_text(moved_path, "log_reopen_failed");
	log_event(log, CONFIG_LEVEL_INFO, "still_here");
	wait_for_text(moved_path, "still_here");
	log_writer_stop(log);
	log_writer_free(&log);
	rmdir(path);
	/* stderr is no sink, but is told. */
	char text[512] = "";
	assert_true(read(reader, text, sizeof(text) - 1) > 0);
	assert_non_null(strstr(text, " log_reopen_failed path="));
	close(reader);
}

static void both_formats_at_once(void **state)
{
	(void)state;
	int reader = replace_stderr();
	char text[512] = "";
	struct config_log logs[] = { to_stderr(CONFIG_LOG_TEXT), to_file(path, CONFIG_LEVEL_INFO) };
	struct log_writer *log = open_log(logs, 2);
	log_event(log, CONFIG_LEVEL_INFO, "hello", record_text("to", "the world"));
	log_writer_stop(log);
	log_writer_free(&log);
	assert_true(read(reader, text, sizeof(text) - 1) > 0);
	assert_non_null(strstr(text, " hello to=\"the world\"\n"));
	assert_non_null(strstr(read_file(path), "\"event\":\"hello\",\"to\":\"the world\"}\n"));
	close(reader);
}

/* Waking is by a flag: whatever the moment at which the writer falls asleep, no record stays lying. */
static void no_record_stays_lying(void **state)
{
	(void)state;
	struct config_log logs[] = { to_file(path, CONFIG_LEVEL_INFO) };
	struct log_writer *log = open_log(logs, 1);
	struct ring ring;
	ring_init(&ring, RING_BYTES);
	log_writer_add_ring(log, &ring);
	log_writer_start(log);
	for (uint64_t i = 1; i <= 100; i++) {
		put_records(log, &ring, 1);
		wait_for_lines(path, i);
		usleep((useconds_t)(i % 50) * 200);
	}
	log_writer_stop(log);
	log_writer_free(&log);
	ring_done(&ring);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	if (mkdtemp(directory) == NULL)
		return 1;
	snprintf(path, sizeof(path), "%s/strait.log", directory);
	snprintf(moved_path, sizeof(moved_path), "%s/strait.log.1", directory);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(writes_events_and_records, set_up, tear_down),
		cmocka_unit_test_setup_teardown(stop_without_start_writes_what_is_there, set_up, tear_down),
		cmocka_unit_test_setup_teardown(levels_filter, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_log_is_no_harm, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_file_that_cannot_be_opened_is_named, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_blocked_pipe_does_not_stop_a_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_reader_that_comes_back_gets_whole_lines, set_up, tear_down),
		cmocka_unit_test_setup_teardown(stderr_without_a_reader_is_counted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(stderr_stays_as_it_was_for_others, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_full_disk_is_counted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(reopen_follows_the_name, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_failed_reopen_keeps_the_old_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(both_formats_at_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_record_stays_lying, set_up, tear_down),
	};
	int failed_count = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	unlink(moved_path);
	rmdir(directory);
	return failed_count;
}
