/* SPDX-License-Identifier: Apache-2.0 */
/* What stands in the tree after a file was read; what is said about wrong files is config_files_test's. */
#include "config/config.h"

#include "config/load.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct config *config_of(const char *text)
{
	struct diagnostics diagnostics;
	diagnostics_init(&diagnostics);
	struct config *config = config_load_text("test", span_from_text(text), &diagnostics);
	if (config == NULL)
		diagnostics_print(&diagnostics, stderr);
	diagnostics_done(&diagnostics);
	assert_non_null(config);
	return config;
}

/* The first error message of a text that must be refused; in a buffer that the next call overwrites. */
static const char *error_of(const char *name, const char *text, const struct load_options *options)
{
	static char message[512];
	struct diagnostics diagnostics;
	diagnostics_init(&diagnostics);
	struct config *config = load_text(name, span_from_text(text), options, &diagnostics);
	assert_null(config);
	assert_true(diagnostics.error_count > 0);
	snprintf(message, sizeof(message), "%s", diagnostics.entries[0].message);
	diagnostics_done(&diagnostics);
	return message;
}

static void has_finite_defaults(void **state)
{
	(void)state;
	struct config *config = config_of("service web { listen *:80; to web }\n"
					  "pool web { server 10.0.0.1:80 }\n");
	const struct config_service *service = &config->services[0];
	const struct config_pool *pool = &config->pools[0];
	assert_int_equal(config->workers, 0);
	assert_int_equal(config->drain_ms, 30000);
	assert_int_equal(config->limit.connections, 0);
	assert_int_equal(config->admin_count, 0);
	assert_int_equal(config->log_count, 1);
	assert_int_equal(config->logs[0].sink, CONFIG_LOG_STDERR);
	assert_int_equal(config->logs[0].format, CONFIG_LOG_TEXT);
	assert_int_equal(config->logs[0].level, CONFIG_LEVEL_INFO);
	assert_int_equal(service->timeout.connect_ms, 5000);
	assert_int_equal(service->timeout.idle_ms, 600000);
	assert_int_equal(service->timeout.half_closed_ms, 60000);
	assert_int_equal(service->retries, 2);
	assert_int_equal(service->session.idle_ms, 30000);
	assert_int_equal(service->session.new_ms, 10000);
	assert_false(service->session.has_replies);
	assert_int_equal(service->session.requests, 0);
	assert_int_equal(service->limit.rate.amount, 0);
	assert_int_equal(service->limit.bandwidth, 0);
	assert_int_equal(pool->balance, CONFIG_BALANCE_ROUND_ROBIN);
	assert_int_equal(pool->check.kind, CONFIG_CHECK_NONE);
	assert_int_equal(pool->check.every_ms, 2000);
	assert_int_equal(pool->check.timeout_ms, 1000);
	assert_int_equal(pool->check.rise, 2);
	assert_int_equal(pool->check.fall, 3);
	assert_int_equal(pool->eject.failures, 0);
	assert_int_equal(pool->eject.for_ms, 30000);
	assert_int_equal(pool->panic_percent, 0);
	assert_int_equal(pool->on_down, CONFIG_ON_DOWN_DEFAULT);
	assert_int_equal(pool->servers[0].weight, 1);
	assert_int_equal(pool->servers[0].max_connections, 0);
	assert_int_equal(pool->servers[0].state, CONFIG_SERVER_UP);
	assert_false(pool->servers[0].is_backup);
	config_free(&config);
	assert_null(config);
}

static void reads_the_top_level(void **state)
{
	(void)state;
	struct config *config = config_of("admin 127.0.0.1:1 unix:/a token=file:/t\nadmin [::1]:2\n"
					  "log file:/l format=json level=debug\nlog stderr level=error\n"
					  "workers 7\nlimit connections=10k\nlimit sessions=2M memory=1g\n"
					  "timeout drain=1m\nio-uring off\n"
					  "packet-guard off only-listen interfaces=eth0,wg-1.2\n"
					  "service web { listen *:80; to web }\npool web { server 10.0.0.1:80 }\n");
	assert_int_equal(config->admin_count, 3);
	assert_string_equal(config->admins[0].token_file, "/t");
	assert_string_equal(config->admins[1].token_file, "/t");
	assert_true(addr_is_unix(&config->admins[1].addr));
	assert_null(config->admins[2].token_file);
	assert_int_equal(addr_port(&config->admins[2].addr), 2);
	assert_int_equal(config->log_count, 2);
	assert_string_equal(config->logs[0].path, "/l");
	assert_int_equal(config->logs[0].sink, CONFIG_LOG_FILE);
	assert_int_equal(config->logs[0].format, CONFIG_LOG_JSON);
	assert_int_equal(config->logs[0].level, CONFIG_LEVEL_DEBUG);
	assert_int_equal(config->logs[1].sink, CONFIG_LOG_STDERR);
	assert_int_equal(config->logs[1].level, CONFIG_LEVEL_ERROR);
	assert_int_equal(config->workers, 7);
	assert_int_equal(config->io_uring, CONFIG_IO_URING_OFF);
	assert_int_equal(config->packet_guard.mode, CONFIG_PACKET_GUARD_OFF);
	assert_true(config->packet_guard.has_only_listen);
	assert_string_equal(config->packet_guard.interfaces, "eth0,wg-1.2");
	assert_int_equal(config->limit.connections, 10000);
	assert_int_equal(config->limit.sessions, 2000000);
	assert_int_equal(config->limit.memory_bytes, 1 << 30);
	assert_int_equal(config->drain_ms, 60000);
	config_free(&config);
}

static void reads_a_service(void **state)
{
	(void)state;
	struct config *config =
		config_of("pool other { server 10.0.0.1:80 }\n"
			  "service web {\n listen tcp *:80 [::]:80\n listen udp :53\n listen 10.0.0.1:81\n"
			  " allow 10.0.0.0/8\n deny 0.0.0.0/0 unix:\n to web\n"
			  " limit connections=1 sessions=2 rate=3/s per-source=4 per-source-rate=5/m\n"
			  " limit bandwidth=6Gbit/s upload=7Mbit/s download=8kB/s\n"
			  " timeout connect=1s idle=2s half-closed=3s proxy-header=7s\n retries 0\n"
			  " accept-proxy 10.0.0.0/8 fd00::1\n accept-proxy unix:\n"
			  " session idle=4s new=5s replies=0 requests=6\n}\n"
			  "pool web { server 10.0.0.1:80 }\n");
	const struct config_service *service = &config->services[0];
	assert_string_equal(service->name, "web");
	assert_int_equal(service->listen_count, 4);
	assert_int_equal(service->listens[0].protocol, CONFIG_TCP);
	assert_false(service->listens[1].is_dual);
	assert_int_equal(service->listens[1].protocol, CONFIG_TCP);
	assert_int_equal(service->listens[2].protocol, CONFIG_UDP);
	assert_true(service->listens[2].is_dual);
	assert_int_equal(service->listens[3].protocol, CONFIG_TCP);
	assert_int_equal(service->rule_count, 3);
	assert_true(service->rules[0].is_allow);
	assert_false(service->rules[1].is_allow);
	assert_int_equal(service->rules[2].from.network.family, AF_UNIX);
	assert_string_equal(service->to, "web");
	assert_int_equal(service->pool_index, 1);
	assert_int_equal(service->limit.connections, 1);
	assert_int_equal(service->limit.sessions, 2);
	assert_int_equal(service->limit.rate.amount, 3);
	assert_int_equal(service->limit.rate.per_ms, 1000);
	assert_int_equal(service->limit.per_source, 4);
	assert_int_equal(service->limit.per_source_rate.per_ms, 60000);
	assert_int_equal(service->limit.bandwidth, 6000000000);
	assert_int_equal(service->limit.upload, 7000000);
	assert_int_equal(service->limit.download, 64000);
	assert_int_equal(service->timeout.half_closed_ms, 3000);
	assert_int_equal(service->timeout.proxy_header_ms, 7000);
	assert_int_equal(service->proxy_network_count, 3);
	assert_int_equal(service->proxy_networks[0].network.prefix_bits, 96 + 8);
	assert_int_equal(service->proxy_networks[1].network.family, AF_INET6);
	assert_int_equal(service->proxy_networks[2].network.family, AF_UNIX);
	assert_int_equal(service->retries, 0);
	assert_int_equal(service->session.idle_ms, 4000);
	assert_int_equal(service->session.new_ms, 5000);
	assert_true(service->session.has_replies);
	assert_int_equal(service->session.replies, 0);
	assert_int_equal(service->session.requests, 6);
	assert_int_equal(service->place.line, 2);
	assert_int_equal(service->place.column, 9);
	config_free(&config);
}

static void reads_a_pool(void **state)
{
	(void)state;
	struct config *config = config_of(
		"service web { listen *:80; to web }\npool web {\n balance least-connections slow-start=30s\n"
		" check udp send=\"\\x00a\" expect=\"b\\n\" every=5s timeout=500ms rise=4 fall=5 port=99\n"
		" eject failures=6 for=7s\n panic 8%\n on-down close\n"
		" server 10.0.0.1:80 weight=9 max-connections=10 backup drain\n server [fd00::1]:80 maint name=six\n"
		" server 10.0.0.1:80 name=again\n}\n");
	const struct config_pool *pool = &config->pools[0];
	assert_int_equal(pool->balance, CONFIG_BALANCE_LEAST_CONNECTIONS);
	assert_int_equal(pool->slow_start_ms, 30000);
	assert_int_equal(pool->check.kind, CONFIG_CHECK_UDP);
	assert_int_equal(pool->check.send.len, 2);
	assert_memory_equal(pool->check.send.data, "\0a", 2);
	assert_int_equal(pool->check.expect.len, 2);
	assert_int_equal(pool->check.port, 99);
	assert_int_equal(pool->check.rise, 4);
	assert_int_equal(pool->check.fall, 5);
	assert_int_equal(pool->eject.failures, 6);
	assert_int_equal(pool->eject.for_ms, 7000);
	assert_int_equal(pool->panic_percent, 8);
	assert_int_equal(pool->on_down, CONFIG_ON_DOWN_CLOSE);
	assert_int_equal(pool->server_count, 3);
	assert_string_equal(pool->servers[0].name, "10.0.0.1:80");
	assert_int_equal(pool->servers[0].weight, 9);
	assert_int_equal(pool->servers[0].max_connections, 10);
	assert_true(pool->servers[0].is_backup);
	assert_int_equal(pool->servers[0].state, CONFIG_SERVER_DRAIN);
	assert_string_equal(pool->servers[1].name, "six");
	assert_int_equal(pool->servers[1].state, CONFIG_SERVER_MAINT);
	assert_int_equal(pool->servers[2].weight, 1);
	assert_int_equal(pool->servers[2].state, CONFIG_SERVER_UP);
	config_free(&config);
}

static void reads_checks(void **state)
{
	(void)state;
	struct config *config = config_of(
		"service a { listen *:80; to a }\nservice b { listen *:81; to b }\nservice c { listen *:82; to c }\n"
		"service d { listen *:83; to d }\n"
		"pool a { check http path=/x?y host=www.example.com:8080 method=POST status=200,300-301,599 expect=ok\n"
		"server 10.0.0.1:80 }\n"
		"pool b { check dns name=a.test. type=AAAA rcode=nxdomain,refused; server 10.0.0.1:53 }\n"
		"pool c { check exec program=/bin/sh; server 10.0.0.1:80 }\n"
		"pool d { check http; server 10.0.0.1:80 }\n");
	const struct config_pool *http = &config->pools[0];
	assert_int_equal(http->check.kind, CONFIG_CHECK_HTTP);
	assert_string_equal(http->check.http.path, "/x?y");
	assert_string_equal(http->check.http.host, "www.example.com:8080");
	assert_int_equal(http->check.http.method, CONFIG_HTTP_POST);
	for (unsigned int status = 0; status < 1000; status++)
		assert_int_equal(http_statuses_has(&http->check.http.statuses, status),
				 status == 200 || status == 300 || status == 301 || status == 599);
	assert_int_equal(config->pools[1].check.kind, CONFIG_CHECK_DNS);
	assert_string_equal(config->pools[1].check.dns.name, "a.test.");
	assert_int_equal(config->pools[1].check.dns.type, 28);
	assert_int_equal(config->pools[1].check.dns.rcodes, 1 << 3 | 1 << 5);
	assert_int_equal(config->pools[2].check.kind, CONFIG_CHECK_EXEC);
	assert_string_equal(config->pools[2].check.program, "/bin/sh");
	const struct config_pool *defaults = &config->pools[3];
	assert_string_equal(defaults->check.http.path, "/");
	assert_null(defaults->check.http.host);
	assert_int_equal(defaults->check.http.method, CONFIG_HTTP_GET);
	for (unsigned int status = 0; status < 1000; status++)
		assert_int_equal(http_statuses_has(&defaults->check.http.statuses, status),
				 status >= 200 && status <= 399);
	assert_string_equal(defaults->check.dns.name, ".");
	assert_int_equal(defaults->check.dns.type, 2);
	assert_int_equal(defaults->check.dns.rcodes, 1);
	assert_null(defaults->check.program);
	config_free(&config);
}

static void frees_nothing_twice(void **state)
{
	(void)state;
	struct config *config = NULL;
	config_free(&config);
	assert_null(config);
}

static void outlives_its_text(void **state)
{
	(void)state;
	char text[] =
		"service web { listen *:80; to web }\npool web { check udp send=abc; server 10.0.0.1:80 name=n }\n";
	struct config *config = config_of(text);
	memset(text, 'x', sizeof(text) - 1);
	assert_string_equal(config->services[0].to, "web");
	assert_memory_equal(config->pools[0].check.send.data, "abc", 3);
	assert_string_equal(config->files[0], "test");
	config_free(&config);
}

static void refuses_includes_when_asked(void **state)
{
	(void)state;
	const struct load_options options = { .refuses_includes = true };
	assert_string_equal(error_of("test", "include /etc/passwd\n", &options), "nothing can be included here");
	assert_string_equal(error_of("test", "include /*\n", &options), "nothing can be included here");
}

static void refuses_large_texts(void **state)
{
	(void)state;
	struct diagnostics diagnostics;
	char *text = calloc(1, LOAD_FILE_BYTES_MAX + 1);
	assert_non_null(text);
	diagnostics_init(&diagnostics);
	assert_null(config_load_text("test", (struct span){ text, LOAD_FILE_BYTES_MAX + 1 }, &diagnostics));
	assert_int_equal(diagnostics.error_count, 1);
	assert_string_equal(diagnostics.entries[0].message,
			    "the file cannot be read: it is too large for a configuration");
	diagnostics_done(&diagnostics);
	free(text);
}

/* A folder of its own for each test that needs files. */
static char folder[64];

static int folder_make(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/strait_config_test_XXXXXX");
	return mkdtemp(folder) != NULL && chdir(folder) == 0 ? 0 : -1;
}

static int folder_remove(void **state)
{
	char command[128];
	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return chdir("/") == 0 && system(command) == 0 ? 0 : -1;
}

static void file_write(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static struct config *config_of_file(const char *path, struct diagnostics *diagnostics)
{
	diagnostics_init(diagnostics);
	return config_load(path, diagnostics);
}

static void file_is_refused(const char *path, const char *message)
{
	struct diagnostics diagnostics;
	assert_null(config_of_file(path, &diagnostics));
	assert_int_equal(diagnostics.error_count, 1);
	assert_string_equal(diagnostics.entries[0].message, message);
	diagnostics_done(&diagnostics);
}

static void includes_in_the_order_of_names(void **state)
{
	(void)state;
	struct diagnostics diagnostics;
	assert_int_equal(mkdir("[odd]*", 0700), 0);
	file_write("[odd]*/main.conf", "include *.inc\n");
	file_write("[odd]*/b.inc", "service b { listen *:2; to p }\n");
	file_write("[odd]*/a.inc", "service a { listen *:1; to p }\n");
	file_write("[odd]*/B.inc", "pool p { check tcp; server 10.0.0.1:1 }\n");
	file_write("[odd]*/.hidden.inc", "nonsense\n");
	file_write("[odd]*/a.inc~", "nonsense\n");
	struct config *config = config_of_file("[odd]*/main.conf", &diagnostics);
	assert_non_null(config);
	assert_int_equal(diagnostics.count, 0);
	assert_int_equal(config->file_count, 4);
	assert_string_equal(config->files[0], "[odd]*/main.conf");
	assert_string_equal(config->files[1], "[odd]*/B.inc");
	assert_string_equal(config->files[2], "[odd]*/a.inc");
	assert_string_equal(config->files[3], "[odd]*/b.inc");
	assert_string_equal(config->services[0].name, "a");
	assert_int_equal(config->services[0].place.file, 2);
	config_free(&config);
	diagnostics_done(&diagnostics);
}

static void includes_by_absolute_path(void **state)
{
	(void)state;
	struct diagnostics diagnostics;
	char text[256];
	snprintf(text, sizeof(text), "include %s/other.conf\n", folder);
	assert_int_equal(mkdir("sub", 0700), 0);
	file_write("sub/main.conf", text);
	file_write("other.conf", "service a { listen *:1; to p }\npool p { check tcp; server 10.0.0.1:1 }\n");
	struct config *config = config_of_file("sub/main.conf", &diagnostics);
	assert_non_null(config);
	config_free(&config);
	diagnostics_done(&diagnostics);
}

static void says_why_a_file_cannot_be_read(void **state)
{
	(void)state;
	file_is_refused("missing.conf", "the file cannot be read: No such file or directory");
	file_is_refused(".", "the file cannot be read: it is a directory");
	file_is_refused("", "the file cannot be read: No such file or directory");
	file_is_refused("/dev/zero", "the file cannot be read: it is too large for a configuration");
}

static void does_not_wait_for_a_pipe(void **state)
{
	(void)state;
	struct diagnostics diagnostics;
	assert_int_equal(mkfifo("pipe.inc", 0600), 0);
	file_write("main.conf", "include *.inc\nservice a { listen *:1; to p }\n"
				"pool p { check tcp; server 10.0.0.1:1 }\n");
	struct config *config = config_of_file("main.conf", &diagnostics);
	assert_non_null(config);
	config_free(&config);
	diagnostics_done(&diagnostics);
}

static void reads_from_a_pipe(void **state)
{
	(void)state;
	struct diagnostics diagnostics;
	int pipe_fds[2];
	char path[64];
	static const char text[] = "service a { listen *:1; to p }\npool p { check tcp; server 10.0.0.1:1 }\n";
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	assert_int_equal(write(pipe_fds[1], text, sizeof(text) - 1), sizeof(text) - 1);
	close(pipe_fds[1]);
	snprintf(path, sizeof(path), "/dev/fd/%d", pipe_fds[0]);
	struct config *config = config_of_file(path, &diagnostics);
	assert_non_null(config);
	config_free(&config);
	diagnostics_done(&diagnostics);
	close(pipe_fds[0]);
}

static void bounds_the_number_of_files(void **state)
{
	(void)state;
	char path[32];
	for (int i = 0; i < LOAD_FILES_MAX; i++) {
		snprintf(path, sizeof(path), "%d.inc", i);
		file_write(path, "");
	}
	file_write("main.conf", "include *.inc\nservice a { listen *:1; to p }\n"
				"pool p { check tcp; server 10.0.0.1:1 }\n");
	file_is_refused("main.conf", "more than 1000 files or 64 MiB would be included");
}

#define with_folder(test) cmocka_unit_test_setup_teardown(test, folder_make, folder_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(has_finite_defaults),   cmocka_unit_test(reads_the_top_level),
		cmocka_unit_test(reads_a_service),       cmocka_unit_test(reads_a_pool),
		cmocka_unit_test(reads_checks),          cmocka_unit_test(frees_nothing_twice),
		cmocka_unit_test(outlives_its_text),     cmocka_unit_test(refuses_includes_when_asked),
		cmocka_unit_test(refuses_large_texts),   with_folder(includes_in_the_order_of_names),
		with_folder(includes_by_absolute_path),  with_folder(says_why_a_file_cannot_be_read),
		with_folder(does_not_wait_for_a_pipe),   with_folder(reads_from_a_pipe),
		with_folder(bounds_the_number_of_files),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
