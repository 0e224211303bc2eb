/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/status_screen.h"

#include "cli/status_attention.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static const char well[] =
	"{\"version\":\"0.1.0\",\"phase\":\"running\",\"uptime_seconds\":7500,\"generation\":4,\"is_degraded\":false,"
	"\"reloads\":{\"is_last_good\":true},\"workers\":[{},{}],"
	"\"limits\":{\"connections\":{\"used\":3,\"max\":1000},\"sessions\":{\"used\":0,\"max\":500},"
	"\"descriptors\":{\"used\":9,\"max\":900,\"open\":25,\"limit\":1024}},\"log\":{\"dropped\":0,\"places\":[]},"
	"\"services\":[{\"name\":\"web\",\"pool\":\"web\",\"flows_active\":3,\"flows_total\":1200,\"bytes_in\":2048,"
	"\"bytes_out\":5242880,\"refused_total\":7,\"refused\":{\"limit_rate\":5,\"denied_access\":2},"
	"\"listens\":[{\"protocol\":\"tcp\",\"address\":\"[::]:8080\",\"is_dual\":true},"
	"{\"protocol\":\"udp\",\"address\":\"127.0.0.1:53\",\"is_dual\":false}]}],"
	"\"pools\":[{\"name\":\"web\",\"available_count\":1,\"is_degraded\":false,\"names\":[],"
	"\"servers\":[{\"name\":\"blue\",\"address\":\"10.0.0.1:80\",\"state\":\"up\",\"state_age_ms\":60000,"
	"\"flows_active\":3,\"flows_total\":1200}]}]}";

static char *show(json_t *status, const char *history, const char *trends)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);
	assert_non_null(status);
	json_t *history_document = history != NULL ? json_loads(history, 0, NULL) : NULL;
	json_t *trends_document = trends != NULL ? json_loads(trends, 0, NULL) : NULL;
	status_screen_print(
		&(struct status_screen){ status, history_document, trends_document, 80, 24, LOOK_COLOURLESS }, out);
	fclose(out);
	if (text == NULL)
		abort();
	json_decref(status);
	json_decref(history_document);
	json_decref(trends_document);
	return text;
}

static void assert_has(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("\"%s\" is not in:\n%s", part, text);
}

static size_t count_lines(const char *text)
{
	size_t count = 0;
	for (; *text != '\0'; text++)
		count += *text == '\n';
	return count;
}

static void all_is_well(void **state)
{
	(void)state;
	char *text = show(json_loads(well, 0, NULL),
			  "{\"events\":[{\"ts\":\"2026-11-23T06:29:19.266Z\",\"event\":\"server_up\"},"
			  "{\"ts\":\"2026-11-23T07:00:00.000Z\",\"event\":\"reloaded\"}]}",
			  NULL);
	assert_has(text, "All is well, since 2026-11-23T06:29:19 UTC\n");
	assert_has(text, "strait 0.1.0, running for 2h5m, 2 workers, generation 4");
	assert_has(text, "reloaded 2026-11-23T07:00:00 UTC");
	assert_has(text, "connections 3 of 1.0k, UDP sessions 0 of 500, descriptors 25 of 1.0k\n");
	assert_has(text, "refused since the start: limit_rate 5, denied_access 2\n");
	assert_has(text, ":8080 udp 127.0.0.1:53");
	assert_has(text, "5.0M");
	assert_has(text, "web/blue");
	assert_null(strchr(text, '!'));
	free(text);
}

static void what_is_wrong_comes_first(void **state)
{
	(void)state;
	json_t *status = json_loads(well, 0, NULL);
	json_t *more = json_loads(
		"{\"is_degraded\":true,\"reloads\":{\"is_last_good\":false},"
		"\"limits\":{\"connections\":{\"used\":1000,\"max\":1000},\"sessions\":{\"used\":450,\"max\":500}},"
		"\"log\":{\"dropped\":9,\"places\":[{\"name\":\"journald\",\"dropped\":9}]},"
		"\"pools\":[{\"name\":\"web\",\"available_count\":0,\"is_degraded\":true,"
		"\"names\":[{\"host\":\"db.example.com\",\"state\":\"failed\",\"age_ms\":61000,"
		"\"addresses\":[\"10.0.0.1:80\"],\"last_error\":\"no answer\\u001b\"}],"
		"\"servers\":[{\"name\":\"blue\",\"state\":\"down\",\"state_age_ms\":200000,"
		"\"last_check\":{\"good\":false,\"cause\":\"refused\\u001b[2J\"}},"
		"{\"name\":\"red\",\"state\":\"down\",\"is_ejected\":true,\"state_age_ms\":1000},"
		"{\"name\":\"green\",\"state\":\"drain\",\"state_age_ms\":5000,\"flows_active\":2}]}]}",
		0, NULL);
	json_object_update(status, more);
	json_decref(more);
	char *text =
		show(status, "{\"events\":[{\"event\":\"reload_failed\",\"cause\":\"unknown directive\"}]}",
		     "{\"window_seconds\":60,\"services\":[{\"name\":\"web\",\"covered_seconds\":60,\"flows\":120,"
		     "\"bytes_in\":61440,"
		     "\"bytes_out\":0,\"usual\":[{\"measure\":\"flows\",\"now\":120.0,\"usual\":10.1,"
		     "\"basis\":\"all hours\",\"is_unusual\":true},{\"measure\":\"bytes\",\"is_unusual\":false}]}]}");
	assert_int_equal(strncmp(text, "DEGRADED for 3m20s\n", 19), 0);
	assert_has(text, "! pool web: none of 3 servers is available");
	assert_has(text, "! limit connections: reached, 1.0k of 1.0k used\n");
	assert_has(text, "! limit sessions: nearly reached, 450 of 500 used\n");
	assert_has(text, "the configuration before it runs on: unknown directive\n");
	assert_has(text, "name db.example.com: failed: no answer?; 1 address known, of 1m1s");
	assert_has(text, "! server web/blue: down for 3m20s: refused?[2J\n");
	assert_has(text, "... and ");
	assert_null(strchr(text, '\x1b'));
	assert_has(text, "FLOWS/S");
	assert_has(text, "1.0K");
	assert_true(count_lines(text) <= 24);
	free(text);
}

static void every_kind_of_trouble_is_found(void **state)
{
	(void)state;
	static struct status_attention attention;
	json_t *status =
		json_loads("{\"phase\":\"draining\",\"log\":{\"dropped\":9},\"pools\":[{\"name\":\"web\",\"servers\":["
			   "{\"name\":\"red\",\"state\":\"down\",\"is_ejected\":true,\"state_age_ms\":1000},"
			   "{\"name\":\"green\",\"state\":\"maint\",\"state_age_ms\":5000,\"flows_active\":2}]}]}",
			   0, NULL);
	json_t *trends = json_loads("{\"services\":[{\"name\":\"web\",\"usual\":[{\"measure\":\"flows\",\"now\":120.0,"
				    "\"usual\":10.1,\"basis\":\"all hours\",\"is_unusual\":true}]}]}",
				    0, NULL);
	status_attention_find(status, NULL, trends, &attention);
	assert_int_equal(attention.count, 5);
	assert_string_equal(attention.items[0].text, "strait is stopping: it takes no new flows");
	assert_string_equal(attention.items[2].text,
			    "server web/red: down for 1s: ejected, because of failures of its flows");
	assert_string_equal(attention.items[1].text, "log: 9 records dropped since the start");
	assert_string_equal(attention.items[3].text, "service web: 120/s flows, usual is 10/s (all hours)");
	assert_string_equal(attention.items[4].text, "server web/green: maint for 5s, 2 flows");
	uint64_t seconds;
	assert_true(status_attention_find_since(status, &seconds));
	assert_int_equal(seconds, 1);
	json_decref(status);
	json_decref(trends);
}

/* Rates are those of the part of the window that is known, which is short after a start. */
static void rates_of_a_young_service(void **state)
{
	(void)state;
	char *text = show(json_loads(well, 0, NULL), NULL,
			  "{\"window_seconds\":60,\"services\":[{\"name\":\"web\",\"flows\":25,\"bytes_in\":20480,"
			  "\"bytes_out\":5242880,\"covered_seconds\":10}]}");
	assert_has(text, "FLOWS/S   IN/S  OUT/S");
	assert_has(text, "   2.5   2.0K 512.0K ");
	free(text);
	text = show(json_loads(well, 0, NULL), NULL,
		    "{\"window_seconds\":60,\"services\":[{\"name\":\"web\",\"flows\":25,\"covered_seconds\":0}]}");
	assert_has(text, "    25      0      0 ");
	free(text);
}

static void limits_of_bandwidth_are_told(void **state)
{
	(void)state;
	json_t *status = json_loads(well, 0, NULL);
	json_t *services = json_object_get(status, "services");
	json_t *more =
		json_loads("[{\"name\":\"a\",\"bandwidth_max\":1048576,\"upload_max\":null,\"download_max\":null,"
			   "\"throttled_in_total\":7,\"throttled_out_total\":5},"
			   "{\"name\":\"b\",\"upload_max\":2048,\"download_max\":4096},"
			   "{\"name\":\"c\",\"download_max\":4096},{\"name\":\"d\",\"download_max\":4096}]",
			   0, NULL);
	json_array_extend(services, more);
	json_decref(more);
	char *text = show(status, NULL, NULL);
	assert_has(text, "bandwidth of a: 1.0M/s each way; waited for 12 times\n");
	assert_has(text, "bandwidth of b: 2.0K/s up a flow 4.0K/s down a flow; waited for 0 times\n");
	assert_has(text, "bandwidth of c: 4.0K/s down a flow;");
	assert_null(strstr(text, "bandwidth of d"));
	assert_null(strstr(text, "bandwidth of web"));
	free(text);
}

/* 1,000 services and servers, 100 of them down: still one screen, the failing and the busiest on it. */
static void a_thousand_are_one_screen(void **state)
{
	(void)state;
	json_t *services = json_array();
	json_t *pools = json_array();
	for (int i = 0; i < 1000; i++) {
		char name[16];
		bool is_down = i % 10 == 9;
		snprintf(name, sizeof(name), "svc-%d", i);
		json_array_append_new(services, json_pack("{s:s,s:s,s:i}", "name", name, "pool", name, "flows_active",
							  i == 500 ? 77 : 0));
		json_array_append_new(pools, json_pack("{s:s,s:b,s:i,s:[{s:s,s:s}]}", "name", name, "is_degraded",
						       (int)is_down, "available_count", is_down ? 0 : 1, "servers",
						       "name", "a", "state", is_down ? "down" : "up"));
	}
	char *text =
		show(json_pack("{s:b,s:o,s:o}", "is_degraded", 1, "services", services, "pools", pools), NULL, NULL);
	assert_int_equal(count_lines(text), 24);
	assert_has(text, "! pool svc-9: none of 1 servers is available");
	assert_has(text, "more: strait pools\n");
	assert_has(text, "more: strait top --once\n");
	assert_has(text, "svc-9/a");
	free(text);
}

static void strange_documents_do_no_harm(void **state)
{
	(void)state;
	static const char *const documents[] = {
		"{}",
		"{\"services\":3,\"pools\":\"x\",\"workers\":null,\"limits\":[],\"log\":1,\"reloads\":\"\"}",
		("{\"services\":[1,null,{}],\"pools\":[7,{\"servers\":[null,{\"last_check\":5}],\"names\":[1]}],"
		 "\"uptime_seconds\":-1}"),
	};
	for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++)
		free(show(json_loads(documents[i], 0, NULL), "{\"events\":[1,{}]}",
			  "{\"services\":[0,{\"usual\":[null]}],\"window_seconds\":-3}"));
}

static char *show_guard(const char *guard)
{
	json_t *status = json_loads(well, 0, NULL);
	json_object_set_new(status, "packet_guard", json_loads(guard, 0, NULL));
	return show(status, NULL, NULL);
}

static void packet_guard_is_told(void **state)
{
	(void)state;
	char *text =
		show_guard("{\"state\":\"active\",\"why\":null,\"interfaces\":[{\"name\":\"eth0\",\"mode\":\"tcx\"},"
			   "{\"name\":\"eth1\",\"mode\":\"tc\"}],\"dropped\":{\"land\":2,\"port_zero\":1500}}");
	assert_has(text, "packet guard at eth0, eth1; dropped: port_zero 1.5k, land 2\n");
	assert_has(text, "All is well");
	free(text);
	text = show_guard("{\"state\":\"active\",\"why\":null,\"interfaces\":[],\"dropped\":{}}");
	assert_has(text, "packet guard at no interface; dropped: nothing\n");
	free(text);
	text = show_guard(
		"{\"state\":\"active\",\"why\":\"eth1: gone\",\"interfaces\":[{\"name\":\"eth0\"}],\"dropped\":{}}");
	assert_has(text, "! packet guard: eth1: gone\n");
	free(text);
}

static void blocks_and_trials_are_told(void **state)
{
	(void)state;
	json_t *status = json_loads(well, 0, NULL);
	json_t *service = json_array_get(json_object_get(status, "services"), 0);
	char *text = show(json_incref(status), NULL, NULL);
	assert_null(strstr(text, "blocked networks"));
	free(text);
	json_object_set_new(status, "blocks",
			    json_pack("{s:i,s:i,s:i}", "api", 2, "service", 1500, "configuration", 0));
	json_object_set_new(service, "is_on_trial", json_true());
	text = show(status, NULL, NULL);
	assert_has(text, "blocked networks: 2 by command, 1.5k by services, 0 configured");
	assert_has(text, "service web: guard dry-run, rules and limits refuse nobody");
	free(text);
}

static void what_is_weaker_without_packet_guard_is_told(void **state)
{
	(void)state;
	char *text = show_guard(
		"{\"state\":\"unavailable\",\"why\":\"CAP_BPF is needed\",\"interfaces\":[],\"dropped\":{}}");
	assert_has(text, "packet guard unavailable: CAP_BPF is needed\n");
	assert_has(text, "  malformed packets are left to the kernel's own checks, and blocks are\n"
			 "  enforced when a connection is accepted or a first datagram has come\n");
	assert_has(text, "All is well");
	free(text);
	text = show_guard("{\"state\":\"off\",\"why\":null,\"interfaces\":[],\"dropped\":{}}");
	assert_null(strstr(text, "packet guard"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_is_well),
		cmocka_unit_test(packet_guard_is_told),
		cmocka_unit_test(blocks_and_trials_are_told),
		cmocka_unit_test(what_is_weaker_without_packet_guard_is_told),
		cmocka_unit_test(what_is_wrong_comes_first),
		cmocka_unit_test(every_kind_of_trouble_is_found),
		cmocka_unit_test(rates_of_a_young_service),
		cmocka_unit_test(limits_of_bandwidth_are_told),
		cmocka_unit_test(a_thousand_are_one_screen),
		cmocka_unit_test(strange_documents_do_no_harm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
