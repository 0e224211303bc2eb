/* SPDX-License-Identifier: Apache-2.0 */
#include "config/fetch.h"

#include "config/server_address.h"
#include "config/config.h"
#include "config/log_target.h"
#include "config/values.h"

#include <stdio.h>

static const void *field_of(const struct schema_value *value, const void *target)
{
	return (const char *)target + value->offset;
}

static bool is_given(const struct schema_value *value, const void *target)
{
	bool given = false;
	memcpy(&given, (const char *)target + value->given_offset, sizeof(given));
	return given;
}

static struct span text_copy(struct config_memory *memory, const char *text)
{
	return span_from_text(config_memory_text(memory, span_from_text(text)));
}

static const char *word_of(const struct schema_value *value, uint64_t number)
{
	for (const struct schema_word *word = value->words; word != NULL && word->word != NULL; word++) {
		if (word->value == number)
			return word->word;
	}
	return NULL;
}

static struct span number_fetch(const struct schema_value *value, const void *target, struct config_memory *memory)
{
	char text[VALUE_TEXT_BYTES];
	uint64_t number = 0;
	memcpy(&number, field_of(value, target), sizeof(number));
	if (word_of(value, number) != NULL)
		return span_from_text(word_of(value, number));
	if (value->kind == SCHEMA_TIME)
		value_format_time(number, text);
	else if (value->kind == SCHEMA_SIZE)
		value_format_size(number, text);
	else if (value->kind == SCHEMA_BANDWIDTH)
		value_format_bandwidth(number, text);
	else
		value_format_count(number, text);
	if (value->kind == SCHEMA_PERCENT)
		snprintf(text, sizeof(text), "%llu%%", (unsigned long long)number);
	if (value->kind == SCHEMA_SHARE)
		value_format_share(number, text);
	return text_copy(memory, text);
}

static struct span rate_fetch(const struct schema_value *value, const void *target, struct config_memory *memory)
{
	char text[VALUE_TEXT_BYTES];
	struct config_rate rate;
	memcpy(&rate, field_of(value, target), sizeof(rate));
	value_format_rate(&rate, text);
	return text_copy(memory, text);
}

static bool word_fetch(const struct schema_value *value, const void *target, struct span *ret_text)
{
	unsigned int number = 0;
	memcpy(&number, field_of(value, target), sizeof(number));
	const char *word = word_of(value, number);
	if (word != NULL)
		*ret_text = span_from_text(word);
	return word != NULL;
}

static bool switch_fetch(const struct schema_value *value, const void *target, struct span *ret_text)
{
	bool is_set = false;
	unsigned int number = 0;
	if (value->words != NULL) {
		memcpy(&number, field_of(value, target), sizeof(number));
		is_set = number == value->words[0].value;
	} else {
		memcpy(&is_set, field_of(value, target), sizeof(is_set));
	}
	*ret_text = span_from_text(value->name);
	return is_set;
}

static bool bytes_fetch(const struct schema_value *value, const void *target, struct span *ret_text)
{
	struct config_bytes bytes;
	memcpy(&bytes, field_of(value, target), sizeof(bytes));
	*ret_text = (struct span){ bytes.data, bytes.len };
	return bytes.data != NULL;
}

/* A string that a field points to, behind a prefix. */
static bool text_fetch(const char *prefix, const void *field, struct config_memory *memory, struct span *ret_text)
{
	const char *text = NULL;
	memcpy(&text, field, sizeof(text));
	if (text != NULL)
		*ret_text = span_from_text(config_memory_format(memory, "%s%s", prefix, text));
	return text != NULL;
}

/* "noerror,nxdomain": the words whose bits are set, in the order of the table. */
static bool words_fetch(const struct schema_value *value, const void *target, struct config_memory *memory,
			struct span *ret_text)
{
	const char *text = "";
	uint32_t bits = 0;
	memcpy(&bits, field_of(value, target), sizeof(bits));
	for (const struct schema_word *word = value->words; word->word != NULL; word++)
		if ((bits & UINT32_C(1) << word->value) != 0)
			text = config_memory_format(memory, "%s%s%s", text, text[0] != '\0' ? "," : "", word->word);
	*ret_text = span_from_text(text);
	return ret_text->len > 0;
}

/* "200-299,404" */
static bool statuses_fetch(const struct schema_value *value, const void *target, struct config_memory *memory,
			   struct span *ret_text)
{
	struct http_statuses statuses;
	const char *text = "";
	memcpy(&statuses, field_of(value, target), sizeof(statuses));
	for (unsigned int first = HTTP_STATUS_MIN; first <= HTTP_STATUS_MAX; first++) {
		unsigned int last = first;
		if (!http_statuses_has(&statuses, first))
			continue;
		while (http_statuses_has(&statuses, last + 1))
			last++;
		const char *comma = text[0] != '\0' ? "," : "";
		text = first == last ? config_memory_format(memory, "%s%s%u", text, comma, first)
				     : config_memory_format(memory, "%s%s%u-%u", text, comma, first, last);
		first = last;
	}
	*ret_text = span_from_text(text);
	return ret_text->len > 0;
}

static bool sink_fetch(const struct config_log *log, struct config_memory *memory, struct span *ret_text)
{
	*ret_text = span_from_text(log_target_text(log, memory));
	return true;
}

/* All IPv4 addresses are written as people write them. */
static bool address_fetch(const struct schema_value *value, const void *target, struct config_memory *memory,
			  struct span *ret_text)
{
	char text[ADDR_TEXT_BYTES];
	struct addr addr;
	memcpy(&addr, field_of(value, target), sizeof(addr));
	addr_format(&addr, text, sizeof(text));
	if (addr.sa.sa_family == AF_INET && addr_is_any(&addr))
		snprintf(text, sizeof(text), "*:%u", addr_port(&addr));
	*ret_text = text_copy(memory, text);
	return ret_text->len > 0;
}

static bool network_fetch(const struct schema_value *value, const void *target, struct config_memory *memory,
			  struct span *ret_text)
{
	char text[NETWORK_TEXT_BYTES];
	struct network network;
	memcpy(&network, field_of(value, target), sizeof(network));
	*ret_text = text_copy(memory, network_format(&network, text, sizeof(text)));
	return true;
}

static bool networks_fetch(const struct schema_value *value, const void *target, struct config_memory *memory,
			   struct span *ret_text)
{
	char text[NETWORK_TEXT_BYTES];
	const struct config_networks *networks = field_of(value, target);
	*ret_text = networks->list_path != NULL
			    ? span_from_text(config_memory_format(memory, "@file:%s", networks->list_path))
			    : text_copy(memory, network_format(&networks->network, text, sizeof(text)));
	return true;
}

/* "/32,/64" */
static struct span prefixes_fetch(const struct schema_value *value, const void *target, struct config_memory *memory)
{
	struct config_prefixes prefixes;
	memcpy(&prefixes, field_of(value, target), sizeof(prefixes));
	return span_from_text(config_memory_format(memory, "/%u,/%u", prefixes.ipv4_bits, prefixes.ipv6_bits));
}

/* "64k|50ms" */
static struct span threshold_fetch(const struct schema_value *value, const void *target, struct config_memory *memory)
{
	char bytes[VALUE_TEXT_BYTES] = "";
	char time[VALUE_TEXT_BYTES] = "";
	struct config_threshold threshold;
	memcpy(&threshold, field_of(value, target), sizeof(threshold));
	if (threshold.bytes != 0)
		value_format_size(threshold.bytes, bytes);
	if (threshold.ms != 0)
		value_format_time(threshold.ms, time);
	bool has_both = threshold.bytes != 0 && threshold.ms != 0;
	return span_from_text(config_memory_format(memory, "%s%s%s", bytes, has_both ? "|" : "", time));
}

bool fetch_required_value(const struct schema_value *value, const void *target, struct config_memory *memory,
			  struct span *ret_text)
{
	char server[SERVER_ADDRESS_TEXT_BYTES];
	switch (value->kind) {
	case SCHEMA_TIME:
	case SCHEMA_SIZE:
	case SCHEMA_COUNT:
	case SCHEMA_PERCENT:
	case SCHEMA_SHARE:
	case SCHEMA_BANDWIDTH:
		*ret_text = number_fetch(value, target, memory);
		return true;
	case SCHEMA_RATE:
		*ret_text = rate_fetch(value, target, memory);
		return true;
	case SCHEMA_WORD:
		return word_fetch(value, target, ret_text);
	case SCHEMA_FLAG:
		return switch_fetch(value, target, ret_text);
	case SCHEMA_NAME:
		*ret_text = span_from_text(field_of(value, target));
		return ret_text->len > 0;
	case SCHEMA_WORDS:
		return words_fetch(value, target, memory, ret_text);
	case SCHEMA_STATUSES:
		return statuses_fetch(value, target, memory, ret_text);
	case SCHEMA_REFERENCE:
	case SCHEMA_HTTP_PATH:
	case SCHEMA_HTTP_HOST:
	case SCHEMA_DNS_NAME:
	case SCHEMA_PROGRAM:
	case SCHEMA_PATH:
	case SCHEMA_INTERFACES:
		return text_fetch("", field_of(value, target), memory, ret_text);
	case SCHEMA_BYTES:
		return bytes_fetch(value, target, ret_text);
	case SCHEMA_FILE:
		return text_fetch("file:", field_of(value, target), memory, ret_text);
	case SCHEMA_SINK:
		return sink_fetch(target, memory, ret_text);
	case SCHEMA_ADDRESS:
		return address_fetch(value, target, memory, ret_text);
	case SCHEMA_PREFIXES:
		*ret_text = prefixes_fetch(value, target, memory);
		return true;
	case SCHEMA_THRESHOLD:
		*ret_text = threshold_fetch(value, target, memory);
		return true;
	case SCHEMA_NETWORK:
		return network_fetch(value, target, memory, ret_text);
	case SCHEMA_NETWORKS:
		return networks_fetch(value, target, memory, ret_text);
	case SCHEMA_SERVER_ADDRESS:
		*ret_text = text_copy(memory, server_address_format(target, server));
		return true;
	case SCHEMA_NAME_SERVER: /* several in one: see unparse.c */
	case SCHEMA_SOURCE:
	case SCHEMA_PATTERN:
		break;
	}
	return false;
}

/* Numbers that nobody wrote are zero, unless they have a default or a mark of their own. */
static bool is_number_unwritten(const struct schema_value *value, const void *target)
{
	struct config_rate rate = { 0 };
	switch (value->kind) {
	case SCHEMA_TIME:
	case SCHEMA_SIZE:
	case SCHEMA_COUNT:
	case SCHEMA_PERCENT:
	case SCHEMA_SHARE:
	case SCHEMA_BANDWIDTH:
		memcpy(&rate.amount, field_of(value, target), sizeof(rate.amount));
		return rate.amount == 0;
	case SCHEMA_RATE:
		memcpy(&rate, field_of(value, target), sizeof(rate));
		return rate.amount == 0;
	default:
		return false;
	}
}

bool fetch_value(const struct schema_value *value, const void *target, const void *defaults,
		 struct config_memory *memory, struct span *ret_text)
{
	struct span fallback;
	if (value->given_offset != 0 && !is_given(value, target))
		return false;
	if (!fetch_required_value(value, target, memory, ret_text))
		return false;
	if (value->given_offset != 0)
		return true;
	if (value->fallback == NULL)
		return !is_number_unwritten(value, target);
	fetch_required_value(value, defaults, memory, &fallback);
	return fallback.len != ret_text->len || memcmp(fallback.data, ret_text->data, fallback.len) != 0;
}
