/* SPDX-License-Identifier: Apache-2.0 */
#include "net/tlv.h"

bool tlv_next(struct tlv_reader *reader, struct tlv *ret_tlv)
{
	const uint8_t *head = (const uint8_t *)reader->left.data;
	if (reader->left.len == 0 || reader->is_broken)
		return false;
	size_t len = reader->left.len < TLV_HEAD_BYTES ? 0 : (size_t)head[1] << 8 | head[2];
	if (reader->left.len < TLV_HEAD_BYTES + len) {
		reader->is_broken = true;
		return false;
	}
	*ret_tlv = (struct tlv){ .type = head[0], .value = { reader->left.data + TLV_HEAD_BYTES, len } };
	reader->left.data += TLV_HEAD_BYTES + len;
	reader->left.len -= TLV_HEAD_BYTES + len;
	return true;
}
