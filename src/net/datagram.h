/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Datagrams in batches. A received entry may be a train: equal-sized datagrams of one sender that the kernel has put
 * together (UDP_GRO, Linux 5.0); it is sent on as a train (UDP_SEGMENT, Linux 4.18), and datagram by datagram where the
 * kernel or the device will not.
 *
 * What comes first in a datagram may be left out (datagram_skip), and before its bytes there is room for a head, which
 * is sent in front of it, and in front of each datagram of a train: one piece of memory, so nothing is moved.
 *
 * A batch belongs to one thread and is large (it holds whole 64 KiB datagrams); memory is used as far as datagrams
 * fill it.
 */
#ifndef NET_DATAGRAM_H
#define NET_DATAGRAM_H

#include "base/addr.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	DATAGRAM_BYTES_MAX = 65535, /* the largest train or datagram the kernel hands over */
	DATAGRAM_BATCH_MAX = 64,
	DATAGRAM_HEADROOM_BYTES = 128,
	DATAGRAM_TRAIN_MAX = 64, /* in one call: the kernel's UDP_MAX_SEGMENTS; since Linux 6.9 it takes more */
	DATAGRAM_TRAIN_BYTES_MAX = 65507, /* in one call: what a datagram over IPv4 holds */
	/* Not a power of two: datagrams of a batch must not all meet in the same cache sets. */
	DATAGRAM_STRIDE_BYTES = 65536 + 192,
};

struct datagram {
	uint8_t *bytes;
	uint32_t len;
	uint32_t segment_bytes; /* 0: one datagram; else all but the last have this size */
	uint32_t skipped_bytes; /* what was left out, right before the bytes */
	uint32_t head_bytes;    /* of the head, right before the bytes; 0 as received */
	struct endpoint peer;   /* received from; family 0 on connected sockets */
	struct endpoint client; /* whose it is: the peer's, unless somebody who reads it sets another */
	uint8_t local_ip[16];   /* the address it was sent to, as in struct endpoint; only if has_local */
	bool has_local;
};

struct datagram_batch {
	uint8_t *memory;
	uint32_t count;
	struct datagram entries[DATAGRAM_BATCH_MAX];
};

/* Reserves the memory; aborts when address space is short. */
void datagram_batch_init(struct datagram_batch *batch);
void datagram_batch_done(struct datagram_batch *batch);

/* Number of datagrams in the entry. */
static inline uint32_t datagram_count(const struct datagram *datagram)
{
	if (datagram->segment_bytes == 0)
		return 1;
	return (datagram->len + datagram->segment_bytes - 1) / datagram->segment_bytes;
}

/* The datagram begins so many bytes later. Not for trains. */
static inline void datagram_skip(struct datagram *datagram, uint32_t count)
{
	datagram->bytes += count;
	datagram->len -= count;
	datagram->skipped_bytes += count;
}

/* Room for a head. */
static inline uint32_t datagram_headroom(const struct datagram *datagram)
{
	return DATAGRAM_HEADROOM_BYTES + datagram->skipped_bytes;
}

/* Asks for trains (UDP_GRO), or for none. Not there before Linux 5.0: then datagrams come one by one. */
void datagram_enable_trains(int fd);
void datagram_disable_trains(int fd);

/*
 * Appends up to `max` entries, as far as the batch has room, from a socket. Returns their number, 0 when nothing was
 * there, or -errno: for a connected socket -ECONNREFUSED and the like report an ICMP error.
 */
int datagram_receive(int fd, struct datagram_batch *batch, uint32_t max);

/* Where the entries of one call go, and from where. */
struct datagram_route {
	int fd;
	bool is_connected; /* the socket knows the peer; else each entry's peer is the destination */
	int family;        /* of the socket, when it is not connected */
};

/*
 * Sends entries first..first+count-1 of the batch. One that cannot be sent is skipped: the others go on. Returns the
 * number of datagrams (not entries) that could not be sent; *ret_error (may be NULL) is the last -errno, 0 without any.
 * When an entry has_local, it is sent from that address.
 */
uint32_t datagram_send(const struct datagram_route *route, const struct datagram *entries, uint32_t count,
		       int *ret_error);

#endif
