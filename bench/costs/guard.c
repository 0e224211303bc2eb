/* SPDX-License-Identifier: Apache-2.0 */
/* What single decisions of the guard cost, on one thread: nanoseconds each, the least of five rounds. */
#include "base/clock.h"
#include "base/random.h"
#include "guard/access_list.h"
#include "guard/block_list.h"
#include "guard/guard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	CLIENTS = 1 << 20, /* random, so that neither caches nor predictors know them */
	KNOWN = 1000,      /* clients that come again and again */
	ROUNDS = 5,
};

static struct endpoint *clients4, *clients6, *known4;
static uint64_t sum; /* keeps what is measured from being left out */

static struct endpoint random_client(struct random *random, uint8_t family)
{
	struct endpoint endpoint = { .family = family, .port = 1 };
	if (family == AF_INET)
		memset(endpoint.ip + 10, 0xff, 2);
	for (size_t i = family == AF_INET ? 12 : 0; i < sizeof(endpoint.ip); i++)
		endpoint.ip[i] = (uint8_t)random_below(random, 256);
	return endpoint;
}

static struct network random_network(struct random *random, uint8_t family)
{
	struct endpoint endpoint = random_client(random, family);
	struct source_prefixes prefixes = { (uint8_t)(16 + random_below(random, 17)),
					    (uint8_t)(32 + random_below(random, 97)) };
	return source_from_endpoint(&endpoint, prefixes);
}

typedef void decide_fn(void *subject, const struct endpoint *client);

static void measure(const char *what, decide_fn *decide, void *subject, const struct endpoint *clients)
{
	uint64_t best = UINT64_MAX;
	for (int round = 0; round < ROUNDS; round++) {
		uint64_t start = clock_monotonic_ns();
		for (size_t i = 0; i < CLIENTS; i++)
			decide(subject, &clients[i]);
		uint64_t took = clock_monotonic_ns() - start;
		best = took < best ? took : best;
	}
	printf("%-60s %6.1f ns\n", what, (double)best / CLIENTS);
}

static void ask_access_list(void *subject, const struct endpoint *client)
{
	sum += access_list_allows(subject, client);
}

static void ask_block_list(void *subject, const struct endpoint *client)
{
	sum += block_list_find(subject, client) != NULL;
}

static void admit_and_release(void *subject, const struct endpoint *client)
{
	struct guard_verdict verdict = guard_admit(subject, GUARD_SESSION, client, clock_monotonic_ns());
	if (verdict.reason == REASON_NONE)
		guard_release(subject, GUARD_SESSION, client, verdict.ticket);
}

static void admit_packet(void *subject, const struct endpoint *client)
{
	sum += guard_admit_packets(subject, client, clock_monotonic_ns(), 1).admitted;
}

static void measure_access_lists(struct random *random)
{
	static const size_t counts[] = { 10, 1000, 100000 };
	char what[80];
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		struct guard_rule *rules = calloc(2 * counts[i], sizeof(*rules));
		for (size_t n = 0; n < counts[i]; n++) {
			rules[n].network = random_network(random, AF_INET);
			rules[counts[i] + n].network = random_network(random, AF_INET6);
		}
		struct access_list *list = access_list_new(rules, 2 * counts[i]);
		snprintf(what, sizeof(what), "access list of %zu IPv4 networks", counts[i]);
		measure(what, ask_access_list, list, clients4);
		snprintf(what, sizeof(what), "access list of %zu IPv6 networks", counts[i]);
		measure(what, ask_access_list, list, clients6);
		access_list_free(&list);
		free(rules);
	}
}

static void measure_block_lists(void)
{
	static struct block blocks[100000];
	struct block_list *list = block_list_new();
	measure("nothing is blocked", ask_block_list, list, clients4);
	for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
		blocks[i].network = network_from_endpoint(&clients4[CLIENTS - 1 - i]);
		if (block_list_add(list, &blocks[i]) < 0)
			blocks[i].network.family = 0;
	}
	measure("100,000 addresses are blocked", ask_block_list, list, clients4);
	for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++)
		if (blocks[i].network.family != 0)
			block_list_remove(list, &blocks[i]);
	block_list_free(&list);
}

static void measure_guard(const char *what, const struct guard_settings *settings, decide_fn *decide,
			  const struct endpoint *clients)
{
	struct guard *guard = guard_new(settings);
	for (size_t i = 0; i < KNOWN; i++)
		guard_admit(guard, GUARD_SESSION, &clients4[i], 1);
	measure(what, decide, guard, clients);
	guard_free(&guard);
}

int main(void)
{
	struct random random;
	random_init_seed(&random, 1);
	clients4 = calloc(CLIENTS, sizeof(*clients4));
	clients6 = calloc(CLIENTS, sizeof(*clients6));
	known4 = calloc(CLIENTS, sizeof(*known4));
	for (size_t i = 0; i < CLIENTS; i++) {
		clients4[i] = random_client(&random, AF_INET);
		clients6[i] = random_client(&random, AF_INET6);
	}
	for (size_t i = 0; i < CLIENTS; i++)
		known4[i] = clients4[random_below(&random, KNOWN)];
	measure_access_lists(&random);
	measure_block_lists();
	const struct source_prefixes single = { 32, 64 };
	const struct guard_settings none = { .source_prefixes = single };
	const struct guard_settings service = { .source_prefixes = single,
						.sessions_max = 1000000,
						.rate = { 1000000000, 1000 } };
	const struct guard_settings source = { .source_prefixes = single,
					       .per_source_max = 1000,
					       .per_source_rate = { 1000000, 1000 } };
	const struct guard_settings packets = { .source_prefixes = single, .per_source_packets = { 1000, 1000 } };
	measure_guard("a flow is admitted and ends, without limits", &none, admit_and_release, known4);
	measure_guard("the same, with limits of number and rate", &service, admit_and_release, known4);
	measure_guard("the same, with limits per source, 1,000 sources", &source, admit_and_release, known4);
	measure_guard("the same, each from a source nobody has seen", &source, admit_and_release, clients4);
	measure_guard("a datagram is judged, with per-source-packets", &packets, admit_packet, known4);
	return sum == 0;
}
