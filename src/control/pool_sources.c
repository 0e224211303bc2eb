/* SPDX-License-Identifier: Apache-2.0 */
#include "control/pool_sources.h"

#include "base/fd.h"
#include "base/proc.h"
#include "net/socket.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NO_CAPABILITY "source client needs CAP_NET_ADMIN, which this process has not"

/* Returns 0 or -errno. */
static int probe(const struct socket_source *source)
{
	int fd = socket_open_from(source->addr.sa.sa_family, SOCK_DGRAM, source);
	int result = fd < 0 ? fd : 0;
	fd_close(&fd);
	return result;
}

/* The address of documentation (RFC 5737): it is nobody's, so the kernel's answer is about the capability only. */
static bool find_client_problem(char *ret_problem)
{
	struct socket_source source = { .is_foreign = true };
	const char *problem;
	addr_parse_ip(span_from_text("192.0.2.1"), &source.addr, &problem);
	int result = probe(&source);
	if (result == -EPERM)
		snprintf(ret_problem, POOL_SOURCES_PROBLEM_BYTES, "%s", NO_CAPABILITY);
	return result == -EPERM;
}

static bool find_address_problem(const struct pool_addrs *addrs, char *ret_problem)
{
	char text[ADDR_TEXT_BYTES];
	for (uint32_t i = 0; i < addrs->count; i++) {
		struct socket_source source = { .addr = addrs->addrs[i] };
		int result = probe(&source);
		if (result == 0 || socket_is_shortage(-result))
			continue;
		addr_format_ip(&source.addr, text, sizeof(text));
		if (result == -EADDRNOTAVAIL)
			snprintf(ret_problem, POOL_SOURCES_PROBLEM_BYTES, "%s is not an address of this machine", text);
		else
			snprintf(ret_problem, POOL_SOURCES_PROBLEM_BYTES, "%s: %s", text, strerror(-result));
		return true;
	}
	return false;
}

bool pool_sources_find_problem(const struct pool_policy *policy, char *ret_problem)
{
	if (policy->source.is_client)
		return find_client_problem(ret_problem);
	return find_address_problem(&policy->source.ipv4, ret_problem) ||
	       find_address_problem(&policy->source.ipv6, ret_problem);
}

static void report(const struct daemon *daemon, const struct pool *pool, const char *cause)
{
	log_event(daemon->log, CONFIG_LEVEL_WARNING, "source_unusable", record_text("pool", pool->name),
		  record_text("cause", cause));
}

void pool_sources_report_problems(const struct daemon *daemon)
{
	char problem[POOL_SOURCES_PROBLEM_BYTES];
	for (size_t i = 0; i < daemon->snapshot->pool_count; i++) {
		const struct pool *pool = daemon->snapshot->pools[i];
		if (pool_sources_find_problem(pool->policy, problem))
			report(daemon, pool, problem);
	}
}

void pool_sources_report_refusal(const struct daemon *daemon, const struct pool *pool, int error)
{
	char cause[POOL_SOURCES_PROBLEM_BYTES];
	if (error == EPERM)
		snprintf(cause, sizeof(cause), "%s", NO_CAPABILITY);
	else if (error == EADDRNOTAVAIL)
		snprintf(cause, sizeof(cause), "none of the addresses is one of this machine");
	else
		snprintf(cause, sizeof(cause), "%s", strerror(error));
	report(daemon, pool, cause);
}

uint32_t pool_sources_read_ephemeral_ports(void)
{
	enum { LINUX_FIRST = 32768, LINUX_LAST = 60999 };
	uint64_t ports[2] = { LINUX_FIRST, LINUX_LAST };
	if (proc_read_numbers("/proc/sys/net/ipv4/ip_local_port_range", ports, 2) < 2 || ports[1] > UINT16_MAX)
		return (uint32_t)LINUX_LAST << 16 | LINUX_FIRST;
	return (uint32_t)(ports[1] << 16 | ports[0]);
}
