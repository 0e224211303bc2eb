/* SPDX-License-Identifier: Apache-2.0 */
#include "control/ceilings.h"
#include "kernel/packet_guard.h"
#include "worker/worker.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct config_listen listens[2];
static struct config_service service = { .listens = listens, .listen_count = 2 };

static struct config small_config(void)
{
	return (struct config){ .services = &service, .service_count = 1, .log_count = 1 };
}

static const struct ceilings_resources resources = {
	.descriptor_limit = 20000,
	.memory_bytes = UINT64_C(8) << 30,
	.worker_count = 2,
};

static void descriptors_bound_the_flows(void **state)
{
	(void)state;
	struct config config = small_config();
	struct ceilings ceilings = ceilings_compute(&config, &resources);
	assert_in_range(ceilings.descriptors, 19800, 19999);
	assert_int_equal(ceilings.connections, ceilings.descriptors / 2);
	assert_int_equal(ceilings.sessions, ceilings.descriptors);
}

static void configured_limits_win_when_they_are_lower(void **state)
{
	(void)state;
	struct config config = small_config();
	config.limit.connections = 50;
	config.limit.sessions = 1000000;
	struct ceilings ceilings = ceilings_compute(&config, &resources);
	assert_int_equal(ceilings.connections, 50);
	assert_int_equal(ceilings.sessions, ceilings.descriptors);
}

static void memory_bounds_flows_and_tails(void **state)
{
	(void)state;
	struct config config = small_config();
	config.limit.memory_bytes = 1 << 20;
	struct ceilings ceilings = ceilings_compute(&config, &resources);
	assert_true(ceilings.connections * worker_sizes().connection_bytes <= 1 << 18);
	assert_true(ceilings.sessions * worker_sizes().session_bytes <= 1 << 18);
}

/* A flow with a limit of bandwidth takes more. */
static void bandwidth_limits_count_in_memory(void **state)
{
	(void)state;
	struct config_service limited = { .listens = listens, .listen_count = 2, .limit.download = 8000 };
	struct config config = small_config();
	struct worker_sizes sizes = worker_sizes();
	config.services = &limited;
	config.limit.memory_bytes = 1 << 20;
	struct ceilings ceilings = ceilings_compute(&config, &resources);
	assert_in_range(ceilings.connections * (sizes.connection_bytes + sizes.connection_throttle_bytes), 260000,
			1 << 18);
	assert_in_range(ceilings.sessions * (sizes.session_bytes + sizes.session_throttle_bytes), 260000, 1 << 18);
}

static void few_descriptors_still_leave_room_for_a_flow(void **state)
{
	(void)state;
	struct config config = small_config();
	struct ceilings_resources few = resources;
	few.descriptor_limit = 20;
	struct ceilings ceilings = ceilings_compute(&config, &few);
	assert_true(ceilings.connections >= 1);
	assert_true(ceilings.sessions >= 1);
}

/* Each running program holds two descriptors. */
static void programs_of_checks_are_set_aside(void **state)
{
	(void)state;
	struct config config = small_config();
	struct config_server servers[10] = { 0 };
	struct config_pool pool = { .servers = servers, .server_count = 10, .check.kind = CONFIG_CHECK_TCP };
	config.pools = &pool;
	config.pool_count = 1;
	uint64_t with_tcp = ceilings_compute(&config, &resources).descriptors;
	pool.check.kind = CONFIG_CHECK_EXEC;
	assert_int_equal(ceilings_compute(&config, &resources).descriptors, with_tcp - 10);
}

static void names_and_their_checks_are_set_aside_for(void **state)
{
	(void)state;
	struct config config = small_config();
	struct config_server servers[2] = { { .host = "db.example.com", .port = 1 }, { .host = "srv.example.com" } };
	struct config_pool pool = { .servers = servers, .server_count = 2 };
	uint64_t without = ceilings_compute(&config, &resources).descriptors;
	config.pools = &pool;
	config.pool_count = 1;
	uint64_t unchecked = ceilings_compute(&config, &resources).descriptors;
	assert_in_range(without - unchecked, 2, 50);
	pool.check.kind = CONFIG_CHECK_TCP;
	assert_true(ceilings_compute(&config, &resources).descriptors < unchecked);
	servers[0].host[0] = servers[1].host[0] = '\0';
	pool.check.kind = CONFIG_CHECK_NONE;
	assert_int_equal(ceilings_compute(&config, &resources).descriptors, without);
}

static void packet_guard_is_set_aside_for(void **state)
{
	(void)state;
	struct config config = small_config();
	uint64_t with_guard = ceilings_compute(&config, &resources).descriptors;
	config.packet_guard.mode = CONFIG_PACKET_GUARD_OFF;
	assert_int_equal(ceilings_compute(&config, &resources).descriptors,
			 with_guard + PACKET_GUARD_DESCRIPTORS + INGRESS_PLACES_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(descriptors_bound_the_flows),
		cmocka_unit_test(configured_limits_win_when_they_are_lower),
		cmocka_unit_test(memory_bounds_flows_and_tails),
		cmocka_unit_test(programs_of_checks_are_set_aside),
		cmocka_unit_test(packet_guard_is_set_aside_for),
		cmocka_unit_test(bandwidth_limits_count_in_memory),
		cmocka_unit_test(few_descriptors_still_leave_room_for_a_flow),
		cmocka_unit_test(names_and_their_checks_are_set_aside_for),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
