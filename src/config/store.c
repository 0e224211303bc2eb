/* SPDX-License-Identifier: Apache-2.0 */
#include "config/store.h"

#include "base/check.h"
#include "config/check_values.h"
#include "config/config.h"
#include "config/log_target.h"
#include "config/server_address.h"

#include <errno.h>
#include <stdio.h>

static void *field_of(const struct schema_value *value, void *target)
{
	return (char *)target + value->offset;
}

static void field_set(const struct schema_value *value, void *target, const void *content, size_t bytes)
{
	const bool is_given = true;
	memcpy(field_of(value, target), content, bytes);
	if (value->given_offset != 0)
		memcpy((char *)target + value->given_offset, &is_given, sizeof(is_given));
}

static int refuse(int error, struct store_note *ret_note, const char *hint)
{
	snprintf(ret_note->hint.text, sizeof(ret_note->hint.text), "%s", hint);
	return error;
}

static const struct schema_word *word_find(const struct schema_value *value, struct span text)
{
	for (const struct schema_word *word = value->words; word != NULL && word->word != NULL; word++) {
		if (span_equals(text, word->word))
			return word;
	}
	return NULL;
}

static int bounds_check(const struct schema_value *value, uint64_t number, struct store_note *ret_note)
{
	if (value->min == 0 && value->max == 0)
		return 0;
	if (number >= value->min && number <= value->max)
		return 0;
	return refuse(-ERANGE, ret_note, number == 0 && value->zero_hint != NULL ? value->zero_hint : "");
}

static int number_store(const struct schema_value *value, struct span text, void *target, struct store_note *ret_note)
{
	const struct schema_word *word = word_find(value, text);
	uint64_t number = 0;
	int error = 0;
	if (word != NULL) {
		number = word->value;
		field_set(value, target, &number, sizeof(number));
		return 0;
	}
	if (value->kind == SCHEMA_TIME)
		error = value_parse_time(text, &number, &ret_note->hint);
	else if (value->kind == SCHEMA_SIZE)
		error = value_parse_size(text, &number, &ret_note->hint);
	else if (value->kind == SCHEMA_PERCENT)
		error = value_parse_percent(text, &number, &ret_note->hint);
	else if (value->kind == SCHEMA_BANDWIDTH)
		error = value_parse_bandwidth(text, &number, &ret_note->hint);
	else if (value->kind == SCHEMA_SHARE)
		error = value_parse_share(text, &number, &ret_note->hint);
	else
		error = value_parse_count(text, &number, &ret_note->hint);
	/* A bare 0 has no unit to ask for: it means never, or nothing. */
	bool has_unit = value->kind == SCHEMA_TIME || value->kind == SCHEMA_BANDWIDTH;
	if (error == -EINVAL && has_unit && span_equals(text, "0"))
		return bounds_check(value, 0, ret_note);
	if (error == 0)
		error = bounds_check(value, number, ret_note);
	if (error == 0)
		field_set(value, target, &number, sizeof(number));
	return error;
}

static int rate_store(const struct schema_value *value, struct span text, void *target, struct store_note *ret_note)
{
	struct config_rate rate = { 0 };
	int error = value_parse_rate(text, &rate, &ret_note->hint);
	if (error == 0)
		error = bounds_check(value, rate.amount, ret_note);
	if (error == 0)
		field_set(value, target, &rate, sizeof(rate));
	return error;
}

static int word_store(const struct schema_value *value, struct span text, void *target)
{
	const struct schema_word *word = word_find(value, text);
	if (word == NULL)
		return -ENOENT;
	field_set(value, target, &word->value, sizeof(word->value));
	return 0;
}

/* Each part between commas is a word; none may be empty. */
static int words_store(const struct schema_value *value, struct span text, void *target)
{
	uint32_t bits = 0;
	for (bool is_last = false; !is_last;) {
		const char *comma = text.len > 0 ? memchr(text.data, ',', text.len) : NULL;
		struct span part = { text.data, comma != NULL ? (size_t)(comma - text.data) : text.len };
		const struct schema_word *word = word_find(value, part);
		if (word == NULL)
			return -ENOENT;
		bits |= UINT32_C(1) << word->value;
		is_last = comma == NULL;
		if (!is_last)
			text = (struct span){ comma + 1, text.len - part.len - 1 };
	}
	field_set(value, target, &bits, sizeof(bits));
	return 0;
}

static int name_store(const struct schema_value *value, struct span text, void *target, struct store_note *ret_note)
{
	char name[CONFIG_NAME_BYTES] = "";
	int error = value_parse_name(text, name, &ret_note->hint);
	if (error == 0)
		field_set(value, target, name, sizeof(name));
	return error;
}

static int reference_store(const struct schema_value *value, struct span text, struct config_memory *memory,
			   void *target, struct store_note *ret_note)
{
	char name[CONFIG_NAME_BYTES] = "";
	int error = value_parse_name(text, name, &ret_note->hint);
	if (error == 0) {
		const char *copy = config_memory_text(memory, text);
		field_set(value, target, &copy, sizeof(copy));
	}
	return error;
}

static int bytes_store(const struct schema_value *value, struct span text, struct config_memory *memory, void *target,
		       struct store_note *ret_note)
{
	int error = bounds_check(value, text.len, ret_note);
	if (error == 0) {
		struct config_bytes bytes = { config_memory_text(memory, text), text.len };
		field_set(value, target, &bytes, sizeof(bytes));
	}
	return error;
}

/* Text that is kept as it was written. */
static int text_store(const struct schema_value *value, struct span text, struct config_memory *memory, void *target,
		      struct store_note *ret_note)
{
	int error = bounds_check(value, text.len, ret_note);
	if (error != 0)
		return error;
	if (value->kind == SCHEMA_HTTP_PATH)
		error = check_value_accept_http_path(text, &ret_note->hint);
	else if (value->kind == SCHEMA_HTTP_HOST)
		error = check_value_accept_http_host(text, &ret_note->hint);
	else if (value->kind == SCHEMA_DNS_NAME)
		error = check_value_accept_dns_name(text, &ret_note->hint);
	else if (value->kind == SCHEMA_INTERFACES)
		error = value_accept_interfaces(text, &ret_note->hint);
	else
		error = check_value_accept_program(text, &ret_note->hint);
	if (error == 0) {
		const char *copy = config_memory_text(memory, text);
		field_set(value, target, &copy, sizeof(copy));
	}
	return error;
}

static int statuses_store(const struct schema_value *value, struct span text, void *target, struct store_note *ret_note)
{
	struct http_statuses statuses;
	int error = check_value_parse_statuses(text, &statuses, &ret_note->hint);
	if (error == 0)
		field_set(value, target, &statuses, sizeof(statuses));
	return error;
}

/* The path behind "file:"; -ENOENT when the text does not begin with that. */
static int path_read(struct span text, struct span *ret_path, struct store_note *ret_note)
{
	static const char prefix[] = "file:";
	const size_t prefix_len = sizeof(prefix) - 1;
	if (text.len < prefix_len || memcmp(text.data, prefix, prefix_len) != 0)
		return -ENOENT;
	struct span path = { text.data + prefix_len, text.len - prefix_len };
	if (path.len == 0)
		return refuse(-EINVAL, ret_note, "a path follows file:");
	for (size_t i = 0; i < path.len; i++) {
		if ((unsigned char)path.data[i] < 0x20 || path.data[i] == 0x7f)
			return refuse(-EINVAL, ret_note, "a path cannot hold control characters");
	}
	*ret_path = path;
	return 0;
}

static int file_store(const struct schema_value *value, struct span text, struct config_memory *memory, void *target,
		      struct store_note *ret_note)
{
	struct span path;
	int error = path_read(text, &path, ret_note);
	if (error == -ENOENT)
		return refuse(-EINVAL, ret_note, "write file: and the path of the file that holds it");
	if (error == 0) {
		const char *copy = config_memory_text(memory, path);
		field_set(value, target, &copy, sizeof(copy));
	}
	return error;
}

static int sink_store(struct span text, struct config_memory *memory, struct config_log *target,
		      struct store_note *ret_note)
{
	static_assert((int)LOG_TARGET_HINT_BYTES <= (int)VALUE_HINT_BYTES, "it is written into the note");
	return log_target_parse(text, memory, target, ret_note->hint.text);
}

static int address_store(const struct schema_value *value, struct span text, void *target, struct store_note *ret_note)
{
	const char *problem = "";
	struct addr addr;
	int error = addr_parse(text, &addr, &problem);
	if (error != 0)
		return refuse(error, ret_note, problem);
	for (size_t i = 0; addr_is_unix(&addr) && i < text.len; i++) {
		if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7f)
			return refuse(-EINVAL, ret_note, "a path cannot hold control characters");
	}
	field_set(value, target, &addr, sizeof(addr));
	return 0;
}

static int server_store(struct span text, struct config_server *target, struct store_note *ret_note)
{
	const char *problem = "";
	int error = server_address_parse(text, target, &problem);
	return error != 0 ? refuse(error, ret_note, problem) : 0;
}

/* As an address, but the port may be left out: then it is 53. */
static int name_server_parse(struct span text, struct addr *ret_addr, const char **ret_problem)
{
	char with_port[ADDR_TEXT_BYTES];
	bool is_bracketed = text.len > 0 && text.data[0] == '[' && text.data[text.len - 1] == ']';
	bool is_portless = is_bracketed || (text.len > 0 && memchr(text.data, ':', text.len) == NULL);
	if (is_portless && text.len < 64) {
		snprintf(with_port, sizeof(with_port), "%.*s:53", (int)text.len, text.data);
		text = span_from_text(with_port);
	}
	return addr_parse(text, ret_addr, ret_problem);
}

static int name_server_store(const struct schema_value *value, struct span text, struct config_memory *memory,
			     void *target, struct store_note *ret_note)
{
	struct config_resolver *resolver = field_of(value, target);
	const char *problem = "";
	struct addr addr;
	int error = name_server_parse(text, &addr, &problem);
	if (error != 0)
		return refuse(error, ret_note, problem);
	if (resolver->addr_count == CONFIG_NAME_SERVERS_MAX)
		return refuse(-EINVAL, ret_note, "there are 8 before it, the most that can be");
	resolver->addrs = config_memory_grow(memory, resolver->addrs, resolver->addr_count, sizeof(*resolver->addrs));
	resolver->addrs[resolver->addr_count++] = addr;
	return 0;
}

static int source_store(const struct schema_value *value, struct span text, struct config_memory *memory, void *target,
			struct store_note *ret_note)
{
	struct config_source *source = field_of(value, target);
	const char *problem = "";
	struct addr addr;
	bool is_client = span_equals(text, "client");
	int error = is_client ? 0 : addr_parse_ip(text, &addr, &problem);
	if (error != 0)
		return refuse(error, ret_note, problem);
	if (source->is_client || (is_client && source->addr_count > 0))
		return refuse(-EINVAL, ret_note, "client stands alone");
	if (source->addr_count == CONFIG_SOURCES_MAX)
		return refuse(-EINVAL, ret_note, "there are 32 before it, the most that can be");
	source->is_client = is_client;
	if (is_client)
		return 0;
	source->addrs = config_memory_grow(memory, source->addrs, source->addr_count, sizeof(*source->addrs));
	source->addrs[source->addr_count++] = addr;
	return 0;
}

static int network_store(const struct schema_value *value, struct span text, void *target, struct store_note *ret_note)
{
	const char *problem = "";
	struct network network;
	int error = network_parse(text, &network, &ret_note->had_host_bits, &problem);
	if (error != 0)
		return refuse(error, ret_note, problem);
	field_set(value, target, &network, sizeof(network));
	return 0;
}

/* "@file:PATH", or a network. */
static int networks_store(const struct schema_value *value, struct span text, struct config_memory *memory,
			  void *target, struct store_note *ret_note)
{
	static const char prefix[] = "@file:";
	const size_t prefix_len = sizeof(prefix) - 1;
	const char *problem = "";
	struct config_networks networks = { 0 };
	if (text.len > 0 && text.data[0] == '@') {
		bool is_list = text.len > prefix_len && memcmp(text.data, prefix, prefix_len) == 0;
		if (!is_list || memchr(text.data, '\0', text.len) != NULL)
			return refuse(-EINVAL, ret_note, "a file of networks is written @file:PATH");
		struct span path = { text.data + prefix_len, text.len - prefix_len };
		networks.list_path = config_memory_text(memory, path);
	} else {
		int error = network_parse(text, &networks.network, &ret_note->had_host_bits, &problem);
		if (error != 0)
			return refuse(error, ret_note, problem);
	}
	field_set(value, target, &networks, sizeof(networks));
	return 0;
}

static int prefixes_store(const struct schema_value *value, struct span text, void *target, struct store_note *ret_note)
{
	struct config_prefixes prefixes;
	int error = value_parse_prefixes(text, &prefixes, &ret_note->hint);
	if (error == 0)
		field_set(value, target, &prefixes, sizeof(prefixes));
	return error;
}

static int threshold_store(const struct schema_value *value, struct span text, void *target,
			   struct store_note *ret_note)
{
	struct config_threshold threshold;
	int error = value_parse_threshold(text, &threshold, &ret_note->hint);
	if (error == 0)
		field_set(value, target, &threshold, sizeof(threshold));
	return error;
}

int store_value(const struct schema_value *value, struct span text, struct config_memory *memory, void *target,
		struct store_note *ret_note)
{
	*ret_note = (struct store_note){ 0 };
	switch (value->kind) {
	case SCHEMA_TIME:
	case SCHEMA_SIZE:
	case SCHEMA_COUNT:
	case SCHEMA_PERCENT:
	case SCHEMA_SHARE:
	case SCHEMA_BANDWIDTH:
		return number_store(value, text, target, ret_note);
	case SCHEMA_RATE:
		return rate_store(value, text, target, ret_note);
	case SCHEMA_WORD:
		return word_store(value, text, target);
	case SCHEMA_WORDS:
		return words_store(value, text, target);
	case SCHEMA_NAME:
		return name_store(value, text, target, ret_note);
	case SCHEMA_REFERENCE:
		return reference_store(value, text, memory, target, ret_note);
	case SCHEMA_BYTES:
		return bytes_store(value, text, memory, target, ret_note);
	case SCHEMA_HTTP_PATH:
	case SCHEMA_HTTP_HOST:
	case SCHEMA_DNS_NAME:
	case SCHEMA_PROGRAM:
	case SCHEMA_PATH:
	case SCHEMA_INTERFACES:
		return text_store(value, text, memory, target, ret_note);
	case SCHEMA_STATUSES:
		return statuses_store(value, text, target, ret_note);
	case SCHEMA_FILE:
		return file_store(value, text, memory, target, ret_note);
	case SCHEMA_SINK:
		return sink_store(text, memory, target, ret_note);
	case SCHEMA_ADDRESS:
		return address_store(value, text, target, ret_note);
	case SCHEMA_SERVER_ADDRESS:
		return server_store(text, target, ret_note);
	case SCHEMA_NAME_SERVER:
		return name_server_store(value, text, memory, target, ret_note);
	case SCHEMA_SOURCE:
		return source_store(value, text, memory, target, ret_note);
	case SCHEMA_PREFIXES:
		return prefixes_store(value, text, target, ret_note);
	case SCHEMA_THRESHOLD:
		return threshold_store(value, text, target, ret_note);
	case SCHEMA_NETWORK:
		return network_store(value, text, target, ret_note);
	case SCHEMA_NETWORKS:
		return networks_store(value, text, memory, target, ret_note);
	case SCHEMA_PATTERN:
	case SCHEMA_FLAG:
		break;
	}
	return 0;
}

void store_switch(const struct schema_value *value, void *target)
{
	const bool is_set = true;
	if (value->words != NULL)
		field_set(value, target, &value->words[0].value, sizeof(value->words[0].value));
	else
		field_set(value, target, &is_set, sizeof(is_set));
}

void store_defaults(enum schema_target kind, struct config_memory *memory, void *target)
{
	struct store_note note;
	for (size_t i = 0; i < schema_directive_count; i++) {
		const struct schema_directive *directive = &schema_directives[i];
		for (size_t j = 0; directive->target == kind && j < directive->value_count; j++) {
			const struct schema_value *value = &directive->values[j];
			if (value->fallback == NULL)
				continue;
			int error = store_value(value, span_from_text(value->fallback), memory, target, &note);
			CHECK(error == 0);
		}
	}
}
