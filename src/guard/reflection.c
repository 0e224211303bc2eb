/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/reflection.h"

#include "base/memory.h"

#include <stdlib.h>
#include <urcu-qsbr.h>

struct reflection {
	struct rcu_head rcu;
	size_t count;
	struct endpoint own[]; /* sorted bytewise */
};

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct endpoint));
}

struct reflection *reflection_new(const struct endpoint *own, size_t count)
{
	struct reflection *reflection = memory_alloc_zeroed(1, sizeof(*reflection) + count * sizeof(*own));
	reflection->count = count;
	if (count > 0)
		memcpy(reflection->own, own, count * sizeof(*own));
	qsort(reflection->own, count, sizeof(*own), compare);
	return reflection;
}

void reflection_free(struct reflection **reflection)
{
	free(*reflection);
	*reflection = NULL;
}

static void free_replaced(struct rcu_head *rcu)
{
	free(caa_container_of(rcu, struct reflection, rcu));
}

void reflection_free_later(struct reflection *reflection)
{
	call_rcu(&reflection->rcu, free_replaced);
}

static bool answers_anything(uint16_t port)
{
	enum { ECHO_PORT = 7, DAYTIME_PORT = 13, QOTD_PORT = 17, CHARGEN_PORT = 19, TIME_PORT = 37 };
	return port == ECHO_PORT || port == DAYTIME_PORT || port == QOTD_PORT || port == CHARGEN_PORT ||
	       port == TIME_PORT;
}

bool reflection_is_suspect(const struct reflection *reflection, const struct endpoint *client)
{
	struct endpoint unscoped = *client;
	unscoped.scope_id = 0;
	return answers_anything(client->port) ||
	       bsearch(&unscoped, reflection->own, reflection->count, sizeof(unscoped), compare) != NULL;
}
