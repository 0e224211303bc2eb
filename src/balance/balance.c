/* SPDX-License-Identifier: Apache-2.0 */
#include "balance/balance.h"

#include "balance/algorithms.h"
#include "balance/view.h"
#include "base/aligned.h"
#include "base/check.h"

#include <stdlib.h>

static const struct balancer *const balancers[] = {
	[POOL_ROUND_ROBIN] = &round_robin_balancer, [POOL_LEAST_CONNECTIONS] = &least_connections_balancer,
	[POOL_SOURCE_HASH] = &source_hash_balancer, [POOL_RANDOM] = &two_choices_balancer,
	[POOL_MAGLEV] = &maglev_balancer,           [POOL_FIRST] = &first_balancer,
};
static_assert(sizeof(balancers) / sizeof(balancers[0]) == POOL_ALGORITHM_COUNT, "one for each algorithm");

const struct balancer *balance_find(enum pool_algorithm algorithm)
{
	CHECK(algorithm < POOL_ALGORITHM_COUNT);
	return balancers[algorithm];
}

static struct server *tier_enter(struct pool *pool, const struct balance_view *view, const struct balance_tier *tier,
				 const struct balance_request *request)
{
	return tier->count > 0 ? view->balancer->enter(pool, tier, request) : NULL;
}

struct server *balance_enter(struct pool *pool, const struct balance_request *request)
{
	const struct balance_view *view = published_read(pool->view);
	if (view == NULL)
		return NULL;
	struct balance_request asked = *request;
	asked.ignored_bits = view->ignored_bits;
	struct server *server = tier_enter(pool, view, &view->primary, &asked);
	if (server != NULL)
		return server;
	asked.ignored_bits = 0;
	return tier_enter(pool, view, &view->backup, &asked);
}

struct server *balance_preview(struct pool *pool, const struct balance_request *request)
{
	struct pool *copy = aligned_alloc_zeroed(alignof(struct pool), sizeof(*copy));
	copy->policy = pool->policy;
	copy->view = pool->view;
	atomic_init(&copy->cursor, atomic_load(&pool->cursor));
	struct server *server = balance_enter(copy, request);
	if (server != NULL)
		server_leave(server);
	free(copy);
	return server;
}

static bool is_tried(const struct server *server, const struct balance_request *request)
{
	for (uint32_t i = 0; i < request->tried_count; i++) {
		if (request->tried[i] == server)
			return true;
	}
	return false;
}

/* The servers of a tier that are up, and those that are of no use to this flow although they have room. */
struct tier_places {
	uint32_t untried;
	uint32_t tried_with_room;
};

static struct tier_places tier_places(const struct balance_tier *tier, const struct balance_request *request,
				      uint32_t ignored_bits)
{
	struct tier_places places = { 0, 0 };
	for (uint32_t i = 0; i < tier->count; i++) {
		const struct server *server = tier->servers[i];
		if (!server_is_available(server, ignored_bits))
			continue;
		if (!is_tried(server, request))
			places.untried++;
		else
			places.tried_with_room += server_has_room(server);
	}
	return places;
}

bool balance_is_full(const struct pool *pool, const struct balance_request *request)
{
	const struct balance_view *view = published_read(pool->view);
	if (view == NULL)
		return false;
	struct tier_places primary = tier_places(&view->primary, request, view->ignored_bits);
	struct tier_places backup = tier_places(&view->backup, request, 0);
	return primary.untried + backup.untried > 0 && primary.tried_with_room + backup.tried_with_room == 0;
}

static bool tier_has_room(const struct balance_tier *tier, uint32_t ignored_bits)
{
	for (uint32_t i = 0; i < tier->count; i++)
		if (server_is_available(tier->servers[i], ignored_bits) && server_has_room_now(tier->servers[i]))
			return true;
	return false;
}

bool balance_has_room(const struct pool *pool)
{
	const struct balance_view *view = published_read(pool->view);
	return view != NULL && (tier_has_room(&view->primary, view->ignored_bits) || tier_has_room(&view->backup, 0));
}

bool balance_is_candidate(const struct server *server, const struct balance_request *request)
{
	return server_is_eligible(server, request->ignored_bits) && !is_tried(server, request);
}

bool balance_try(struct server *server, const struct balance_request *request)
{
	return balance_try_below(server, request, UINT32_MAX);
}

bool balance_try_below(struct server *server, const struct balance_request *request, uint32_t flows_max)
{
	return !is_tried(server, request) && server_enter_below(server, request->ignored_bits, flows_max);
}

struct server *balance_scan(const struct balance_tier *tier, const struct balance_request *request, uint32_t start)
{
	uint32_t index = start;
	for (uint32_t n = 0; n < tier->count; n++) {
		if (balance_try(tier->servers[index], request))
			return tier->servers[index];
		index = index + 1 < tier->count ? index + 1 : 0;
	}
	return NULL;
}
