/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct network source_of(const char *address, uint8_t ipv4_bits, uint8_t ipv6_bits)
{
	struct addr addr;
	const char *problem;
	assert_int_equal(addr_parse(span_from_text(address), &addr, &problem), 0);
	struct endpoint endpoint = endpoint_from_addr(&addr);
	return source_from_endpoint(&endpoint, (struct source_prefixes){ ipv4_bits, ipv6_bits });
}

static void sources_are_networks(void **state)
{
	static const struct {
		const char *address;
		uint8_t ipv4_bits, ipv6_bits;
		const char *text;
	} cases[] = {
		{ "192.0.2.77:1000", 32, 64, "192.0.2.77" },
		{ "192.0.2.77:1000", 24, 64, "192.0.2.0/24" },
		{ "192.0.2.77:1000", 27, 64, "192.0.2.64/27" },
		{ "192.0.2.77:1000", 0, 64, "0.0.0.0/0" },
		{ "[2001:db8:1:2:3:4:5:6]:1000", 32, 64, "2001:db8:1:2::/64" },
		{ "[2001:db8:1:2:3:4:5:6]:1000", 32, 128, "2001:db8:1:2:3:4:5:6" },
		{ "[2001:db8:1:2:3:4:5:6]:1000", 32, 50, "2001:db8:1::/50" },
		{ "[2001:db8:1:2:3:4:5:6]:1000", 32, 0, "::/0" },
		{ "unix:/run/x.sock", 32, 64, "unix" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[NETWORK_TEXT_BYTES];
		struct network source = source_of(cases[i].address, cases[i].ipv4_bits, cases[i].ipv6_bits);
		assert_string_equal(source_format(&source, text, sizeof(text)), cases[i].text);
	}
}

static void hosts_of_one_network_are_one_source(void **state)
{
	struct network a = source_of("[2001:db8:1:2:3::1]:1000", 32, 64);
	struct network b = source_of("[2001:db8:1:2:4::9]:2000", 32, 64);
	struct network other = source_of("[2001:db8:1:3:4::9]:2000", 32, 64);
	(void)state;
	assert_true(source_equal(&a, &b));
	assert_true(source_hash(&a, 5) == source_hash(&b, 5));
	assert_false(source_equal(&a, &other));
	assert_false(source_hash(&a, 5) == source_hash(&other, 5));
	assert_false(source_hash(&a, 5) == source_hash(&a, 6));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sources_are_networks),
		cmocka_unit_test(hosts_of_one_network_are_one_source),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
