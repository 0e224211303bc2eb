/* SPDX-License-Identifier: Apache-2.0 */
#include "pool/pool.h"

#include "base/aligned.h"
#include "base/check.h"
#include "base/span.h"

#include <stdlib.h>

static const char *const algorithm_words[] = {
	[POOL_ROUND_ROBIN] = "round-robin", [POOL_LEAST_CONNECTIONS] = "least-connections",
	[POOL_SOURCE_HASH] = "source-hash", [POOL_RANDOM] = "random",
	[POOL_MAGLEV] = "maglev",           [POOL_FIRST] = "first",
};
static_assert(sizeof(algorithm_words) / sizeof(algorithm_words[0]) == POOL_ALGORITHM_COUNT, "one word each");

static const char *const check_words[] = {
	[POOL_CHECK_NONE] = "none", [POOL_CHECK_TCP] = "tcp", [POOL_CHECK_UDP] = "udp",
	[POOL_CHECK_HTTP] = "http", [POOL_CHECK_DNS] = "dns", [POOL_CHECK_EXEC] = "exec",
};
static_assert(sizeof(check_words) / sizeof(check_words[0]) == POOL_CHECK_COUNT, "one word each");

const char *pool_algorithm_word(enum pool_algorithm algorithm)
{
	CHECK(algorithm < POOL_ALGORITHM_COUNT);
	return algorithm_words[algorithm];
}

const char *pool_check_word(enum pool_check check)
{
	CHECK(check < POOL_CHECK_COUNT);
	return check_words[check];
}

struct pool *pool_new(const char *name, uint32_t worker_count)
{
	size_t bytes = sizeof(struct pool) + worker_count * sizeof(struct pool_counters);
	struct pool *pool = aligned_alloc_zeroed(alignof(struct pool), bytes);
	bool fits = span_copy(span_from_text(name), pool->name, sizeof(pool->name));
	CHECK(fits);
	pool->worker_count = worker_count;
	return pool;
}

void pool_policy_free(struct pool_policy **policy)
{
	if (*policy == NULL)
		return;
	free((*policy)->check.send.data);
	free((*policy)->check.expect.data);
	free((*policy)->check.http.path);
	free((*policy)->check.http.host);
	free((*policy)->check.dns.name);
	free((*policy)->check.program);
	free((*policy)->source.ipv4.addrs);
	free((*policy)->source.ipv6.addrs);
	free(*policy);
	*policy = NULL;
}

void pool_free(struct pool **pool)
{
	if (*pool == NULL)
		return;
	pool_policy_free(&(*pool)->policy);
	pool_queue_done(&(*pool)->queue);
	free((*pool)->servers);
	free(*pool);
	*pool = NULL;
}

struct server *pool_find_server(const struct pool *pool, const char *name)
{
	for (size_t i = 0; i < pool->server_count; i++) {
		if (strcmp(pool->servers[i]->name, name) == 0)
			return pool->servers[i];
	}
	return NULL;
}
