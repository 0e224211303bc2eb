/* SPDX-License-Identifier: Apache-2.0 */
#include "net/crc32c.h"

enum { POLYNOMIAL = 0x82f63b78 }; /* reflected */

uint32_t crc32c(uint32_t before, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;
	uint32_t crc = ~before;
	for (size_t i = 0; i < len; i++) {
		crc ^= at[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? (uint32_t)POLYNOMIAL : 0);
	}
	return ~crc;
}
