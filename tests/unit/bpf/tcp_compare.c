/* SPDX-License-Identifier: Apache-2.0 */
#include "bpf/tcp_compare.h"

#include "bpf/tcp_model.h"
#include "bpf/tcp_program.h"

#include <string.h>

static struct tcp_model_clock model_clock(tcp_clock clock)
{
	return (struct tcp_model_clock){
		.is_known = tcp_clock_is_chosen(clock),
		.shown_ahead = tcp_clock_delta(clock),
		.first_shown = tcp_clock_since(clock),
	};
}

static struct tcp_model_rule model_rule(const struct tcp_translation *translation)
{
	return (struct tcp_model_rule){
		.sequence_shift = translation->seq_delta,
		.acknowledgement_shift = translation->ack_delta,
		.sender_scale = translation->shift_in,
		.shown_scale = translation->shift_out,
		.has_timestamps = translation->has_timestamps != 0,
		.sender = model_clock(translation->sender_clock),
		.receiver = model_clock(translation->receiver_clock),
	};
}

static enum tcp_translated result_of_model(enum tcp_model_result result)
{
	if (result == TCP_MODEL_DONE)
		return TCP_TRANSLATED;
	return result == TCP_MODEL_BROKEN ? TCP_BROKEN : TCP_WANTS_CLOCK;
}

static enum tcp_translated translate(const struct tcp_translation *translation, uint8_t *header, uint32_t header_bytes)
{
	struct tcp_header copy;
	memset(&copy, 0xa5, sizeof(copy));
	memcpy(copy.bytes, header, header_bytes);
	enum tcp_translated result = tcp_translate(translation, &copy, header_bytes);
	if (result == TCP_TRANSLATED)
		memcpy(header, copy.bytes, header_bytes);
	for (uint32_t at = header_bytes; at < sizeof(copy.bytes); at++) {
		if (copy.bytes[at] != 0xa5)
			return -1;
	}
	return result;
}

const char *tcp_compare(const struct tcp_translation *translation, const uint8_t *header, uint32_t header_bytes,
			bool has_program, enum tcp_translated *ret_result, uint8_t *ret_header)
{
	uint8_t modelled[TCP_HEADER_BYTES_MAX];
	uint8_t run[TCP_HEADER_BYTES_MAX];
	struct tcp_model_rule rule = model_rule(translation);
	memcpy(modelled, header, header_bytes);
	memcpy(run, header, header_bytes);
	memcpy(ret_header, header, header_bytes);
	*ret_result = translate(translation, ret_header, header_bytes);
	if (*ret_result != result_of_model(tcp_model_translate(&rule, header, header_bytes, modelled)))
		return "the model has another result";
	if (memcmp(modelled, ret_header, header_bytes) != 0)
		return "the model has another header";
	if (has_program && tcp_program_run(translation, run, header_bytes) != (int)*ret_result)
		return "the program has another result";
	if (has_program && memcmp(run, ret_header, header_bytes) != 0)
		return "the program has another header";
	return NULL;
}
