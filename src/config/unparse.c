/* SPDX-License-Identifier: Apache-2.0 */
#include "config/unparse.h"

#include "base/check.h"
#include "config/fetch.h"
#include "config/server_address.h"
#include "config/store.h"

#include <stdio.h>

struct unparsing {
	const struct config *config;
	struct unparse_writer *writer;
	struct config_memory *memory;
	/* What a struct of each target holds when nothing was written. */
	struct config config_defaults;
	struct config_service service_defaults;
	struct config_pool pool_defaults;
	struct config_admin admin_defaults;
	struct config_log log_defaults;
	struct config_listen listen_defaults;
	struct config_access_rule rule_defaults;
	struct config_block block_defaults;
	struct config_proxy_network proxy_network_defaults;
	struct config_server server_defaults;
};

static void *defaults_of(struct unparsing *unparsing, enum schema_target target)
{
	switch (target) {
	case SCHEMA_INTO_CONFIG:
		return &unparsing->config_defaults;
	case SCHEMA_INTO_SERVICE:
		return &unparsing->service_defaults;
	case SCHEMA_INTO_POOL:
		return &unparsing->pool_defaults;
	case SCHEMA_INTO_ADMIN:
		return &unparsing->admin_defaults;
	case SCHEMA_INTO_LOG:
		return &unparsing->log_defaults;
	case SCHEMA_INTO_LISTEN:
		return &unparsing->listen_defaults;
	case SCHEMA_INTO_RULE:
		return &unparsing->rule_defaults;
	case SCHEMA_INTO_BLOCK:
		return &unparsing->block_defaults;
	case SCHEMA_INTO_PROXY_NETWORK:
		return &unparsing->proxy_network_defaults;
	case SCHEMA_INTO_SERVER:
		return &unparsing->server_defaults;
	case SCHEMA_INTO_NOTHING:
	case SCHEMA_TARGET_COUNT:
		break;
	}
	return NULL;
}

/* The objects of a target that stand in a block: an array and the size of its items. */
struct objects {
	const void *items;
	size_t count;
	size_t item_bytes;
};

#define OBJECTS(array, array_count) ((struct objects){ (array), (array_count), sizeof(*(array)) })

static struct objects objects_of(const struct config *config, enum schema_target target, const void *block)
{
	const struct config_service *service = block;
	const struct config_pool *pool = block;
	switch (target) {
	case SCHEMA_INTO_ADMIN:
		return OBJECTS(config->admins, config->admin_count);
	case SCHEMA_INTO_LOG:
		return OBJECTS(config->logs, config->log_count);
	case SCHEMA_INTO_LISTEN:
		return OBJECTS(service->listens, service->listen_count);
	case SCHEMA_INTO_RULE:
		return OBJECTS(service->rules, service->rule_count);
	case SCHEMA_INTO_BLOCK:
		return OBJECTS(config->blocks, config->block_count);
	case SCHEMA_INTO_PROXY_NETWORK:
		return OBJECTS(service->proxy_networks, service->proxy_network_count);
	case SCHEMA_INTO_SERVER:
		return OBJECTS(pool->servers, pool->server_count);
	default:
		return (struct objects){ NULL, 0, 0 };
	}
}

/* Words in which an object says more, or less, than its field. */
static bool object_value_fetch(struct unparsing *unparsing, enum schema_target target, const struct schema_value *value,
			       const void *object, struct span *ret_text)
{
	const struct config_listen *listen = object;
	char name[CONFIG_NAME_BYTES];
	if (target == SCHEMA_INTO_LISTEN && value->kind == SCHEMA_ADDRESS && listen->is_dual) {
		*ret_text = span_from_text(config_memory_format(unparsing->memory, ":%u", addr_port(&listen->addr)));
		return true;
	}
	if (!fetch_value(value, object, defaults_of(unparsing, target), unparsing->memory, ret_text))
		return false;
	if (target == SCHEMA_INTO_SERVER && value->kind == SCHEMA_NAME) {
		server_address_name(object, name);
		return !span_equals(*ret_text, name);
	}
	return true;
}

static struct unparsed_value value_copy(struct unparsing *unparsing, const struct schema_value *value, const char *text)
{
	return (struct unparsed_value){ value, span_from_text(config_memory_format(unparsing->memory, "%s", text)) };
}

/* The rows that have several values in one statement. */
static size_t name_servers_fetch(struct unparsing *unparsing, const struct schema_value *value, const void *target,
				 struct unparsed_value *ret_values)
{
	char text[ADDR_TEXT_BYTES];
	const struct config_resolver *resolver = (const void *)((const char *)target + value->offset);
	for (size_t i = 0; i < resolver->addr_count; i++)
		ret_values[i] = value_copy(unparsing, value, addr_format(&resolver->addrs[i], text, sizeof(text)));
	return resolver->addr_count;
}

static size_t sources_fetch(struct unparsing *unparsing, const struct schema_value *value, const void *target,
			    struct unparsed_value *ret_values)
{
	char text[ADDR_TEXT_BYTES];
	const struct config_source *source = (const void *)((const char *)target + value->offset);
	if (source->is_client)
		ret_values[0] = value_copy(unparsing, value, "client");
	for (size_t i = 0; i < source->addr_count; i++)
		ret_values[i] = value_copy(unparsing, value, addr_format_ip(&source->addrs[i], text, sizeof(text)));
	return source->is_client ? 1 : source->addr_count;
}

/* Hands over one statement; one that would say nothing but defaults is left out, unless it makes an object. */
static void statement_write(struct unparsing *unparsing, const struct schema_directive *directive, const void *target)
{
	struct unparsed_value values[UNPARSE_VALUES_MAX];
	size_t count = 0;
	bool is_needed = directive->target >= SCHEMA_INTO_ADMIN;
	static_assert((int)CONFIG_NAME_SERVERS_MAX <= (int)CONFIG_SOURCES_MAX, "the most that one row gives");
	CHECK(directive->value_count + CONFIG_SOURCES_MAX <= UNPARSE_VALUES_MAX);
	for (size_t i = 0; i < directive->value_count; i++) {
		const struct schema_value *value = &directive->values[i];
		struct span text;
		if (value->kind == SCHEMA_NAME_SERVER || value->kind == SCHEMA_SOURCE) {
			count += value->kind == SCHEMA_SOURCE ? sources_fetch(unparsing, value, target, values)
							      : name_servers_fetch(unparsing, value, target, values);
			is_needed = count > 0;
			continue;
		}
		bool is_written = object_value_fetch(unparsing, directive->target, value, target, &text);
		is_needed = is_needed || is_written;
		if (!is_written && (value->flags & SCHEMA_REQUIRED) != 0)
			is_written = fetch_required_value(value, target, unparsing->memory, &text);
		if (is_written)
			values[count++] = (struct unparsed_value){ value, text };
	}
	if (is_needed)
		unparsing->writer->statement(unparsing->writer, directive, values, count);
}

/* Of directives that share a target, as allow and deny do, the first stands for all. */
static bool is_first_of_target(const struct schema_directive *directive)
{
	const struct schema_directive *first = schema_directives;
	while (first->target != directive->target)
		first++;
	return first == directive;
}

static const struct schema_directive *rule_directive(const struct config_access_rule *rule)
{
	const struct schema_directive *directive = schema_directives;
	while (directive->target != SCHEMA_INTO_RULE || (directive->variant != 0) != rule->is_allow)
		directive++;
	return directive;
}

/* A log that is there because none was written. */
static bool is_default_log(const struct unparsing *unparsing)
{
	const struct config *config = unparsing->config;
	const struct config_log *log = config->logs;
	return config->log_count == 1 && log->sink == unparsing->log_defaults.sink &&
	       log->format == unparsing->log_defaults.format && log->level == unparsing->log_defaults.level &&
	       log->sample == 0 && log->every_ms == 0;
}

static void objects_write(struct unparsing *unparsing, const struct schema_directive *directive, const void *block)
{
	struct objects objects = objects_of(unparsing->config, directive->target, block);
	if (!is_first_of_target(directive) || (directive->target == SCHEMA_INTO_LOG && is_default_log(unparsing)))
		return;
	for (size_t i = 0; i < objects.count; i++) {
		const void *object = (const char *)objects.items + i * objects.item_bytes;
		bool is_rule = directive->target == SCHEMA_INTO_RULE;
		statement_write(unparsing, is_rule ? rule_directive(object) : directive, object);
	}
}

/* The statements of a service or pool. */
static void block_write(struct unparsing *unparsing, const struct schema_directive *head, const char *name,
			const void *block)
{
	enum schema_where where = head->target == SCHEMA_INTO_SERVICE ? SCHEMA_SERVICE : SCHEMA_POOL;
	unparsing->writer->block_begin(unparsing->writer, head, name);
	for (size_t i = 0; i < schema_directive_count; i++) {
		const struct schema_directive *directive = &schema_directives[i];
		if (directive->where != where)
			continue;
		if (directive->target >= SCHEMA_INTO_ADMIN)
			objects_write(unparsing, directive, block);
		else
			statement_write(unparsing, directive, block);
	}
	unparsing->writer->block_end(unparsing->writer);
}

static void blocks_write(struct unparsing *unparsing, const struct schema_directive *head)
{
	const struct config *config = unparsing->config;
	bool is_service = head->target == SCHEMA_INTO_SERVICE;
	for (size_t i = 0; is_service && i < config->service_count; i++)
		block_write(unparsing, head, config->services[i].name, &config->services[i]);
	for (size_t i = 0; !is_service && i < config->pool_count; i++)
		block_write(unparsing, head, config->pools[i].name, &config->pools[i]);
}

void unparse(const struct config *config, struct unparse_writer *writer)
{
	struct unparsing unparsing = { .config = config, .writer = writer, .memory = config_memory_new() };
	for (enum schema_target target = SCHEMA_INTO_CONFIG; target < SCHEMA_TARGET_COUNT; target++)
		store_defaults(target, unparsing.memory, defaults_of(&unparsing, target));
	for (size_t i = 0; i < schema_directive_count; i++) {
		const struct schema_directive *directive = &schema_directives[i];
		if (directive->where != SCHEMA_TOP || directive->target == SCHEMA_INTO_NOTHING)
			continue;
		if ((directive->flags & SCHEMA_BLOCK) != 0)
			blocks_write(&unparsing, directive);
		else if (directive->target >= SCHEMA_INTO_ADMIN)
			objects_write(&unparsing, directive, NULL);
		else
			statement_write(&unparsing, directive, config);
	}
	config_memory_free(&unparsing.memory);
}
