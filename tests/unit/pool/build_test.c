/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"
#include "guard/guard.h"
#include "pool/snapshot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct addr addr_make(const char *text)
{
	struct addr addr;
	const char *problem = NULL;
	assert_int_equal(addr_parse(span_from_text(text), &addr, &problem), 0);
	return addr;
}

static const char text[] = "limit connections=1000 sessions=2000 memory=3m\n"
			   "timeout drain=20s\n"
			   "service web {\n"
			   "	listen :8080 unix:/run/web.sock\n"
			   "	deny unix:\n"
			   "	limit connections=1\n"
			   "	timeout connect=3s idle=10m half-closed=1m queue=4s\n"
			   "	retries 2\n"
			   "	to web\n"
			   "}\n"
			   "service dns {\n"
			   "	listen udp *:53\n"
			   "	session idle=5s new=10s replies=1 requests=9\n"
			   "	to resolvers\n"
			   "}\n"
			   "pool web {\n"
			   "	balance least-connections slow-start=30s\n"
			   "	check tcp every=2s timeout=1s rise=2 fall=3\n"
			   "	eject failures=5 for=10s\n"
			   "	panic 50\n"
			   "	on-down close\n"
			   "	server 10.0.1.11:8443 name=blue weight=3\n"
			   "	server 10.0.1.12:8443 name=green max-connections=7 drain\n"
			   "	server unix:/run/spare.sock name=spare backup maint\n"
			   "}\n"
			   "pool resolvers {\n"
			   "	balance source-hash load=125%\n"
			   "	check udp port=54 send=\"a\\x00b\" expect=\"pong\" every=5s timeout=1s\n"
			   "	on-down keep\n"
			   "	server [2001:db8::53]:53\n"
			   "}\n"
			   "pool pages { check http path=/x host=a status=200; server 10.0.1.1:1 }\n"
			   "pool names { check dns name=a.test type=A rcode=nxdomain; server 10.0.1.1:1 }\n"
			   "pool programs { check exec program=/bin/sh; server 10.0.1.1:1 }\n";

static int build(void **state)
{
	struct diagnostics diagnostics;
	diagnostics_init(&diagnostics);
	struct config *config = config_load_text("test.conf", span_from_text(text), &diagnostics);
	diagnostics_print(&diagnostics, stderr);
	diagnostics_done(&diagnostics);
	if (config == NULL)
		return -1;
	*state = snapshot_build(config, 41, 2, NULL);
	/* Nothing of the tree may be needed afterwards. */
	config_free(&config);
	return 0;
}

static int release(void **state)
{
	struct snapshot *snapshot = *state;
	snapshot_free(&snapshot);
	snapshot_free(&snapshot);
	return snapshot == NULL ? 0 : -1;
}

static void numbers_of_the_daemon_are_taken_over(void **state)
{
	const struct snapshot *snapshot = *state;
	assert_int_equal(snapshot->generation, 41);
	assert_int_equal(snapshot->worker_count, 2);
	assert_int_equal(snapshot->drain_ms, 20000);
	assert_int_equal(snapshot->connections_max, 1000);
	assert_int_equal(snapshot->sessions_max, 2000);
	assert_int_equal(snapshot->memory_bytes_max, 3 << 20);
}

static void pools_have_policy_and_servers(void **state)
{
	const struct snapshot *snapshot = *state;
	const struct pool *web = snapshot->pools[0];
	const struct pool_policy *policy = web->policy;
	assert_int_equal(snapshot->pool_count, 5);
	assert_string_equal(web->name, "web");
	assert_null(web->view);
	assert_true(web->is_view_stale);
	assert_string_equal(pool_algorithm_word(policy->algorithm), "least-connections");
	assert_string_equal(pool_check_word(policy->check.kind), "tcp");
	assert_int_equal(policy->slow_start_ms, 30000);
	assert_int_equal(policy->check.every_ms, 2000);
	assert_int_equal(policy->check.fall, 3);
	assert_int_equal(policy->eject_failures, 5);
	assert_int_equal(policy->eject_for_ms, 10000);
	assert_int_equal(policy->panic_percent, 50);
	assert_true(policy->closes_tcp_on_down);
	assert_false(policy->keeps_sessions_on_down);
	assert_null(policy->check.send.data);
	assert_int_equal(web->server_count, 3);
}

static void checks_own_their_bytes(void **state)
{
	const struct snapshot *snapshot = *state;
	const struct pool_policy *policy = snapshot->pools[1]->policy;
	assert_int_equal(policy->load_percent, 125);
	assert_int_equal(policy->check.port, 54);
	assert_int_equal(policy->check.send.len, 3);
	assert_memory_equal(policy->check.send.data, "a\0b", 3);
	assert_int_equal(policy->check.expect.len, 4);
	assert_memory_equal(policy->check.expect.data, "pong", 4);
	assert_false(policy->closes_tcp_on_down);
	assert_true(policy->keeps_sessions_on_down);
}

static void checks_own_their_texts(void **state)
{
	const struct snapshot *snapshot = *state;
	const struct pool_policy *pages = snapshot->pools[2]->policy;
	assert_string_equal(pool_check_word(pages->check.kind), "http");
	assert_string_equal(pages->check.http.method, "GET");
	assert_string_equal(pages->check.http.path, "/x");
	assert_string_equal(pages->check.http.host, "a");
	assert_true(http_statuses_has(&pages->check.http.statuses, 200));
	assert_false(http_statuses_has(&pages->check.http.statuses, 201));
	assert_null(snapshot->pools[3]->policy->check.http.host);
	const struct pool_policy *names = snapshot->pools[3]->policy;
	assert_string_equal(pool_check_word(names->check.kind), "dns");
	assert_string_equal(names->check.dns.name, "a.test");
	assert_int_equal(names->check.dns.type, 1);
	assert_int_equal(names->check.dns.rcodes, 1 << 3);
	const struct pool_policy *programs = snapshot->pools[4]->policy;
	assert_string_equal(pool_check_word(programs->check.kind), "exec");
	assert_string_equal(programs->check.program, "/bin/sh");
}

static void servers_have_their_settings(void **state)
{
	const struct snapshot *snapshot = *state;
	const struct pool *web = snapshot->pools[0];
	const struct server *blue = pool_find_server(web, "blue");
	const struct server *green = pool_find_server(web, "green");
	const struct server *spare = pool_find_server(web, "spare");
	assert_null(pool_find_server(web, "red"));
	assert_ptr_equal(blue->pool, web);
	assert_int_equal(blue->weight, 3);
	assert_int_equal(blue->connections_max, UINT32_MAX);
	assert_int_equal(blue->state, 0);
	assert_int_equal(blue->worker_count, 2);
	assert_int_equal(green->connections_max, 7);
	assert_int_equal(green->state, SERVER_DRAIN);
	assert_int_equal(spare->state, SERVER_MAINT);
	assert_true(spare->is_backup);
	assert_int_equal(spare->endpoint.family, AF_UNIX);
}

static void services_have_policy_and_listens(void **state)
{
	const struct snapshot *snapshot = *state;
	const struct service_policy *web = snapshot->services[0]->policy;
	const struct service_policy *dns = snapshot->services[1]->policy;
	assert_int_equal(snapshot->service_count, 2);
	assert_ptr_equal(web->pool, snapshot->pools[0]);
	assert_int_equal(web->connect_ms, 3000);
	assert_int_equal(web->idle_ms, 600000);
	assert_int_equal(web->half_closed_ms, 60000);
	assert_int_equal(web->queue_ms, 4000);
	assert_int_equal(web->queue_max, 1000);
	assert_int_equal(dns->queue_ms, 0);
	assert_int_equal(snapshot->pools[1]->queue.line_count, 2);
	assert_int_equal(web->retries, 2);
	assert_false(web->has_session_replies);
	assert_ptr_equal(dns->pool, snapshot->pools[1]);
	assert_int_equal(dns->session_idle_ms, 5000);
	assert_int_equal(dns->session_new_ms, 10000);
	assert_true(dns->has_session_replies);
	assert_int_equal(dns->session_replies, 1);
	assert_int_equal(dns->session_requests, 9);
	assert_int_equal(snapshot->listen_count, 3);
	assert_ptr_equal(snapshot->listens[1].service, snapshot->services[0]);
	assert_ptr_equal(snapshot->listens[2].service, snapshot->services[1]);
	assert_int_equal(snapshot->listens[0].protocol, FLOW_TCP);
	assert_true(snapshot->listens[0].is_dual);
	assert_int_equal(snapshot->listens[2].protocol, FLOW_UDP);
	assert_int_equal(addr_port(&snapshot->listens[2].addr), 53);
}

static void guards_follow_rules_and_limits(void **state)
{
	const struct snapshot *snapshot = *state;
	struct guard *guard = snapshot->services[0]->guard;
	struct addr addr = addr_make("192.0.2.1:4000");
	struct endpoint client = endpoint_from_addr(&addr);
	struct endpoint unix_client = { .family = AF_UNIX };
	assert_int_equal(guard_admit(guard, GUARD_CONNECTION, &unix_client, 1).reason, REASON_DENIED_ACCESS);
	assert_int_equal(guard_admit(guard, GUARD_CONNECTION, &client, 1).reason, REASON_NONE);
	assert_int_equal(guard_admit(guard, GUARD_CONNECTION, &client, 1).reason, REASON_LIMIT_CONNECTIONS);
	guard_release(guard, GUARD_CONNECTION, &client, (struct guard_ticket){ 0 });
}

static void counters_of_workers_are_summed(void **state)
{
	const struct snapshot *snapshot = *state;
	struct service *service = snapshot->services[0];
	counter_add(&service->counters[0].bytes_in, 5);
	counter_add(&service->counters[1].bytes_in, 6);
	counter_add(&service->counters[1].refused[REASON_BLOCKED], 1);
	assert_int_equal(service_sum(service, offsetof(struct service_counters, bytes_in)), 11);
	assert_int_equal(service_sum(service, offsetof(struct service_counters, bytes_out)), 0);
	assert_int_equal(service_sum(service, offsetof(struct service_counters, refused[REASON_BLOCKED])), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_of_the_daemon_are_taken_over),
		cmocka_unit_test(pools_have_policy_and_servers),
		cmocka_unit_test(checks_own_their_bytes),
		cmocka_unit_test(checks_own_their_texts),
		cmocka_unit_test(servers_have_their_settings),
		cmocka_unit_test(services_have_policy_and_listens),
		cmocka_unit_test(guards_follow_rules_and_limits),
		cmocka_unit_test(counters_of_workers_are_summed),
	};
	return cmocka_run_group_tests(tests, build, release);
}
