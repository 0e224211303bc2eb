/* SPDX-License-Identifier: Apache-2.0 */
#include "base/addr.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct addr parsed(const char *text)
{
	struct addr addr;
	const char *problem = NULL;
	assert_int_equal(addr_parse(span_from_text(text), &addr, &problem), 0);
	assert_null(problem);
	return addr;
}

static struct network network_of(const char *text)
{
	struct network network;
	const char *problem = NULL;
	bool had_host_bits = true;
	assert_int_equal(network_parse(span_from_text(text), &network, &had_host_bits, &problem), 0);
	return network;
}

static void reads_back_what_it_writes(void **state)
{
	(void)state;
	static const struct {
		const char *written;
		const char *formatted;
	} cases[] = {
		{ "10.0.0.1:80", "10.0.0.1:80" },
		{ "*:443", "0.0.0.0:443" },
		{ ":8080", "[::]:8080" },
		{ "[::]:65535", "[::]:65535" },
		{ "[FD00:0::1]:53", "[fd00::1]:53" },
		{ "[fe80::1%3]:1", "[fe80::1%3]:1" },
		{ "[fe80::1%4294967295]:1", "[fe80::1%4294967295]:1" },
		{ "[::ffff:192.0.2.1]:80", "192.0.2.1:80" },
		{ "[2001:db8::192.0.2.1]:80", "[2001:db8::c000:201]:80" },
		{ "unix:/run/x.sock", "unix:/run/x.sock" },
		{ "unix:relative", "unix:relative" },
		{ "unix:@abstract", "unix:@abstract" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char buf[ADDR_TEXT_BYTES];
		struct addr addr = parsed(cases[i].written);
		assert_string_equal(addr_format(&addr, buf, sizeof(buf)), cases[i].formatted);
		struct addr again = parsed(buf);
		assert_true(addr_equal(&addr, &again));
		assert_memory_equal(&addr, &again, sizeof(addr));
	}
}

static void refuses_with_a_reason(void **state)
{
	(void)state;
	static const char *const cases[] = {
		"",
		"8080",
		"10.0.0.1",
		"10.0.0.1:",
		"10.0.0.1:0",
		"10.0.0.1:65536",
		"10.0.0.1:99999999999999999999",
		"10.0.0.1:80-90",
		"10.0.0.1:-80",
		"10.0.0.1:+80",
		"10.0.0.1: 80",
		"10.0.0.256:80",
		"10.0.1:80",
		"010.0.0.1:80",
		"0x0a.0.0.1:80",
		"10.0.0.1:80:90",
		"host:80",
		"*",
		"**:80",
		":",
		"[]:80",
		"[::1]",
		"[::1]80",
		"[::1]:",
		"[::1",
		"[1.2.3.4]:80",
		"[fe80::1%]:80",
		"[fe80::1%0]:80",
		"[fe80::1%eth0]:80",
		"[fe80::1%4294967296]:80",
		"[::1%1%2]:80",
		"[::12345]:80",
		"::1:80",
		"fd00::1",
		"unix:",
		"unix:@",
		"UNIX:/x",
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct addr addr;
		const char *problem = NULL;
		assert_int_equal(addr_parse(span_from_text(cases[i]), &addr, &problem), -EINVAL);
		assert_non_null(problem);
		assert_true(strlen(problem) > 10);
	}
}

static void reads_and_writes_ip_addresses_alone(void **state)
{
	(void)state;
	static const char *const good[][2] = {
		{ "10.0.0.9", "10.0.0.9" },   { "fd00::9", "fd00::9" },
		{ "[fd00::9]", "fd00::9" },   { "::", "::" },
		{ "fe80::1%2", "fe80::1%2" }, { "::ffff:10.0.0.9", "10.0.0.9" },
	};
	static const char *const bad[] = {
		"",  "10.0.0.9:80",  "[fd00::9]:80", "10.0.0",     "localhost",
		"*", "fe80::1%eth0", "fd00::9]",     "[10.0.0.9]", "unix:/x",
	};
	char buf[ADDR_TEXT_BYTES];
	struct addr addr;
	const char *problem;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(addr_parse_ip(span_from_text(good[i][0]), &addr, &problem), 0);
		assert_int_equal(addr_port(&addr), 0);
		assert_string_equal(addr_format_ip(&addr, buf, sizeof(buf)), good[i][1]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		problem = NULL;
		assert_int_equal(addr_parse_ip(span_from_text(bad[i]), &addr, &problem), -EINVAL);
		assert_non_null(problem);
	}
	addr = parsed("unix:/x");
	assert_string_equal(addr_format_ip(&addr, buf, sizeof(buf)), "");
}

static void does_not_stop_at_a_zero_byte(void **state)
{
	(void)state;
	struct addr addr;
	struct network network;
	bool had_host_bits;
	const char *problem = NULL;
	assert_int_equal(addr_parse((struct span){ "10.0.0.1\0:80", 12 }, &addr, &problem), -EINVAL);
	assert_int_equal(addr_parse((struct span){ "10.0.0.1:80\0", 12 }, &addr, &problem), -EINVAL);
	assert_int_equal(addr_parse((struct span){ "[::1\0]:80", 9 }, &addr, &problem), -EINVAL);
	assert_int_equal(addr_parse((struct span){ "unix:/a\0b", 9 }, &addr, &problem), -EINVAL);
	assert_int_equal(network_parse((struct span){ "10.0.0.0\0/8", 11 }, &network, &had_host_bits, &problem),
			 -EINVAL);
	assert_int_equal(network_parse((struct span){ "::1\0", 4 }, &network, &had_host_bits, &problem), -EINVAL);
}

static void knows_the_longest_unix_path(void **state)
{
	(void)state;
	char text[5 + 108 + 1] = "unix:";
	char buf[ADDR_TEXT_BYTES];
	const char *problem = NULL;
	struct addr addr;
	memset(text + 5, 'p', 107);
	text[112] = '\0';
	assert_int_equal(addr_parse(span_from_text(text), &addr, &problem), 0);
	assert_string_equal(addr_format(&addr, buf, sizeof(buf)), text);
	text[112] = 'p';
	assert_int_equal(addr_parse((struct span){ text, 113 }, &addr, &problem), -EINVAL);
	text[5] = '@';
	text[112] = '\0';
	assert_int_equal(addr_parse(span_from_text(text), &addr, &problem), 0);
	assert_int_equal(addr.len, offsetof(struct sockaddr_un, sun_path) + 107);
	assert_string_equal(addr_format(&addr, buf, sizeof(buf)), text);
}

static void formats_what_the_kernel_gives(void **state)
{
	(void)state;
	char buf[ADDR_TEXT_BYTES];
	struct addr unnamed = { .len = sizeof(sa_family_t), .un.sun_family = AF_UNIX };
	assert_string_equal(addr_format(&unnamed, buf, sizeof(buf)), "unix:");
	struct addr unknown = { .len = sizeof(sa_family_t), .sa.sa_family = AF_PACKET };
	assert_string_equal(addr_format(&unknown, buf, sizeof(buf)), "");
	/* A path that fills the whole field has no zero at its end. */
	struct addr full = { .len = sizeof(struct sockaddr_un), .un.sun_family = AF_UNIX };
	memset(full.un.sun_path, 'p', sizeof(full.un.sun_path));
	assert_int_equal(strlen(addr_format(&full, buf, sizeof(buf))), 5 + sizeof(full.un.sun_path));
	struct addr wide = parsed("[fe80::1%3]:1");
	char little[8];
	assert_string_equal(addr_format(&wide, little, sizeof(little)), "[fe80::");
}

static void compares_what_counts(void **state)
{
	(void)state;
	static const char *const different[] = { "10.0.0.1:80", "10.0.0.1:81", "10.0.0.2:80",   "[::1]:80",
						 "[::1]:81",    "[::2]:80",    "[fe80::1%1]:8", "[fe80::1%2]:8",
						 "unix:/a",     "unix:/b",     "unix:/ab",      "unix:@a" };
	enum { COUNT = sizeof(different) / sizeof(different[0]) };
	for (size_t i = 0; i < COUNT; i++) {
		for (size_t j = 0; j < COUNT; j++) {
			struct addr a = parsed(different[i]);
			struct addr b = parsed(different[j]);
			assert_int_equal(addr_equal(&a, &b), i == j);
		}
	}
}

static void tells_kinds_apart(void **state)
{
	(void)state;
	struct addr addr = parsed("*:80");
	assert_true(addr_is_any(&addr));
	addr = parsed(":80");
	assert_true(addr_is_any(&addr));
	assert_false(addr_is_loopback(&addr));
	addr = parsed("127.200.0.1:80");
	assert_true(addr_is_loopback(&addr));
	assert_false(addr_is_any(&addr));
	addr = parsed("128.0.0.1:80");
	assert_false(addr_is_loopback(&addr));
	addr = parsed("[::1]:80");
	assert_true(addr_is_loopback(&addr));
	addr = parsed("unix:/x");
	assert_true(addr_is_unix(&addr));
	assert_false(addr_is_loopback(&addr));
	assert_false(addr_is_any(&addr));
	assert_int_equal(addr_port(&addr), 0);
}

static void changes_the_port(void **state)
{
	(void)state;
	struct addr addr = parsed("10.0.0.1:80");
	struct addr other = parsed("10.0.0.1:65535");
	addr_set_port(&addr, 65535);
	assert_int_equal(addr_port(&addr), 65535);
	assert_true(addr_equal(&addr, &other));
	addr = parsed("[::1]:80");
	addr_set_port(&addr, 443);
	assert_int_equal(addr_port(&addr), 443);
}

static void turns_into_endpoints_and_back(void **state)
{
	(void)state;
	static const char *const cases[] = { "10.0.0.1:80", "[fd00::1]:53", "[fe80::1%7]:53", "0.0.0.0:1" };
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char buf[ENDPOINT_TEXT_BYTES];
		struct addr addr = parsed(cases[i]);
		struct addr back;
		struct endpoint endpoint = endpoint_from_addr(&addr);
		assert_string_equal(endpoint_format(&endpoint, buf, sizeof(buf)), cases[i]);
		endpoint_to_addr(&endpoint, &back);
		assert_true(addr_equal(&addr, &back));
	}
}

static void sees_ipv4_in_mapped_ipv6(void **state)
{
	(void)state;
	struct sockaddr_in6 mapped = { .sin6_family = AF_INET6, .sin6_port = htons(80) };
	mapped.sin6_addr.s6_addr[10] = 0xff;
	mapped.sin6_addr.s6_addr[11] = 0xff;
	mapped.sin6_addr.s6_addr[12] = 10;
	mapped.sin6_addr.s6_addr[15] = 1;
	struct addr plain = parsed("10.0.0.1:80");
	struct endpoint from_mapped = endpoint_from_sockaddr((const struct sockaddr *)&mapped);
	struct endpoint from_plain = endpoint_from_addr(&plain);
	assert_true(endpoint_equal(&from_mapped, &from_plain));
	assert_int_equal(from_mapped.family, AF_INET);
}

static void has_endpoints_for_other_families(void **state)
{
	(void)state;
	char buf[ENDPOINT_TEXT_BYTES];
	struct addr addr = parsed("unix:/x");
	struct endpoint endpoint = endpoint_from_addr(&addr);
	struct endpoint expected = { .family = AF_UNIX };
	assert_true(endpoint_equal(&endpoint, &expected));
	assert_string_equal(endpoint_format(&endpoint, buf, sizeof(buf)), "unix:");
	struct sockaddr other = { .sa_family = AF_PACKET };
	endpoint = endpoint_from_sockaddr(&other);
	assert_int_equal(endpoint.family, 0);
	assert_string_equal(endpoint_format(&endpoint, buf, sizeof(buf)), "");
}

static void reads_networks(void **state)
{
	(void)state;
	static const struct {
		const char *written;
		const char *formatted;
		bool had_host_bits;
	} cases[] = {
		{ "10.0.0.0/8", "10.0.0.0/8", false },
		{ "10.1.2.3/8", "10.0.0.0/8", true },
		{ "192.0.2.7", "192.0.2.7/32", false },
		{ "192.0.2.7/31", "192.0.2.6/31", true },
		{ "0.0.0.0/0", "0.0.0.0/0", false },
		{ "1.2.3.4/0", "0.0.0.0/0", true },
		{ "2001:db8::/32", "2001:db8::/32", false },
		{ "2001:db8::ffff/113", "2001:db8::8000/113", true },
		{ "::1", "::1/128", false },
		{ "::/0", "::/0", false },
		{ "::ffff:10.0.0.0/104", "10.0.0.0/8", false },
		{ "unix:", "unix:", false },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct network network;
		const char *problem = NULL;
		bool had_host_bits = !cases[i].had_host_bits;
		char buf[NETWORK_TEXT_BYTES];
		assert_int_equal(network_parse(span_from_text(cases[i].written), &network, &had_host_bits, &problem),
				 0);
		assert_string_equal(network_format(&network, buf, sizeof(buf)), cases[i].formatted);
		assert_int_equal(had_host_bits, cases[i].had_host_bits);
	}
}

static void refuses_bad_networks(void **state)
{
	(void)state;
	static const char *const cases[] = { "",
					     "10.0.0.0/33",
					     "10.0.0.0/",
					     "10.0.0.0/-1",
					     "10.0.0.0/ 8",
					     "10.0.0/8",
					     "::/129",
					     "::/8/8",
					     "[::1]",
					     "10.0.0.1:80",
					     "example.com",
					     "all",
					     "any",
					     "*",
					     "unix:/run/x",
					     "/8",
					     "10.0.0.0/0x8",
					     "fe80::1%1/64",
					     "10.0.0.0/999",
					     "10.0.0.0/99999999999999" };
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct network network;
		const char *problem = NULL;
		bool had_host_bits;
		assert_int_equal(network_parse(span_from_text(cases[i]), &network, &had_host_bits, &problem), -EINVAL);
		assert_non_null(problem);
	}
}

static void network_holds(const char *network_text, const char *addr_text, bool expected)
{
	struct network network = network_of(network_text);
	struct addr addr = parsed(addr_text);
	struct endpoint endpoint = endpoint_from_addr(&addr);
	assert_int_equal(network_contains(&network, &endpoint), expected);
}

static void knows_who_is_in_a_network(void **state)
{
	(void)state;
	network_holds("10.0.0.0/8", "10.255.255.255:1", true);
	network_holds("10.0.0.0/8", "11.0.0.0:1", false);
	network_holds("10.0.0.0/9", "10.127.0.1:1", true);
	network_holds("10.0.0.0/9", "10.128.0.1:1", false);
	network_holds("192.0.2.7", "192.0.2.7:1", true);
	network_holds("192.0.2.7", "192.0.2.6:1", false);
	network_holds("0.0.0.0/0", "203.0.113.9:1", true);
	network_holds("0.0.0.0/0", "[2001:db8::1]:1", false);
	network_holds("::/0", "[2001:db8::1]:1", true);
	network_holds("::/0", "203.0.113.9:1", false);
	network_holds("2001:db8::/33", "[2001:db8:7fff::1]:1", true);
	network_holds("2001:db8::/33", "[2001:db8:8000::1]:1", false);
	network_holds("unix:", "unix:/run/x.sock", true);
	network_holds("unix:", "10.0.0.1:1", false);
	network_holds("0.0.0.0/0", "unix:/run/x.sock", false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_back_what_it_writes),
		cmocka_unit_test(refuses_with_a_reason),
		cmocka_unit_test(reads_and_writes_ip_addresses_alone),
		cmocka_unit_test(does_not_stop_at_a_zero_byte),
		cmocka_unit_test(knows_the_longest_unix_path),
		cmocka_unit_test(formats_what_the_kernel_gives),
		cmocka_unit_test(compares_what_counts),
		cmocka_unit_test(tells_kinds_apart),
		cmocka_unit_test(changes_the_port),
		cmocka_unit_test(turns_into_endpoints_and_back),
		cmocka_unit_test(sees_ipv4_in_mapped_ipv6),
		cmocka_unit_test(has_endpoints_for_other_families),
		cmocka_unit_test(reads_networks),
		cmocka_unit_test(refuses_bad_networks),
		cmocka_unit_test(knows_who_is_in_a_network),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
