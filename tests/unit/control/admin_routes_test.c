/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin_routes.h"

#include "control/blocks.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const char configuration[] =
	"service s {\n listen 127.0.0.1:8000\n to web\n}\n"
	"pool web {\n check tcp\n server 10.0.0.1:80 name=a\n server 10.0.0.2:80 name=b\n}\n"
	"pool spare {\n check tcp\n server 10.0.0.3:80 name=c\n}\n";

static struct daemon daemon_state;
static struct admin_answer answer;

static int set_up(void **state)
{
	struct diagnostics diagnostics;
	const struct config_log *failed;
	(void)state;
	diagnostics_init(&diagnostics);
	daemon_state = (struct daemon){ .phase = DAEMON_RUNNING };
	daemon_state.config = config_load_text("test", span_from_text(configuration), &diagnostics);
	diagnostics_done(&diagnostics);
	assert_non_null(daemon_state.config);
	daemon_state.snapshot = snapshot_build(daemon_state.config, 7, 1, NULL);
	daemon_state.blocks = blocks_new(&daemon_state.loop, &daemon_state.wheel, NULL, NULL, NULL);
	daemon_state.ingress_guard = ingress_guard_new(&daemon_state.loop, &daemon_state.wheel, NULL);
	const struct kernel_path_carriers carriers = { .settings = &daemon_state.relay_settings };
	daemon_state.kernel_path = kernel_path_new(&daemon_state.loop, &daemon_state.wheel, NULL, &carriers);
	return log_writer_new(daemon_state.config, &daemon_state.log, &failed);
}

static int tear_down(void **state)
{
	(void)state;
	free(answer.body);
	answer = (struct admin_answer){ 0 };
	log_writer_free(&daemon_state.log);
	blocks_free(&daemon_state.blocks);
	ingress_guard_free(&daemon_state.ingress_guard);
	kernel_path_free(&daemon_state.kernel_path);
	snapshot_free(&daemon_state.snapshot);
	config_free(&daemon_state.config);
	return 0;
}

/* pool and min: NULL = not given. Returns the status. */
static int ask(const char *method, const char *path, const char *pool, const char *min)
{
	struct admin_request request = { .daemon = &daemon_state, .method = method, .path = path };
	if (pool != NULL)
		request.arguments[request.argument_count++] = (struct admin_argument){ "pool", pool };
	if (min != NULL)
		request.arguments[request.argument_count++] = (struct admin_argument){ "min", min };
	free(answer.body);
	admin_routes_answer(&request, &answer);
	return (int)answer.status;
}

static void set_state(size_t pool, size_t server, uint32_t state)
{
	atomic_store(&daemon_state.snapshot->pools[pool]->servers[server]->state, state);
}

static json_t *body(void)
{
	json_t *document = json_loadb(answer.body, answer.body_bytes, 0, NULL);
	assert_non_null(document);
	return document;
}

static void livez_answers(void **state)
{
	(void)state;
	assert_int_equal(ask("GET", "/livez", NULL, NULL), 200);
	assert_int_equal(ask("HEAD", "/livez", NULL, NULL), 200);
	assert_int_equal(ask("GET", "/", NULL, NULL), 200);
	assert_int_equal(ask("GET", "/v1", NULL, NULL), 200);
}

static void readyz_counts_available_servers(void **state)
{
	(void)state;
	assert_int_equal(ask("GET", "/readyz", NULL, NULL), 200);
	assert_int_equal(ask("GET", "/readyz", "web", "2"), 200);
	assert_int_equal(ask("GET", "/readyz", "web", "3"), 503);
	assert_int_equal(ask("GET", "/readyz", NULL, "2"), 503);
	set_state(0, 0, SERVER_DOWN);
	assert_int_equal(ask("GET", "/readyz", "web", NULL), 200);
	assert_int_equal(ask("GET", "/readyz", "web", "2"), 503);
	set_state(0, 1, SERVER_DRAIN);
	assert_int_equal(ask("GET", "/readyz", NULL, NULL), 503);
	assert_int_equal(ask("GET", "/readyz", "spare", NULL), 200);
}

static void readyz_follows_the_phase(void **state)
{
	(void)state;
	daemon_state.phase = DAEMON_STARTING;
	assert_int_equal(ask("GET", "/readyz", NULL, NULL), 503);
	daemon_state.phase = DAEMON_DRAINING;
	assert_int_equal(ask("GET", "/readyz", NULL, NULL), 503);
	assert_int_equal(ask("GET", "/livez", NULL, NULL), 200);
}

static void wrong_questions_are_refused(void **state)
{
	(void)state;
	static const char *const minima[] = { "0", "-1", "x", "", "1x", " 1", "99999999999999999999" };
	for (size_t i = 0; i < sizeof(minima) / sizeof(minima[0]); i++)
		assert_int_equal(ask("GET", "/readyz", NULL, minima[i]), 400);
	assert_int_equal(ask("GET", "/readyz", "nobody", NULL), 404);
	assert_int_equal(ask("GET", "/readyz", "", NULL), 404);
	struct admin_request request = { .daemon = &daemon_state, .method = "GET", .path = "/readyz" };
	request.arguments[0] = (struct admin_argument){ "pol", "web" };
	request.argument_count = 1;
	free(answer.body);
	admin_routes_answer(&request, &answer);
	assert_int_equal(answer.status, 400);
}

static void problems_are_documents(void **state)
{
	(void)state;
	static const char *const paths[] = { "/v1/", "/v1/status/", "/livez/x", "//livez", "", "/LIVEZ" };
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		assert_int_equal(ask("GET", paths[i], NULL, NULL), 404);
	assert_string_equal(answer.type, "application/problem+json");
	json_t *problem = body();
	assert_string_equal(json_string_value(json_object_get(problem, "type")), "about:blank");
	assert_string_equal(json_string_value(json_object_get(problem, "title")), "Not Found");
	assert_int_equal(json_integer_value(json_object_get(problem, "status")), 404);
	json_decref(problem);
}

static void other_methods_are_refused(void **state)
{
	(void)state;
	static const char *const methods[] = { "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "get", "GETX" };
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		assert_int_equal(ask(methods[i], "/v1/status", NULL, NULL), 405);
		assert_string_equal(answer.allow, "GET, HEAD");
	}
	assert_int_equal(ask("POST", "/nothing", NULL, NULL), 404);
}

static void bodies_are_refused(void **state)
{
	(void)state;
	struct admin_request request = { .daemon = &daemon_state, .method = "GET", .path = "/livez", .has_body = true };
	admin_routes_answer(&request, &answer);
	assert_int_equal(answer.status, 413);
}

static void status_tells_what_there_is(void **state)
{
	(void)state;
	set_state(0, 0, SERVER_EJECTED);
	assert_int_equal(ask("GET", "/v1/status", NULL, NULL), 200);
	assert_string_equal(answer.type, "application/json");
	json_t *status = body();
	json_t *pool = json_array_get(json_object_get(status, "pools"), 0);
	json_t *server = json_array_get(json_object_get(pool, "servers"), 0);
	json_t *service = json_array_get(json_object_get(status, "services"), 0);
	assert_int_equal(json_integer_value(json_object_get(status, "generation")), 7);
	assert_string_equal(json_string_value(json_object_get(status, "phase")), "running");
	assert_true(json_is_true(json_object_get(status, "is_degraded")));
	assert_int_equal(json_integer_value(json_object_get(pool, "available_count")), 1);
	assert_string_equal(json_string_value(json_object_get(server, "state")), "down");
	assert_string_equal(json_string_value(json_object_get(server, "address")), "10.0.0.1:80");
	assert_true(json_is_true(json_object_get(server, "is_ejected")));
	assert_true(json_is_null(json_object_get(server, "last_check")));
	assert_string_equal(json_string_value(json_object_get(service, "pool")), "web");
	json_decref(status);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(livez_answers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(readyz_counts_available_servers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(readyz_follows_the_phase, set_up, tear_down),
		cmocka_unit_test_setup_teardown(wrong_questions_are_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(problems_are_documents, set_up, tear_down),
		cmocka_unit_test_setup_teardown(other_methods_are_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bodies_are_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(status_tells_what_there_is, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
