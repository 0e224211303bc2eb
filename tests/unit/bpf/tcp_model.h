/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What translating a TCP header means (bpf/tcp_translate.h), once more and in another way: takes a header apart, says what
 * each of its fields becomes, and puts a new one together. Shares no code with what it is compared with. Pure.
 */
#ifndef TESTS_TCP_MODEL_H
#define TESTS_TCP_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The clock of one side: what it says, and what the other side is shown instead. */
struct tcp_model_clock {
	bool is_known;
	uint32_t shown_ahead; /* how much more the other side is shown */
	uint32_t first_shown; /* with the first segment */
};

struct tcp_model_rule {
	uint32_t sequence_shift;
	uint32_t acknowledgement_shift; /* how far the other direction's numbers were moved */
	unsigned int sender_scale;
	unsigned int shown_scale;
	bool has_timestamps;
	struct tcp_model_clock sender;
	struct tcp_model_clock receiver;
};

enum tcp_model_result {
	TCP_MODEL_DONE,
	TCP_MODEL_BROKEN,
	TCP_MODEL_WANTS_CLOCK,
};

/* header: header_bytes of them, at least 20. Writes as many to ret_header, when TCP_MODEL_DONE is returned. */
enum tcp_model_result tcp_model_translate(const struct tcp_model_rule *rule, const uint8_t *header, size_t header_bytes,
					  uint8_t *ret_header);

#endif
