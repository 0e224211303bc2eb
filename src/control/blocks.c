/* SPDX-License-Identifier: Apache-2.0 */
#include "control/blocks.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/memory.h"
#include "config/config.h"
#include "control/log_writer.h"
#include "control/nat_services.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <urcu-qsbr.h>

enum { TOLD_EVERY_MS = 50 };

/* A block and what only control needs to know of it. */
struct entry {
	struct block block;
	struct rcu_head rcu;
	struct list link; /* in blocks->entries, the newest first */
	struct timer expiry;
	struct blocks *blocks;
	enum block_origin origin;
	bool is_configured_still; /* while the configuration is gone through */
	int64_t since_realtime_us;
	uint64_t until_ms; /* monotonic; 0 = until it is removed */
	char *cause;
	char *service;
};

struct blocks {
	struct loop *loop;
	struct timer_wheel *wheel;
	struct log_writer *log;
	blocks_added_fn *on_added;
	void *owner;
	struct block_list *list;
	struct packet_guard *packets; /* NULL: there is none */
	struct nat_services *nat;     /* likewise */
	struct list entries;
	struct timer telling;
	bool is_telling; /* the timer is armed */
	struct blocks_counts counts;
};

const char *block_origin_word(enum block_origin origin)
{
	static const char *const words[BLOCK_ORIGIN_COUNT] = {
		[BLOCK_FROM_API] = "api",
		[BLOCK_FROM_SERVICE] = "service",
		[BLOCK_FROM_CONFIGURATION] = "configuration",
	};
	return words[origin];
}

static void on_telling(struct timer *timer, uint64_t now_ms)
{
	struct blocks *blocks = LIST_OWNER(timer, struct blocks, telling);
	(void)now_ms;
	blocks->is_telling = false;
	blocks->on_added(blocks->owner);
}

struct blocks *blocks_new(struct loop *loop, struct timer_wheel *wheel, struct log_writer *log,
			  blocks_added_fn *on_added, void *owner)
{
	struct blocks *blocks = memory_alloc_zeroed(1, sizeof(*blocks));
	blocks->loop = loop;
	blocks->wheel = wheel;
	blocks->log = log;
	blocks->on_added = on_added;
	blocks->owner = owner;
	blocks->list = block_list_new();
	blocks->telling.on_expiry = on_telling;
	list_init(&blocks->entries);
	return blocks;
}

struct block_list *blocks_list(struct blocks *blocks)
{
	return blocks->list;
}

static void entry_free_replaced(struct rcu_head *rcu)
{
	struct entry *entry = caa_container_of(rcu, struct entry, rcu);
	free(entry->cause);
	free(entry->service);
	free(entry);
}

/* Workers may be reading it: it goes after a grace period. */
static void entry_remove(struct entry *entry)
{
	struct blocks *blocks = entry->blocks;
	if (blocks->packets != NULL)
		packet_guard_block_remove(blocks->packets, &entry->block.network);
	if (blocks->nat != NULL)
		nat_services_unblock(blocks->nat, &entry->block.network);
	block_list_remove(blocks->list, &entry->block);
	list_remove(&entry->link);
	timer_disarm(blocks->wheel, &entry->expiry);
	blocks->counts.now[entry->origin]--;
	call_rcu(&entry->rcu, entry_free_replaced);
}

static struct entry *entry_of(struct list *link)
{
	return LIST_OWNER(link, struct entry, link);
}

void blocks_free(struct blocks **blocks)
{
	if (*blocks == NULL)
		return;
	/* They go as a whole. */
	(*blocks)->packets = NULL;
	(*blocks)->nat = NULL;
	while (!list_is_empty(&(*blocks)->entries))
		entry_remove(entry_of((*blocks)->entries.next));
	timer_disarm((*blocks)->wheel, &(*blocks)->telling);
	block_list_free(&(*blocks)->list);
	free(*blocks);
	*blocks = NULL;
}

/* --- the packet guard -------------------------------------------------------------------------------------------- */

void blocks_use_guard(struct blocks *blocks, struct packet_guard *packets)
{
	if (packets == blocks->packets)
		return;
	blocks->packets = packets;
	for (struct list *link = blocks->entries.next; packets != NULL && link != &blocks->entries; link = link->next)
		packet_guard_block_add(packets, &entry_of(link)->block.network);
}

void blocks_use_nat(struct blocks *blocks, struct nat_services *nat)
{
	if (nat == blocks->nat)
		return;
	blocks->nat = nat;
	for (struct list *link = blocks->entries.next; nat != NULL && link != &blocks->entries; link = link->next)
		nat_services_block(nat, &entry_of(link)->block.network);
}

static uint64_t count_packets(const struct entry *entry)
{
	uint64_t count = 0;
	if (entry->blocks->packets != NULL)
		packet_guard_block_packets(entry->blocks->packets, &entry->block.network, &count);
	return count;
}

/* --- what is written --------------------------------------------------------------------------------------------- */

static void write_added(const struct entry *entry, uint64_t for_ms)
{
	char network[NETWORK_TEXT_BYTES];
	log_event(entry->blocks->log, CONFIG_LEVEL_WARNING, "block_added",
		  record_text("network", network_format(&entry->block.network, network, sizeof(network))),
		  record_text("origin", block_origin_word(entry->origin)), record_number("for_ms", for_ms),
		  record_text("service", entry->service), record_text("cause", entry->cause));
}

static void write_ended(const struct entry *entry, const char *event)
{
	char network[NETWORK_TEXT_BYTES];
	log_event(entry->blocks->log, CONFIG_LEVEL_INFO, event,
		  record_text("network", network_format(&entry->block.network, network, sizeof(network))),
		  record_text("origin", block_origin_word(entry->origin)),
		  record_number("refused", atomic_load_explicit(&entry->block.refused, memory_order_relaxed)),
		  record_number("packets_dropped", count_packets(entry)));
}

/* --- coming and going -------------------------------------------------------------------------------------------- */

/* Flows of those who were blocked are ended a moment later, for all of them at once. */
static void tell(struct blocks *blocks)
{
	if (blocks->is_telling)
		return;
	blocks->is_telling = true;
	timer_arm(blocks->wheel, &blocks->telling, blocks->loop->now_ms + TOLD_EVERY_MS);
}

static void on_expiry(struct timer *timer, uint64_t now_ms)
{
	struct entry *entry = LIST_OWNER(timer, struct entry, expiry);
	(void)now_ms;
	write_ended(entry, "block_expired");
	entry_remove(entry);
}

static struct entry *find_entry(const struct blocks *blocks, const struct network *network)
{
	struct block *block = block_list_get(blocks->list, network);
	return block != NULL ? LIST_OWNER(block, struct entry, block) : NULL;
}

static char *copy_cause(const char *cause)
{
	struct span text = span_from_text(cause != NULL ? cause : "");
	if (text.len >= BLOCK_CAUSE_BYTES)
		text.len = BLOCK_CAUSE_BYTES - 1;
	return memory_copy_span(text);
}

/* Gives the entry what the request says, whatever it was before. */
static void entry_set(struct entry *entry, const struct block_request *request)
{
	struct blocks *blocks = entry->blocks;
	free(entry->cause);
	free(entry->service);
	entry->cause = copy_cause(request->cause);
	entry->service = memory_copy_text(request->service != NULL ? request->service : "");
	blocks->counts.now[entry->origin]--;
	entry->origin = request->origin;
	blocks->counts.now[entry->origin]++;
	entry->until_ms = request->for_ms > 0 ? blocks->loop->now_ms + request->for_ms : 0;
	timer_disarm(blocks->wheel, &entry->expiry);
	if (entry->until_ms > 0)
		timer_arm(blocks->wheel, &entry->expiry, entry->until_ms);
}

static struct entry *entry_new(struct blocks *blocks, const struct block_request *request)
{
	struct entry *entry = memory_alloc_zeroed(1, sizeof(*entry));
	entry->block.network = request->network;
	entry->blocks = blocks;
	entry->expiry.on_expiry = on_expiry;
	entry->origin = request->origin;
	entry->since_realtime_us = clock_realtime_us();
	if (block_list_add(blocks->list, &entry->block) < 0) {
		blocks->counts.failed++;
		free(entry);
		return NULL;
	}
	if (blocks->packets != NULL)
		packet_guard_block_add(blocks->packets, &entry->block.network);
	if (blocks->nat != NULL)
		nat_services_block(blocks->nat, &entry->block.network);
	list_add_first(&blocks->entries, &entry->link);
	blocks->counts.now[entry->origin]++;
	blocks->counts.added[entry->origin]++;
	entry_set(entry, request);
	tell(blocks);
	return entry;
}

static bool is_longer(const struct entry *entry, const struct block_request *request)
{
	if (entry->until_ms == 0 || request->for_ms == 0)
		return entry->until_ms != 0;
	return entry->blocks->loop->now_ms + request->for_ms > entry->until_ms;
}

int blocks_add(struct blocks *blocks, const struct block_request *request)
{
	struct entry *entry = find_entry(blocks, &request->network);
	if (entry == NULL) {
		entry = entry_new(blocks, request);
		if (entry != NULL)
			write_added(entry, request->for_ms);
		return entry != NULL ? 1 : -ENOSPC;
	}
	if (entry->origin == BLOCK_FROM_CONFIGURATION)
		return -EPERM;
	if (request->origin == BLOCK_FROM_API || is_longer(entry, request)) {
		entry_set(entry, request);
		write_added(entry, request->for_ms);
	}
	return 0;
}

int blocks_remove(struct blocks *blocks, const struct network *network)
{
	struct entry *entry = find_entry(blocks, network);
	if (entry == NULL)
		return -ENOENT;
	if (entry->origin == BLOCK_FROM_CONFIGURATION)
		return -EPERM;
	write_ended(entry, "block_removed");
	entry_remove(entry);
	return 0;
}

/* --- the configuration's ----------------------------------------------------------------------------------------- */

static void configure_one(struct blocks *blocks, const struct network *network)
{
	const struct block_request request = { .network = *network, .origin = BLOCK_FROM_CONFIGURATION };
	struct entry *entry = find_entry(blocks, network);
	if (entry == NULL)
		entry = entry_new(blocks, &request);
	else if (entry->origin != BLOCK_FROM_CONFIGURATION)
		entry_set(entry, &request);
	if (entry != NULL)
		entry->is_configured_still = true;
}

static uint64_t remove_unconfigured(struct blocks *blocks)
{
	uint64_t removed = 0;
	struct list *next;
	for (struct list *link = blocks->entries.next; link != &blocks->entries; link = next) {
		struct entry *entry = entry_of(link);
		next = link->next;
		bool is_wanted = entry->origin != BLOCK_FROM_CONFIGURATION || entry->is_configured_still;
		entry->is_configured_still = false;
		if (is_wanted)
			continue;
		entry_remove(entry);
		removed++;
	}
	return removed;
}

void blocks_configure(struct blocks *blocks, const struct config *config)
{
	uint64_t added = blocks->counts.added[BLOCK_FROM_CONFIGURATION];
	uint64_t failed = blocks->counts.failed;
	for (size_t i = 0; i < config->block_count; i++) {
		const struct config_networks *from = &config->blocks[i].from;
		const struct config_list *list = from->list_path != NULL ? &config->lists[from->list] : NULL;
		if (list == NULL)
			configure_one(blocks, &from->network);
		for (size_t j = 0; list != NULL && j < list->count; j++)
			configure_one(blocks, &list->networks[j]);
	}
	uint64_t removed = remove_unconfigured(blocks);
	added = blocks->counts.added[BLOCK_FROM_CONFIGURATION] - added;
	failed = blocks->counts.failed - failed;
	if (added > 0 || removed > 0 || failed > 0)
		log_event(blocks->log, failed > 0 ? CONFIG_LEVEL_ERROR : CONFIG_LEVEL_INFO, "blocks_configured",
			  record_number("added", added), record_number("removed", removed),
			  record_number("left_out", failed));
}

/* --- looking ----------------------------------------------------------------------------------------------------- */

static struct block_status status_of(const struct entry *entry)
{
	uint64_t now_ms = entry->blocks->loop->now_ms;
	struct block_status status = {
		.network = entry->block.network,
		.origin = entry->origin,
		.cause = entry->cause,
		.service = entry->service,
		.since_realtime_us = entry->since_realtime_us,
		.refused = atomic_load_explicit(&entry->block.refused, memory_order_relaxed),
		.packets = count_packets(entry),
	};
	if (entry->until_ms > 0) /* one whose timer is about to fire has still some time left */
		status.remaining_ms = entry->until_ms > now_ms ? entry->until_ms - now_ms : 1;
	return status;
}

void blocks_visit(const struct blocks *blocks, bool (*visit)(void *owner, const struct block_status *status),
		  void *owner)
{
	for (struct list *link = blocks->entries.next; link != &blocks->entries; link = link->next) {
		struct block_status status = status_of(entry_of(link));
		if (!visit(owner, &status))
			return;
	}
}

bool blocks_get(const struct blocks *blocks, const struct network *network, struct block_status *ret_status)
{
	const struct entry *entry = find_entry(blocks, network);
	if (entry == NULL)
		return false;
	*ret_status = status_of(entry);
	return true;
}

bool blocks_find(const struct blocks *blocks, const struct endpoint *client, struct block_status *ret_status)
{
	struct block *block = block_list_find(blocks->list, client);
	if (block == NULL)
		return false;
	*ret_status = status_of(LIST_OWNER(block, struct entry, block));
	return true;
}

struct blocks_counts blocks_count(const struct blocks *blocks)
{
	return blocks->counts;
}
