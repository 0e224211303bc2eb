/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The check by a program: it is run, and the server is well when it exits with 0. It has no arguments; what it is about
 * stands in its environment, which holds these variables and no others:
 *
 *   STRAIT_POOL, STRAIT_SERVER   names
 *   STRAIT_ADDRESS               as configurations write it, with the port of the check
 *   STRAIT_HOST, STRAIT_PORT     its parts; of a unix socket, the path and nothing
 *   STRAIT_FAMILY                ipv4, ipv6 or unix
 *   PATH                         the system's folders, always the same
 *
 * One that takes too long is killed with all of its process group.
 */
#include "health/probe.h"

#include "health/programs.h"

#include <errno.h>
#include <stdio.h>

#define SYSTEM_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

enum {
	VARIABLE_COUNT = 7,
	VARIABLE_BYTES = 256, /* names have 64 bytes, addresses fewer than 128 */
};
static_assert(VARIABLE_BYTES > sizeof("STRAIT_ADDRESS=") + ADDR_TEXT_BYTES, "addresses fit");

struct exec_state {
	struct program *program; /* NULL: none, or it has ended */
	bool has_ended;
	struct program_end end;
	char line[PROGRAM_LINE_BYTES];
};

struct environment {
	char texts[VARIABLE_COUNT][VARIABLE_BYTES];
	char *variables[VARIABLE_COUNT + 1];
	size_t count;
};

static void add_variable(struct environment *environment, const char *name, const char *value)
{
	char *text = environment->texts[environment->count];
	snprintf(text, VARIABLE_BYTES, "%s=%s", name, value);
	environment->variables[environment->count++] = text;
	environment->variables[environment->count] = NULL;
}

/* The address without port and brackets, but with its interface. */
static const char *host_of(const struct addr *addr, char *buf)
{
	addr_format(addr, buf, ADDR_TEXT_BYTES);
	if (addr_is_unix(addr))
		return buf + strlen("unix:");
	*strrchr(buf, ':') = '\0';
	if (buf[0] != '[')
		return buf;
	*strrchr(buf, ']') = '\0';
	return buf + 1;
}

static const char *family_word(const struct addr *addr)
{
	if (addr_is_unix(addr))
		return "unix";
	return addr->sa.sa_family == AF_INET6 ? "ipv6" : "ipv4";
}

static void fill_environment(const struct probe *probe, struct environment *ret_environment)
{
	char text[ADDR_TEXT_BYTES];
	char port[8] = "";
	const struct addr *addr = &probe->request.addr;
	if (!addr_is_unix(addr))
		snprintf(port, sizeof(port), "%u", addr_port(addr));
	ret_environment->count = 0;
	add_variable(ret_environment, "STRAIT_POOL", probe->request.exec.pool);
	add_variable(ret_environment, "STRAIT_SERVER", probe->request.exec.server);
	add_variable(ret_environment, "STRAIT_ADDRESS", addr_format(addr, text, sizeof(text)));
	add_variable(ret_environment, "STRAIT_HOST", host_of(addr, text));
	add_variable(ret_environment, "STRAIT_PORT", port);
	add_variable(ret_environment, "STRAIT_FAMILY", family_word(addr));
	add_variable(ret_environment, "PATH", SYSTEM_PATH);
}

static void on_end(void *owner, const struct program_end *end)
{
	struct probe *probe = owner;
	struct exec_state *state = probe->state;
	state->program = NULL;
	state->has_ended = true;
	state->end = *end;
	snprintf(state->line, sizeof(state->line), "%s", end->line);
	probe_advance(probe);
}

/* Too many processes or too little memory say nothing about the server. */
static bool is_shortage(int error)
{
	return error == EAGAIN || error == ENOMEM || error == EMFILE || error == ENFILE || error == ENOSPC;
}

static void fail_start(struct probe *probe, int error)
{
	char cause[PROBE_CAUSE_BYTES];
	const char *description = strerrordesc_np(error);
	snprintf(cause, sizeof(cause), "cannot run the program: %s", description != NULL ? description : "");
	if (is_shortage(error))
		probe_leave_undecided(probe, cause);
	else
		probe_fail(probe, cause);
}

static int exec_open(struct probe *probe)
{
	struct exec_state *state = probe->state;
	struct environment environment;
	probe->lack = "the program did not end";
	fill_environment(probe, &environment);
	int result = program_start(probe->request.exec.programs, probe->request.exec.program, environment.variables,
				   on_end, probe, &state->program);
	if (result < 0)
		fail_start(probe, -result);
	return 0;
}

static enum probe_next exec_step(struct probe *probe)
{
	const struct exec_state *state = probe->state;
	const struct program_end *end = &state->end;
	char cause[PROBE_CAUSE_BYTES];
	if (!state->has_ended)
		return PROBE_WANT_READ;
	if (end->signal == 0 && end->exit_status == 0)
		return probe_succeed(probe);
	snprintf(cause, sizeof(cause), "%s %d%s%s", end->signal != 0 ? "killed by signal" : "exit status",
		 end->signal != 0 ? end->signal : end->exit_status, state->line[0] != '\0' ? ": " : "", state->line);
	return probe_fail(probe, cause);
}

static void exec_close(struct probe *probe)
{
	struct exec_state *state = probe->state;
	program_abandon(&state->program);
}

const struct probe_kind probe_kind_exec = {
	.open = exec_open,
	.step = exec_step,
	.close = exec_close,
	.first = PROBE_WANT_READ,
	.state_bytes = sizeof(struct exec_state),
};
