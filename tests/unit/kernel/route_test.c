/* SPDX-License-Identifier: Apache-2.0 */
/* Ways out, in a network namespace of the test's own. */
#include "kernel/flow_table.h"
#include "kernel/route.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static struct route_finder finder;
static bool has_network;

static int make_network(void **state)
{
	(void)state;
	has_network =
		unshare(CLONE_NEWNET) == 0 &&
		system("ip link set lo up && ip link add out type veth peer name in && ip link set out up && ip link "
		       "set in up"
		       " && ip address add 192.0.2.1/24 dev out && ip address add 2001:db8::1/64 dev out nodad"
		       " && ip route add 198.51.100.0/24 via 192.0.2.9 && ip route add 2001:db8:9::/48 via 2001:db8::9"
		       " && ip route add unreachable 203.0.113.0/24") == 0;
	return 0;
}

static int close_finder(void **state)
{
	(void)state;
	route_finder_close(&finder);
	return 0;
}

static int find(const char *text, struct route_answer *ret_answer)
{
	struct addr addr;
	const char *problem;
	assert_int_equal(addr_parse(span_from_text(text), &addr, &problem), 0);
	struct endpoint dest = endpoint_from_addr(&addr);
	return route_find(&finder, &dest, NULL, ret_answer);
}

#define NEEDS_NETWORK()                                                                                                \
	do {                                                                                                           \
		if (!has_network) {                                                                                    \
			print_message("# skipped: no network namespace can be made\n");                                \
			skip();                                                                                        \
		}                                                                                                      \
	} while (0)

static void neighbours_are_on_the_link_and_others_behind_a_router(void **state)
{
	(void)state;
	NEEDS_NETWORK();
	static const struct {
		const char *dest;
		bool is_on_link;
	} cases[] = {
		{ "192.0.2.7:1", true },
		{ "198.51.100.7:1", false },
		{ "[2001:db8::7]:1", true },
		{ "[2001:db8:9::7]:1", false },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct route_answer answer;
		assert_int_equal(find(cases[i].dest, &answer), 0);
		assert_false(answer.is_local);
		assert_int_equal(answer.is_on_link, cases[i].is_on_link);
		assert_int_equal(flow_way_out(&answer) & FLOW_INTERFACE_BITS, if_nametoindex("out"));
		assert_int_equal((flow_way_out(&answer) & FLOW_ON_LINK) != 0, cases[i].is_on_link);
	}
}

static void addresses_of_this_machine_are_local(void **state)
{
	(void)state;
	NEEDS_NETWORK();
	struct route_answer answer;
	assert_int_equal(find("192.0.2.1:1", &answer), 0);
	assert_true(answer.is_local);
}

static void what_cannot_be_reached_has_no_way(void **state)
{
	(void)state;
	NEEDS_NETWORK();
	struct route_answer answer;
	assert_true(find("203.0.113.7:1", &answer) < 0);
	assert_true(find("100.64.0.1:1", &answer) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(neighbours_are_on_the_link_and_others_behind_a_router),
		cmocka_unit_test(addresses_of_this_machine_are_local),
		cmocka_unit_test(what_cannot_be_reached_has_no_way),
	};
	return cmocka_run_group_tests(tests, make_network, close_finder);
}
