/* SPDX-License-Identifier: Apache-2.0 */
#include "control/server_changes.h"

#include "base/list.h"
#include "base/memory.h"
#include "config/edit.h"
#include "config/server_address.h"

#include <stdlib.h>
#include <string.h>

struct change {
	struct list link;
	char pool[CONFIG_NAME_BYTES];
	char server[CONFIG_NAME_BYTES];
	bool has_file; /* the file had such a server when it was first changed: file */
	bool has_now;  /* there is one: now; else it was removed */
	struct config_server file;
	struct config_server now;
};

struct server_changes {
	struct list entries; /* in the order of being made */
};

static struct change *change_of(struct list *link)
{
	return LIST_OWNER(link, struct change, link);
}

struct server_changes *server_changes_new(void)
{
	struct server_changes *changes = memory_alloc_zeroed(1, sizeof(*changes));
	list_init(&changes->entries);
	return changes;
}

struct server_changes *server_changes_copy(const struct server_changes *changes)
{
	struct server_changes *copy = server_changes_new();
	for (struct list *link = changes->entries.next; link != &changes->entries; link = link->next) {
		struct change *change = memory_alloc_zeroed(1, sizeof(*change));
		*change = *change_of(link);
		change->link = (struct list){ 0 };
		list_add_last(&copy->entries, &change->link);
	}
	return copy;
}

static void drop(struct change *change)
{
	list_remove(&change->link);
	free(change);
}

void server_changes_free(struct server_changes **changes)
{
	if (*changes == NULL)
		return;
	while (!list_is_empty(&(*changes)->entries))
		drop(change_of((*changes)->entries.next));
	free(*changes);
	*changes = NULL;
}

static struct change *find(const struct server_changes *changes, const char *pool, const char *server)
{
	for (struct list *link = changes->entries.next; link != &changes->entries; link = link->next)
		if (strcmp(change_of(link)->pool, pool) == 0 && strcmp(change_of(link)->server, server) == 0)
			return change_of(link);
	return NULL;
}

static bool is_same(const struct config_server *a, const struct config_server *b)
{
	return server_address_equal(a, b) && a->weight == b->weight && a->max_connections == b->max_connections &&
	       a->is_backup == b->is_backup && a->state == b->state;
}

static struct change *add(struct server_changes *changes, const char *pool, const struct config_server *before,
			  const char *name)
{
	struct change *change = memory_alloc_zeroed(1, sizeof(*change));
	span_copy(span_from_text(pool), change->pool, sizeof(change->pool));
	span_copy(span_from_text(name), change->server, sizeof(change->server));
	change->has_file = before != NULL;
	if (before != NULL)
		change->file = *before;
	list_add_last(&changes->entries, &change->link);
	return change;
}

void server_changes_note(struct server_changes *changes, const char *pool, const struct config_server *before,
			 const struct config_server *after)
{
	const char *name = after != NULL ? after->name : before->name;
	struct change *change = find(changes, pool, name);
	if (change == NULL)
		change = add(changes, pool, before, name);
	change->has_now = after != NULL;
	if (after != NULL)
		change->now = *after;
	bool is_undone =
		change->has_file == change->has_now && (!change->has_file || is_same(&change->file, &change->now));
	if (is_undone)
		drop(change);
}

/* Returns false when the file has overtaken it. */
static bool apply(const struct change *change, struct config *config)
{
	struct config_pool *pool = config_find_pool(config, change->pool);
	struct config_server *server = pool != NULL ? config_pool_find_server(pool, change->server) : NULL;
	if (pool == NULL || change->has_file != (server != NULL))
		return false;
	if (server != NULL && !is_same(server, &change->file))
		return false;
	if (!change->has_now)
		return config_pool_remove_server(pool, change->server) == 0;
	if (server == NULL)
		return config_pool_add_server(config, pool, &change->now) == 0;
	struct config_place place = server->place;
	*server = change->now;
	server->place = place;
	server->resolved = NULL; /* control/names.h fills it in */
	server->resolved_count = 0;
	return true;
}

size_t server_changes_apply(struct server_changes *changes, struct config *config)
{
	size_t count = 0;
	for (struct list *link = changes->entries.next, *next; link != &changes->entries; link = next) {
		next = link->next;
		if (apply(change_of(link), config))
			count++;
		else
			drop(change_of(link));
	}
	return count;
}
