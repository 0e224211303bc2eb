/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The tables of flows that begin in the kernel; see nat_abi.h. Sizes of 1 are set when they are loaded. */
#ifndef BPF_NAT_MAPS_H
#define BPF_NAT_MAPS_H

#include "bpf/nat_abi.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct nat_listen);
	__type(value, __u32);
} nat_listens SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct nat_network);
	__type(value, __u32);
} nat_networks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct nat_service);
} nat_services SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct nat_pool);
} nat_pools SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct nat_server);
} nat_servers SEC(".maps");

/* The number of a server in the lower half; in a ring, a point's hash in the upper half. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, __u64);
} nat_choices SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nat_half);
} nat_halves SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, struct nat_client);
	__type(value, __u32);
} nat_clients SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} nat_events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, NAT_COUNT_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} nat_counts SEC(".maps");

/* Pinned with the flows. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct nat_owner);
} strait_owner SEC(".maps");

/* What does not fit on the stack of a program. */
struct nat_scratch {
	struct flow_key back_key;
	__u32 tried_count;
	__u32 tried[NAT_TRIED_MAX];
	__u32 spare_slot; /* that was taken in vain, and 1 */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nat_scratch);
} nat_scratches SEC(".maps");

struct nat_shared nat_shared;

static __always_inline void nat_count(__u32 what)
{
	__u64 *value = bpf_map_lookup_elem(&nat_counts, &what);
	if (value != NULL)
		(*value)++;
}

#endif
