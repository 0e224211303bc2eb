/* SPDX-License-Identifier: Apache-2.0 */
#include "bpf/tcp_model.h"

#include <string.h>

enum {
	FIXED_BYTES = 20,
	OPTIONS_BYTES = 40,
	SYN_FLAG = 0x02,
	ACK_FLAG = 0x10,
	LAST = 0,
	FILLER = 1,
	SACK = 5,
	TIMES = 8,
};

struct option {
	uint8_t kind;
	uint8_t bytes; /* in all */
	uint8_t value[OPTIONS_BYTES];
};

struct segment {
	uint8_t ports[4];
	uint32_t seq;
	uint32_t ack;
	uint8_t offset_and_reserved;
	uint8_t flags;
	uint16_t window;
	uint8_t checksum_and_urgent[4];
	struct option options[OPTIONS_BYTES];
	size_t option_count;
	uint8_t padding[OPTIONS_BYTES]; /* after the last option */
	size_t padding_bytes;
};

static uint32_t number_from(const uint8_t *bytes)
{
	uint32_t number = 0;
	for (int i = 0; i < 4; i++)
		number = number * 256 + bytes[i];
	return number;
}

static void number_into(uint8_t *bytes, uint32_t number)
{
	for (int i = 3; i >= 0; i--) {
		bytes[i] = (uint8_t)(number % 256);
		number /= 256;
	}
}

/* --- apart ------------------------------------------------------------------------------------------------------- */

static bool take_options(struct segment *segment, const uint8_t *bytes, size_t count)
{
	while (count > 0) {
		struct option *option = &segment->options[segment->option_count++];
		option->kind = bytes[0];
		option->bytes = 1;
		if (option->kind != LAST && option->kind != FILLER) {
			if (count < 2 || bytes[1] < 2 || bytes[1] > count)
				return false;
			option->bytes = bytes[1];
			memcpy(option->value, bytes + 2, (size_t)option->bytes - 2);
		}
		bytes += option->bytes;
		count -= option->bytes;
		if (option->kind == LAST)
			break;
	}
	memcpy(segment->padding, bytes, count);
	segment->padding_bytes = count;
	return true;
}

static bool take_apart(struct segment *segment, const uint8_t *header, size_t header_bytes)
{
	memset(segment, 0, sizeof(*segment));
	memcpy(segment->ports, header, 4);
	segment->seq = number_from(header + 4);
	segment->ack = number_from(header + 8);
	segment->offset_and_reserved = header[12];
	segment->flags = header[13];
	segment->window = (uint16_t)(header[14] * 256 + header[15]);
	memcpy(segment->checksum_and_urgent, header + 16, 4);
	return take_options(segment, header + FIXED_BYTES, header_bytes - FIXED_BYTES);
}

/* --- translated -------------------------------------------------------------------------------------------------- */

static uint16_t shown_window(const struct tcp_model_rule *rule, uint16_t window)
{
	uint64_t bytes = window;
	uint64_t unit = 1;
	for (unsigned int i = 0; i < rule->sender_scale; i++)
		bytes *= 2;
	for (unsigned int i = 0; i < rule->shown_scale; i++)
		unit *= 2;
	if (bytes == 0)
		return 0;
	if (bytes < unit)
		return 1;
	return bytes / unit > 65535 ? 65535 : (uint16_t)(bytes / unit);
}

/* An echo that is earlier than what the first segment showed, by less than half of all numbers. */
static bool is_before_first(const struct tcp_model_clock *clock, uint32_t echo)
{
	uint64_t until_first = ((uint64_t)clock->first_shown + (1ULL << 32) - echo) % (1ULL << 32);
	return until_first > 0 && until_first <= 1ULL << 31;
}

static uint32_t real_echo(const struct tcp_model_clock *clock, uint32_t echo)
{
	if (echo == 0 || !clock->is_known || is_before_first(clock, echo))
		return 0;
	return echo - clock->shown_ahead;
}

static enum tcp_model_result translate_option(const struct tcp_model_rule *rule, struct option *option)
{
	if (option->kind == TIMES) {
		if (!rule->has_timestamps)
			return TCP_MODEL_DONE;
		if (!rule->sender.is_known)
			return TCP_MODEL_WANTS_CLOCK;
		number_into(option->value, number_from(option->value) + rule->sender.shown_ahead);
		number_into(option->value + 4, real_echo(&rule->receiver, number_from(option->value + 4)));
	} else if (option->kind == SACK) {
		for (uint8_t *edge = option->value; edge < option->value + option->bytes - 2; edge += 4)
			number_into(edge, number_from(edge) - rule->acknowledgement_shift);
	}
	return TCP_MODEL_DONE;
}

static bool has_right_length(const struct option *option)
{
	if (option->kind == TIMES)
		return option->bytes == 10;
	if (option->kind == SACK)
		return option->bytes == 10 || option->bytes == 18 || option->bytes == 26 || option->bytes == 34;
	return true;
}

static enum tcp_model_result translate(const struct tcp_model_rule *rule, struct segment *segment)
{
	for (size_t i = 0; i < segment->option_count; i++) {
		if (!has_right_length(&segment->options[i]))
			return TCP_MODEL_BROKEN;
	}
	for (size_t i = 0; i < segment->option_count; i++) {
		enum tcp_model_result result = translate_option(rule, &segment->options[i]);
		if (result != TCP_MODEL_DONE)
			return result;
	}
	segment->seq += rule->sequence_shift;
	if ((segment->flags & ACK_FLAG) != 0)
		segment->ack -= rule->acknowledgement_shift;
	if ((segment->flags & SYN_FLAG) == 0)
		segment->window = shown_window(rule, segment->window);
	return TCP_MODEL_DONE;
}

/* --- together ---------------------------------------------------------------------------------------------------- */

static void put_together(const struct segment *segment, uint8_t *header)
{
	memcpy(header, segment->ports, 4);
	number_into(header + 4, segment->seq);
	number_into(header + 8, segment->ack);
	header[12] = segment->offset_and_reserved;
	header[13] = segment->flags;
	header[14] = (uint8_t)(segment->window / 256);
	header[15] = (uint8_t)(segment->window % 256);
	memcpy(header + 16, segment->checksum_and_urgent, 4);
	header += FIXED_BYTES;
	for (size_t i = 0; i < segment->option_count; i++) {
		const struct option *option = &segment->options[i];
		header[0] = option->kind;
		if (option->bytes > 1) {
			header[1] = option->bytes;
			memcpy(header + 2, option->value, (size_t)option->bytes - 2);
		}
		header += option->bytes;
	}
	memcpy(header, segment->padding, segment->padding_bytes);
}

enum tcp_model_result tcp_model_translate(const struct tcp_model_rule *rule, const uint8_t *header, size_t header_bytes,
					  uint8_t *ret_header)
{
	struct segment segment;
	if (!take_apart(&segment, header, header_bytes))
		return TCP_MODEL_BROKEN;
	enum tcp_model_result result = translate(rule, &segment);
	if (result == TCP_MODEL_DONE)
		put_together(&segment, ret_header);
	return result;
}
