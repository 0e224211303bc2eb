/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes are an Ethernet frame. The classifier of the packet guard compiled as C and the eBPF program, which the kernel
 * runs, say the same of it; without the right to load programs only the first is asked. What is true of every frame:
 * padding never makes a good one bad, a tag changes nothing, and what cannot be read is not dropped.
 */
#include "base/check.h"
#include "base/memory.h"
#include "bpf/abi.h"
#include "kernel/packet_guard.h"
#include "kernel/packet_reference.h"

#include <bpf/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	LINK_BYTES = 14,
	TYPE_AT = 12,
	TAG_BYTES = 4,
	RUN_BYTES_MAX = 3072, /* what the kernel takes of a frame of one's own is a page, less what it needs itself */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static int judge(const uint8_t *frame, size_t len)
{
	int class = packet_reference_judge(frame, len, (uint32_t)len);
	CHECK(class >= PACKET_PASSED && class < PACKET_CLASS_COUNT && class != PACKET_BLOCKED);
	return class;
}

static bool is_tag(const uint8_t *type)
{
	return (type[0] == 0x81 && type[1] == 0x00) || (type[0] == 0x88 && type[1] == 0xa8);
}

/* --- of the classifier alone ------------------------------------------------------------------------------------- */

/* Behind all tags that are looked at: before, what is added may be one. */
static void check_padding(const uint8_t *frame, size_t len, int class)
{
	if (class != PACKET_PASSED || len < LINK_BYTES + 2 * TAG_BYTES)
		return;
	uint8_t *padded = memory_alloc_zeroed(1, len + 7);
	memcpy(padded, frame, len);
	if (!is_tag(frame + TYPE_AT + TAG_BYTES))
		CHECK(judge(padded, len + 1) == PACKET_PASSED && judge(padded, len + 7) == PACKET_PASSED);
	free(padded);
}

static void check_tag(const uint8_t *frame, size_t len, int class)
{
	static const uint8_t tag[TAG_BYTES] = { 0x81, 0x00, 0x00, 0x07 };
	bool has_two = len >= LINK_BYTES + TAG_BYTES && is_tag(frame + TYPE_AT) && is_tag(frame + TYPE_AT + TAG_BYTES);
	if (has_two)
		return;
	uint8_t *tagged = memory_alloc(len + TAG_BYTES);
	memcpy(tagged, frame, TYPE_AT);
	memcpy(tagged + TYPE_AT, tag, TAG_BYTES);
	memcpy(tagged + TYPE_AT + TAG_BYTES, frame + TYPE_AT, len - TYPE_AT);
	CHECK(judge(tagged, len + TAG_BYTES) == class);
	free(tagged);
}

static void check_unreadable(const uint8_t *frame, size_t len, int class)
{
	for (size_t readable = LINK_BYTES; readable < len && readable < LINK_BYTES + 160; readable++) {
		int found = packet_reference_judge(frame, readable, (uint32_t)len);
		CHECK(found == class || found == PACKET_PASSED);
	}
}

/* --- against the program ----------------------------------------------------------------------------------------- */

static struct packet_guard *load_once(void)
{
	static struct packet_guard *guard;
	static bool was_tried;
	if (!was_tried && packet_guard_new(&guard) < 0)
		fprintf(stderr, "eBPF programs may not be loaded here: only the classifier is asked\n");
	was_tried = true;
	return guard;
}

static void check_program(const struct packet_guard *guard, const uint8_t *frame, size_t len, int class)
{
	struct packet_guard_counts before;
	struct packet_guard_counts after;
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = (uint32_t)len, .repeat = 1);
	packet_guard_read_counts(guard, &before);
	/* It does not run programs on packets that are shorter than their IP header. */
	if (bpf_prog_test_run_opts(packet_guard_program(guard, INTERFACE_ETHERNET), &run) < 0)
		return;
	packet_guard_read_counts(guard, &after);
	CHECK((run.retval == 2) == (class != PACKET_PASSED));
	if (class != PACKET_PASSED)
		CHECK(after.by_class[class] == before.by_class[class] + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len < LINK_BYTES)
		return 0;
	const struct packet_guard *guard = load_once();
	int class = judge(data, len);
	check_padding(data, len, class);
	check_tag(data, len, class);
	check_unreadable(data, len, class);
	if (guard != NULL && len <= RUN_BYTES_MAX)
		check_program(guard, data, len, class);
	return 0;
}
