/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/flow_table.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/spin_lock.h"

#include "bpf/flow_index.h"
#include "bpf/nat_abi.h"

#include "bpf/flow.skel.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	SLOT_REST_MS = 100,
	PATH_BYTES = 256,
	FILTER_HANDLE = 0x73660000, /* and a hash of the pins */
	EVENT_RING_BYTES = 1 << 22, /* some 50,000 of them */
	PACKET_MS = 20,             /* no packet is longer on its way through a program */
};

static_assert(sizeof(struct flow_slot) % 8 == 0, "as the kernel's array has them");
static_assert(FLOW_TABLE_FLOWS_MAX <= 1 << FLOW_ENTRY_NUMBER_BITS, "as entries of the index have them");

struct flow_table {
	struct flow *program; /* the skeleton */
	uint32_t flows_max;
	char pins[PATH_BYTES]; /* empty: none */
	int lock_fd;
	uint32_t filter_handle;
	struct ingress_places places;
	/* Interfaces of the places, for other threads; 0: none. */
	_Atomic uint32_t interfaces[INGRESS_PLACES_MAX];
	/* The kernel's, mapped. */
	struct flow_slot *slots;
	struct flow_bucket *buckets;
	struct nat_owner *owner;
	struct flow_index index; /* over slots and buckets */
	struct nat_sizes nat_sizes;
	/* Free slots: those from fresh_next on, and a ring of those that were given back, the oldest first. */
	struct spin_lock lock;
	uint32_t fresh_next;
	uint32_t *given;
	uint32_t given_first;
	uint32_t given_count;
	_Atomic uint32_t taken_count;
	uint64_t *counts; /* room for those of all processors */
	size_t processor_count;
};

/* --- pins -------------------------------------------------------------------------------------------------------- */

static const char *const pinned_maps[] = { "strait_buckets", "strait_slots", "strait_counts", "strait_owner" };

enum { PINNED_MAP_COUNT = sizeof(pinned_maps) / sizeof(pinned_maps[0]) };

static void pin_path(const struct flow_table *table, const char *name, char *ret_path)
{
	snprintf(ret_path, PATH_BYTES + 32, "%s/%s", table->pins, name);
}

/* Returns the descriptor of a pinned map, or -errno. */
static int open_pinned(const struct flow_table *table, const char *name)
{
	char path[PATH_BYTES + 32];
	pin_path(table, name, path);
	int fd = table->pins[0] != '\0' ? bpf_obj_get(path) : -ENOENT;
	return fd >= 0 ? fd : -errno;
}

/* The size that a pinned table has, or 0. */
static uint32_t read_pinned_size(const struct flow_table *table)
{
	struct bpf_map_info info = { 0 };
	uint32_t info_bytes = sizeof(info);
	int fd = open_pinned(table, "strait_slots");
	if (fd < 0)
		return 0;
	int result = bpf_obj_get_info_by_fd(fd, &info, &info_bytes);
	fd_close(&fd);
	return result == 0 ? info.max_entries : 0;
}

/* That of the process before, or a new one. */
static uint64_t find_seed(const struct flow_table *table)
{
	struct nat_owner owner = { 0 };
	uint32_t key = 0;
	int fd = open_pinned(table, "strait_owner");
	if (fd >= 0)
		bpf_map_lookup_elem(fd, &key, &owner);
	fd_close(&fd);
	return owner.seed != 0 ? owner.seed : random_unguessable();
}

bool flow_table_find_adopted(const struct flow_table *table, uint32_t *number)
{
	while (*number < table->fresh_next && table->slots[*number].state != FLOW_SLOT_ACTIVE)
		++*number;
	return *number < table->fresh_next;
}

bool flow_table_is_pinned(const char *pins)
{
	char path[PATH_BYTES + 32];
	snprintf(path, sizeof(path), "%.250s/strait_slots", pins);
	return pins[0] != '\0' && access(path, F_OK) == 0;
}

static void remove_pins(const struct flow_table *table)
{
	for (int i = 0; i < PINNED_MAP_COUNT && table->pins[0] != '\0'; i++) {
		char path[PATH_BYTES + 32];
		pin_path(table, pinned_maps[i], path);
		unlink(path);
	}
}

static int set_pins(struct flow_table *table)
{
	int result = 0;
	for (int i = 0; i < PINNED_MAP_COUNT && result == 0 && table->pins[0] != '\0'; i++) {
		char path[PATH_BYTES + 32];
		pin_path(table, pinned_maps[i], path);
		result = bpf_map__set_pin_path(bpf_object__find_map_by_name(table->program->obj, pinned_maps[i]), path);
	}
	return result;
}

/* Nobody else has the same flows in this network namespace. */
static int take_lock(struct flow_table *table)
{
	char name[128];
	if (table->pins[0] == '\0')
		return 0;
	/* What is longer than a lock's name is told apart by its end. */
	size_t len = strlen(table->pins);
	snprintf(name, sizeof(name), "strait/flows/%.90s", len > 90 ? table->pins + len - 90 : table->pins);
	table->lock_fd = ingress_lock(name);
	return table->lock_fd >= 0 ? 0 : table->lock_fd;
}

/* FNV-1a, so that the next process finds the filter of this one. */
static uint32_t handle_of(const char *pins)
{
	uint32_t hash = 2166136261u;
	for (; *pins != '\0'; pins++)
		hash = (hash ^ (uint8_t)*pins) * 16777619u;
	return FILTER_HANDLE | (hash & 0xffff);
}

/* --- what is found ----------------------------------------------------------------------------------------------- */

static bool is_active(const struct flow_table *table, uint32_t number)
{
	return number < table->flows_max && table->slots[number].state == FLOW_SLOT_ACTIVE;
}

static void put_given(struct flow_table *table, uint32_t number)
{
	table->given[(table->given_first + table->given_count++) % table->flows_max] = number;
}

/* Flows that a process before was just beginning or ending are no flows. */
static void sort_slots(struct flow_table *table)
{
	uint32_t end = table->flows_max;
	while (end > 0 && table->slots[end - 1].state == FLOW_SLOT_FREE)
		end--;
	table->fresh_next = end;
	for (uint32_t i = 0; i < end; i++) {
		if (is_active(table, i)) {
			table->taken_count++;
			continue;
		}
		memset(&table->slots[i], 0, sizeof(table->slots[i]));
		put_given(table, i);
	}
}

/* Neither those nor half-open flows have keys. A bucket that says then to have spilled more than it has costs a look elsewhere. */
static void remove_stray_keys(struct flow_table *table)
{
	for (uint64_t i = 0; i <= table->index.shape.mask; i++) {
		for (int j = 0; j < FLOW_BUCKET_ENTRIES; j++) {
			uint32_t *entry = &table->buckets[i].entries[j];
			if ((*entry & FLOW_ENTRY_HALF_OPEN) || !is_active(table, flow_entry_number(*entry)))
				__atomic_store_n(entry, 0, __ATOMIC_RELEASE);
		}
	}
}

/* --- life -------------------------------------------------------------------------------------------------------- */

static int map_memory(int fd, size_t bytes, void **ret_memory)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	*ret_memory = memory;
	return 0;
}

static size_t bytes_of_slots(const struct flow_table *table)
{
	return (size_t)table->flows_max * sizeof(struct flow_slot);
}

static size_t bytes_of_buckets(const struct flow_table *table)
{
	return (table->index.shape.mask + 1) * sizeof(struct flow_bucket);
}

static int map_all(struct flow_table *table)
{
	void *slots = NULL, *buckets = NULL, *owner = NULL;
	int result = map_memory(bpf_map__fd(table->program->maps.strait_slots), bytes_of_slots(table), &slots);
	if (result == 0)
		result =
			map_memory(bpf_map__fd(table->program->maps.strait_buckets), bytes_of_buckets(table), &buckets);
	if (result == 0)
		result = map_memory(bpf_map__fd(table->program->maps.strait_owner), sizeof(struct nat_owner), &owner);
	table->slots = table->index.slots = slots;
	table->buckets = table->index.buckets = buckets;
	table->owner = owner;
	return result;
}

static void set_entries(struct bpf_map *map, uint32_t count)
{
	bpf_map__set_max_entries(map, count > 0 ? count : 1);
}

static void set_nat_sizes(struct flow_table *table)
{
	const struct nat_sizes *sizes = &table->nat_sizes;
	set_entries(table->program->maps.nat_listens, sizes->listens);
	set_entries(table->program->maps.nat_networks, sizes->networks);
	set_entries(table->program->maps.nat_services, sizes->services);
	set_entries(table->program->maps.nat_pools, sizes->pools);
	set_entries(table->program->maps.nat_servers, sizes->servers);
	set_entries(table->program->maps.nat_choices, sizes->choices);
	set_entries(table->program->maps.nat_halves, NAT_HALF_OPEN_MAX);
	set_entries(table->program->maps.nat_clients, NAT_CLIENTS_MAX);
	set_entries(table->program->maps.nat_events, EVENT_RING_BYTES);
}

/* Half-open flows, too, have their keys in the index; a table that is pinned keeps its size, so there is always room for them. */
static void set_sizes(struct flow_table *table)
{
	uint32_t buckets = flow_index_buckets(FLOW_WAY_COUNT * (table->flows_max + NAT_HALF_OPEN_MAX));
	table->index.shape.mask = buckets - 1;
	table->index.shape.seed = find_seed(table);
	bpf_map__set_max_entries(table->program->maps.strait_slots, table->flows_max);
	bpf_map__set_max_entries(table->program->maps.strait_buckets, buckets);
	table->program->rodata->flow_index_shape = table->index.shape;
}

/* From here on the program of a process before begins nothing any more, and takes no slot. */
static void become_owner(struct flow_table *table, bool had_other)
{
	uint64_t now_ns = clock_monotonic_ns();
	/* No two processes that have the same flows were opened at the same moment. */
	table->program->bss->nat_shared.owner = (uint32_t)(now_ns >> 16 ^ (uint64_t)getpid() << 16) | 1;
	table->owner->seed = table->index.shape.seed;
	__atomic_store_n(&table->owner->owner, table->program->bss->nat_shared.owner, __ATOMIC_SEQ_CST);
	flow_table_note_alive(table);
	if (had_other)
		usleep(PACKET_MS * 1000);
}

static int load(struct flow_table *table)
{
	/* It writes to stderr otherwise; what failed is in errno. */
	libbpf_set_print(NULL);
	table->program = flow__open();
	if (table->program == NULL)
		return -errno;
	uint32_t pinned_size = table->pins[0] != '\0' ? read_pinned_size(table) : 0;
	if (pinned_size != 0)
		table->flows_max = pinned_size;
	set_sizes(table);
	set_nat_sizes(table);
	int result = set_pins(table);
	if (result == 0)
		result = flow__load(table->program);
	if (result < 0)
		return result;
	result = map_all(table);
	if (result == 0)
		become_owner(table, pinned_size != 0);
	return result;
}

static void free_table(struct flow_table *table)
{
	if (table->slots != NULL)
		munmap(table->slots, bytes_of_slots(table));
	if (table->buckets != NULL)
		munmap(table->buckets, bytes_of_buckets(table));
	if (table->owner != NULL)
		munmap(table->owner, sizeof(struct nat_owner));
	if (table->program != NULL)
		flow__destroy(table->program);
	fd_close(&table->lock_fd);
	free(table->given);
	free(table->counts);
	free(table);
}

int flow_table_open(const struct flow_table_settings *settings, struct flow_table **ret_table)
{
	int processors = libbpf_num_possible_cpus();
	if (processors < 0)
		return processors;
	struct flow_table *table = memory_alloc_zeroed(1, sizeof(*table));
	table->flows_max = settings->flows_max;
	table->nat_sizes = settings->nat;
	table->lock_fd = -1;
	table->processor_count = (size_t)processors;
	if (settings->pins != NULL)
		snprintf(table->pins, sizeof(table->pins), "%s", settings->pins);
	table->filter_handle = handle_of(table->pins);
	int result = take_lock(table);
	if (result == 0)
		result = load(table);
	if (result < 0) {
		free_table(table);
		return result;
	}
	table->counts = memory_alloc_zeroed(table->processor_count, sizeof(*table->counts));
	table->given = memory_alloc(table->flows_max * sizeof(*table->given));
	sort_slots(table);
	remove_stray_keys(table);
	*ret_table = table;
	return 0;
}

void flow_table_close(struct flow_table **table)
{
	if (*table == NULL)
		return;
	/* The kernel takes its time to let go of a program, which leaves all packets to the stack from now on. */
	for (uint32_t i = 0; i < (*table)->fresh_next; i++)
		__atomic_store_n(&(*table)->slots[i].state, FLOW_SLOT_FREE, __ATOMIC_RELEASE);
	while ((*table)->places.count > 0)
		flow_table_detach(*table, (*table)->places.count - 1);
	flow_table_detach_strays(*table);
	remove_pins(*table);
	free_table(*table);
	*table = NULL;
}

int flow_table_program(const struct flow_table *table)
{
	return bpf_program__fd(table->program->progs.strait_flow);
}

/* --- interfaces -------------------------------------------------------------------------------------------------- */

static void tell_interfaces(struct flow_table *table)
{
	for (size_t i = 0; i < INGRESS_PLACES_MAX; i++)
		atomic_store_explicit(&table->interfaces[i],
				      i < table->places.count ? table->places.all[i].interface_index : 0,
				      memory_order_release);
}

int flow_table_attach(struct flow_table *table, const struct interface *interface)
{
	if (interface->link != INTERFACE_ETHERNET)
		return -EMEDIUMTYPE;
	const struct ingress_program program = {
		.fd = flow_table_program(table),
		.order = INGRESS_LAST,
		.stay = INGRESS_STAYS,
		.filter_handle = table->filter_handle,
		.pins = table->pins[0] != '\0' ? table->pins : NULL,
	};
	int result = ingress_places_attach(&table->places, &program, interface);
	tell_interfaces(table);
	return result;
}

const struct ingress_places *flow_table_places(const struct flow_table *table)
{
	return &table->places;
}

void flow_table_detach(struct flow_table *table, size_t number)
{
	ingress_places_detach(&table->places, number);
	tell_interfaces(table);
}

void flow_table_detach_strays(struct flow_table *table)
{
	DIR *directory = table->pins[0] != '\0' ? opendir(table->pins) : NULL;
	if (directory == NULL)
		return;
	for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
		unsigned int interface_index;
		if (sscanf(entry->d_name, "link-%u", &interface_index) == 1 &&
		    ingress_places_find(&table->places, interface_index) == NULL)
			unlinkat(dirfd(directory), entry->d_name, 0);
	}
	closedir(directory);
}

bool flow_table_is_at(const struct flow_table *table, uint32_t interface_index)
{
	for (size_t i = 0; i < INGRESS_PLACES_MAX; i++) {
		uint32_t index = atomic_load_explicit(&table->interfaces[i], memory_order_acquire);
		if (index == interface_index || index == 0)
			return index != 0;
	}
	return false;
}

/* --- slots ------------------------------------------------------------------------------------------------------- */

struct flow_slot *flow_table_slot(const struct flow_table *table, uint32_t number)
{
	CHECK(number < table->flows_max);
	return &table->slots[number];
}

/* The oldest of those given back, if it has rested, else one that was never taken. Returns false when there is none. */
static bool find_free(struct flow_table *table, uint64_t now_ns, uint32_t *ret_number)
{
	uint32_t oldest = table->given_count > 0 ? table->given[table->given_first] : 0;
	if (table->given_count > 0 && table->slots[oldest].start_ns + SLOT_REST_MS * CLOCK_NS_PER_MS <= now_ns) {
		table->given_first = (table->given_first + 1) % table->flows_max;
		table->given_count--;
		*ret_number = oldest;
		return true;
	}
	if (table->fresh_next == table->flows_max)
		return false;
	*ret_number = table->fresh_next++;
	return true;
}

bool flow_table_set_aside(struct flow_table *table, uint32_t *ret_number)
{
	uint64_t now_ns = clock_monotonic_ns();
	spin_lock_take(&table->lock);
	bool is_found = find_free(table, now_ns, ret_number);
	spin_lock_give(&table->lock);
	if (is_found)
		table->slots[*ret_number] = (struct flow_slot){ .state = FLOW_SLOT_TAKEN, .start_ns = now_ns };
	return is_found;
}

void flow_table_give_aside(struct flow_table *table, uint32_t number)
{
	struct flow_slot *slot = flow_table_slot(table, number);
	slot->start_ns = clock_monotonic_ns();
	__atomic_store_n(&slot->state, FLOW_SLOT_FREE, __ATOMIC_RELEASE);
	spin_lock_take(&table->lock);
	put_given(table, number);
	spin_lock_give(&table->lock);
}

void flow_table_use(struct flow_table *table)
{
	atomic_fetch_add_explicit(&table->taken_count, 1, memory_order_relaxed);
}

struct flow_slot *flow_table_take(struct flow_table *table, uint32_t *ret_number)
{
	if (!flow_table_set_aside(table, ret_number))
		return NULL;
	flow_table_use(table);
	return &table->slots[*ret_number];
}

void flow_table_give(struct flow_table *table, uint32_t number)
{
	flow_table_give_aside(table, number);
	atomic_fetch_sub_explicit(&table->taken_count, 1, memory_order_relaxed);
}

/* --- flows ------------------------------------------------------------------------------------------------------- */

static int add_key(struct flow_table *table, uint32_t number, enum flow_way way)
{
	struct flow_key key;
	flow_slot_key(&table->slots[number], way, &key);
	if (flow_index_find(&table->index, &key) != 0)
		return -EEXIST;
	switch (flow_index_add(&table->index, &key, flow_entry(number, way))) {
	case FLOW_INDEX_EXISTS:
		return -EEXIST;
	case FLOW_INDEX_FULL:
		return -ENOSPC;
	case FLOW_INDEX_ADDED:
		break;
	}
	return 0;
}

static void remove_key(struct flow_table *table, uint32_t number, enum flow_way way)
{
	struct flow_key key;
	flow_slot_key(&table->slots[number], way, &key);
	flow_index_remove(&table->index, &key, flow_entry(number, way));
}

int flow_table_begin(struct flow_table *table, uint32_t number)
{
	struct flow_slot *slot = flow_table_slot(table, number);
	CHECK(slot->state == FLOW_SLOT_TAKEN);
	int result = add_key(table, number, FLOW_TO_CLIENT);
	if (result < 0)
		return result;
	result = add_key(table, number, FLOW_TO_SERVER);
	if (result < 0) {
		remove_key(table, number, FLOW_TO_CLIENT);
		return result;
	}
	__atomic_store_n(&slot->state, FLOW_SLOT_ACTIVE, __ATOMIC_RELEASE);
	return 0;
}

void flow_table_end(struct flow_table *table, uint32_t number)
{
	struct flow_slot *slot = flow_table_slot(table, number);
	uint32_t state = FLOW_SLOT_ACTIVE;
	/* Who changes the state takes away the keys; after the program has, another flow may have one of them. */
	if (!__atomic_compare_exchange_n(&slot->state, &state, FLOW_SLOT_TAKEN, false, __ATOMIC_SEQ_CST,
					 __ATOMIC_SEQ_CST)) {
		CHECK(state == FLOW_SLOT_TAKEN);
		return;
	}
	remove_key(table, number, FLOW_TO_SERVER);
	remove_key(table, number, FLOW_TO_CLIENT);
}

uint64_t flow_slot_idle_ms(const struct flow_slot *slot, uint64_t now_ns)
{
	uint32_t now_tick = (uint32_t)(now_ns >> FLOW_TICK_SHIFT);
	uint32_t idle_ticks = now_tick - (uint32_t)(slot->start_ns >> FLOW_TICK_SHIFT);
	for (int way = 0; way < FLOW_WAY_COUNT; way++) {
		uint32_t seen_tick = __atomic_load_n(&slot->sides[way].seen_tick, __ATOMIC_RELAXED);
		/* The kernel's coarse clock may be ahead of the moment that the caller has for now. */
		uint32_t ticks = (int32_t)(now_tick - seen_tick) > 0 ? now_tick - seen_tick : 0;
		if (seen_tick != 0 && ticks < idle_ticks)
			idle_ticks = ticks;
	}
	return ((uint64_t)idle_ticks << FLOW_TICK_SHIFT) / CLOCK_NS_PER_MS;
}

/* --- addresses --------------------------------------------------------------------------------------------------- */

static void put_address(uint8_t ip[16], __be16 *port_be16, const struct endpoint *endpoint)
{
	memset(ip, 0, 16);
	if (endpoint_is_ipv4(endpoint))
		memcpy(ip, endpoint->ip + 12, 4);
	else
		memcpy(ip, endpoint->ip, 16);
	*port_be16 = htons(endpoint->port);
}

static struct endpoint endpoint_of(const uint8_t ip[16], __be16 port_be16, uint8_t version)
{
	struct endpoint endpoint = {
		.ip = { [10] = 0xff, [11] = 0xff },
		.port = ntohs(port_be16),
		.family = version == 4 ? AF_INET : AF_INET6,
	};
	if (version == 4)
		memcpy(endpoint.ip + 12, ip, 4);
	else
		memcpy(endpoint.ip, ip, 16);
	return endpoint;
}

void flow_side_set_source(struct flow_side *side, const struct endpoint *endpoint)
{
	put_address(side->source, &side->source_port_be16, endpoint);
}

void flow_side_set_dest(struct flow_side *side, const struct endpoint *endpoint)
{
	put_address(side->dest, &side->dest_port_be16, endpoint);
}

struct endpoint flow_side_source(const struct flow_side *side, uint8_t version)
{
	return endpoint_of(side->source, side->source_port_be16, version);
}

struct endpoint flow_side_dest(const struct flow_side *side, uint8_t version)
{
	return endpoint_of(side->dest, side->dest_port_be16, version);
}

bool flow_table_has_server_side(const struct flow_table *table, uint8_t protocol, const struct endpoint *local,
				const struct endpoint *server)
{
	struct flow_key key = { .version = endpoint_is_ipv4(server) ? 4 : 6, .protocol = protocol };
	put_address(key.source, &key.source_port_be16, server);
	put_address(key.dest, &key.dest_port_be16, local);
	return flow_index_find(&table->index, &key) != 0;
}

/* --- for nat_table.h --------------------------------------------------------------------------------------------- */

int flow_table_map(const struct flow_table *table, const char *name)
{
	return bpf_object__find_map_fd_by_name(table->program->obj, name);
}

struct nat_shared *flow_table_shared(const struct flow_table *table)
{
	return &table->program->bss->nat_shared;
}

const struct nat_sizes *flow_table_nat_sizes(const struct flow_table *table)
{
	return &table->nat_sizes;
}

void flow_table_note_alive(struct flow_table *table)
{
	__atomic_store_n(&table->owner->alive_tick, (uint32_t)(clock_monotonic_ns() >> FLOW_TICK_SHIFT),
			 __ATOMIC_RELAXED);
}

/* --- how it is --------------------------------------------------------------------------------------------------- */

void flow_table_read_counts(const struct flow_table *table, struct flow_table_counts *ret_counts)
{
	*ret_counts = (struct flow_table_counts){ { 0 } };
	for (uint32_t kind = 0; kind < FLOW_COUNT_COUNT; kind++) {
		if (bpf_map__lookup_elem(table->program->maps.strait_counts, &kind, sizeof(kind), table->counts,
					 table->processor_count * sizeof(*table->counts), 0) < 0)
			continue;
		for (size_t i = 0; i < table->processor_count; i++)
			ret_counts->by_kind[kind] += table->counts[i];
	}
}

const char *flow_count_word(enum flow_count kind)
{
	static const char *const words[FLOW_COUNT_COUNT] = {
#define FLOW_COUNT_WORD(name, word, meaning) [FLOW_COUNT_##name] = word,
		FLOW_COUNT_LIST(FLOW_COUNT_WORD)
#undef FLOW_COUNT_WORD
	};
	return words[kind];
}

uint32_t flow_table_flows_max(const struct flow_table *table)
{
	return table->flows_max;
}

uint32_t flow_table_flows(const struct flow_table *table)
{
	return atomic_load_explicit(&table->taken_count, memory_order_relaxed);
}
