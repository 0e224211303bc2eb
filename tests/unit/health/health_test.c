/* SPDX-License-Identifier: Apache-2.0 */
/* The whole of health over real sockets: pools made by hand, servers in the same loop, verdicts noted. */
#include "health/health.h"

#include "base/fd.h"
#include "health/health_fixture.h"
#include "health/program_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <cmocka.h>

enum { VERDICTS_MAX = 2000, POOLS_MAX = 3 };

static struct {
	struct fixture fixture;
	struct health *health;
	struct snapshot snapshot;
	struct pool *pools[POOLS_MAX];
	unsigned int verdict_count;
	unsigned int up_count;
	struct health_verdict verdicts[VERDICTS_MAX];
	char last_cause[64];
	uint64_t fd_count;
} test;

/* What the daemon does, too. */
static void note_verdict(void *owner, const struct health_verdict *verdict)
{
	assert_ptr_equal(owner, &test);
	assert_ptr_equal(verdict->pool, verdict->server->pool);
	assert_true(test.verdict_count < VERDICTS_MAX);
	if (verdict->is_up)
		atomic_fetch_and(&verdict->server->state, ~(uint32_t)SERVER_DOWN);
	else
		atomic_fetch_or(&verdict->server->state, SERVER_DOWN);
	snprintf(test.last_cause, sizeof(test.last_cause), "%s", verdict->cause);
	test.up_count += verdict->is_up;
	test.verdicts[test.verdict_count++] = *verdict;
}

static int set_up(void **state)
{
	(void)state;
	memset(&test, 0, sizeof(test));
	test.fd_count = fd_count_open();
	fixture_init(&test.fixture);
	test.snapshot.pools = test.pools;
	test.health = health_new(&test.fixture.loop, &test.fixture.wheel, note_verdict, &test);
	return 0;
}

static void free_pool(struct pool **pool)
{
	for (size_t i = 0; i < (*pool)->server_count; i++) {
		assert_int_equal(atomic_load(&(*pool)->servers[i]->references), 1);
		server_free(&(*pool)->servers[i]);
	}
	pool_free(pool);
}

static int tear_down(void **state)
{
	(void)state;
	health_free(&test.health);
	health_free(&test.health);
	fixture_done(&test.fixture);
	for (size_t i = 0; i < POOLS_MAX; i++) {
		if (test.pools[i] != NULL)
			free_pool(&test.pools[i]);
	}
	assert_int_equal(fd_count_open(), test.fd_count);
	return 0;
}

/* A pool of count servers at the address; rise 2, fall 3, the check's time-out 2 s. */
static struct pool *add_pool(enum pool_check kind, uint64_t every_ms, const struct addr *addr, size_t count)
{
	struct pool *pool = pool_new("web", 1);
	pool->policy = calloc(1, sizeof(*pool->policy));
	pool->servers = calloc(count, sizeof(struct server *));
	assert_non_null(pool->policy);
	assert_non_null(pool->servers);
	pool->policy->check.kind = kind;
	pool->policy->check.every_ms = every_ms;
	pool->policy->check.timeout_ms = 2000;
	pool->policy->check.rise = 2;
	pool->policy->check.fall = 3;
	for (pool->server_count = 0; pool->server_count < count; pool->server_count++) {
		struct server *server = server_new("a", addr, 1);
		server->pool = pool;
		pool->servers[pool->server_count] = server;
	}
	assert_true(test.snapshot.pool_count < POOLS_MAX);
	return test.pools[test.snapshot.pool_count++] = pool;
}

static struct pool_bytes bytes_from(const char *text)
{
	return (struct pool_bytes){ strdup(text), strlen(text) };
}

/* Checks of a datagram server that follows the script, every 20 ms. */
static struct pool *add_scripted_pool(struct datagram_server *server, const char *script)
{
	*server = (struct datagram_server){ .script = script };
	datagram_server_start(server, &test.fixture, AF_INET);
	struct pool *pool = add_pool(POOL_CHECK_UDP, 20, &server->addr, 1);
	pool->policy->check.send = bytes_from("ping");
	pool->policy->check.expect = bytes_from("pong");
	return pool;
}

static void watch(void)
{
	health_watch(test.health, &test.snapshot);
}

/* --- verdicts ---------------------------------------------------------------------------------------------------- */

static void good_server_changes_nothing(void **state)
{
	(void)state;
	struct datagram_server server;
	struct health_last last;
	struct pool *pool = add_scripted_pool(&server, "y");
	watch();
	assert_false(health_read_last(test.health, pool->servers[0], &last));
	fixture_run_until_count(&test.fixture, &server.received_count, 6);
	assert_int_equal(test.verdict_count, 0);
	assert_true(health_read_last(test.health, pool->servers[0], &last));
	assert_true(last.was_good);
	assert_string_equal(last.cause, "");
	assert_in_range(last.duration_us, 1, 2000000);
	assert_in_range(test.fixture.loop.now_ms - last.at_ms, 0, 2000);
	datagram_server_stop(&server);
}

static void first_check_decides_at_once(void **state)
{
	(void)state;
	struct addr addr = fixture_closed_addr(&test.fixture, AF_INET, SOCK_STREAM);
	struct health_last last;
	struct pool *pool = add_pool(POOL_CHECK_TCP, 3600000, &addr, 1);
	pool->policy->check.fall = 100;
	watch();
	fixture_run_until_count(&test.fixture, &test.verdict_count, 1);
	assert_false(test.verdicts[0].is_up);
	assert_ptr_equal(test.verdicts[0].server, pool->servers[0]);
	assert_string_equal(test.last_cause, "connection refused");
	assert_true(health_read_last(test.health, pool->servers[0], &last));
	assert_false(last.was_good);
	assert_string_equal(last.cause, "connection refused");
}

static void falls_and_rises_in_rows(void **state)
{
	(void)state;
	struct datagram_server server;
	/*                           first, forgiven, down with the 3rd, forgiven, up with the 2nd */
	add_scripted_pool(&server, "ynnynynnn"
				   "nynny"
				   "y");
	watch();
	fixture_run_until_count(&test.fixture, &test.verdict_count, 1);
	assert_false(test.verdicts[0].is_up);
	assert_int_equal(server.received_count, 9);
	fixture_run_until_count(&test.fixture, &test.verdict_count, 2);
	assert_true(test.verdicts[1].is_up);
	assert_int_equal(server.received_count, 15);
	fixture_run_for(&test.fixture, 100);
	assert_int_equal(test.verdict_count, 2);
	datagram_server_stop(&server);
}

/* --- when -------------------------------------------------------------------------------------------------------- */

static void slow_check_is_not_started_twice(void **state)
{
	(void)state;
	struct datagram_server server;
	struct pool *pool = add_scripted_pool(&server, "-");
	pool->policy->check.timeout_ms = 300;
	watch();
	fixture_run_until_count(&test.fixture, &test.verdict_count, 1);
	/* One that starts in the turn of the time-out is received in the next. */
	assert_int_equal(server.received_count, 1);
	assert_string_equal(test.last_cause, "no answer within 300ms");
	datagram_server_stop(&server);
}

enum { SPREAD_SERVERS = 1000, SPREAD_EVERY_MS = 1500, SPREAD_BUCKETS = 10, SPREAD_ROUNDS = 2 };
static uint64_t spread_start_ms;
static unsigned int spread_counts[SPREAD_BUCKETS * SPREAD_ROUNDS];

static void note_arrival(struct datagram_server *server)
{
	(void)server;
	uint64_t bucket = (test.fixture.loop.now_ms - spread_start_ms) * SPREAD_BUCKETS / SPREAD_EVERY_MS;
	if (bucket < SPREAD_BUCKETS * SPREAD_ROUNDS)
		spread_counts[bucket]++;
}

static void checks_of_1000_servers_are_spread(void **state)
{
	(void)state;
	struct datagram_server server = { .script = "y", .on_datagram = note_arrival };
	datagram_server_start(&server, &test.fixture, AF_INET);
	struct pool *pool = add_pool(POOL_CHECK_UDP, SPREAD_EVERY_MS, &server.addr, SPREAD_SERVERS);
	pool->policy->check.send = bytes_from("ping");
	memset(spread_counts, 0, sizeof(spread_counts));
	spread_start_ms = test.fixture.loop.now_ms;
	watch();
	fixture_run_for(&test.fixture, SPREAD_EVERY_MS * SPREAD_ROUNDS);
	/* 100 each. */
	for (int i = 0; i < SPREAD_BUCKETS * SPREAD_ROUNDS; i++)
		assert_in_range(spread_counts[i], 50, 200);
	assert_int_equal(test.verdict_count, 0);
	datagram_server_stop(&server);
}

static void long_intervals_begin_with_a_short_round(void **state)
{
	(void)state;
	struct addr addr = fixture_closed_addr(&test.fixture, AF_INET, SOCK_STREAM);
	add_pool(POOL_CHECK_TCP, 86400000, &addr, 200);
	uint64_t start_ms = test.fixture.loop.now_ms;
	watch();
	fixture_run_until_count(&test.fixture, &test.verdict_count, 200);
	assert_true(test.fixture.loop.now_ms - start_ms >= 1500);
}

static void pools_with_the_same_interval_share_it(void **state)
{
	(void)state;
	struct addr addr = fixture_closed_addr(&test.fixture, AF_INET, SOCK_STREAM);
	add_pool(POOL_CHECK_TCP, 1000, &addr, 5);
	add_pool(POOL_CHECK_TCP, 86400000, &addr, 1);
	struct pool *last = add_pool(POOL_CHECK_TCP, 1000, &addr, 5);
	uint64_t start_ms = test.fixture.loop.now_ms;
	watch();
	while (atomic_load(&last->servers[0]->state) == 0)
		fixture_run_until_count(&test.fixture, &test.verdict_count, test.verdict_count + 1);
	assert_true(test.fixture.loop.now_ms - start_ms >= 400);
}

/* --- limits ------------------------------------------------------------------------------------------------------ */

static struct rlimit set_descriptor_limit(uint64_t limit)
{
	struct rlimit before;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	struct rlimit after = { .rlim_cur = limit, .rlim_max = before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &after), 0);
	return before;
}

static void checks_at_once_are_bounded(void **state)
{
	(void)state;
	enum { LIMIT = 160, AT_ONCE = LIMIT / 8, SERVERS = 70 };
	struct addr addr = fixture_addr(AF_INET, 0);
	int silent = fixture_listen(&addr, SOCK_STREAM, 4096);
	struct rlimit before = set_descriptor_limit(LIMIT);
	health_free(&test.health);
	test.health = health_new(&test.fixture.loop, &test.fixture.wheel, note_verdict, &test);
	struct pool *pool = add_pool(POOL_CHECK_TCP, 100, &addr, SERVERS);
	pool->policy->check.expect = bytes_from("hello");
	pool->policy->check.timeout_ms = 200;
	uint64_t idle_count = fd_count_open();
	uint64_t most = 0;
	watch();
	while (test.verdict_count < SERVERS) {
		fixture_turn(&test.fixture);
		uint64_t count = fd_count_open() - idle_count;
		most = count > most ? count : most;
		assert_true(count <= AT_ONCE);
	}
	assert_int_equal(most, AT_ONCE);
	assert_int_equal(test.up_count, 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	fd_close(&silent);
}

static void descriptor_exhaustion_is_no_verdict(void **state)
{
	(void)state;
	struct datagram_server server;
	struct health_last last;
	struct pool *pool = add_scripted_pool(&server, "y");
	pool->policy->check.fall = 1;
	watch();
	fixture_run_until_count(&test.fixture, &server.received_count, 3);
	fixture_run_for(&test.fixture, 50);
	struct rlimit before = set_descriptor_limit(3);
	unsigned int received_count = server.received_count;
	fixture_run_for(&test.fixture, 150);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_in_range(server.received_count, received_count, received_count + 1);
	assert_true(health_read_last(test.health, pool->servers[0], &last));
	assert_string_equal(last.cause, "not asked: too many open files");
	fixture_run_until_count(&test.fixture, &server.received_count, received_count + 3);
	fixture_run_for(&test.fixture, 50);
	assert_true(health_read_last(test.health, pool->servers[0], &last));
	assert_string_equal(last.cause, "");
	assert_int_equal(test.verdict_count, 0);
	datagram_server_stop(&server);
}

/* --- programs ---------------------------------------------------------------------------------------------------- */

static struct pool *add_program_pool(const char *script, uint64_t every_ms, size_t count)
{
	char path[PROGRAM_PATH_BYTES];
	struct addr addr = fixture_addr(AF_INET, 1);
	struct pool *pool = add_pool(POOL_CHECK_EXEC, every_ms, &addr, count);
	pool->policy->check.program = strdup(program_write("program", script, path));
	return pool;
}

static bool have_all_been_asked(const struct pool *pool)
{
	struct health_last last;
	for (size_t i = 0; i < pool->server_count; i++)
		if (!health_read_last(test.health, pool->servers[i], &last))
			return false;
	return true;
}

/* Those who wait for a place are not failed, and nobody else waits with them. */
static void programs_at_once_are_bounded(void **state)
{
	(void)state;
	enum { LIMIT = 160, AT_ONCE = LIMIT / 8 / 2, SERVERS = 25 };
	struct datagram_server server;
	struct rlimit before = set_descriptor_limit(LIMIT);
	program_fixture_init();
	health_free(&test.health);
	test.health = health_new(&test.fixture.loop, &test.fixture.wheel, note_verdict, &test);
	struct pool *pool = add_program_pool("sleep 0.5", 100, SERVERS);
	add_scripted_pool(&server, "y");
	unsigned int most = 0;
	watch();
	while (!have_all_been_asked(pool)) {
		fixture_turn(&test.fixture);
		unsigned int count = program_count_children();
		most = count > most ? count : most;
		assert_true(count <= AT_ONCE);
	}
	assert_int_equal(most, AT_ONCE);
	assert_int_equal(test.verdict_count, 0);
	assert_true(server.received_count > 3);
	health_free(&test.health);
	assert_int_equal(program_count_children(), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	datagram_server_stop(&server);
	program_fixture_done();
}

/* A program that hangs fails its check only, and the next one gets its place. */
static void hanging_programs_give_way(void **state)
{
	(void)state;
	enum { LIMIT = 64, SERVERS = 12 };
	struct rlimit before = set_descriptor_limit(LIMIT);
	program_fixture_init();
	health_free(&test.health);
	test.health = health_new(&test.fixture.loop, &test.fixture.wheel, note_verdict, &test);
	struct pool *pool = add_program_pool("sleep 1000", 100, SERVERS);
	pool->policy->check.timeout_ms = 100;
	watch();
	fixture_run_until_count(&test.fixture, &test.verdict_count, SERVERS);
	assert_int_equal(test.up_count, 0);
	assert_string_equal(test.last_cause, "the program did not end within 100ms");
	health_free(&test.health);
	assert_int_equal(program_count_children(), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	program_fixture_done();
}

/* Whoever waits, or runs, when the policy is replaced is asked by the new one from the next check on. */
static void another_kind_from_the_next_check_on(void **state)
{
	(void)state;
	enum { LIMIT = 64, SERVERS = 12 };
	struct rlimit before = set_descriptor_limit(LIMIT);
	program_fixture_init();
	health_free(&test.health);
	test.health = health_new(&test.fixture.loop, &test.fixture.wheel, note_verdict, &test);
	struct addr closed = fixture_closed_addr(&test.fixture, AF_INET, SOCK_STREAM);
	struct pool *pool = add_program_pool("sleep 1000", 100, SERVERS);
	watch();
	fixture_run_for(&test.fixture, 300);
	assert_true(program_count_children() > 0);
	/* Freed at once: nothing of it may be needed by what runs. */
	struct pool_policy *replaced = pool->policy;
	pool->policy = calloc(1, sizeof(*pool->policy));
	assert_non_null(pool->policy);
	pool->policy->check = replaced->check;
	pool->policy->check.program = NULL;
	pool->policy->check.kind = POOL_CHECK_TCP;
	memset(replaced->check.program, 'x', strlen(replaced->check.program));
	pool_policy_free(&replaced);
	for (size_t i = 0; i < SERVERS; i++)
		pool->servers[i]->addr = closed;
	watch();
	fixture_run_until_count(&test.fixture, &test.verdict_count, SERVERS);
	/* And back, while checks over TCP run. */
	char path[PROGRAM_PATH_BYTES];
	pool->policy->check.kind = POOL_CHECK_EXEC;
	pool->policy->check.program = strdup(program_write("other", "exit 0", path));
	watch();
	fixture_run_until_count(&test.fixture, &test.up_count, SERVERS);
	health_free(&test.health);
	assert_int_equal(program_count_children(), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	program_fixture_done();
}

/* --- which servers ----------------------------------------------------------------------------------------------- */

static void maint_is_left_alone(void **state)
{
	(void)state;
	struct datagram_server server;
	struct pool *pool = add_scripted_pool(&server, "n");
	atomic_store(&pool->servers[0]->state, SERVER_MAINT);
	watch();
	fixture_run_for(&test.fixture, 150);
	assert_int_equal(server.received_count, 0);
	/* Back from maint its first check decides at once. */
	atomic_store(&pool->servers[0]->state, 0);
	fixture_run_until_count(&test.fixture, &test.verdict_count, 1);
	assert_int_equal(server.received_count, 1);
	datagram_server_stop(&server);
}

static void check_port_is_asked_instead(void **state)
{
	(void)state;
	struct datagram_server server;
	struct pool *pool = add_scripted_pool(&server, "y");
	addr_set_port(&pool->servers[0]->addr, 1);
	pool->policy->check.port = addr_port(&server.addr);
	watch();
	fixture_run_until_count(&test.fixture, &server.received_count, 3);
	assert_int_equal(test.verdict_count, 0);
	datagram_server_stop(&server);
}

static void pool_without_check_is_not_watched(void **state)
{
	(void)state;
	struct addr addr = fixture_closed_addr(&test.fixture, AF_INET, SOCK_STREAM);
	struct health_last last;
	struct pool *pool = add_pool(POOL_CHECK_NONE, 20, &addr, 3);
	watch();
	fixture_run_for(&test.fixture, 100);
	assert_int_equal(test.verdict_count, 0);
	assert_false(health_read_last(test.health, pool->servers[0], &last));
}

static void another_snapshot_keeps_what_is_known(void **state)
{
	(void)state;
	struct datagram_server server;
	struct addr addr = fixture_closed_addr(&test.fixture, AF_INET, SOCK_STREAM);
	struct health_last last;
	struct pool *kept = add_scripted_pool(&server, "y");
	struct pool *removed = add_pool(POOL_CHECK_TCP, 20, &addr, 10);
	struct pool *unchecked = add_pool(POOL_CHECK_TCP, 20, &addr, 1);
	watch();
	fixture_run_until_count(&test.fixture, &test.verdict_count, 11);
	fixture_run_until_count(&test.fixture, &server.received_count, 1);
	fixture_run_for(&test.fixture, 20);
	/* The second pool goes, the third loses its check, the first becomes another one that looks the same. */
	test.pools[1] = unchecked;
	test.pools[2] = NULL;
	test.snapshot.pool_count = 2;
	unchecked->policy->check.kind = POOL_CHECK_NONE;
	unsigned int verdict_count = test.verdict_count;
	watch();
	assert_int_equal(test.verdict_count, verdict_count + 1);
	assert_true(test.verdicts[verdict_count].is_up);
	assert_ptr_equal(test.verdicts[verdict_count].server, unchecked->servers[0]);
	assert_string_equal(test.last_cause, "no longer checked");
	assert_false(health_read_last(test.health, removed->servers[0], &last));
	assert_true(health_read_last(test.health, kept->servers[0], &last));
	free_pool(&removed);
	fixture_run_until_count(&test.fixture, &server.received_count, server.received_count + 3);
	assert_int_equal(test.verdict_count, verdict_count + 1);
	datagram_server_stop(&server);
}

static void one_pool_gets_other_servers(void **state)
{
	(void)state;
	struct datagram_server server;
	struct addr addr = fixture_closed_addr(&test.fixture, AF_INET, SOCK_STREAM);
	struct health_last last;
	struct pool *other = add_scripted_pool(&server, "y");
	struct pool *pool = add_pool(POOL_CHECK_TCP, 20, &addr, 2);
	struct server *removed = pool->servers[0];
	watch();
	fixture_run_until_count(&test.fixture, &test.verdict_count, 2);
	pool->servers[0] = server_new("b", &addr, 1);
	pool->servers[0]->pool = pool;
	health_watch_pool(test.health, &test.snapshot, 1, &removed, 1);
	assert_false(health_read_last(test.health, removed, &last));
	assert_int_equal(atomic_load(&removed->references), 1);
	server_free(&removed);
	/* The new one is found down, the one that stayed is known to be. */
	fixture_run_until_count(&test.fixture, &test.verdict_count, 3);
	assert_ptr_equal(test.verdicts[2].server, pool->servers[0]);
	fixture_run_for(&test.fixture, 50);
	assert_int_equal(test.verdict_count, 3);
	/* Everybody is still watched, and nobody else after another look at all. */
	watch();
	assert_true(health_read_last(test.health, pool->servers[1], &last));
	assert_true(health_read_last(test.health, other->servers[0], &last));
	unsigned int received_count = server.received_count;
	fixture_run_until_count(&test.fixture, &server.received_count, received_count + 3);
	/* A pool that loses its check. */
	pool->policy->check.kind = POOL_CHECK_NONE;
	health_watch_pool(test.health, &test.snapshot, 1, NULL, 0);
	assert_int_equal(test.verdict_count, 5);
	assert_true(test.verdicts[4].is_up);
	assert_false(health_read_last(test.health, pool->servers[1], &last));
	datagram_server_stop(&server);
}

/* The policy of a check that runs may be replaced and freed. */
static void running_check_needs_no_policy(void **state)
{
	(void)state;
	struct datagram_server server;
	struct pool *pool = add_scripted_pool(&server, "-");
	watch();
	fixture_run_until_count(&test.fixture, &server.received_count, 1);
	free(pool->policy->check.send.data);
	free(pool->policy->check.expect.data);
	pool->policy->check.send = bytes_from("hello");
	pool->policy->check.expect = bytes_from("hello");
	pool->policy->check.timeout_ms = 50;
	watch();
	server.script = "y";
	fixture_run_until_count(&test.fixture, &test.verdict_count, 1);
	assert_string_equal(test.last_cause, "no answer within 2s");
	datagram_server_stop(&server);
}

static void stops_while_checks_run(void **state)
{
	(void)state;
	struct datagram_server server;
	struct pool *pool = add_scripted_pool(&server, "-");
	watch();
	fixture_run_until_count(&test.fixture, &server.received_count, 1);
	assert_int_equal(atomic_load(&pool->servers[0]->references), 2);
	health_free(&test.health);
	assert_null(test.health);
	assert_int_equal(test.fixture.wheel.armed_count, 0);
	fixture_run_for(&test.fixture, 50);
	assert_int_equal(test.verdict_count, 0);
	datagram_server_stop(&server);
	/* And begins again. */
	datagram_server_start(&server, &test.fixture, AF_INET);
	server.script = "y";
	pool->servers[0]->addr = server.addr;
	test.health = health_new(&test.fixture.loop, &test.fixture.wheel, note_verdict, &test);
	watch();
	fixture_run_until_count(&test.fixture, &server.received_count, 3);
	datagram_server_stop(&server);
}

#define health_unit_test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		health_unit_test(good_server_changes_nothing),
		health_unit_test(first_check_decides_at_once),
		health_unit_test(falls_and_rises_in_rows),
		health_unit_test(slow_check_is_not_started_twice),
		health_unit_test(checks_of_1000_servers_are_spread),
		health_unit_test(long_intervals_begin_with_a_short_round),
		health_unit_test(pools_with_the_same_interval_share_it),
		health_unit_test(checks_at_once_are_bounded),
		health_unit_test(descriptor_exhaustion_is_no_verdict),
		health_unit_test(programs_at_once_are_bounded),
		health_unit_test(hanging_programs_give_way),
		health_unit_test(another_kind_from_the_next_check_on),
		health_unit_test(maint_is_left_alone),
		health_unit_test(check_port_is_asked_instead),
		health_unit_test(pool_without_check_is_not_watched),
		health_unit_test(another_snapshot_keeps_what_is_known),
		health_unit_test(one_pool_gets_other_servers),
		health_unit_test(running_check_needs_no_policy),
		health_unit_test(stops_while_checks_run),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
