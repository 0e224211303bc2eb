/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists of type, length and value: a byte for the type, as the PROXY protocol has it, or two, as extensions of TLS have; two
 * for the length of the value (network order); the value. The one way in which strait goes through them, so that no length is
 * trusted twice: every step takes at least the bytes of a head, and nothing beyond the list is ever looked at.
 *
 * Pure, no I/O, any thread.
 */
#ifndef NET_TLV_H
#define NET_TLV_H

#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

struct tlv {
	uint16_t type;
	struct span value; /* in the list's memory */
};

struct tlv_reader {
	struct span left;
	uint8_t type_bytes;
	bool is_broken; /* the list ends in the middle of an entry */
};

static inline struct tlv_reader tlv_read(struct span list)
{
	return (struct tlv_reader){ .left = list, .type_bytes = 1 };
}

/* With types of two bytes (RFC 8446, section 4.2). */
static inline struct tlv_reader tlv_read_extensions(struct span list)
{
	return (struct tlv_reader){ .left = list, .type_bytes = 2 };
}

/* The next entry; false at the end, and where the list is broken. */
bool tlv_next(struct tlv_reader *reader, struct tlv *ret_tlv);

#endif
