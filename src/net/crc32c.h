/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-32C (Castagnoli; RFC 3720, appendix B.4), for the checksum of PROXY headers: small, not fast. Pure, any thread. */
#ifndef NET_CRC32C_H
#define NET_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Of the bytes, behind those of which `before` is the checksum; 0 when there are none. */
uint32_t crc32c(uint32_t before, const void *bytes, size_t len);

#endif
