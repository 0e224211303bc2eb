/* SPDX-License-Identifier: Apache-2.0 */
#include "control/names.h"

#include "base/list.h"
#include "base/memory.h"
#include "base/random.h"
#include "config/name_index.h"
#include "control/log_writer.h"
#include "control/name_lookup.h"

#include <ares.h>
#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

enum {
	KEY_BYTES = 32 + HOST_NAME_BYTES,
	RETRY_SHIFT_MAX = 5,
	JITTER_SHARE = 16, /* names are not asked all in the same moment */
};

/* Name servers, and how their answers are used. */
struct resolver {
	struct list link; /* in names->resolvers or names->doomed */
	uint64_t id;
	struct config_resolver settings; /* its addresses are a copy */
	struct dns_client *client;
	size_t name_count;
	size_t running_count;
	struct list waiting; /* names whose lookup is due while enough are running */
};

/* Where a name stands in the watched tree. */
struct name_use {
	size_t pool;
	size_t server;
};

struct name {
	UT_hash_handle hh; /* by key */
	char key[KEY_BYTES];
	char host[HOST_NAME_BYTES];
	bool is_srv;
	bool is_wanted; /* by the tree that names_watch is reading */
	struct names *names;
	struct resolver *resolver;
	struct list waiting_link;
	struct timer due;
	struct name_lookup lookup;
	struct name_answer answer;
	bool has_answer;
	enum name_state state;
	uint64_t answered_ms;
	uint64_t ttl_ms;
	uint32_t failure_count; /* in a row */
	const char *last_error;
	struct name_use *uses;
	size_t use_count;
};

struct names {
	struct loop *loop;
	struct timer_wheel *wheel;
	struct log_writer *log;
	names_changed_fn *on_change;
	void *owner;
	struct random random;
	struct config *config;
	struct name *all;
	struct list resolvers;
	struct list doomed; /* resolvers to be freed at the end of the turn */
	uint64_t last_resolver_id;
	bool *is_changed; /* by the number of the pool */
	struct loop_deferred telling;
	struct loop_deferred burial;
};

const char *name_state_word(enum name_state state)
{
	static const char *const words[] = {
		[NAME_PENDING] = "pending",
		[NAME_RESOLVED] = "resolved",
		[NAME_FAILED] = "failed",
	};
	return words[state];
}

/* --- telling pools ----------------------------------------------------------------------------------------------- */

static void tell_changes(struct loop_deferred *deferred)
{
	struct names *names = LIST_OWNER(deferred, struct names, telling);
	for (size_t i = 0; i < names->config->pool_count; i++) {
		if (!names->is_changed[i])
			continue;
		names->is_changed[i] = false;
		names->on_change(names->owner, i);
	}
}

static void fill_in(struct config_server *server, const struct name_answer *answer)
{
	server->resolved = answer->resolved;
	server->resolved_count = answer->resolved_count;
}

static void fill_in_uses(const struct name *name)
{
	for (size_t i = 0; i < name->use_count; i++) {
		const struct name_use *use = &name->uses[i];
		fill_in(&name->names->config->pools[use->pool].servers[use->server], &name->answer);
	}
}

static void note_change(const struct name *name)
{
	struct names *names = name->names;
	for (size_t i = 0; i < name->use_count; i++)
		names->is_changed[name->uses[i].pool] = true;
	loop_defer(names->loop, &names->telling, tell_changes);
}

/* --- lookups ----------------------------------------------------------------------------------------------------- */

static void on_lookup_end(struct name_lookup *lookup);

static void start_waiting(struct resolver *resolver)
{
	struct list *link;
	while (resolver->running_count < NAMES_RUNNING_MAX && (link = list_take_first(&resolver->waiting)) != NULL) {
		struct name *name = LIST_OWNER(link, struct name, waiting_link);
		resolver->running_count++;
		name_lookup_start(&name->lookup, resolver->client, name->host, name->is_srv, &name->answer,
				  on_lookup_end);
	}
}

static void on_due(struct timer *timer, uint64_t now_ms)
{
	(void)now_ms;
	struct name *name = LIST_OWNER(timer, struct name, due);
	list_add_last(&name->resolver->waiting, &name->waiting_link);
	start_waiting(name->resolver);
}

static void ask_again_after(struct name *name, uint64_t wait_ms)
{
	struct names *names = name->names;
	uint64_t jitter_ms = random_below(&names->random, (uint32_t)(wait_ms / JITTER_SHARE) + 1);
	timer_arm(names->wheel, &name->due, names->loop->now_ms + wait_ms + jitter_ms);
}

/* As the configuration writes it. buf: KEY_BYTES. */
static const char *name_text(const struct name *name, char *buf)
{
	snprintf(buf, KEY_BYTES, "%s%s", name->is_srv ? "srv:" : "", name->host);
	return buf;
}

static uint64_t used_ttl_ms(const struct name *name, uint32_t ttl_s)
{
	uint64_t ttl_ms = ttl_s * UINT64_C(1000);
	if (name->resolver->settings.ttl_ms != 0)
		return name->resolver->settings.ttl_ms;
	if (ttl_ms < NAMES_TTL_MIN_MS)
		return NAMES_TTL_MIN_MS;
	return ttl_ms < NAMES_TTL_MAX_MS ? ttl_ms : NAMES_TTL_MAX_MS;
}

static void accept_answer(struct name *name)
{
	char text[KEY_BYTES];
	struct name_answer older = name->answer;
	bool is_other = !name_answer_equal(&older, &name->lookup.answer);
	bool is_news = is_other || !name->has_answer || name->state == NAME_FAILED;
	name->answer = name->lookup.answer;
	name->has_answer = true;
	name->state = NAME_RESOLVED;
	name->failure_count = 0;
	name->last_error = name->lookup.error;
	name->answered_ms = name->names->loop->now_ms;
	name->ttl_ms = used_ttl_ms(name, name->lookup.ttl_s);
	fill_in_uses(name);
	if (is_other)
		note_change(name);
	if (is_news)
		log_event(name->names->log, CONFIG_LEVEL_INFO, "name_resolved",
			  record_text("name", name_text(name, text)),
			  record_number("addresses", name->answer.resolved_count),
			  record_number("addresses_before", older.resolved_count),
			  record_number("ttl_ms", name->ttl_ms));
	name_answer_done(&older);
	ask_again_after(name, name->ttl_ms);
}

static void note_failure(struct name *name)
{
	char text[KEY_BYTES];
	uint32_t shift = name->failure_count < RETRY_SHIFT_MAX ? name->failure_count : RETRY_SHIFT_MAX;
	uint64_t wait_ms = (uint64_t)NAMES_RETRY_MIN_MS << shift;
	if (wait_ms > NAMES_RETRY_MAX_MS)
		wait_ms = NAMES_RETRY_MAX_MS;
	name->failure_count++;
	name->state = NAME_FAILED;
	name->last_error = name->lookup.error;
	if (name->failure_count == 1)
		log_event(name->names->log, CONFIG_LEVEL_WARNING, "name_failed",
			  record_text("name", name_text(name, text)), record_text("cause", name->last_error),
			  record_number("addresses_kept", name->answer.resolved_count));
	ask_again_after(name, wait_ms);
}

static void on_lookup_end(struct name_lookup *lookup)
{
	struct name *name = LIST_OWNER(lookup, struct name, lookup);
	name->resolver->running_count--;
	if (lookup->is_good)
		accept_answer(name);
	else
		note_failure(name);
	start_waiting(name->resolver);
}

/* --- resolvers --------------------------------------------------------------------------------------------------- */

static bool is_same_resolver(const struct config_resolver *a, const struct config_resolver *b)
{
	if (a->addr_count != b->addr_count || a->ttl_ms != b->ttl_ms || a->timeout_ms != b->timeout_ms)
		return false;
	for (size_t i = 0; i < a->addr_count; i++) {
		if (!addr_equal(&a->addrs[i], &b->addrs[i]))
			return false;
	}
	return true;
}

static struct resolver *find_resolver(const struct names *names, const struct config_resolver *settings)
{
	for (struct list *link = names->resolvers.next; link != &names->resolvers; link = link->next) {
		struct resolver *resolver = LIST_OWNER(link, struct resolver, link);
		if (is_same_resolver(&resolver->settings, settings))
			return resolver;
	}
	return NULL;
}

static struct resolver *add_resolver(struct names *names, const struct config_resolver *settings)
{
	struct resolver *resolver = memory_alloc_zeroed(1, sizeof(*resolver));
	resolver->id = ++names->last_resolver_id;
	resolver->settings = *settings;
	resolver->settings.addrs = memory_alloc_zeroed(settings->addr_count, sizeof(settings->addrs[0]));
	for (size_t i = 0; i < settings->addr_count; i++)
		resolver->settings.addrs[i] = settings->addrs[i];
	resolver->client =
		dns_client_new(names->loop, names->wheel, settings->addrs, settings->addr_count, settings->timeout_ms);
	list_init(&resolver->waiting);
	list_add_last(&names->resolvers, &resolver->link);
	return resolver;
}

static void free_resolvers(struct list *resolvers)
{
	struct list *link;
	while ((link = list_take_first(resolvers)) != NULL) {
		struct resolver *resolver = LIST_OWNER(link, struct resolver, link);
		dns_client_free(&resolver->client);
		free(resolver->settings.addrs);
		free(resolver);
	}
}

static void bury(struct loop_deferred *deferred)
{
	free_resolvers(&LIST_OWNER(deferred, struct names, burial)->doomed);
}

static void remove_unused_resolvers(struct names *names)
{
	for (struct list *link = names->resolvers.next, *next; link != &names->resolvers; link = next) {
		struct resolver *resolver = LIST_OWNER(link, struct resolver, link);
		next = link->next;
		if (resolver->name_count > 0)
			continue;
		/* Events of this turn may still be for its sockets. */
		list_remove(&resolver->link);
		list_add_last(&names->doomed, &resolver->link);
		loop_defer(names->loop, &names->burial, bury);
	}
}

/* --- which names are watched ------------------------------------------------------------------------------------- */

/* "7/srv/_http._tcp.example.com" */
static size_t make_key(const struct resolver *resolver, const struct config_server *server, char *buf)
{
	int len = snprintf(buf, KEY_BYTES, "%llu/%s/%s", (unsigned long long)resolver->id,
			   server->is_srv ? "srv" : "host", server->host);
	return (size_t)len;
}

static struct name *find_name(const struct names *names, const struct resolver *resolver,
			      const struct config_server *server)
{
	char key[KEY_BYTES];
	struct name *name = NULL;
	if (resolver == NULL)
		return NULL;
	size_t len = make_key(resolver, server, key);
	HASH_FIND(hh, names->all, key, len, name);
	return name;
}

/* What any resolver has said of a host, for a name that comes to another one; made when it is needed. */
struct elsewhere {
	struct name_index *index;
	struct name **names;
};

static struct span elsewhere_key(const char *host, bool is_srv, char *buf)
{
	snprintf(buf, KEY_BYTES, "%s/%s", is_srv ? "srv" : "host", host);
	return span_from_text(buf);
}

static void elsewhere_make(const struct names *names, struct elsewhere *elsewhere)
{
	char key[KEY_BYTES];
	struct name *name, *next;
	size_t count = 0;
	size_t known;
	elsewhere->index = name_index_new();
	elsewhere->names = memory_alloc_zeroed(HASH_COUNT(names->all), sizeof(elsewhere->names[0]));
	HASH_ITER(hh, names->all, name, next)
	{
		if (name->has_answer &&
		    name_index_add(elsewhere->index, elsewhere_key(name->host, name->is_srv, key), count, &known))
			elsewhere->names[count++] = name;
	}
}

static void elsewhere_done(struct elsewhere *elsewhere)
{
	name_index_free(&elsewhere->index);
	free(elsewhere->names);
}

static const struct name *elsewhere_find(const struct names *names, struct elsewhere *elsewhere,
					 const struct config_server *server)
{
	char key[KEY_BYTES];
	size_t number;
	if (elsewhere->index == NULL)
		elsewhere_make(names, elsewhere);
	bool is_known = name_index_find(elsewhere->index, elsewhere_key(server->host, server->is_srv, key), &number);
	return is_known ? elsewhere->names[number] : NULL;
}

static void attach_pool(const struct names *names, struct config *config, struct config_pool *pool,
			struct elsewhere *elsewhere)
{
	const struct resolver *resolver = find_resolver(names, config_pool_resolver(config, pool));
	for (size_t i = 0; i < pool->server_count; i++) {
		struct config_server *server = &pool->servers[i];
		if (server->host[0] == '\0')
			continue;
		const struct name *name = find_name(names, resolver, server);
		if (name == NULL)
			name = elsewhere_find(names, elsewhere, server);
		if (name != NULL)
			fill_in(server, &name->answer);
	}
}

void names_attach(const struct names *names, struct config *config)
{
	struct elsewhere elsewhere = { NULL, NULL };
	for (size_t i = 0; i < config->pool_count; i++)
		attach_pool(names, config, &config->pools[i], &elsewhere);
	elsewhere_done(&elsewhere);
}

static struct name *add_name(struct names *names, struct resolver *resolver, const struct config_server *server,
			     const struct name *seed)
{
	struct name *name = memory_alloc_zeroed(1, sizeof(*name));
	size_t key_len = make_key(resolver, server, name->key);
	span_copy(span_from_text(server->host), name->host, sizeof(name->host));
	name->is_srv = server->is_srv;
	name->names = names;
	name->resolver = resolver;
	name->due.on_expiry = on_due;
	name_answer_init(&name->answer, server->is_srv);
	if (seed != NULL) {
		name_answer_copy(&seed->answer, &name->answer);
		name->has_answer = true;
		name->answered_ms = seed->answered_ms;
		name->ttl_ms = seed->ttl_ms;
	}
	resolver->name_count++;
	HASH_ADD(hh, names->all, key, key_len, name);
	list_add_last(&resolver->waiting, &name->waiting_link);
	return name;
}

static void remove_name(struct name *name)
{
	struct names *names = name->names;
	HASH_DEL(names->all, name);
	timer_disarm(names->wheel, &name->due);
	list_remove(&name->waiting_link);
	if (name_lookup_is_running(&name->lookup))
		name->resolver->running_count--;
	name_lookup_stop(&name->lookup);
	name->resolver->name_count--;
	name_answer_done(&name->answer);
	free(name->uses);
	free(name);
}

static void use_name(struct name *name, size_t pool, size_t server)
{
	name->is_wanted = true;
	name->uses = memory_resize(name->uses, name->use_count + 1, sizeof(name->uses[0]));
	name->uses[name->use_count++] = (struct name_use){ pool, server };
}

static void watch_pool(struct names *names, struct config *config, size_t number, struct elsewhere *elsewhere)
{
	struct config_pool *pool = &config->pools[number];
	const struct config_resolver *settings = config_pool_resolver(config, pool);
	struct resolver *resolver = find_resolver(names, settings);
	for (size_t i = 0; i < pool->server_count; i++) {
		struct config_server *server = &pool->servers[i];
		if (server->host[0] == '\0')
			continue;
		if (resolver == NULL)
			resolver = add_resolver(names, settings);
		struct name *name = find_name(names, resolver, server);
		if (name == NULL)
			name = add_name(names, resolver, server, elsewhere_find(names, elsewhere, server));
		use_name(name, number, i);
		fill_in(server, &name->answer);
	}
}

void names_watch(struct names *names, struct config *config)
{
	struct elsewhere elsewhere = { NULL, NULL };
	struct name *name, *next;
	names->config = config;
	free(names->is_changed);
	names->is_changed = memory_alloc_zeroed(config->pool_count, sizeof(names->is_changed[0]));
	HASH_ITER(hh, names->all, name, next)
	{
		name->is_wanted = false;
		name->use_count = 0;
	}
	for (size_t i = 0; i < config->pool_count; i++)
		watch_pool(names, config, i, &elsewhere);
	elsewhere_done(&elsewhere);
	HASH_ITER(hh, names->all, name, next)
	{
		if (!name->is_wanted)
			remove_name(name);
	}
	remove_unused_resolvers(names);
	for (struct list *link = names->resolvers.next; link != &names->resolvers; link = link->next)
		start_waiting(LIST_OWNER(link, struct resolver, link));
}

/* --- life -------------------------------------------------------------------------------------------------------- */

bool names_read(const struct names *names, const struct config_pool *pool, const struct config_server *server,
		struct name_status *ret_status)
{
	if (names == NULL || names->config == NULL || server->host[0] == '\0')
		return false;
	const struct resolver *resolver = find_resolver(names, config_pool_resolver(names->config, pool));
	const struct name *name = find_name(names, resolver, server);
	if (name == NULL)
		return false;
	uint64_t now_ms = names->loop->now_ms;
	*ret_status = (struct name_status){
		.state = name->state,
		.has_answer = name->has_answer,
		.age_ms = name->has_answer && now_ms > name->answered_ms ? now_ms - name->answered_ms : 0,
		.ttl_ms = name->ttl_ms,
		.last_error = name->last_error,
	};
	return true;
}

struct names *names_new(struct loop *loop, struct timer_wheel *wheel, struct log_writer *log,
			names_changed_fn *on_change, void *owner)
{
	struct names *names = memory_alloc_zeroed(1, sizeof(*names));
	names->loop = loop;
	names->wheel = wheel;
	names->log = log;
	names->on_change = on_change;
	names->owner = owner;
	random_init(&names->random);
	list_init(&names->resolvers);
	list_init(&names->doomed);
	ares_library_init(ARES_LIB_INIT_ALL);
	return names;
}

void names_free(struct names **names)
{
	struct names *doomed = *names;
	if (doomed == NULL)
		return;
	struct name *name, *next;
	HASH_ITER(hh, doomed->all, name, next) remove_name(name);
	list_remove(&doomed->telling.link);
	list_remove(&doomed->burial.link);
	free_resolvers(&doomed->resolvers);
	free_resolvers(&doomed->doomed);
	free(doomed->is_changed);
	free(doomed);
	ares_library_cleanup();
	*names = NULL;
}
