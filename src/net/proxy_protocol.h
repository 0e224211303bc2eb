/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PROXY protocol, versions 1 and 2 (HAProxy's doc/proxy-protocol.txt): what a proxy says of the connection it passes on,
 * before the first byte of it. Reading and writing headers; no I/O, any thread.
 *
 * A header may arrive in any pieces. What is there is judged at once: a header that can no longer become valid is refused at
 * the first wrong byte, so nobody waits for the rest of something that is none.
 */
#ifndef NET_PROXY_PROTOCOL_H
#define NET_PROXY_PROTOCOL_H

#include "base/addr.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	PROXY_V1_BYTES_MAX = 107, /* with the end of its line */
	PROXY_V2_SIGNATURE_BYTES = 12,
	PROXY_RECOGNIZED_BYTES = 13, /* the longest beginning by which a header is recognized: PROXY UNKNOWN */
	PROXY_V2_HEAD_BYTES = 16,
	PROXY_TLV_HEAD_BYTES = 3,
	PROXY_V2_BYTES_MAX = PROXY_V2_HEAD_BYTES + UINT16_MAX,
	/* What strait writes, without TLVs that it passes on: the addresses of IPv6, authority, unique id, checksum. */
	PROXY_UNIQUE_ID_BYTES_MAX = 128,
	PROXY_AUTHORITY_BYTES_MAX = 255,
};

/* Types of TLVs. */
enum proxy_tlv {
	PROXY_TLV_ALPN = 0x01,
	PROXY_TLV_AUTHORITY = 0x02,
	PROXY_TLV_CRC32C = 0x03,
	PROXY_TLV_NOOP = 0x04,
	PROXY_TLV_UNIQUE_ID = 0x05,
	PROXY_TLV_SSL = 0x20,
	PROXY_TLV_NETNS = 0x30,
};

enum proxy_transport { PROXY_TRANSPORT_NONE, PROXY_TRANSPORT_STREAM, PROXY_TRANSPORT_DATAGRAM };

struct proxy_header {
	int version;        /* 1 or 2 */
	bool has_addresses; /* false: the proxy speaks for itself (LOCAL), or does not know (UNKNOWN, UNSPEC) */
	enum proxy_transport transport;
	struct endpoint source;      /* of family AF_UNIX without anything else for unix sockets */
	struct endpoint destination; /* likewise */
	struct span tlvs;            /* version 2: all TLVs, valid as a list; in the memory that was read */
	size_t len;                  /* of the whole header: what follows is the connection's */
};

/*
 * Reads the header at the beginning of what has come so far. Returns 1 when it is whole; 0 when more has to come;
 * -EINVAL when this is no header and cannot become one, with *ret_problem set to a static phrase for people.
 */
int proxy_header_read(struct span bytes, struct proxy_header *ret_header, const char **ret_problem);

/*
 * Could the bytes be the beginning of a header? For connections that may not have one. 1: they begin like one, with a
 * whole signature; 0: they are too few to tell; -1: they are something else.
 */
int proxy_header_recognize(struct span bytes);

/* What is to be written. */
struct proxy_content {
	const struct endpoint *source;      /* family 0: unknown, or the proxy's own connection */
	const struct endpoint *destination; /* of the same family */
	enum proxy_transport transport;
	struct span tlvs;      /* version 2: passed on; of types 2, 3 and 5 only where nothing else is said here */
	struct span authority; /* empty: none */
	struct span unique_id; /* likewise */
};

/*
 * Write into buf of buf_bytes; return the length, or 0 when it does not fit: version 1 takes PROXY_V1_BYTES_MAX, version 2
 * at most PROXY_V2_BYTES_MAX. The checksum of TLVs that are passed on is left out, since it would be wrong.
 */
size_t proxy_header_write_v1(const struct proxy_content *content, uint8_t *buf, size_t buf_bytes);
size_t proxy_header_write_v2(const struct proxy_content *content, uint8_t *buf, size_t buf_bytes);

#endif
