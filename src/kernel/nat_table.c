/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/nat_table.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
	REST_MS = 100,
	SLOT_SHARE = 4, /* a quarter of all slots is set aside at most */
};

/* A stretch of the table of choices that is used, or was until a moment ago. */
struct extent {
	uint32_t begin;
	uint32_t count;
	uint64_t free_ms; /* from when on it may be used again; 0: it is used */
};

struct nat_table {
	struct flow_table *flows;
	struct nat_shared *shared;
	struct nat_sizes sizes;
	struct nat_service *services;
	struct nat_pool *pools;
	struct nat_server *servers;
	uint64_t *choices;
	struct extent *extents; /* sorted */
	size_t extent_count;
	int listens_fd;
	int networks_fd;
	int clients_fd;
	int counts_fd;
	struct ring_buffer *events;
	void (*on_event)(void *owner, const struct nat_event *event);
	void *event_owner;
	uint32_t slots_max;
	uint64_t *counts; /* room for those of all processors */
	size_t processor_count;
};

/* --- life -------------------------------------------------------------------------------------------------------- */

static int on_record(void *owner, void *record, size_t bytes)
{
	struct nat_table *table = owner;
	if (bytes >= sizeof(struct nat_event))
		table->on_event(table->event_owner, record);
	return 0;
}

static int map_array(struct nat_table *table, const char *name, size_t bytes, void **ret_memory)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, flow_table_map(table->flows, name), 0);
	if (memory == MAP_FAILED)
		return -errno;
	*ret_memory = memory;
	return 0;
}

static int map_arrays(struct nat_table *table)
{
	const struct nat_sizes *sizes = &table->sizes;
	void *services = NULL, *pools = NULL, *servers = NULL, *choices = NULL;
	int result = map_array(table, "nat_services", sizes->services * sizeof(struct nat_service), &services);
	if (result == 0)
		result = map_array(table, "nat_pools", sizes->pools * sizeof(struct nat_pool), &pools);
	if (result == 0)
		result = map_array(table, "nat_servers", sizes->servers * sizeof(struct nat_server), &servers);
	if (result == 0)
		result = map_array(table, "nat_choices", sizes->choices * sizeof(uint64_t), &choices);
	table->services = services;
	table->pools = pools;
	table->servers = servers;
	table->choices = choices;
	return result;
}

static void unmap(void *memory, size_t bytes)
{
	if (memory != NULL)
		munmap(memory, bytes);
}

static void free_table(struct nat_table *table)
{
	const struct nat_sizes *sizes = &table->sizes;
	ring_buffer__free(table->events);
	unmap(table->services, sizes->services * sizeof(struct nat_service));
	unmap(table->pools, sizes->pools * sizeof(struct nat_pool));
	unmap(table->servers, sizes->servers * sizeof(struct nat_server));
	unmap(table->choices, sizes->choices * sizeof(uint64_t));
	free(table->extents);
	free(table->counts);
	free(table);
}

static uint32_t find_slots_max(const struct flow_table *flows)
{
	uint32_t share = flow_table_flows_max(flows) / SLOT_SHARE;
	return share < NAT_SLOTS_MAX / 2 ? share : NAT_SLOTS_MAX / 2;
}

int nat_table_open(struct flow_table *flows, struct nat_table **ret_table)
{
	const struct nat_sizes *sizes = flow_table_nat_sizes(flows);
	int processors = libbpf_num_possible_cpus();
	if (processors < 0)
		return processors;
	struct nat_table *table = memory_alloc_zeroed(1, sizeof(*table));
	table->flows = flows;
	table->shared = flow_table_shared(flows);
	table->sizes = *sizes;
	table->slots_max = find_slots_max(flows);
	table->listens_fd = flow_table_map(flows, "nat_listens");
	table->networks_fd = flow_table_map(flows, "nat_networks");
	table->clients_fd = flow_table_map(flows, "nat_clients");
	table->counts_fd = flow_table_map(flows, "nat_counts");
	table->processor_count = (size_t)processors;
	table->counts = memory_alloc_zeroed(table->processor_count, sizeof(*table->counts));
	/* Between two neighbours there is at most one gap. */
	table->extents = memory_alloc_zeroed(4 * (size_t)sizes->pools + 4, sizeof(*table->extents));
	int result = map_arrays(table);
	if (result == 0) {
		table->events = ring_buffer__new(flow_table_map(flows, "nat_events"), on_record, table, NULL);
		result = table->events != NULL ? 0 : -errno;
	}
	if (result < 0) {
		free_table(table);
		return result;
	}
	*ret_table = table;
	return 0;
}

void nat_table_close(struct nat_table **table)
{
	struct nat_table *doomed = *table;
	if (doomed == NULL)
		return;
	nat_table_switch_off(doomed);
	struct nat_shared *shared = doomed->shared;
	while (shared->head != shared->tail)
		flow_table_give_aside(doomed->flows, shared->slots[shared->head++ & (NAT_SLOTS_MAX - 1)]);
	free_table(doomed);
	*table = NULL;
}

void nat_table_switch_on(struct nat_table *table)
{
	__atomic_store_n(&table->shared->is_on, 1, __ATOMIC_RELEASE);
}

void nat_table_switch_off(struct nat_table *table)
{
	__atomic_store_n(&table->shared->is_on, 0, __ATOMIC_RELEASE);
}

/* --- listen addresses and networks ------------------------------------------------------------------------------- */

static void put_ip(uint8_t to[16], const uint8_t ip[16], bool is_ipv4)
{
	memset(to, 0, 16);
	memcpy(to, is_ipv4 ? ip + 12 : ip, is_ipv4 ? 4 : 16);
}

static struct nat_listen listen_key(const struct endpoint *listen, uint8_t protocol)
{
	bool is_ipv4 = endpoint_is_ipv4(listen);
	struct nat_listen key = {
		.port_be16 = htons(listen->port),
		.protocol = protocol,
		.version = is_ipv4 ? 4 : 6,
	};
	put_ip(key.ip, listen->ip, is_ipv4);
	return key;
}

int nat_table_add_listen(struct nat_table *table, const struct endpoint *listen, uint8_t protocol, uint32_t service)
{
	struct nat_listen key = listen_key(listen, protocol);
	return bpf_map_update_elem(table->listens_fd, &key, &service, BPF_ANY);
}

void nat_table_remove_listen(struct nat_table *table, const struct endpoint *listen, uint8_t protocol)
{
	struct nat_listen key = listen_key(listen, protocol);
	bpf_map_delete_elem(table->listens_fd, &key);
}

static struct nat_network network_key(uint32_t set, const struct network *network)
{
	bool is_ipv4 = network->family == AF_INET;
	struct nat_network key = {
		.prefix_bits = NAT_NETWORK_FIXED_BITS + network->prefix_bits - (is_ipv4 ? 96u : 0u),
		.set_be32 = htonl(set),
		.version = is_ipv4 ? 4 : 6,
	};
	put_ip(key.ip, network->ip, is_ipv4);
	return key;
}

int nat_table_add_network(struct nat_table *table, uint32_t set, const struct network *network, bool is_allowed)
{
	uint32_t value = is_allowed;
	uint32_t earlier;
	if (network->family == AF_UNIX)
		return 0;
	struct nat_network key = network_key(set, network);
	/* Of those that are blocked all say the same, and each may go. */
	if (set != NAT_NETWORKS_BLOCKED && bpf_map_lookup_elem(table->networks_fd, &key, &earlier) == 0)
		return 0;
	return bpf_map_update_elem(table->networks_fd, &key, &value, BPF_ANY);
}

void nat_table_remove_network(struct nat_table *table, uint32_t set, const struct network *network)
{
	struct nat_network key = network_key(set, network);
	if (network->family != AF_UNIX)
		bpf_map_delete_elem(table->networks_fd, &key);
}

void nat_table_set_blocked(struct nat_table *table, bool has_blocked)
{
	__atomic_store_n(&table->shared->has_blocked, has_blocked, __ATOMIC_RELEASE);
}

void nat_table_set_routes_epoch(struct nat_table *table, uint32_t routes_epoch)
{
	__atomic_store_n(&table->shared->routes_epoch, routes_epoch, __ATOMIC_RELEASE);
}

void nat_table_set_ports(struct nat_table *table, const uint16_t *ports, size_t count)
{
	CHECK(count <= NAT_PORTS_MAX);
	memcpy(table->shared->ports, ports, count * sizeof(*ports));
	__atomic_store_n(&table->shared->port_count, (uint32_t)count, __ATOMIC_RELEASE);
}

/* --- services, servers, choices ---------------------------------------------------------------------------------- */

struct nat_service *nat_table_service(const struct nat_table *table, uint32_t number)
{
	CHECK(number < table->sizes.services);
	return &table->services[number];
}

struct nat_server *nat_table_server(const struct nat_table *table, uint32_t number)
{
	CHECK(number < table->sizes.servers);
	return &table->servers[number];
}

static void drop_rested(struct nat_table *table, uint64_t now_ms)
{
	size_t kept = 0;
	for (size_t i = 0; i < table->extent_count; i++)
		if (table->extents[i].free_ms == 0 || table->extents[i].free_ms > now_ms)
			table->extents[kept++] = table->extents[i];
	table->extent_count = kept;
}

static bool take_extent(struct nat_table *table, uint32_t count, uint32_t *ret_begin)
{
	uint32_t begin = 0;
	size_t at = 0;
	drop_rested(table, clock_monotonic_ns() / CLOCK_NS_PER_MS);
	while (at < table->extent_count && table->extents[at].begin - begin < count) {
		begin = table->extents[at].begin + table->extents[at].count;
		at++;
	}
	if (table->sizes.choices - begin < count || table->extent_count >= 4 * (size_t)table->sizes.pools)
		return false;
	memmove(&table->extents[at + 1], &table->extents[at], (table->extent_count - at) * sizeof(*table->extents));
	table->extents[at] = (struct extent){ .begin = begin, .count = count };
	table->extent_count++;
	*ret_begin = begin;
	return true;
}

static void give_extent(struct nat_table *table, uint64_t word)
{
	uint32_t begin = word & NAT_CHOICES_MASK;
	if ((word >> NAT_CHOICES_BITS & NAT_CHOICES_MASK) == 0)
		return;
	for (size_t i = 0; i < table->extent_count; i++)
		if (table->extents[i].begin == begin && table->extents[i].free_ms == 0)
			table->extents[i].free_ms = clock_monotonic_ns() / CLOCK_NS_PER_MS + REST_MS;
}

int nat_table_publish(struct nat_table *table, uint32_t pool, enum nat_choosing choosing, const uint64_t *choices,
		      uint32_t count)
{
	CHECK(pool < table->sizes.pools);
	uint64_t former = table->pools[pool].choices;
	uint32_t begin = 0;
	bool has_room = count == 0 || take_extent(table, count, &begin);
	if (!has_room)
		count = 0;
	for (uint32_t i = 0; i < count; i++)
		table->choices[begin + i] = choices[i];
	uint64_t word = count > 0 ? nat_choices_word(choosing, begin, count) : 0;
	__atomic_store_n(&table->pools[pool].choices, word, __ATOMIC_RELEASE);
	give_extent(table, former);
	return has_room ? 0 : -ENOSPC;
}

void nat_table_refresh(struct nat_table *table, uint32_t pool, const uint64_t *choices, uint32_t count)
{
	CHECK(pool < table->sizes.pools);
	uint64_t word = table->pools[pool].choices;
	uint32_t begin = word & NAT_CHOICES_MASK;
	if ((word >> NAT_CHOICES_BITS & NAT_CHOICES_MASK) != count)
		return;
	for (uint32_t i = 0; i < count; i++)
		__atomic_store_n(&table->choices[begin + i], choices[i], __ATOMIC_RELAXED);
	__atomic_store_n(&table->pools[pool].cursor, 0, __ATOMIC_RELAXED);
}

/* --- events and slots -------------------------------------------------------------------------------------------- */

int nat_table_events_fd(const struct nat_table *table)
{
	return ring_buffer__epoll_fd(table->events);
}

size_t nat_table_take_events(struct nat_table *table, void (*on_event)(void *owner, const struct nat_event *event),
			     void *owner)
{
	table->on_event = on_event;
	table->event_owner = owner;
	int count = ring_buffer__consume(table->events);
	return count > 0 ? (size_t)count : 0;
}

void nat_table_note_way(struct nat_table *table, const struct endpoint *client, uint32_t interface_index,
			uint32_t routes_epoch, uint32_t way_out)
{
	bool is_ipv4 = endpoint_is_ipv4(client);
	struct nat_client key = {
		.version = is_ipv4 ? 4 : 6,
		.interface_index = interface_index,
		.routes_epoch = routes_epoch,
	};
	put_ip(key.ip, client->ip, is_ipv4);
	bpf_map_update_elem(table->clients_fd, &key, &way_out, BPF_ANY);
}

bool nat_table_fill_slots(struct nat_table *table)
{
	struct nat_shared *shared = table->shared;
	uint32_t head = __atomic_load_n(&shared->head, __ATOMIC_ACQUIRE);
	uint32_t tail = shared->tail;
	uint32_t number;
	while (tail - head < table->slots_max && flow_table_set_aside(table->flows, &number))
		__atomic_store_n(&shared->slots[tail++ & (NAT_SLOTS_MAX - 1)], number, __ATOMIC_RELAXED);
	__atomic_store_n(&shared->tail, tail, __ATOMIC_RELEASE);
	return tail - head >= table->slots_max;
}

/* --- how it is --------------------------------------------------------------------------------------------------- */

void nat_table_read_counts(const struct nat_table *table, struct nat_table_counts *ret_counts)
{
	*ret_counts = (struct nat_table_counts){ { 0 } };
	for (uint32_t kind = 0; kind < NAT_COUNT_COUNT; kind++) {
		if (bpf_map_lookup_elem(table->counts_fd, &kind, table->counts) < 0)
			continue;
		for (size_t i = 0; i < table->processor_count; i++)
			ret_counts->by_kind[kind] += table->counts[i];
	}
}

const char *nat_count_word(enum nat_count kind)
{
	static const char *const words[NAT_COUNT_COUNT] = {
#define NAT_COUNT_WORD(name, word, meaning) [NAT_COUNT_##name] = word,
		NAT_COUNT_LIST(NAT_COUNT_WORD)
#undef NAT_COUNT_WORD
	};
	return words[kind];
}
