/* SPDX-License-Identifier: Apache-2.0 */
#include "balance/pool_fixture.h"

#include "balance/view.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct pool *fixture_pool(enum pool_algorithm algorithm, uint32_t server_count, const uint32_t *weights)
{
	struct pool *pool = pool_new("test", 1);
	struct addr addr = { .len = sizeof(addr.in), .in = { .sin_family = AF_INET, .sin_port = htons(80) } };
	pool->policy = calloc(1, sizeof(*pool->policy));
	pool->servers = calloc(server_count + 1, sizeof(pool->servers[0]));
	assert_non_null(pool->policy);
	assert_non_null(pool->servers);
	pool->policy->algorithm = algorithm;
	for (uint32_t i = 0; i < server_count; i++) {
		char name[16];
		snprintf(name, sizeof(name), "s%u", i);
		pool->servers[i] = server_new(name, &addr, 1);
		pool->servers[i]->pool = pool;
		pool->servers[i]->weight = weights != NULL ? weights[i] : 1;
	}
	pool->server_count = server_count;
	fixture_update(pool);
	return pool;
}

void fixture_free(struct pool **pool)
{
	balance_view_discard(*pool);
	for (size_t i = 0; i < (*pool)->server_count; i++) {
		assert_int_equal((*pool)->servers[i]->references, 1);
		server_free(&(*pool)->servers[i]);
	}
	pool_free(pool);
}

void fixture_update(struct pool *pool)
{
	balance_view_publish(pool, 1);
}

struct endpoint fixture_client(uint32_t number)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(1000), .sin_addr = { htonl(number) } };
	return endpoint_from_sockaddr((const struct sockaddr *)&in);
}

struct balance_request fixture_request(const struct endpoint *client, struct random *random)
{
	return (struct balance_request){ .client = client, .random = random };
}

uint32_t fixture_index(const struct pool *pool, const struct server *server)
{
	uint32_t index = 0;
	assert_non_null(server);
	while (index < pool->server_count && pool->servers[index] != server)
		index++;
	assert_in_range(index, 0, pool->server_count - 1);
	return index;
}

void fixture_spread(struct pool *pool, uint32_t count, uint32_t *ret_counts)
{
	struct random random;
	random_init_seed(&random, 5);
	for (uint32_t i = 0; i < count; i++) {
		struct endpoint client = fixture_client(i);
		struct balance_request request = fixture_request(&client, &random);
		struct server *server = balance_enter(pool, &request);
		ret_counts[fixture_index(pool, server)]++;
		server_leave(server);
	}
}
