/* SPDX-License-Identifier: Apache-2.0 */
/* bpf/tcp_translate.h compiled as C, against the model, and against the program in the kernel where one is loaded. */
#ifndef TESTS_TCP_COMPARE_H
#define TESTS_TCP_COMPARE_H

#include "bpf/tcp_translate.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Translates a header of header_bytes, which its data offset says, too. Returns what is wrong, as text, or NULL. The result
 * is in ret_result, and the header as it has become in ret_header; without TCP_TRANSLATED it is what was given.
 */
const char *tcp_compare(const struct tcp_translation *translation, const uint8_t *header, uint32_t header_bytes,
			bool has_program, enum tcp_translated *ret_result, uint8_t *ret_header);

#endif
