/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "base/fd.h"
#include "cli/command.h"
#include "cli/echo_server.h"
#include "cli/exit_code.h"
#include "cli/launch.h"
#include "cli/readiness.h"
#include "control/admin_page.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OPTION_PORT, OPTION_ADMIN };

enum {
	SERVER_COUNT = 2,
	SERVICE_PORT = 8080,
	ADMIN_PORT = 9900,
	PORTS_TRIED_MAX = 200,
};

struct demo {
	struct echo_server servers[SERVER_COUNT];
	uint16_t port;
	char admin[ADDR_TEXT_BYTES];
};

static struct addr loopback(uint16_t port)
{
	struct addr addr;
	memset(&addr, 0, sizeof(addr));
	addr.len = sizeof(addr.in);
	addr.in.sin_family = AF_INET;
	addr.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	addr_set_port(&addr, port);
	return addr;
}

/* The first port from there on that is free for TCP and, if wanted, UDP; 0 when there is none. */
static uint16_t find_port(uint16_t first, int other_type)
{
	for (int port = first; port < first + PORTS_TRIED_MAX && port <= UINT16_MAX; port++) {
		struct addr addr = loopback((uint16_t)port);
		if (launch_is_free(&addr, SOCK_STREAM) && launch_is_free(&addr, other_type))
			return (uint16_t)port;
	}
	return 0;
}

static bool choose_addresses(struct demo *demo, const struct options *options)
{
	const char *wanted = options->values[OPTION_PORT];
	const char *admin = options->values[OPTION_ADMIN];
	char *end = "";
	long first = wanted != NULL ? strtol(wanted, &end, 10) : SERVICE_PORT;
	if (first < 1 || first > UINT16_MAX || *end != '\0') {
		fprintf(stderr, "strait demo: --port is a number from 1 to 65535\n");
		return false;
	}
	demo->port = find_port((uint16_t)first, SOCK_DGRAM);
	uint16_t admin_port = admin == NULL ? find_port(ADMIN_PORT, SOCK_STREAM) : ADMIN_PORT;
	if (demo->port == 0 || admin_port == 0) {
		fprintf(stderr, "strait demo: no free port from %ld on\n", demo->port == 0 ? first : (long)ADMIN_PORT);
		return false;
	}
	if (admin != NULL)
		snprintf(demo->admin, sizeof(demo->admin), "%s", admin);
	else
		snprintf(demo->admin, sizeof(demo->admin), "127.0.0.1:%u", admin_port);
	return true;
}

static bool start_servers(struct demo *demo)
{
	static const char *const names[SERVER_COUNT] = { "blue", "green" };
	for (size_t i = 0; i < SERVER_COUNT; i++) {
		int error = echo_server_start(&demo->servers[i], names[i]);
		if (error < 0) {
			fprintf(stderr, "strait demo: cannot start an echo server: %s\n", strerror(-error));
			return false;
		}
	}
	return true;
}

static void write_service(const struct demo *demo, const char *protocol, const char *check, FILE *out)
{
	fprintf(out, "service demo-%s {\n    listen %s 127.0.0.1:%u\n    to %s\n}\n", protocol, protocol, demo->port,
		protocol);
	fprintf(out, "pool %s {\n    %s\n", protocol, check);
	for (size_t i = 0; i < SERVER_COUNT; i++) {
		const struct echo_server *server = &demo->servers[i];
		fprintf(out, "    server 127.0.0.1:%u name=%s\n",
			strcmp(protocol, "tcp") == 0 ? server->tcp_port : server->udp_port, server->name);
	}
	fprintf(out, "}\n");
}

static char *write_configuration(const struct demo *demo)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);
	CHECK(out != NULL);
	launch_write_admin(demo->admin, out);
	fprintf(out, "log stderr format=text\ntimeout drain=2s\n");
	write_service(demo, "tcp", "check tcp every=1s timeout=500ms fall=2", out);
	write_service(demo, "udp", "check udp send=\"ping\" every=1s timeout=500ms fall=2", out);
	fclose(out);
	return text;
}

/* A browser cannot open a unix socket. */
static void print_dashboard(const struct demo *demo)
{
	char address[ADDR_TEXT_BYTES + sizeof("http:///")];
	if (admin_page_file_count == 0 || strncmp(demo->admin, "unix:", 5) == 0)
		return;
	snprintf(address, sizeof(address), "http://%s/", demo->admin);
	printf("  %-45s in a browser: the dashboard\n", address);
}

static void print_what_to_try(const struct demo *demo)
{
	const struct echo_server *blue = &demo->servers[0];
	printf("strait demo: TCP and UDP on 127.0.0.1:%u, to the echo servers %s (process %d) and %s (process %d)\n\n"
	       "In another terminal:\n\n",
	       demo->port, blue->name, (int)blue->pid, demo->servers[1].name, (int)demo->servers[1].pid);
	printf("  nc 127.0.0.1 %-5u                            talk to a server over TCP; again, and it is the other\n",
	       demo->port);
	printf("  echo hello | nc -u -w1 127.0.0.1 %-5u        ask one over UDP\n", demo->port);
	if (strcmp(demo->admin, "none") != 0) {
		print_dashboard(demo);
		printf("  strait status --admin %-23s what there is and how it is\n", demo->admin);
		if (strncmp(demo->admin, "unix:", 5) == 0)
			printf("  curl --unix-socket %s http://localhost/v1/status\n", demo->admin + 5);
		else
			printf("  curl -s http://%s/readyz          is it ready? also /livez and /v1/status\n",
			       demo->admin);
		printf("  strait trace 127.0.0.1 --service tcp --admin %s\n"
		       "                                                which server would a client get, and why?\n"
		       "  strait drain tcp/%s --admin %s\n"
		       "                                                nothing new for %s; strait ready brings it "
		       "back\n",
		       demo->admin, blue->name, demo->admin, blue->name);
	}
	printf("  kill -STOP %-7d                            let %s hang: its check finds out; kill -CONT brings it "
	       "back\n"
	       "\nCtrl-C ends it. Records follow on stderr.\n\n",
	       (int)blue->pid, blue->name);
	fflush(stdout);
}

/* A process that prints it as soon as what is printed is true. Without it the demo is only less talkative. */
static pid_t start_guide(const struct demo *demo)
{
	int fd = readiness_open();
	if (fd < 0)
		return -1;
	fflush(NULL);
	pid_t parent = getpid();
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() == parent && readiness_await(fd))
			print_what_to_try(demo);
		_exit(0);
	}
	fd_close(&fd);
	return pid;
}

static void stop_guide(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static int run(const struct options *options)
{
	struct demo demo = { 0 };
	int code = EXIT_CODE_FAILED;
	if (!choose_addresses(&demo, options))
		return EXIT_CODE_USAGE;
	if (start_servers(&demo)) {
		char *text = write_configuration(&demo);
		pid_t guide = start_guide(&demo);
		code = launch_text("demo", text);
		stop_guide(guide);
		free(text);
	}
	for (size_t i = 0; i < SERVER_COUNT; i++)
		echo_server_stop(&demo.servers[i]);
	return code;
}

const struct command command_demo = {
	.name = "demo",
	.arguments = "",
	.summary = "try strait at once, over built-in echo servers",
	.details = "Starts two echo servers, one TCP and one UDP service over them, all on loopback, and prints what to try.\n"
		   "Where a port is taken, the next free one is used.",
	.options = {
		[OPTION_PORT] = { 0, "port", "PORT", NULL, "of the services, or the next free one; default 8080" },
		[OPTION_ADMIN] = { 0, "admin", "ADDRESS", NULL, "of the admin API, or none; default 127.0.0.1:9900 or next" },
	},
	.run = run,
};
