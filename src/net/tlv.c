/* SPDX-License-Identifier: Apache-2.0 */
#include "net/tlv.h"

static uint16_t get_16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

bool tlv_next(struct tlv_reader *reader, struct tlv *ret_tlv)
{
	const uint8_t *head = (const uint8_t *)reader->left.data;
	size_t head_bytes = reader->type_bytes + sizeof(uint16_t);
	if (reader->left.len == 0 || reader->is_broken)
		return false;
	size_t len = reader->left.len < head_bytes ? 0 : get_16(head + reader->type_bytes);
	if (reader->left.len < head_bytes + len) {
		reader->is_broken = true;
		return false;
	}
	*ret_tlv = (struct tlv){
		.type = reader->type_bytes == 1 ? head[0] : get_16(head),
		.value = { reader->left.data + head_bytes, len },
	};
	reader->left.data += head_bytes + len;
	reader->left.len -= head_bytes + len;
	return true;
}
