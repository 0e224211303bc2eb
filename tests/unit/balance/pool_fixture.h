/* SPDX-License-Identifier: Apache-2.0 */
/* A pool with servers named s0, s1, ... for the tests of balancing. One thread. */
#ifndef TEST_POOL_FIXTURE_H
#define TEST_POOL_FIXTURE_H

#include "balance/balance.h"

/* Servers with these weights (NULL: all 1), primaries; the first view is published. */
struct pool *fixture_pool(enum pool_algorithm algorithm, uint32_t server_count, const uint32_t *weights);
/* Takes the view away and frees all. The servers may still have flows. */
void fixture_free(struct pool **pool);

/* Makes the view anew, as control does after a change of state or weight. */
void fixture_update(struct pool *pool);

struct endpoint fixture_client(uint32_t number);

/* A request without tried servers from client `number`; its random generator is the one given. */
struct balance_request fixture_request(const struct endpoint *client, struct random *random);

/* Index of the server in its pool. */
uint32_t fixture_index(const struct pool *pool, const struct server *server);

/*
 * Enters `count` flows of different clients, counts them by server and ends each at once. The first client's number is
 * 0. Fails the test when no server is found.
 */
void fixture_spread(struct pool *pool, uint32_t count, uint32_t *ret_counts);

#endif
