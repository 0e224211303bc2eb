/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin_policy.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct addr listen_on(const char *text)
{
	struct addr addr;
	const char *problem;
	assert_int_equal(addr_parse(span_from_text(text), &addr, &problem), 0);
	return addr;
}

static bool accepts(const char *host, const char *listen)
{
	struct addr addr = listen_on(listen);
	return admin_policy_accepts_host(host, &addr);
}

static void own_hosts_are_accepted(void **state)
{
	(void)state;
	static const char *const hosts[] = { "localhost",      "LocalHost:9900", "localhost:1", "127.0.0.1",
					     "127.0.0.1:9900", "[::1]",          "[::1]:9900",  NULL };
	for (size_t i = 0; hosts[i] != NULL; i++)
		assert_true(accepts(hosts[i], "127.0.0.1:9900"));
	assert_true(accepts(NULL, "127.0.0.1:9900"));
	assert_true(accepts("127.0.0.5:9900", "127.0.0.5:9900"));
	assert_true(accepts("127.0.0.5", "127.0.0.5:9900"));
	assert_true(accepts("[fd00::1]:9900", "[fd00::1]:9900"));
}

static void foreign_hosts_are_refused(void **state)
{
	(void)state;
	static const char *const hosts[] = { "evil.example",
					     "evil.example:9900",
					     "127.0.0.1.evil.example",
					     "localhost.evil.example",
					     "127.0.0.2@evil.example",
					     "localhost@evil.example:9900",
					     "",
					     ":9900",
					     "localhost:",
					     "localhost:99999999",
					     "localhost:80x",
					     "localhost ",
					     "localhost.",
					     "127.0.0.2",
					     "192.0.2.1:9900",
					     "::1",
					     "[::1",
					     "[::1]x",
					     "[]",
					     "[localhost]",
					     "2130706433",
					     "127.1",
					     NULL };
	for (size_t i = 0; hosts[i] != NULL; i++)
		assert_false(accepts(hosts[i], "127.0.0.1:9900"));
	assert_false(accepts("10.0.0.1:9900", "10.0.0.2:9900"));
}

static void a_wildcard_listener_accepts_addresses_but_not_names(void **state)
{
	(void)state;
	assert_true(accepts("192.0.2.1:9900", "*:9900"));
	assert_true(accepts("[2001:db8::1]:9900", ":9900"));
	assert_false(accepts("evil.example:9900", "*:9900"));
}

static void unix_sockets_accept_no_names_of_web_pages(void **state)
{
	(void)state;
	assert_true(accepts("whatever", "unix:/run/strait.sock"));
	assert_true(accepts("d:80", "unix:/run/strait.sock"));
	assert_true(accepts("localhost", "unix:/run/strait.sock"));
	assert_true(accepts("192.0.2.1:9900", "unix:/run/strait.sock"));
	assert_true(accepts("[2001:db8::1]", "unix:/run/strait.sock"));
	assert_true(accepts(NULL, "unix:/run/strait.sock"));
	assert_false(accepts("evil.example:9900", "unix:/run/strait.sock"));
	assert_false(accepts("evil.", "unix:/run/strait.sock"));
	assert_false(accepts("", "unix:/run/strait.sock"));
	assert_false(accepts("a@b", "unix:/run/strait.sock"));
	assert_false(accepts("\xc3\xa9vil", "unix:/run/strait.sock"));
}

static void pages_elsewhere_may_only_link_to_here(void **state)
{
	(void)state;
	assert_true(admin_policy_accepts_fetch(NULL, NULL, NULL));
	assert_true(admin_policy_accepts_fetch("same-origin", "cors", "empty"));
	assert_true(admin_policy_accepts_fetch("none", "navigate", "document"));
	assert_true(admin_policy_accepts_fetch("cross-site", "navigate", "document"));
	assert_true(admin_policy_accepts_fetch("same-site", "navigate", "document"));
	assert_false(admin_policy_accepts_fetch("cross-site", "no-cors", "image"));
	assert_false(admin_policy_accepts_fetch("same-site", "no-cors", "script"));
	assert_false(admin_policy_accepts_fetch("cross-site", "navigate", "iframe"));
	assert_false(admin_policy_accepts_fetch("cross-site", NULL, NULL));
	assert_false(admin_policy_accepts_fetch("", "cors", "empty"));
}

static void only_the_own_origin_is_accepted(void **state)
{
	(void)state;
	assert_true(admin_policy_accepts_origin(NULL, "localhost:9900"));
	assert_true(admin_policy_accepts_origin("http://localhost:9900", "localhost:9900"));
	assert_false(admin_policy_accepts_origin("http://localhost:3000", "localhost:9900"));
	assert_false(admin_policy_accepts_origin("https://localhost:9900", "localhost:9900"));
	assert_false(admin_policy_accepts_origin("http://evil.example", "localhost:9900"));
	assert_false(admin_policy_accepts_origin("http://localhost:9900.evil.example", "localhost:9900"));
	assert_false(admin_policy_accepts_origin("null", "localhost:9900"));
	assert_false(admin_policy_accepts_origin("", "localhost:9900"));
	assert_false(admin_policy_accepts_origin("http://localhost:9900", NULL));
}

static void the_token_must_match_whole(void **state)
{
	(void)state;
	assert_true(admin_policy_accepts_token(NULL, NULL));
	assert_true(admin_policy_accepts_token("Bearer anything", NULL));
	assert_true(admin_policy_accepts_token("Bearer s3cret", "s3cret"));
	assert_true(admin_policy_accepts_token("bearer s3cret", "s3cret"));
	assert_false(admin_policy_accepts_token(NULL, "s3cret"));
	assert_false(admin_policy_accepts_token("", "s3cret"));
	assert_false(admin_policy_accepts_token("s3cret", "s3cret"));
	assert_false(admin_policy_accepts_token("Basic s3cret", "s3cret"));
	assert_false(admin_policy_accepts_token("Bearer ", "s3cret"));
	assert_false(admin_policy_accepts_token("Bearer s3cre", "s3cret"));
	assert_false(admin_policy_accepts_token("Bearer s3crets", "s3cret"));
	assert_false(admin_policy_accepts_token("Bearer s3crets3cret", "s3cret"));
	assert_false(admin_policy_accepts_token("Bearer S3CRET", "s3cret"));
	assert_false(admin_policy_accepts_token("Bearer ", ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_hosts_are_accepted),
		cmocka_unit_test(foreign_hosts_are_refused),
		cmocka_unit_test(a_wildcard_listener_accepts_addresses_but_not_names),
		cmocka_unit_test(unix_sockets_accept_no_names_of_web_pages),
		cmocka_unit_test(pages_elsewhere_may_only_link_to_here),
		cmocka_unit_test(only_the_own_origin_is_accepted),
		cmocka_unit_test(the_token_must_match_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
