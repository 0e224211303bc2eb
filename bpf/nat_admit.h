/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Whether a new flow may begin in the kernel: the service's access rules and the blocks of all services, its number of
 * flows, and its rate. Who may not is left to user space, which judges once more, with all it knows, and refuses, counts and
 * tells as it always does; so a service refuses in the same way on every path, and what costs is the same.
 *
 * As a handshake begins limits are only looked at. Its place is taken when it is established, so that forged packets take
 * none. Those that get there too late are ended.
 */
#ifndef BPF_NAT_ADMIT_H
#define BPF_NAT_ADMIT_H

#include "bpf/nat_maps.h"

/* false in a set of networks without one that holds the client: nothing is said. */
static __always_inline bool nat_finds(const struct flow_key *key, __u32 set, __u32 *ret_allowed)
{
	struct nat_network client = {
		.prefix_bits = NAT_NETWORK_FIXED_BITS + (key->version == 4 ? 32 : 128),
		.set_be32 = bpf_htonl(set),
		.version = key->version,
	};
	__builtin_memcpy(client.ip, key->source, sizeof(client.ip));
	__u32 *allowed = bpf_map_lookup_elem(&nat_networks, &client);
	if (allowed == NULL)
		return false;
	*ret_allowed = *allowed;
	return true;
}

static __always_inline bool nat_lets_in(const struct nat_service *service, const struct flow_key *key)
{
	__u32 allowed = 1;
	if (nat_shared.has_blocked && nat_finds(key, NAT_NETWORKS_BLOCKED, &allowed))
		return false;
	return service->networks == NAT_NETWORKS_BLOCKED || !nat_finds(key, service->networks, &allowed) || allowed;
}

static __always_inline __u32 nat_protocol_of(const struct flow_key *key)
{
	return key->protocol == IPPROTO_UDP;
}

/* The moment to which one more flow would move the service's, or 0 when that is further ahead than it may be. */
static __always_inline __u64 nat_next_arrival(const struct nat_service *service, __u64 arrival_ns, __u64 now_ns)
{
	__u64 next_ns = (arrival_ns > now_ns ? arrival_ns : now_ns) + service->interval_ns;
	return next_ns - now_ns > service->ahead_ns ? 0 : next_ns;
}

static __always_inline bool nat_has_room(const struct nat_service *service, const struct flow_key *key)
{
	__u32 protocol = nat_protocol_of(key) & 1;
	__u64 arrival_ns = *(volatile const __u64 *)&service->arrival_ns;
	return service->flows[protocol] < service->flows_max[protocol] &&
	       (service->interval_ns == 0 || nat_next_arrival(service, arrival_ns, bpf_ktime_get_ns()) != 0);
}

static __always_inline bool nat_take_rate(struct nat_service *service)
{
	enum { TRIES_MAX = 8 };
	if (service->interval_ns == 0)
		return true;
	for (int i = 0; i < TRIES_MAX; i++) {
		__u64 arrival_ns = *(volatile __u64 *)&service->arrival_ns;
		__u64 next_ns = nat_next_arrival(service, arrival_ns, bpf_ktime_get_ns());
		if (next_ns == 0)
			return false;
		if (__sync_val_compare_and_swap(&service->arrival_ns, arrival_ns, next_ns) == arrival_ns)
			return true;
	}
	return false;
}

enum nat_taken { NAT_TAKEN, NAT_TAKEN_NO_PLACE, NAT_TAKEN_NO_RATE };

/* The place is given back by user space when the flow has ended. */
static __always_inline enum nat_taken nat_take_place(struct nat_service *service, const struct flow_key *key)
{
	__u32 *flows = &service->flows[nat_protocol_of(key) & 1];
	if (__sync_fetch_and_add(flows, 1) >= service->flows_max[nat_protocol_of(key) & 1]) {
		__sync_fetch_and_sub(flows, 1);
		return NAT_TAKEN_NO_PLACE;
	}
	if (nat_take_rate(service)) {
		__sync_fetch_and_add(&service->pending[nat_protocol_of(key) & 1], 1);
		return NAT_TAKEN;
	}
	__sync_fetch_and_sub(flows, 1);
	return NAT_TAKEN_NO_RATE;
}

static __always_inline void nat_give_place(struct nat_service *service, const struct flow_key *key)
{
	__sync_fetch_and_sub(&service->flows[nat_protocol_of(key) & 1], 1);
	__sync_fetch_and_sub(&service->pending[nat_protocol_of(key) & 1], 1);
}

#endif
