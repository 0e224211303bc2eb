/* SPDX-License-Identifier: Apache-2.0 */
/* What is written of a tree, to the letter. That it reads back is tested on all good files, too: config_files_test. */
#include "config/write.h"

#include "config/tree_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_writes(const char *text, const char *expected)
{
	size_t len = 0;
	struct config *config = tree_of_text(text);
	char *written = config_write_text(config, &len);
	assert_string_equal(written, expected);
	tree_assert_round_trip(config);
	free(written);
	config_free(&config);
}

/* expected with ' in place of ", for legibility. */
static void assert_writes_json(const char *text, const char *expected)
{
	char quoted[2048];
	struct config *config = tree_of_text(text);
	json_t *document = config_write_json(config);
	char *written = json_dumps(document, JSON_COMPACT);
	snprintf(quoted, sizeof(quoted), "%s", expected);
	for (char *quote = strchr(quoted, '\''); quote != NULL; quote = strchr(quote, '\''))
		*quote = '"';
	assert_string_equal(written, quoted);
	tree_assert_round_trip(config);
	free(written);
	json_decref(document);
	config_free(&config);
}

static void leaves_defaults_out(void **state)
{
	(void)state;
	assert_writes("log stderr format=text level=info\nworkers auto\ntimeout drain=30s\n"
		      "pool a { balance round-robin; panic 0%; server 10.0.0.1:80 weight=1 }\n"
		      "service a { to a; retries 2; timeout connect=5s idle=10m; listen tcp *:80 }\n",
		      "service a {\n    listen  *:80\n    to      a\n}\n\npool a {\n    server  10.0.0.1:80\n}\n");
}

static void keeps_defaults_that_are_needed(void **state)
{
	(void)state;
	/* A word that must stand before a setting; a log beside another; check none, which is not the same as no check. */
	assert_writes("pool a { balance round-robin slow-start=90s; check none; server 10.0.0.1:80 }\n"
		      "log stderr\nlog file:/a\nservice a { listen *:80; to a }\n",
		      "log     stderr\nlog     file:/a\n\nservice a {\n    listen  *:80\n    to      a\n}\n\npool a {\n"
		      "    balance round-robin slow-start=1m30s\n    check   none\n    server  10.0.0.1:80\n}\n");
}

static void has_one_order_and_one_spelling(void **state)
{
	(void)state;
	assert_writes("service a {\n"
		      "to a; session replies=0; limit rate=2k/s; limit sessions=5000000\n"
		      "limit upload=10MB/s bandwidth=1Gbit/s\n"
		      "deny 10.0.0.1 10.1.0.0/16; allow 0.0.0.0/0; deny ::/0\n"
		      "accept-proxy 10.0.0.1 unix:; accept-proxy fd00::/8\n"
		      "listen udp 0.0.0.0:53 :54; listen [::0]:53\n"
		      "}\n"
		      "pool a {\n"
		      "server 10.0.0.1:80 name=\"b\" backup max-connections=10 weight=2\n"
		      "server 10.0.0.1:80 maint name=10.0.0.1\n"
		      "server [fd00::0:1]:80 drain\n"
		      "panic 33; check tcp every=60000ms\n"
		      "}\n"
		      "limit memory=1048576k\n",
		      "limit   memory=1g\n\n"
		      "service a {\n"
		      "    listen  udp *:53\n"
		      "    listen  udp :54\n"
		      "    listen  [::]:53\n"
		      "    to      a\n"
		      "    deny    10.0.0.1/32\n"
		      "    deny    10.1.0.0/16\n"
		      "    allow   0.0.0.0/0\n"
		      "    deny    ::/0\n"
		      "    accept-proxy 10.0.0.1/32\n"
		      "    accept-proxy unix:\n"
		      "    accept-proxy fd00::/8\n"
		      "    limit   sessions=5M rate=2000/s bandwidth=1Gbit/s upload=80Mbit/s\n"
		      "    session replies=0\n"
		      "}\n\n"
		      "pool a {\n"
		      "    check   tcp every=1m\n"
		      "    panic   33%\n"
		      "    server  10.0.0.1:80 weight=2 name=b max-connections=10 backup\n"
		      "    server  10.0.0.1:80 name=10.0.0.1 maint\n"
		      "    server  [fd00::1]:80 drain\n"
		      "}\n");
}

static void quotes_what_needs_it(void **state)
{
	(void)state;
	assert_writes(
		"log \"file:/a b\"\nlog \"file:/a#{;}\"\nlog \"file:/\\x24{HOME}$x\"\nlog \"file:/\\\"\\\\=\"\n"
		"log \"file:/\xc3\xa9\\xff\"\n"
		"service a { listen *:80; to a }\n"
		"pool a { check tcp send=\"\\x00\\n\\r\\t \\x7f\" expect=\"=\"; server \"unix:/a b\" }\n",
		"log     \"file:/a b\"\nlog     \"file:/a#{;}\"\nlog     \"file:/\\x24{HOME}$x\"\n"
		"log     \"file:/\\\"\\\\=\"\nlog     \"file:/\\xc3\\xa9\\xff\"\n\n"
		"service a {\n    listen  *:80\n    to      a\n}\n\n"
		"pool a {\n    check   tcp send=\"\\x00\\n\\r\\t \\x7f\" expect=\"=\"\n    server  \"unix:/a b\"\n}\n");
}

static void every_byte_reads_back(void **state)
{
	(void)state;
	char text[2048];
	size_t len = 0;
	len += (size_t)sprintf(text + len,
			       "service a { listen *:80; to a }\npool a { server 10.0.0.1:80; check udp send=\"");
	for (int byte = 0; byte < 256; byte++)
		len += (size_t)sprintf(text + len, "\\x%02x", byte);
	sprintf(text + len, "\" }\n");
	struct config *config = tree_of_text(text);
	assert_int_equal(config->pools[0].check.send.len, 256);
	tree_assert_round_trip(config);
	config_free(&config);
}

static void the_smallest_tree_is_empty(void **state)
{
	(void)state;
	assert_writes("", "");
	assert_writes_json("", "{}");
}

static void json_has_the_form_of_the_schema(void **state)
{
	(void)state;
	assert_writes_json(
		"workers 2\nlog stderr format=json\nadmin 127.0.0.1:1 [::1]:1\n"
		"service web { listen *:443; listen udp *:443; limit connections=50k; to web; retries 1\n"
		"accept-proxy 10.0.0.1 fd00::/8\n"
		"deny 10.0.0.0/8; allow 10.1.0.0/16; deny ::/0 }\n"
		"pool web { balance random slow-start=30s; panic 10; check none\n"
		"server 10.0.0.1:80 weight=3 backup drain }\n",
		"{'admin':[{'address':'127.0.0.1:1'},{'address':'[::1]:1'}],"
		"'log':[{'sink':'stderr','format':'json'}],'workers':2,"
		"'service':{'web':{'listen':[{'address':'*:443'},{'protocol':'udp','address':'*:443'}],'to':'web',"
		"'access':[{'deny':'10.0.0.0/8'},{'allow':'10.1.0.0/16'},{'deny':'::/0'}],"
		"'accept-proxy':[{'network':'10.0.0.1/32'},{'network':'fd00::/8'}],"
		"'limit':{'connections':50000},'retries':1}},"
		"'pool':{'web':{'balance':{'algorithm':'random','slow-start':'30s'},'check':{'kind':'none'},"
		"'panic':'10%','server':[{'address':'10.0.0.1:80','weight':3,'backup':true,'drain':true}]}}}");
}

static void json_keeps_bytes_that_are_no_text(void **state)
{
	(void)state;
	assert_writes_json("service a { listen *:80; to a }\n"
			   "pool a { check tcp send=\"a\\x00\" expect=\"\\xff\"; server 10.0.0.1:80 }\n",
			   "{'service':{'a':{'listen':[{'address':'*:80'}],'to':'a'}},"
			   "'pool':{'a':{'check':{'kind':'tcp','send':{'hex':'6100'},'expect':{'hex':'ff'}},"
			   "'server':[{'address':'10.0.0.1:80'}]}}}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(leaves_defaults_out),
		cmocka_unit_test(keeps_defaults_that_are_needed),
		cmocka_unit_test(has_one_order_and_one_spelling),
		cmocka_unit_test(quotes_what_needs_it),
		cmocka_unit_test(every_byte_reads_back),
		cmocka_unit_test(the_smallest_tree_is_empty),
		cmocka_unit_test(json_has_the_form_of_the_schema),
		cmocka_unit_test(json_keeps_bytes_that_are_no_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
