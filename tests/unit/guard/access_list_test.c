/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/access_list.h"

#include "base/random.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

static struct guard_rule rule(bool is_allow, const char *text)
{
	struct guard_rule made = { .is_allow = is_allow };
	const char *problem = NULL;
	bool had_host_bits = false;
	assert_int_equal(network_parse(span_from_text(text), &made.network, &had_host_bits, &problem), 0);
	return made;
}

static struct endpoint client(const char *text)
{
	struct addr addr;
	const char *problem = NULL;
	assert_int_equal(addr_parse(span_from_text(text), &addr, &problem), 0);
	return endpoint_from_addr(&addr);
}

static bool allows(const struct access_list *list, const char *text)
{
	struct endpoint endpoint = client(text);
	return access_list_allows(list, &endpoint);
}

/* What the list has to agree with. */
static bool reference_allows(const struct guard_rule *rules, size_t count, const struct endpoint *endpoint)
{
	for (size_t i = 0; i < count; i++) {
		if (network_contains(&rules[i].network, endpoint))
			return rules[i].is_allow;
	}
	return true;
}

static void without_a_match_all_are_allowed(void **state)
{
	(void)state;
	struct access_list *list = access_list_new(NULL, 0);
	assert_true(allows(list, "0.0.0.0:1"));
	assert_true(allows(list, "255.255.255.255:1"));
	assert_true(allows(list, "[2001:db8::1]:1"));
	assert_true(allows(list, "unix:/x"));
	access_list_free(&list);
	assert_null(list);
	access_list_free(&list);
}

static void the_first_match_wins(void **state)
{
	(void)state;
	struct guard_rule rules[] = {
		rule(true, "10.1.2.3"),    rule(false, "10.1.2.0/24"),
		rule(true, "10.1.0.0/16"), rule(false, "10.1.2.3"), /* never reached */
		rule(false, "0.0.0.0/0"),  rule(true, "192.0.2.1"), /* never reached */
	};
	struct access_list *list = access_list_new(rules, 6);
	assert_true(allows(list, "10.1.2.3:1"));
	assert_false(allows(list, "10.1.2.2:1"));
	assert_false(allows(list, "10.1.2.4:1"));
	assert_true(allows(list, "10.1.1.255:1"));
	assert_true(allows(list, "10.1.3.0:1"));
	assert_false(allows(list, "10.0.255.255:1"));
	assert_false(allows(list, "10.2.0.0:1"));
	assert_false(allows(list, "192.0.2.1:1"));
	assert_false(allows(list, "255.255.255.255:1"));
	assert_true(allows(list, "[2001:db8::1]:1"));
	access_list_free(&list);
}

static void families_are_apart(void **state)
{
	(void)state;
	struct guard_rule rules[] = {
		rule(true, "2001:db8::/64"),
		rule(false, "::/0"),
		rule(false, "unix:"),
		rule(true, "unix:"),
	};
	struct access_list *list = access_list_new(rules, 4);
	assert_true(allows(list, "127.0.0.1:1"));
	assert_true(allows(list, "[2001:db8::ffff]:1"));
	assert_false(allows(list, "[2001:db8:0:1::]:1"));
	assert_false(allows(list, "[::1]:1"));
	assert_false(allows(list, "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:1"));
	assert_false(allows(list, "unix:/x"));
	access_list_free(&list);
}

static struct guard_rule random_rule(struct random *random)
{
	/* Few different bits, so that rules nest, repeat and touch. */
	struct guard_rule made = { .is_allow = random_below(random, 2) };
	bool is_ipv4 = random_below(random, 2);
	uint32_t bits = random_below(random, 33);
	char text[64];
	uint32_t ip = random_below(random, 4) << 30 | random_below(random, 4) << 8 | random_below(random, 4);
	char buf[INET6_ADDRSTRLEN];
	if (is_ipv4)
		snprintf(text, sizeof(text), "%s/%u",
			 inet_ntop(AF_INET, &(struct in_addr){ htonl(ip) }, buf, sizeof(buf)), bits);
	else
		snprintf(text, sizeof(text), "%x:%x::%x/%u", ip >> 16, ip & 0xffff, ip & 3, bits * 4);
	made.network = rule(true, text).network;
	return made;
}

static struct endpoint random_client(struct random *random)
{
	struct guard_rule near = random_rule(random);
	struct endpoint endpoint = { .family = near.network.family, .port = 1 };
	memcpy(endpoint.ip, near.network.ip, sizeof(endpoint.ip));
	/* At, just below or just above the beginning of a network. */
	endpoint.ip[15] = (uint8_t)(endpoint.ip[15] + random_below(random, 3) - 1);
	return endpoint;
}

static void agrees_with_a_search_from_the_first_rule(void **state)
{
	(void)state;
	struct random random;
	random_init_seed(&random, 11);
	for (int round = 0; round < 1000; round++) {
		struct guard_rule rules[60];
		size_t count = random_below(&random, 60) + 1;
		for (size_t i = 0; i < count; i++)
			rules[i] = random_rule(&random);
		struct access_list *list = access_list_new(rules, count);
		for (int i = 0; i < 300; i++) {
			struct endpoint endpoint = random_client(&random);
			assert_int_equal(access_list_allows(list, &endpoint),
					 reference_allows(rules, count, &endpoint));
		}
		access_list_free(&list);
	}
}

static double seconds_now(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static struct endpoint client_at(uint8_t family, uint64_t number)
{
	struct endpoint endpoint = { .family = family, .port = 1 };
	if (family == AF_INET) {
		endpoint.ip[10] = endpoint.ip[11] = 0xff;
		memcpy(endpoint.ip + 12, &number, 4);
	} else {
		memcpy(endpoint.ip, &number, 8);
		endpoint.ip[0] = 0x20;
	}
	return endpoint;
}

static void measure(const struct access_list *list, uint8_t family, struct random *random)
{
	enum { ASKED = 1000000, CLIENTS = 4096 };
	static struct endpoint clients[CLIENTS];
	uint32_t allowed_count = 0;
	for (int i = 0; i < CLIENTS; i++)
		clients[i] = client_at(family, random_next(random));
	double start = seconds_now();
	for (int i = 0; i < ASKED; i++)
		allowed_count += access_list_allows(list, &clients[i % CLIENTS]);
	print_message("100,000 rules, %s: %.0f ns (%u allowed)\n", family == AF_INET ? "IPv4" : "IPv6",
		      (seconds_now() - start) * 1e9 / ASKED, allowed_count);
}

static void a_hundred_thousand_rules_are_answered(void **state)
{
	(void)state;
	enum { RULES = 100000 };
	struct guard_rule *rules = calloc(RULES, sizeof(*rules));
	struct random random;
	random_init_seed(&random, 2);
	for (size_t i = 0; i < RULES; i++) {
		struct endpoint base = client_at(i % 2 != 0 ? AF_INET : AF_INET6, random_next(&random));
		rules[i].network.family = base.family;
		rules[i].network.prefix_bits = base.family == AF_INET ? 120 : 48;
		memcpy(rules[i].network.ip, base.ip, base.family == AF_INET ? 15 : 6);
	}
	double start = seconds_now();
	struct access_list *list = access_list_new(rules, RULES);
	print_message("made in %.0f ms\n", (seconds_now() - start) * 1e3);
	measure(list, AF_INET, &random);
	measure(list, AF_INET6, &random);
	for (int i = 0; i < 1000; i++) {
		struct endpoint endpoint = client_at(i % 2 != 0 ? AF_INET : AF_INET6, random_next(&random));
		assert_int_equal(access_list_allows(list, &endpoint), reference_allows(rules, RULES, &endpoint));
	}
	access_list_free(&list);
	free(rules);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_match_all_are_allowed),
		cmocka_unit_test(the_first_match_wins),
		cmocka_unit_test(families_are_apart),
		cmocka_unit_test(agrees_with_a_search_from_the_first_rule),
		cmocka_unit_test(a_hundred_thousand_rules_are_answered),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
