/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What servers are told of a client, by a PROXY header: who it is, which address it asked, the flow's id and the name that it
 * asked for where the pool wants that, and of a header that came in what else it said. Pure; the worker's thread.
 */
#ifndef RELAY_INTRODUCTION_H
#define RELAY_INTRODUCTION_H

#include "net/proxy_protocol.h"
#include "pool/pool.h"

enum {
	/* Without TLVs that came in: the head, addresses of IPv6, and the id. */
	INTRODUCTION_BYTES_MIN = PROXY_V2_HEAD_BYTES + 36 + PROXY_TLV_HEAD_BYTES + 16,
};

struct introduction {
	const struct endpoint *client;
	const struct endpoint *asked;    /* strait's own address */
	const struct proxy_header *came; /* NULL: none; what it says of addresses is right, if it says something */
	uint64_t flow_id;
	enum proxy_transport transport;
	struct span authority; /* empty: none is known */
};

/* Is the authority wanted of us? What a header that came in says of it is passed on in any case, and goes before. */
bool introduction_wants_authority(const struct pool_policy *policy, const struct proxy_header *came);

/*
 * Writes the header that servers of the pool want. TLVs for which there is no room are left out, all of them. Returns the
 * length. The buffer has room for as much as came, for INTRODUCTION_BYTES_MIN and the authority (version 1: for
 * PROXY_V1_BYTES_MAX).
 */
size_t introduction_write(const struct pool_policy *policy, const struct introduction *introduction, uint8_t *buf,
			  size_t buf_bytes);

#endif
