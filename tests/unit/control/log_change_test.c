/* SPDX-License-Identifier: Apache-2.0 */
/* The sinks of the log writer change while it writes. */
#include "control/log_writer.h"

#include "base/clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum {
	WAIT_MS_MAX = 10000,
	PIPE_BYTES = 4096,
	RING_BYTES = 1 << 20,
	CHANGES = 60,
	RECORDS_PER_CHANGE = 2000, /* at most, however long a change takes: a file of them all can be read whole */
	RECORDS_MAX = CHANGES * RECORDS_PER_CHANGE,
};

static char directory[] = "/tmp/log_change_test.XXXXXX";
static char one[64];
static char two[64];
static char moved[64];
static int saved_stderr = -1;

static struct config_log to_stderr(enum config_log_format format)
{
	return (struct config_log){ .sink = CONFIG_LOG_STDERR, .format = format, .level = CONFIG_LEVEL_INFO };
}

static struct config_log to_file(const char *file, enum config_log_format format, enum config_log_level level)
{
	return (struct config_log){ .sink = CONFIG_LOG_FILE, .path = file, .format = format, .level = level };
}

static struct config_log json_to(const char *file)
{
	return to_file(file, CONFIG_LOG_JSON, CONFIG_LEVEL_INFO);
}

static struct log_writer *open_log(struct config_log only)
{
	struct config config = { .logs = &only, .log_count = 1 };
	const struct config_log *failed = NULL;
	struct log_writer *log = NULL;
	assert_int_equal(log_writer_new(&config, &log, &failed), 0);
	return log;
}

static struct log_sink_set *prepare(struct log_writer *log, struct config_log *logs, size_t count)
{
	struct config config = { .logs = logs, .log_count = count };
	const struct config_log *failed = NULL;
	struct log_sink_set *change = NULL;
	int result = log_writer_prepare(log, &config, &change, &failed);
	/* Under a sanitizer the writer may be far behind. */
	for (int i = 0; i < WAIT_MS_MAX && result == -EBUSY; i++) {
		usleep(1000);
		result = log_writer_prepare(log, &config, &change, &failed);
	}
	assert_int_equal(result, 0);
	return change;
}

static void change_to(struct log_writer *log, struct config_log only)
{
	log_writer_commit(log, prepare(log, &only, 1));
}

static void end(struct log_writer **log)
{
	log_writer_stop(*log);
	log_writer_free(log);
}

static char *read_file(const char *file)
{
	static char text[1 << 26];
	FILE *in = fopen(file, "re");
	size_t len = in != NULL ? fread(text, 1, sizeof(text) - 1, in) : 0;
	if (in != NULL)
		fclose(in);
	text[len] = '\0';
	return text;
}

static bool has_text(const char *file, const char *text)
{
	return strstr(read_file(file), text) != NULL;
}

static void wait_for_text(const char *file, const char *text)
{
	for (int i = 0; i < WAIT_MS_MAX / 10 && !has_text(file, text); i++)
		usleep(10000);
	assert_true(has_text(file, text));
}

static int count_descriptors(void)
{
	int count = 0;
	DIR *all = opendir("/proc/self/fd");
	while (readdir(all) != NULL)
		count++;
	closedir(all);
	return count;
}

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

static int set_up(void **state)
{
	(void)state;
	unlink(one);
	unlink(two);
	unlink(moved);
	return 0;
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

static void each_event_goes_to_the_sinks_of_its_time(void **state)
{
	(void)state;
	struct log_writer *log = open_log(json_to(one));
	log_event(log, CONFIG_LEVEL_INFO, "first");
	change_to(log, json_to(two));
	log_event(log, CONFIG_LEVEL_INFO, "second");
	change_to(log, to_file(one, CONFIG_LOG_TEXT, CONFIG_LEVEL_INFO));
	log_event(log, CONFIG_LEVEL_INFO, "third");
	end(&log);
	assert_true(has_text(one, "\"event\":\"first\"}\n"));
	assert_true(has_text(one, " third\n"));
	assert_false(has_text(one, "second"));
	assert_true(has_text(two, "\"event\":\"second\"}\n"));
	assert_false(has_text(two, "first") || has_text(two, "third"));
}

static void a_kept_sink_keeps_its_open_file(void **state)
{
	(void)state;
	struct log_writer *log = open_log(json_to(one));
	log_writer_start(log);
	log_event(log, CONFIG_LEVEL_INFO, "first");
	wait_for_text(one, "first");
	rename(one, moved);
	int descriptors = count_descriptors();
	change_to(log, to_file(one, CONFIG_LOG_TEXT, CONFIG_LEVEL_WARNING));
	log_event(log, CONFIG_LEVEL_INFO, "quiet");
	log_event(log, CONFIG_LEVEL_WARNING, "second");
	wait_for_text(moved, " second\n");
	assert_int_equal(count_descriptors(), descriptors);
	end(&log);
	assert_false(has_text(moved, "quiet"));
	assert_int_equal(access(one, F_OK), -1);
}

static void the_same_again_is_no_change(void **state)
{
	(void)state;
	struct config_log same = json_to(one);
	struct log_writer *log = open_log(same);
	assert_null(prepare(log, &same, 1));
	log_writer_commit(log, NULL);
	log_writer_abandon(log, NULL);
	end(&log);
}

static void a_file_that_cannot_be_opened_changes_nothing(void **state)
{
	(void)state;
	struct log_writer *log = open_log(json_to(one));
	int descriptors = count_descriptors();
	struct config_log logs[] = { json_to(two), json_to("/nowhere/at/all"), to_stderr(CONFIG_LOG_TEXT) };
	struct config config = { .logs = logs, .log_count = 3 };
	struct log_sink_set *change = NULL;
	const struct config_log *failed = NULL;
	assert_int_equal(log_writer_prepare(log, &config, &change, &failed), -ENOENT);
	assert_ptr_equal(failed, &logs[1]);
	assert_null(change);
	assert_int_equal(count_descriptors(), descriptors);
	log_event(log, CONFIG_LEVEL_INFO, "still_here");
	end(&log);
	assert_true(has_text(one, "still_here"));
	assert_false(has_text(two, "still_here"));
}

static void an_abandoned_change_changes_nothing(void **state)
{
	(void)state;
	struct log_writer *log = open_log(json_to(one));
	int descriptors = count_descriptors();
	struct config_log logs[] = { json_to(two), json_to(one) };
	struct log_sink_set *change = prepare(log, logs, 2);
	assert_int_equal(count_descriptors(), descriptors + 1);
	log_writer_abandon(log, change);
	assert_int_equal(count_descriptors(), descriptors);
	log_event(log, CONFIG_LEVEL_INFO, "still_here");
	end(&log);
	assert_true(has_text(one, "still_here"));
	assert_false(has_text(two, "still_here"));
}

static void the_wish_for_records_follows(void **state)
{
	(void)state;
	struct log_writer *log = open_log(to_file(one, CONFIG_LOG_JSON, CONFIG_LEVEL_WARNING));
	assert_false(log_writer_wants_flows(log));
	change_to(log, json_to(one));
	assert_true(log_writer_wants_flows(log));
	change_to(log, to_file(two, CONFIG_LOG_JSON, CONFIG_LEVEL_ERROR));
	assert_false(log_writer_wants_flows(log));
	end(&log);
}

static void removed_sinks_are_closed(void **state)
{
	(void)state;
	struct log_writer *log = open_log(json_to(one));
	log_writer_start(log);
	int descriptors = count_descriptors();
	for (int i = 0; i < 100; i++) {
		change_to(log, json_to(i % 2 == 0 ? two : one));
		log_event(log, CONFIG_LEVEL_INFO, "changed", record_number("number", (uint64_t)i));
		char line[64];
		snprintf(line, sizeof(line), "\"number\":%d}", i);
		wait_for_text(i % 2 == 0 ? two : one, line);
	}
	assert_int_equal(count_descriptors(), descriptors);
	end(&log);
}

static void changes_do_not_wait_for_a_writer_that_hangs(void **state)
{
	(void)state;
	/* One that was never started hangs, too. */
	struct log_writer *log = open_log(json_to(one));
	for (int i = 0; i < LOG_CHANGES_WAITING_MAX; i++) {
		log_event(log, CONFIG_LEVEL_INFO, i % 2 == 0 ? "in_one" : "in_two");
		change_to(log, json_to(i % 2 == 0 ? two : one));
	}
	int descriptors = count_descriptors();
	struct config_log another = json_to(two);
	struct config config = { .logs = &another, .log_count = 1 };
	struct log_sink_set *change = NULL;
	const struct config_log *failed = &another;
	assert_int_equal(log_writer_prepare(log, &config, &change, &failed), -EBUSY);
	assert_null(failed);
	assert_null(change);
	assert_int_equal(count_descriptors(), descriptors);
	another = json_to(one);
	assert_int_equal(log_writer_prepare(log, &config, &change, &failed), 0);
	assert_null(change);
	end(&log);
	assert_true(has_text(one, "in_one") && !has_text(one, "in_two"));
	assert_true(has_text(two, "in_two") && !has_text(two, "in_one"));
}

static void reopening_meets_the_sinks_that_are_about_to_come(void **state)
{
	(void)state;
	struct log_writer *log = open_log(json_to(one));
	change_to(log, json_to(two));
	rename(two, moved);
	log_writer_reopen(log);
	log_writer_start(log);
	wait_for_text(two, "log_reopened");
	log_event(log, CONFIG_LEVEL_INFO, "after");
	wait_for_text(two, "after");
	end(&log);
	assert_false(has_text(moved, "after"));
}

/* --- a stuck sink ------------------------------------------------------------------------------------------------ */

static void put_events(struct log_writer *log, int first, int count)
{
	for (int i = first; i < first + count; i++)
		log_event(log, CONFIG_LEVEL_INFO, "counted", record_number("number", (uint64_t)i));
}

static uint64_t dropped_by(const struct log_writer *log, const char *name)
{
	struct log_writer_place place;
	for (size_t i = 0; log_writer_read_place(log, i, &place); i++)
		if (strcmp(place.name, name) == 0)
			return place.dropped;
	return 0;
}

static void a_stuck_sink_that_is_removed_is_given_up(void **state)
{
	(void)state;
	int reader = replace_stderr();
	int descriptors = count_descriptors();
	struct log_writer *log = open_log(to_stderr(CONFIG_LOG_JSON));
	log_writer_start(log);
	put_events(log, 0, 200);
	uint64_t begun_ms = clock_monotonic_ms();
	change_to(log, json_to(two));
	log_event(log, CONFIG_LEVEL_INFO, "not_held_up");
	wait_for_text(two, "not_held_up");
	assert_int_equal(log_writer_dropped(log), 0);
	for (int i = 0; i < WAIT_MS_MAX && dropped_by(log, "removed") == 0; i++)
		usleep(1000);
	assert_true(clock_monotonic_ms() - begun_ms >= LOG_STOP_MS);
	assert_in_range(dropped_by(log, "removed"), 100, 199);
	assert_int_equal(log_writer_dropped(log), dropped_by(log, "removed"));
	end(&log);
	assert_int_equal(count_descriptors(), descriptors);
	close(reader);
}

static void a_sink_that_comes_back_waits_for_its_own_past(void **state)
{
	(void)state;
	static char text[1 << 20];
	int reader = replace_stderr();
	struct log_writer *log = open_log(to_stderr(CONFIG_LOG_JSON));
	log_writer_start(log);
	put_events(log, 0, 150);
	change_to(log, json_to(two));
	put_events(log, 150, 1);
	wait_for_text(two, "\"number\":150}");
	change_to(log, to_stderr(CONFIG_LOG_JSON));
	put_events(log, 151, 100);
	size_t len = 0;
	for (int i = 0; i < 250; len++) {
		assert_int_equal(read(reader, text + len, 1), 1);
		i += text[len] == '\n';
	}
	text[len] = '\0';
	int number = 0;
	for (const char *at = text; (at = strstr(at, "\"number\":")) != NULL; at++, number++)
		assert_int_equal(strtol(at + 9, NULL, 10), number < 150 ? number : number + 1);
	assert_int_equal(number, 250);
	assert_int_equal(log_writer_dropped(log), 0);
	end(&log);
	close(reader);
}

/* --- under load -------------------------------------------------------------------------------------------------- */

struct load {
	struct log_writer *log;
	struct ring ring;
	_Atomic bool writes_records;
	_Atomic bool is_idle; /* has seen that no records are wanted */
	_Atomic bool is_over;
	_Atomic uint64_t put_count;
	_Atomic uint64_t put_max; /* how far it may go; see let_put */
};

/* As a worker does it; what it puts while records are wanted has the ids 1, 2, 3, ... */
static void *produce(void *argument)
{
	struct load *load = argument;
	static struct flow_record record;
	while (!atomic_load(&load->is_over)) {
		bool is_idle = !atomic_load_explicit(&load->writes_records, memory_order_acquire);
		atomic_store(&load->is_idle, is_idle);
		if (is_idle)
			continue;
		if (load->put_count == load->put_max) {
			usleep(50);
			continue;
		}
		record.id = ++load->put_count;
		while (!ring_put(&load->ring, &record, flow_record_bytes(&record)))
			usleep(100);
		log_writer_wake(load->log);
		if (load->put_count % 64 == 0)
			usleep(50);
	}
	return NULL;
}

/* The producer may put so many more, and has put one of them when this returns: it has seen that records are wanted. */
static void let_put(struct load *load)
{
	uint64_t before = load->put_count;
	load->put_max += RECORDS_PER_CHANGE;
	while (load->put_count == before)
		usleep(100);
}

static size_t count_ids(const char *file, uint8_t *seen)
{
	size_t count = 0;
	/* Line by line: the address sanitizer measures the whole of a text for each search in it. */
	char *rest = read_file(file);
	for (const char *line; (line = strsep(&rest, "\n")) != NULL;) {
		const char *id = strstr(line, line[0] == '{' ? "\"id\":\"" : " id=");
		if (id == NULL)
			continue;
		uint64_t number = strtoull(id + (line[0] == '{' ? 6 : 4), NULL, 16);
		assert_in_range(number, 1, RECORDS_MAX);
		assert_int_equal(seen[number], 0);
		seen[number] = 1;
		count++;
	}
	return count;
}

static void every_record_is_written_once(void **state)
{
	(void)state;
	static uint8_t seen[RECORDS_MAX + 1];
	struct load load = { .log = open_log(json_to(one)), .writes_records = true };
	pthread_t producer;
	ring_init(&load.ring, RING_BYTES);
	log_writer_add_ring(load.log, &load.ring);
	log_writer_start(load.log);
	pthread_create(&producer, NULL, produce, &load);
	for (int i = 0; i < CHANGES; i++) {
		let_put(&load);
		usleep(5000);
		struct config_log next =
			to_file(i % 2 == 0 ? two : one, (enum config_log_format)(i / 2 % 2), CONFIG_LEVEL_INFO);
		change_to(load.log, next);
		log_event(load.log, CONFIG_LEVEL_INFO, "changed");
	}
	atomic_store(&load.is_over, true);
	pthread_join(producer, NULL);
	log_writer_stop(load.log);
	assert_int_equal(log_writer_dropped(load.log) - load.ring.dropped, 0);
	log_writer_free(&load.log);
	ring_done(&load.ring);
	size_t in_one = count_ids(one, seen);
	size_t in_two = count_ids(two, seen);
	assert_int_equal(in_one + in_two, load.put_count);
	assert_true(in_one > 0 && in_two > 0);
}

/* No record is given to sinks that do not want it when it was written for those that come. */
static void no_record_comes_too_early(void **state)
{
	(void)state;
	static uint8_t seen[RECORDS_MAX + 1];
	struct load load = { .log = open_log(to_file(one, CONFIG_LOG_JSON, CONFIG_LEVEL_WARNING)) };
	pthread_t producer;
	ring_init(&load.ring, RING_BYTES);
	log_writer_add_ring(load.log, &load.ring);
	log_writer_start(load.log);
	pthread_create(&producer, NULL, produce, &load);
	for (int i = 0; i < CHANGES; i++) {
		change_to(load.log, json_to(one));
		atomic_store_explicit(&load.writes_records, true, memory_order_release);
		let_put(&load);
		usleep(1000);
		atomic_store_explicit(&load.writes_records, false, memory_order_release);
		while (!atomic_load(&load.is_idle))
			usleep(100);
		change_to(load.log, to_file(one, CONFIG_LOG_JSON, CONFIG_LEVEL_WARNING));
		usleep((useconds_t)(i * 200));
	}
	atomic_store(&load.is_over, true);
	pthread_join(producer, NULL);
	end(&load.log);
	ring_done(&load.ring);
	assert_true(load.put_count > 0);
	assert_int_equal(count_ids(one, seen), load.put_count);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	if (mkdtemp(directory) == NULL)
		return 1;
	snprintf(one, sizeof(one), "%s/one", directory);
	snprintf(two, sizeof(two), "%s/two", directory);
	snprintf(moved, sizeof(moved), "%s/moved", directory);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_event_goes_to_the_sinks_of_its_time, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_kept_sink_keeps_its_open_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_same_again_is_no_change, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_file_that_cannot_be_opened_changes_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_abandoned_change_changes_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_wish_for_records_follows, set_up, tear_down),
		cmocka_unit_test_setup_teardown(removed_sinks_are_closed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(changes_do_not_wait_for_a_writer_that_hangs, set_up, tear_down),
		cmocka_unit_test_setup_teardown(reopening_meets_the_sinks_that_are_about_to_come, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_stuck_sink_that_is_removed_is_given_up, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_sink_that_comes_back_waits_for_its_own_past, set_up, tear_down),
		cmocka_unit_test_setup_teardown(every_record_is_written_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_record_comes_too_early, set_up, tear_down),
	};
	int failed_count = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(one);
	unlink(two);
	unlink(moved);
	rmdir(directory);
	return failed_count;
}
