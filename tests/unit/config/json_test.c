/* SPDX-License-Identifier: Apache-2.0 */
/* Configurations from JSON: what means the same as which text, and what is said about wrong documents. */
#include "config/config.h"

#include "base/memory.h"
#include "config/json_form.h"
#include "config/tree_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* In the tables below ' stands for ". */
static char *unquoted(const char *text)
{
	char *copy = memory_copy_text(text);
	for (char *quote = strchr(copy, '\''); quote != NULL; quote = strchr(quote, '\''))
		*quote = '"';
	return copy;
}

static void means_what_the_text_means(void **state)
{
	(void)state;
	static const struct {
		const char *json;
		const char *text;
	} pairs[] = {
		{ "{}", "" },
		{ "\xef\xbb\xbf {'workers':'auto'}\n", "" },
		{ "{'workers':3,'log':['stderr',{'sink':'file:/a','level':'debug'}]}",
		  "workers 3; log stderr; log file:/a level=debug" },
		{ "{'admin':[{'address':['127.0.0.1:1','[::1]:1']},'unix:/a']}",
		  "admin 127.0.0.1:1 [::1]:1; admin unix:/a" },
		{ "{'admin':[['127.0.0.1:1','[::1]:1']]}", "admin 127.0.0.1:1 [::1]:1" },
		{ "{'limit':{'connections':'50k','sessions':50000,'memory':1048576},'timeout':{'drain':'1m'}}",
		  "limit connections=50k sessions=50k memory=1m; timeout drain=1m" },
		{ "{'service':{'a':{'listen':[{'protocol':'udp','address':['*:53',':54']},'unix:/x'],'to':'b',"
		  "'access':[{'deny':'10.0.0.0/8'},{'allow':['10.0.0.1','::/0']},{'deny':{'network':'unix:'}}],"
		  "'session':{'replies':0},'retries':0}},'pool':{'b':{'server':['10.0.0.1:80']}}}",
		  "service a { listen udp *:53 :54; listen unix:/x; to b; session replies=0; retries 0\n"
		  "deny 10.0.0.0/8; allow 10.0.0.1 ::/0; deny unix: }\npool b { server 10.0.0.1:80 }" },
		{ "{'service':{'a':{'listen':['*:1'],'to':{'pool':'a'}}},'pool':{'a':{'balance':'random','panic':30,"
		  "'check':{'kind':'tcp','send':{'hex':'00Ff'},'expect':'\\u00e9${HOME}'},'on-down':'close',"
		  "'eject':{'failures':2},'server':[{'address':'10.0.0.1:80','name':'backup','backup':false,'drain':"
		  "true},"
		  "{'address':'10.0.0.2:80','state':'maint','max-connections':5},"
		  "{'address':'10.0.0.3:80','state':'up','backup':true,'weight':'2'}]}}}",
		  "service a { listen *:1; to a }\n"
		  "pool a { balance random; panic 30%; check tcp send=\"\\x00\\xff\" expect=\"\\xc3\\xa9\\x24{HOME}\"\n"
		  "on-down close; eject failures=2\nserver 10.0.0.1:80 name=backup drain\n"
		  "server 10.0.0.2:80 maint max-connections=5; server 10.0.0.3:80 backup weight=2 }" },
	};
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		char *json = unquoted(pairs[i].json);
		struct config *from_json = tree_of_json(json);
		struct config *from_text = tree_of_text(pairs[i].text);
		tree_assert_equal(from_json, from_text);
		tree_assert_round_trip(from_json);
		config_free(&from_json);
		config_free(&from_text);
		free(json);
	}
}

/* What is said about a document, as one text. */
static char *said_about(struct span json, bool is_good)
{
	struct diagnostics diagnostics;
	char *said = NULL;
	size_t said_len = 0;
	diagnostics_init(&diagnostics);
	struct config *config = config_load_json("request", json, &diagnostics);
	FILE *out = open_memstream(&said, &said_len);
	assert_non_null(out);
	diagnostics_print(&diagnostics, out);
	fclose(out);
	assert_int_equal(config != NULL, is_good);
	assert_int_equal(diagnostics.error_count == 0, is_good);
	config_free(&config);
	diagnostics_done(&diagnostics);
	return said;
}

#define SERVICE_A "'service':{'a':{'listen':['*:1'],'to':'a'}}"
#define POOL_A    "'pool':{'a':{'check':'tcp','server':['10.0.0.1:80']}}"

/* Each is put between SERVICE_A and POOL_A, or is a whole document. */
static const struct {
	const char *json;
	const char *said; /* all of it */
} bad[] = {
	/* No JSON: line and column. */
	{ "", "request:1:1: error: the JSON text ends too early\n    1 | \n      | ^\n" },
	{ "{'workers':",
	  "request:1:11: error: the JSON text ends too early\n    1 | {'workers':\n      |           ^\n" },
	{ "{\n  'workers': 1x\n}", "request:2:15: error: this is not JSON: '}' expected\n    2 |   'workers': 1x\n"
				   "      |               ^\n" },
	{ "{'workers':1,'workers':1}", "request:1:22: error: this key is given twice in its object\n"
				       "    1 | {'workers':1,'workers':1}\n      |                      ^\n" },
	{ "{'workers':99999999999999999999}", "request:1:31: error: this number is too large\n"
					      "    1 | {'workers':99999999999999999999}\n"
					      "      |                               ^\n" },
	{ "{'workers':'\\u0000'}", "request:1:19: error: a string cannot hold a zero byte\n"
				   "    1 | {'workers':'\\u0000'}\n"
				   "      |                   ^ bytes can be written {'hex': '00ff'}\n" },
	{ "{'\xff':1}", "request:1:3: error: JSON is UTF-8, and this is not\n    1 | {'\xff':1}\n      |   ^\n" },
	{ "{} {}", "request:1:4: error: something stands behind the end of the JSON document\n    1 | {} {}\n"
		   "      |    ^\n" },
	/* The document. */
	{ "[]", "request: error: an object is expected here, not an array\n" },
	{ "'workers 1'", "request: error: an object is expected here, not a string\n" },
	{ "null", "request: error: an object is expected here, not null\n   what is not set is left out\n" },
	{ "{'service':['a']}", "request:/service: error: an object is expected here, not an array\n" },
	{ "{'service':{'a':null},'pool':{'b':1}}",
	  "request:/service/a: error: an object is expected here, not null\n   what is not set is left out\n"
	  "request:/pool/b: error: an object is expected here, not a number\n" },
	{ "{'include':['a.conf']}", "request:/include/0: error: nothing can be included here\n" },
	{ "{'worker':1}",
	  "request:/worker: error: unknown directive 'worker'\n   did you mean 'workers'?\n"
	  "   accepted: admin log block workers io-uring packet-guard kernel-path limit timeout trends resolver "
	  "include service pool\n" },
	{ "{'to':'a'}", "request:/to: error: 'to' belongs inside a service\n" },
	{ "{'service':{'a b':{'listen':['*:1'],'to':'a'}}," POOL_A "}",
	  "request:/service/a b: error: 'a b' is not a name\n   a name has letters, digits, '.', '_' and '-'\n" },
	{ "{'service':{'a':{}}," POOL_A "}",
	  "request:/service/a: error: service 'a' goes to no pool\n   add: to a\n"
	  "request:/service/a: error: service 'a' listens nowhere\n   add: listen ADDRESS\n" },
	{ "{'service':{'a':{'listen':['*:1','*:1'],'to':'b'}}," POOL_A "}",
	  "request:/service/a/listen/1: error: this address is listened on twice; first at "
	  "request:/service/a/listen/0\n"
	  "request:/service/a/to: error: there is no pool 'b'\n   accepted: a\n" },
	{ "{'service':{'a':{'listen':['*:1'],'to':'a','deny':['::/0']}}," POOL_A "}",
	  "request:/service/a/deny: error: 'deny' stands in 'access', which keeps the order of the rules\n"
	  "   write 'access': [{'allow': NETWORK}, {'deny': NETWORK}]\n" },
	{ "{'service':{'a':{'listen':['*:1'],'to':'a','access':[{'deny':'::/0','allow':'::/0'},'::/0',{'to':'a'},"
	  "{'deny':['10.0.0.1','x']}]}}," POOL_A "}",
	  "request:/service/a/access/0: error: a rule is {'allow': NETWORK} or {'deny': NETWORK}\n"
	  "request:/service/a/access/1: error: a rule is {'allow': NETWORK} or {'deny': NETWORK}\n"
	  "request:/service/a/access/2: error: a rule is {'allow': NETWORK} or {'deny': NETWORK}\n"
	  "request:/service/a/access/3/deny/1: error: 'x' is not a network\n   a network looks like 10.0.0.0/8, "
	  "2001:db8::/32 or 192.0.2.7\n"
	  "   accepted: 10.0.0.0/8 2001:db8::/32 192.0.2.7 unix: @file:PATH\n" },
	{ "{'service':{'a':{'listen':['*:1'],'to':'a','access':{'deny':'::/0'}}}," POOL_A "}",
	  "request:/service/a/access: error: an array is expected here, not an object\n" },
	{ "{'service':{'a':{'listen':'*:1','to':'a'}}," POOL_A "}",
	  "request:/service/a/listen: error: an array is expected here, not a string\n" },
	{ "{'service':{'a':{'listen':[{'protocol':'upd','address':'*:1'}],'to':'a'}}," POOL_A "}",
	  "request:/service/a/listen/0/protocol: error: unknown protocol 'upd'\n   did you mean 'udp'?\n"
	  "   accepted: tcp udp\n" },
	{ "{'service':{'a':{'listen':[{'protocol':'udp'}],'to':'a'}}," POOL_A "}",
	  "request:/service/a/listen/0: error: 'listen' needs an address\n   accepted: listen [tcp|udp] ADDRESS...\n" },
	/* Values. */
	{ "{" SERVICE_A ",'pool':{'a':{'balance':{'algorithm':'least-con'},'check':'tcp','server':['10.0.0.1:80']}}}",
	  "request:/pool/a/balance/algorithm: error: unknown balancing algorithm 'least-con'\n"
	  "   did you mean 'least-connections'?\n"
	  "   accepted: round-robin least-connections source-hash random maglev first\n" },
	{ "{" SERVICE_A ",'pool':{'a':{'balance':{'slow-start':'5s'},'check':'tcp','server':['10.0.0.1:80']}}}",
	  "request:/pool/a/balance: error: 'balance' needs a word: round-robin least-connections source-hash random "
	  "maglev first\n"
	  "   accepted: balance round-robin|least-connections|source-hash|random|maglev|first [slow-start=TIME] "
	  "[load=PERCENT]\n" },
	{ "{'timeout':{'drain':10}," SERVICE_A "," POOL_A "}",
	  "request:/timeout/drain: error: '10' is not a time\n   seconds or milliseconds? write 10s\n"
	  "   accepted: 250ms 10s 1h30m 2d\n" },
	{ "{'timeout':{'drain':-1},'limit':{},'workers':65," SERVICE_A "," POOL_A "}",
	  "request:/timeout/drain: error: '-1' is not a time\n   it cannot be negative\n"
	  "   accepted: 250ms 10s 1h30m 2d\n"
	  "request:/limit: error: 'limit' needs at least one setting\n"
	  "   accepted: limit [connections=N] [sessions=N] [memory=SIZE]\n"
	  "request:/workers: error: the number of workers must be from 1 to 64\n" },
	{ "{'workers':1.5,'limit':{'connections':true,'memory':null,'sessions':[1]}," SERVICE_A "," POOL_A "}",
	  "request:/workers: error: a string or a whole number is expected here, not a number with a fraction or "
	  "exponent\n"
	  "request:/limit/connections: error: a string or a whole number is expected here, not true or false\n"
	  "request:/limit/memory: error: a string or a whole number is expected here, not null\n"
	  "   what is not set is left out\n"
	  "request:/limit/sessions: error: a string or a whole number is expected here, not an array\n" },
	{ "{'limit':5," SERVICE_A "," POOL_A "}", "request:/limit: error: 'limit' does not take '5' here\n"
						  "   accepted: limit [connections=N] [sessions=N] [memory=SIZE]\n" },
	{ "{" SERVICE_A ",'pool':{'a':{'check':'tcp','server':[{'adress':'10.0.0.1:80'},{'address':'10.0.0.1:80',"
	  "'backup':'yes','drain':true,'maint':true},{'address':['10.0.0.1:81','10.0.0.1:82']}]}}}",
	  "request:/pool/a/server/0/adress: error: 'server' has no 'adress'\n   did you mean 'address'?\n"
	  "   accepted: address weight name max-connections backup drain maint state\n"
	  "request:/pool/a/server/1/backup: error: true or false is expected here, not a string\n"
	  "request:/pool/a/server/1/maint: error: 'drain' and 'maint' exclude each other\n"
	  "request:/pool/a/server/2/address: error: a string or a whole number is expected here, not an array\n" },
	{ "{" SERVICE_A ",'pool':{'a':{'check':{'kind':'tcp','send':{'hex':'0'},'expect':{'hex':'0g'}},'server':["
	  "{'address':'10.0.0.1:80','state':'down'},{'address':'10.0.0.2:80','state':'drain','drain':true}]}}}",
	  "request:/pool/a/check/send: error: 'hex' stands alone and takes pairs of hexadecimal digits\n"
	  "request:/pool/a/check/expect: error: 'hex' stands alone and takes pairs of hexadecimal digits\n"
	  "request:/pool/a/server/0/state: error: unknown state 'down'\n   accepted: up drain maint\n"
	  "request:/pool/a/server/1/drain: error: 'drain' is given twice; first at request:/pool/a/server/1/state\n" },
	{ "{'log':[{'sink':{'hex':'66696c653a2f00'}}]}",
	  "request: warning: there is no service, so nothing will be listened on\n"
	  "request:/log/0/sink: error: 'file:/\\x00' is not a log sink\n   a path cannot hold control characters\n"
	  "   accepted: stderr file:PATH syslog:unix:PATH syslog:udp:ADDRESS syslog:tcp:ADDRESS journald\n" },
};

static void bad_documents_are_refused(void **state)
{
	(void)state;
	size_t failed_count = 0;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char *json = unquoted(bad[i].json);
		char *expected = unquoted(bad[i].said);
		char *said = said_about(span_from_text(json), false);
		char *plain = unquoted(said);
		if (strcmp(plain, expected) != 0) {
			fprintf(stderr, "# %s\n--- expected\n%s+++ actual\n%s", json, expected, said);
			failed_count++;
		}
		free(plain);
		free(said);
		free(expected);
		free(json);
	}
	assert_int_equal(failed_count, 0);
}

static void warnings_have_pointers(void **state)
{
	(void)state;
	char *json = unquoted("{'service':{'a':{'listen':['*:1'],'to':'a','access':[{'allow':'10.0.0.1'}]}},"
			      "'pool':{'a':{'server':['10.0.0.1:80']}}}");
	char *said = said_about(span_from_text(json), true);
	assert_non_null(strstr(said, "request:/service/a/access/0/allow: warning: what no rule matches"));
	assert_non_null(strstr(said, "request:/pool/a: warning: pool \"a\" has no check"));
	free(said);
	free(json);
}

/* A tree may be kept for as long as the daemon runs, and the document is not. */
static void the_tree_has_no_places(void **state)
{
	(void)state;
	char *json = unquoted("{" SERVICE_A "," POOL_A ",'log':['stderr'],'admin':['127.0.0.1:1']}");
	struct config *config = tree_of_json(json);
	assert_int_equal(config->services[0].place.line, 0);
	assert_int_equal(config->services[0].to_place.line, 0);
	assert_int_equal(config->services[0].listens[0].place.line, 0);
	assert_int_equal(config->pools[0].place.line, 0);
	assert_int_equal(config->pools[0].servers[0].place.line, 0);
	assert_int_equal(config->logs[0].place.line, 0);
	assert_int_equal(config->admins[0].place.line, 0);
	assert_string_equal(config->files[0], "test");
	config_free(&config);
	free(json);
}

static char *repeated(const char *begin, const char *part, size_t count, const char *end)
{
	size_t part_len = strlen(part);
	char *text = memory_alloc(strlen(begin) + count * part_len + strlen(end) + 1);
	char *at = stpcpy(text, begin);
	for (size_t i = 0; i < count; i++)
		at = stpcpy(at, part);
	strcpy(at, end);
	return text;
}

static void assert_said(char *json, const char *expected)
{
	char *said = said_about(span_from_text(json), false);
	if (strstr(said, expected) == NULL)
		fail_msg("%.300s\nis said instead of\n%s", said, expected);
	free(said);
	free(json);
}

static void large_and_deep_documents_are_bounded(void **state)
{
	(void)state;
	assert_said(repeated("", "[", 1000000, ""), "nested too deep");
	assert_said(repeated("{\"service\":{\"a\":{\"to\":", "{\"x\":", 2000, ""), "ends too early");
	assert_said(repeated("{\"to\":", "[", 2000, ""), "ends too early");
	assert_said(repeated("{\"log\":[\"file:/", "x", 4096, "\"]}"), "a value is longer than 4096 bytes");
	assert_said(repeated("{\"log\":[", "1,", 100000, "1]}"), "and 900 more, not shown");
	assert_said(repeated("{\"admin\":[[", "\"unix:/a\",", 4096, "\"unix:/a\"]]}"), "more than 4096 values");
	assert_said(repeated("{\"", "x", 1000000, "\":1}"), "error: unknown directive \"xxx");
	assert_said(repeated("", " ", 17 << 20, "{}"), "too large for a configuration");
}

/* Every value of the schema has a key of its own, and none that means something else. */
static void keys_are_distinct(void **state)
{
	(void)state;
	char name[JSON_FORM_NAME_BYTES];
	assert_null(schema_find_anywhere(span_from_text(JSON_FORM_RULES)));
	for (size_t i = 0; i < schema_directive_count; i++) {
		const struct schema_directive *directive = &schema_directives[i];
		for (size_t j = 0; j < directive->value_count; j++) {
			json_form_name(&directive->values[j], name);
			assert_ptr_equal(json_form_find(directive, name), &directive->values[j]);
			assert_string_not_equal(name, JSON_FORM_HEX);
			assert_true(directive->target != SCHEMA_INTO_SERVER || strcmp(name, JSON_FORM_STATE) != 0);
		}
	}
}

/* The text between the first line that is `begin` and the next that closes the block. */
static char *block_of(const char *page, const char *begin)
{
	const char *start = strstr(page, begin);
	assert_non_null(start);
	start += strlen(begin);
	const char *end = strstr(start, "\n```");
	assert_non_null(end);
	return memory_copy_span((struct span){ start, (size_t)(end - start) + 1 });
}

static void the_example_of_the_page_is_true(void **state)
{
	(void)state;
	char *page = NULL;
	size_t page_bytes = 0;
	FILE *file = fopen("docs/configuration-json.md", "r");
	assert_non_null(file);
	assert_true(getdelim(&page, &page_bytes, '\0', file) > 0);
	fclose(file);
	char *text = block_of(page, "\n```\n");
	char *json = block_of(page, "\n```json\n");
	struct config *from_text = tree_of_text(text);
	struct config *from_json = tree_of_json(json);
	tree_assert_equal(from_text, from_json);
	char *said = said_about(span_from_text(json), true);
	assert_string_equal(said, "");
	free(said);
	config_free(&from_text);
	config_free(&from_json);
	free(json);
	free(text);
	free(page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(means_what_the_text_means),
		cmocka_unit_test(bad_documents_are_refused),
		cmocka_unit_test(warnings_have_pointers),
		cmocka_unit_test(the_tree_has_no_places),
		cmocka_unit_test(large_and_deep_documents_are_bounded),
		cmocka_unit_test(keys_are_distinct),
		cmocka_unit_test(the_example_of_the_page_is_true),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
