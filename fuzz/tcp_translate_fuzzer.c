/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes are what is to be done to a TCP header, and the header. The translation compiled as C, the eBPF program, which
 * the kernel runs, and the model make the same of it; without the right to load programs only the others are asked.
 */
#include "base/check.h"
#include "bpf/tcp_compare.h"
#include "bpf/tcp_program.h"

#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* The fields of a struct tcp_translation as they are in memory, but with scales and lengths that there may be. */
static struct tcp_translation take_translation(const uint8_t *data)
{
	struct tcp_translation translation;
	memcpy(&translation, data, sizeof(translation));
	translation.shift_in %= TCP_SCALE_MAX + 1;
	translation.shift_out %= TCP_SCALE_MAX + 1;
	translation.has_timestamps &= 1;
	return translation;
}

static bool load_once(void)
{
	static bool was_tried;
	static bool is_loaded;
	if (!was_tried)
		is_loaded = tcp_program_load() == 0;
	if (!was_tried && !is_loaded)
		fprintf(stderr, "eBPF programs may not be loaded here: only C and the model are asked\n");
	was_tried = true;
	return is_loaded;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len < sizeof(struct tcp_translation) + TCP_HEADER_BYTES_MIN)
		return 0;
	struct tcp_translation translation = take_translation(data);
	uint8_t header[TCP_HEADER_BYTES_MAX];
	uint8_t translated[TCP_HEADER_BYTES_MAX];
	enum tcp_translated result;
	size_t header_bytes = (len - sizeof(translation)) / 4 * 4;
	if (header_bytes > sizeof(header))
		header_bytes = sizeof(header);
	memcpy(header, data + sizeof(translation), header_bytes);
	header[12] = (uint8_t)(header_bytes / 4 << 4 | (header[12] & 15));
	const char *problem =
		tcp_compare(&translation, header, (uint32_t)header_bytes, load_once(), &result, translated);
	if (problem != NULL)
		fprintf(stderr, "%s\n", problem);
	CHECK(problem == NULL);
	return 0;
}
