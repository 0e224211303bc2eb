/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/packet_guard.h"

#include "base/memory.h"

#include "bpf/guard.skel.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct packet_guard {
	struct guard *program;            /* the skeleton */
	struct packet_settings *settings; /* which the program reads */
	struct ingress_number number;
	struct ingress_places places;
	struct packet_listen *listens; /* those in the table, sorted */
	size_t listen_count;
	uint64_t *counts; /* room for those of all processors */
	size_t processor_count;
};

/* --- life -------------------------------------------------------------------------------------------------------- */

int packet_guard_new(struct packet_guard **ret_guard)
{
	int processors = libbpf_num_possible_cpus();
	if (processors < 0)
		return processors;
	/* It writes to stderr otherwise; what failed is in errno. */
	libbpf_set_print(NULL);
	struct guard *program = guard__open_and_load();
	if (program == NULL)
		return -errno;
	struct packet_guard *guard = memory_alloc_zeroed(1, sizeof(*guard));
	guard->program = program;
	guard->settings = &program->bss->packet_settings;
	guard->processor_count = (size_t)processors;
	guard->counts = memory_alloc_zeroed(guard->processor_count, sizeof(*guard->counts));
	*ret_guard = guard;
	return 0;
}

void packet_guard_free(struct packet_guard **guard)
{
	if (*guard == NULL)
		return;
	ingress_places_detach_all(&(*guard)->places);
	ingress_number_release(&(*guard)->number);
	guard__destroy((*guard)->program);
	free((*guard)->listens);
	free((*guard)->counts);
	free(*guard);
	*guard = NULL;
}

int packet_guard_program(const struct packet_guard *guard, enum interface_link link)
{
	return bpf_program__fd(link == INTERFACE_ETHERNET ? guard->program->progs.strait_guard
							  : guard->program->progs.strait_guard_ip);
}

/* --- interfaces -------------------------------------------------------------------------------------------------- */

int packet_guard_attach(struct packet_guard *guard, const struct interface *interface)
{
	if (interface->link == INTERFACE_OTHER)
		return -EMEDIUMTYPE;
	const struct ingress_program program = {
		.fd = packet_guard_program(guard, interface->link),
		.order = INGRESS_FIRST,
		.stay = INGRESS_GOES_WITH_PROCESS,
		.number = &guard->number,
	};
	return ingress_places_attach(&guard->places, &program, interface);
}

const struct ingress_places *packet_guard_places(const struct packet_guard *guard)
{
	return &guard->places;
}

void packet_guard_detach(struct packet_guard *guard, size_t number)
{
	ingress_places_detach(&guard->places, number);
}

/* --- listen addresses -------------------------------------------------------------------------------------------- */

static void set(uint32_t *setting, uint32_t value)
{
	__atomic_store_n(setting, value, __ATOMIC_RELEASE);
}

static struct packet_listen key_of(const struct packet_guard_listen *listen)
{
	struct endpoint endpoint = endpoint_from_addr(&listen->addr);
	struct packet_listen key = { .port_be16 = htons(endpoint.port), .protocol = listen->protocol };
	key.version = endpoint_is_ipv4(&endpoint) ? 4 : 6;
	if (key.version == 4)
		memcpy(key.ip, endpoint.ip + 12, 4);
	else
		memcpy(key.ip, endpoint.ip, sizeof(key.ip));
	return key;
}

static int compare_keys(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct packet_listen));
}

/* Each address with its port, and by itself; sorted, and each key once. */
static struct packet_listen *make_keys(const struct packet_guard_listen *listens, size_t count, size_t *ret_count)
{
	struct packet_listen *keys = memory_alloc_zeroed(2 * count, sizeof(*keys));
	size_t kept = 0;
	for (size_t i = 0; i < count; i++) {
		keys[2 * i] = keys[2 * i + 1] = key_of(&listens[i]);
		keys[2 * i + 1].port_be16 = 0;
		keys[2 * i + 1].protocol = 0;
	}
	qsort(keys, 2 * count, sizeof(*keys), compare_keys);
	for (size_t i = 0; i < 2 * count; i++)
		if (kept == 0 || compare_keys(&keys[kept - 1], &keys[i]) != 0)
			keys[kept++] = keys[i];
	*ret_count = kept;
	return keys;
}

static void remove_listens(struct packet_guard *guard, const struct packet_listen *keep, size_t keep_count)
{
	for (size_t i = 0; i < guard->listen_count; i++)
		if (keep_count == 0 ||
		    bsearch(&guard->listens[i], keep, keep_count, sizeof(*keep), compare_keys) == NULL)
			bpf_map__delete_elem(guard->program->maps.guard_listens, &guard->listens[i], sizeof(*keep), 0);
	free(guard->listens);
	guard->listens = NULL;
	guard->listen_count = 0;
}

/* Those that stay are there all the time. */
int packet_guard_set_listens(struct packet_guard *guard, const struct packet_guard_listen *listens, size_t count)
{
	size_t key_count;
	struct packet_listen *keys = make_keys(listens, count, &key_count);
	int result = key_count > PACKET_LISTENS_MAX ? -ENOSPC : 0;
	const uint8_t nothing = 0;
	remove_listens(guard, keys, result == 0 ? key_count : 0);
	for (size_t i = 0; i < key_count && result == 0; i++)
		result = bpf_map__update_elem(guard->program->maps.guard_listens, &keys[i], sizeof(keys[i]), &nothing,
					      sizeof(nothing), BPF_ANY);
	guard->listens = keys;
	guard->listen_count = key_count;
	if (result < 0)
		remove_listens(guard, NULL, 0);
	return result;
}

void packet_guard_set_scope(struct packet_guard *guard, enum packet_guard_scope scope)
{
	set(&guard->settings->has_only_listen, scope == PACKET_GUARD_LISTENS);
}

/* --- counts ------------------------------------------------------------------------------------------------------ */

const char *packet_class_word(enum packet_class class)
{
	static const char *const words[PACKET_CLASS_COUNT] = { [PACKET_PASSED] = "passed",
#define PACKET_CLASS_WORD(name, word, meaning) [PACKET_##name] = word,
							       PACKET_CLASS_LIST(PACKET_CLASS_WORD)
#undef PACKET_CLASS_WORD
	};
	return words[class];
}

const char *packet_class_meaning(enum packet_class class)
{
	static const char *const meanings[PACKET_CLASS_COUNT] = { [PACKET_PASSED] = "nothing is wrong with it",
#define PACKET_CLASS_MEANING(name, word, meaning) [PACKET_##name] = meaning,
								  PACKET_CLASS_LIST(PACKET_CLASS_MEANING)
#undef PACKET_CLASS_MEANING
	};
	return meanings[class];
}

void packet_guard_read_counts(const struct packet_guard *guard, struct packet_guard_counts *ret_counts)
{
	*ret_counts = (struct packet_guard_counts){ { 0 } };
	for (uint32_t class = PACKET_PASSED + 1; class < PACKET_CLASS_COUNT; class ++) {
		if (bpf_map__lookup_elem(guard->program->maps.guard_drops, &class, sizeof(class), guard->counts,
					 guard->processor_count * sizeof(*guard->counts), 0) < 0)
			continue;
		for (size_t i = 0; i < guard->processor_count; i++)
			ret_counts->by_class[class] += guard->counts[i];
	}
}

/* --- blocks ------------------------------------------------------------------------------------------------------ */

static bool is_ip(const struct network *network)
{
	return network->family == AF_INET || network->family == AF_INET6;
}

/* A network as a key of the table of its family. */
struct block_key {
	const struct bpf_map *map;
	uint32_t *count; /* of the blocks of the family */
	uint32_t prefix_bits;
	size_t bytes;
	union {
		struct packet_ipv4_network ipv4;
		struct packet_ipv6_network ipv6;
	};
};

static struct block_key block_key_of(const struct packet_guard *guard, const struct network *network)
{
	struct block_key key;
	if (network->family == AF_INET) {
		key = (struct block_key){
			.map = guard->program->maps.guard_ipv4,
			.count = &guard->settings->ipv4_blocks,
			.prefix_bits = network->prefix_bits - 96,
			.bytes = sizeof(key.ipv4),
		};
		memcpy(key.ipv4.ip, network->ip + 12, sizeof(key.ipv4.ip));
		key.ipv4.prefix_bits = key.prefix_bits;
		return key;
	}
	key = (struct block_key){
		.map = guard->program->maps.guard_ipv6,
		.count = &guard->settings->ipv6_blocks,
		.prefix_bits = network->prefix_bits,
		.bytes = sizeof(key.ipv6),
	};
	memcpy(key.ipv6.ip, network->ip, sizeof(key.ipv6.ip));
	key.ipv6.prefix_bits = key.prefix_bits;
	return key;
}

/* What the kernel finds may be a larger network that holds this one. */
static bool find_block(const struct block_key *key, struct packet_block *ret_block)
{
	return bpf_map__lookup_elem(key->map, &key->ipv4, key->bytes, ret_block, sizeof(*ret_block), 0) == 0 &&
	       ret_block->prefix_bits == key->prefix_bits;
}

int packet_guard_block_add(struct packet_guard *guard, const struct network *network)
{
	if (!is_ip(network))
		return -EAFNOSUPPORT;
	struct block_key key = block_key_of(guard, network);
	struct packet_block block;
	if (find_block(&key, &block))
		return 0;
	block = (struct packet_block){ .prefix_bits = key.prefix_bits };
	int result = bpf_map__update_elem(key.map, &key.ipv4, key.bytes, &block, sizeof(block), BPF_ANY);
	if (result == 0)
		set(key.count, *key.count + 1);
	return result;
}

int packet_guard_block_remove(struct packet_guard *guard, const struct network *network)
{
	if (!is_ip(network))
		return -ENOENT;
	struct block_key key = block_key_of(guard, network);
	int result = bpf_map__delete_elem(key.map, &key.ipv4, key.bytes, 0);
	if (result == 0)
		set(key.count, *key.count - 1);
	return result;
}

int packet_guard_block_packets(const struct packet_guard *guard, const struct network *network, uint64_t *ret_packets)
{
	if (!is_ip(network))
		return -ENOENT;
	struct block_key key = block_key_of(guard, network);
	struct packet_block block;
	if (!find_block(&key, &block))
		return -ENOENT;
	*ret_packets = block.packets;
	return 0;
}
