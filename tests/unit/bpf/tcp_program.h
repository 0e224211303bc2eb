/* SPDX-License-Identifier: Apache-2.0 */
/* bpf/tcp_translate.h as a program in the kernel (tcp_translate.bpf.c), run on headers that are given. One thread. */
#ifndef TESTS_TCP_PROGRAM_H
#define TESTS_TCP_PROGRAM_H

#include "bpf/tcp_translate.h"

#include <stdint.h>

/* Loads it. Returns 0 or -errno: -EPERM where programs may not be loaded. */
int tcp_program_load(void);
void tcp_program_unload(void);

/* Returns an enum tcp_translated, and the header as it is then; header_bytes is four times its data offset. */
int tcp_program_run(const struct tcp_translation *translation, uint8_t *header, uint32_t header_bytes);

#endif
