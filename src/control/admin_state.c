/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin_state.h"

#include "control/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DETAIL_BYTES = 256 };

void admin_state_livez(struct admin_request *request, struct admin_answer *answer)
{
	(void)request;
	admin_answer_text(answer, "ok\n");
}

/* --- readiness --------------------------------------------------------------------------------------------------- */

/* Digits only, at least 1. Returns 0 for anything else. */
static size_t read_minimum(const char *text)
{
	char *end;
	size_t digits = strspn(text, "0123456789");
	if (digits == 0 || digits > 9 || text[digits] != '\0')
		return 0;
	return strtoul(text, &end, 10);
}

/* Returns false, and refuses, when the pool has too few servers. */
static bool check_pool(const struct pool *pool, size_t minimum, struct admin_answer *answer)
{
	char detail[DETAIL_BYTES];
	size_t available = status_available_count(pool);
	if (available >= minimum)
		return true;
	snprintf(detail, sizeof(detail), "pool %s has %zu of %zu servers available, %zu wanted", pool->name, available,
		 pool->server_count, minimum);
	admin_refuse(answer, ADMIN_UNAVAILABLE, detail);
	return false;
}

static bool check_all_pools(const struct snapshot *snapshot, size_t minimum, struct admin_answer *answer)
{
	for (size_t i = 0; i < snapshot->pool_count; i++)
		if (!check_pool(snapshot->pools[i], minimum, answer))
			return false;
	return true;
}

void admin_state_readyz(struct admin_request *request, struct admin_answer *answer)
{
	const struct daemon *daemon = request->daemon;
	const char *name = admin_argument(request, "pool");
	const char *minimum_text = admin_argument(request, "min");
	size_t minimum = minimum_text != NULL ? read_minimum(minimum_text) : 1;
	const struct pool *pool = name != NULL ? snapshot_find_pool(daemon->snapshot, name) : NULL;
	bool is_ready = false;
	if (minimum == 0)
		admin_refuse(answer, ADMIN_BAD_REQUEST, "min is a number, at least 1");
	else if (name != NULL && pool == NULL)
		admin_refuse(answer, ADMIN_NOT_FOUND, "there is no pool of that name; /v1/pools lists all");
	else if (daemon->phase != DAEMON_RUNNING)
		admin_refuse(answer, ADMIN_UNAVAILABLE,
			     daemon->phase == DAEMON_DRAINING ? "strait is draining" : "strait is starting");
	else if (pool != NULL)
		is_ready = check_pool(pool, minimum, answer);
	else
		is_ready = check_all_pools(daemon->snapshot, minimum, answer);
	if (is_ready)
		admin_answer_text(answer, "ready\n");
}

/* --- state ------------------------------------------------------------------------------------------------------- */

void admin_state_status(struct admin_request *request, struct admin_answer *answer)
{
	admin_answer_json(answer, ADMIN_OK, status_build(request->daemon));
}

void admin_state_services(struct admin_request *request, struct admin_answer *answer)
{
	json_t *document = json_object();
	json_object_set_new(document, "services", status_build_services(request->daemon->snapshot));
	admin_answer_json(answer, ADMIN_OK, document);
}

void admin_state_service(struct admin_request *request, struct admin_answer *answer)
{
	const struct snapshot *snapshot = request->daemon->snapshot;
	const struct service *service = snapshot_find_service(snapshot, request->names[0]);
	if (service == NULL)
		admin_refuse(answer, ADMIN_NOT_FOUND, "there is no service of that name; /v1/services lists all");
	else
		admin_answer_json(answer, ADMIN_OK, status_build_service(snapshot, service));
}

void admin_state_pools(struct admin_request *request, struct admin_answer *answer)
{
	json_t *document = json_object();
	json_object_set_new(document, "pools", status_build_pools(request->daemon));
	admin_answer_json(answer, ADMIN_OK, document);
}

void admin_state_pool(struct admin_request *request, struct admin_answer *answer)
{
	const struct snapshot *snapshot = request->daemon->snapshot;
	size_t number = 0;
	while (number < snapshot->pool_count && strcmp(snapshot->pools[number]->name, request->names[0]) != 0)
		number++;
	if (number == snapshot->pool_count)
		admin_refuse(answer, ADMIN_NOT_FOUND, "there is no pool of that name; /v1/pools lists all");
	else
		admin_answer_json(answer, ADMIN_OK, status_build_pool(request->daemon, number));
}
