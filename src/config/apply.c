/* SPDX-License-Identifier: Apache-2.0 */
#include "config/apply.h"

#include "config/config_memory.h"
#include "config/edit.h"
#include "config/problem.h"
#include "config/server_address.h"
#include "config/source_file.h"
#include "config/store.h"

/* The object that a statement makes, or the block it adds to. */
union made {
	struct config_admin admin;
	struct config_log log;
	struct config_listen listen;
	struct config_access_rule rule;
	struct config_block block;
	struct config_proxy_network proxy_network;
	struct config_server server;
};

/* One statement while its values are read. */
struct reading {
	struct apply *apply;
	struct report *report;
	const struct schema_directive *directive;
	const struct statement *statement;
	void *target;        /* the block, or &made */
	struct marks *marks; /* of the block, or of this statement alone */
	union made made;
	struct marks own_marks;
	bool has_unknown; /* a value was not expected: one such message is enough, and what is missing may be it */
	bool is_doubtful; /* a value could not be read, and may have been meant to change those behind it */
	size_t next_positional; /* index into the schema's values */
};

void apply_init(struct apply *apply, struct parsed *parsed, struct config_memory *memory, struct includer *includer)
{
	*apply = (struct apply){ .parsed = parsed, .memory = memory, .includer = includer };
	apply->services = name_index_new();
	apply->pools = name_index_new();
	store_defaults(SCHEMA_INTO_SERVICE, memory, &apply->service_defaults);
	store_defaults(SCHEMA_INTO_POOL, memory, &apply->pool_defaults);
	store_defaults(SCHEMA_INTO_SERVER, memory, &apply->server_defaults);
	store_defaults(SCHEMA_INTO_LOG, memory, &apply->log_defaults);
	store_defaults(SCHEMA_INTO_LISTEN, memory, &apply->listen_defaults);
	store_defaults(SCHEMA_INTO_CONFIG, memory, parsed->config);
}

void apply_done(struct apply *apply)
{
	name_index_free(&apply->services);
	name_index_free(&apply->pools);
}

static bool makes_object(const struct schema_directive *directive)
{
	return directive->target >= SCHEMA_INTO_ADMIN;
}

static void reading_begin(struct reading *reading, struct apply *apply, const struct schema_directive *directive,
			  const struct statement *statement)
{
	*reading = (struct reading){
		.apply = apply,
		.report = apply->parsed->report,
		.directive = directive,
		.statement = statement,
	};
	reading->target = makes_object(directive) ? &reading->made : parsed_block(apply->parsed, directive->where);
	reading->marks = makes_object(directive) ? &reading->own_marks : parsed_marks(apply->parsed, directive->where);
	if (directive->target == SCHEMA_INTO_SERVER)
		reading->made.server = apply->server_defaults;
	else if (directive->target == SCHEMA_INTO_LOG)
		reading->made.log = apply->log_defaults;
	else if (directive->target == SCHEMA_INTO_LISTEN)
		reading->made.listen = apply->listen_defaults;
	else if (directive->target == SCHEMA_INTO_RULE)
		reading->made.rule.is_allow = directive->variant != 0;
}

/* Appends room for one more item to an array of the tree and returns it. */
#define array_append(apply, array, count)                                                                              \
	((array) = config_memory_grow((apply)->memory, (array), (count), sizeof(*(array))), &(array)[(count)++])

static void listen_add(struct reading *reading, const struct token *token)
{
	struct config_service *service = parsed_block(reading->apply->parsed, SCHEMA_SERVICE);
	reading->made.listen.is_dual = token->value.data[0] == ':';
	reading->made.listen.place = token->place;
	*array_append(reading->apply, service->listens, service->listen_count) = reading->made.listen;
}

/* A list's path is written relative to the file that names it. */
static void list_path_join(struct reading *reading, struct config_networks *networks, const struct token *token)
{
	const struct source *file = &reading->report->sources[token->place.file];
	if (networks->list_path != NULL && file->name != NULL)
		networks->list_path = source_file_path_beside(file->name, span_from_text(networks->list_path),
							      reading->apply->memory);
}

static void rule_add(struct reading *reading, const struct token *token)
{
	struct config_service *service = parsed_block(reading->apply->parsed, SCHEMA_SERVICE);
	reading->made.rule.place = token->place;
	list_path_join(reading, &reading->made.rule.from, token);
	*array_append(reading->apply, service->rules, service->rule_count) = reading->made.rule;
}

static void block_add(struct reading *reading, const struct token *token)
{
	struct config *config = reading->apply->parsed->config;
	reading->made.block.place = token->place;
	list_path_join(reading, &reading->made.block.from, token);
	*array_append(reading->apply, config->blocks, config->block_count) = reading->made.block;
}

static void proxy_network_add(struct reading *reading, const struct token *token)
{
	struct config_service *service = parsed_block(reading->apply->parsed, SCHEMA_SERVICE);
	reading->made.proxy_network.place = token->place;
	*array_append(reading->apply, service->proxy_networks, service->proxy_network_count) =
		reading->made.proxy_network;
}

static void server_add(struct reading *reading, const struct token *token)
{
	struct config_pool *pool = parsed_block(reading->apply->parsed, SCHEMA_POOL);
	struct config_server *server = &reading->made.server;
	server->place = token->place;
	if (server->name[0] == '\0')
		server_address_name(server, server->name);
	*array_append(reading->apply, pool->servers, pool->server_count) = *server;
}

/* Puts a copy of what the statement makes into the tree; token is the value that tells what it is. */
static void object_add(struct reading *reading, const struct token *token)
{
	struct config *config = reading->apply->parsed->config;
	switch (reading->directive->target) {
	case SCHEMA_INTO_LISTEN:
		listen_add(reading, token);
		break;
	case SCHEMA_INTO_RULE:
		rule_add(reading, token);
		break;
	case SCHEMA_INTO_BLOCK:
		block_add(reading, token);
		break;
	case SCHEMA_INTO_PROXY_NETWORK:
		proxy_network_add(reading, token);
		break;
	case SCHEMA_INTO_SERVER:
		server_add(reading, token);
		break;
	case SCHEMA_INTO_ADMIN:
		reading->made.admin.place = token->place;
		*array_append(reading->apply, config->admins, config->admin_count) = reading->made.admin;
		break;
	case SCHEMA_INTO_LOG:
		reading->made.log.place = token->place;
		*array_append(reading->apply, config->logs, config->log_count) = reading->made.log;
		break;
	default:
		break;
	}
}

/* Stores one value and says what is wrong with it; false when it was not stored. */
static bool value_store(struct reading *reading, const struct schema_value *value, const struct token *token)
{
	struct store_note note;
	if (token->is_bad)
		return false;
	int error = store_value(value, token->value, reading->apply->memory, reading->target, &note);
	if (error != 0) {
		problem_report_value(reading->report, value, token, error, &note);
		return false;
	}
	if (note.had_host_bits)
		problem_report_host_bits(reading->report, (const void *)((const char *)reading->target + value->offset),
					 token);
	return true;
}

/* Marks the value as written; says so and returns false when it already was. */
static bool value_mark(struct reading *reading, const struct schema_value *value, struct config_place place)
{
	const struct config_place *first = marks_find(reading->marks, value);
	if (first != NULL) {
		report_error(reading->report, place, "\"%s%s\" is given twice; first at %s", value->name,
			     value->role == SCHEMA_KEY ? "=" : "", report_place(reading->report, *first));
		return false;
	}
	marks_add(reading->report, reading->marks, value, place);
	return true;
}

static void key_read(struct reading *reading, const struct token *token)
{
	const struct schema_value *value = schema_find_value(reading->directive, SCHEMA_KEY, token->key);
	if (value == NULL && !token->is_bad) {
		problem_report_unknown_key(reading->report, reading->directive, token);
		reading->has_unknown = true;
	} else if (value != NULL && value_mark(reading, value, token->place)) {
		/* Without its name or token, an object would be taken for another. */
		bool tells_apart = value->kind == SCHEMA_NAME || value->kind == SCHEMA_FILE;
		bool is_stored = value_store(reading, value, token);
		reading->is_doubtful = reading->is_doubtful || (tells_apart && !is_stored);
	}
}

/* Two switches that write the same field exclude each other. */
static const struct schema_value *rival_find(const struct reading *reading, const struct schema_value *value)
{
	for (size_t i = 0; i < reading->directive->value_count; i++) {
		const struct schema_value *other = &reading->directive->values[i];
		if (other != value && other->role == SCHEMA_SWITCH && other->offset == value->offset &&
		    marks_find(reading->marks, other) != NULL)
			return other;
	}
	return NULL;
}

static void switch_read(struct reading *reading, const struct schema_value *value, const struct token *token)
{
	if (!value_mark(reading, value, token->place))
		return;
	const struct schema_value *rival = rival_find(reading, value);
	if (rival != NULL)
		report_error(reading->report, token->place, "\"%s\" and \"%s\" exclude each other", rival->name,
			     value->name);
	else
		store_switch(value, reading->target);
}

/* The next positional that could take the token; an optional word is passed over when it is none of the words. */
static const struct schema_value *positional_take(struct reading *reading, const struct token *token)
{
	const struct schema_directive *directive = reading->directive;
	for (; reading->next_positional < directive->value_count; reading->next_positional++) {
		const struct schema_value *value = &directive->values[reading->next_positional];
		bool is_skipped = value->kind == SCHEMA_WORD && (value->flags & SCHEMA_REQUIRED) == 0;
		if (value->role != SCHEMA_POSITIONAL)
			continue;
		for (const struct schema_word *word = value->words; is_skipped && word->word != NULL; word++)
			is_skipped = !span_equals(token->value, word->word);
		if (is_skipped)
			continue;
		if ((value->flags & SCHEMA_MANY) == 0)
			reading->next_positional++;
		return value;
	}
	return NULL;
}

static void positional_read(struct reading *reading, const struct token *token)
{
	const struct schema_value *value = positional_take(reading, token);
	if (value == NULL) {
		if (!reading->has_unknown && !reading->statement->has_bad)
			problem_report_unexpected(reading->report, reading->directive, token);
		reading->has_unknown = true;
		return;
	}
	marks_add(reading->report, reading->marks, value, token->place);
	if (value->kind == SCHEMA_PATTERN && !token->is_bad) {
		reading->apply->includer->read(reading->apply->includer, token);
		return;
	}
	bool is_stored = value_store(reading, value, token);
	bool tells_what = (value->flags & SCHEMA_REQUIRED) != 0;
	reading->is_doubtful = reading->is_doubtful || !is_stored;
	if (!reading->is_doubtful && tells_what && makes_object(reading->directive))
		object_add(reading, token);
}

/* Settings and switches first: the values that make objects copy them. */
static void values_read(struct reading *reading)
{
	const struct statement *statement = reading->statement;
	for (size_t i = 0; i < statement->value_count; i++) {
		const struct token *token = &statement->values[i];
		const struct schema_value *value = NULL;
		if (token->key.len > 0)
			key_read(reading, token);
		else if (!token->is_bad && !token->is_quoted)
			value = schema_find_value(reading->directive, SCHEMA_SWITCH, token->value);
		if (value != NULL)
			switch_read(reading, value, token);
	}
	for (size_t i = 0; i < statement->value_count; i++) {
		const struct token *token = &statement->values[i];
		bool is_switch = !token->is_bad && !token->is_quoted &&
				 schema_find_value(reading->directive, SCHEMA_SWITCH, token->value) != NULL;
		if (token->key.len == 0 && !is_switch)
			positional_read(reading, token);
	}
}

/* Says what is missing; nothing is, for sure, only when all that is there could be understood. */
static void required_check(struct reading *reading)
{
	const struct schema_directive *directive = reading->directive;
	if (reading->statement->has_bad || reading->has_unknown)
		return;
	for (size_t i = 0; i < directive->value_count; i++) {
		const struct schema_value *value = &directive->values[i];
		if ((value->flags & SCHEMA_REQUIRED) != 0 && marks_find(reading->marks, value) == NULL) {
			problem_report_missing(reading->report, directive, value, reading->statement->word.place);
			return;
		}
	}
	if ((directive->flags & SCHEMA_MERGED) != 0 && reading->statement->value_count == 0)
		problem_report_missing(reading->report, directive, NULL, reading->statement->word.place);
}

/* A directive that stands once; false, with a message, when this is the second. */
static bool directive_mark(struct apply *apply, const struct schema_directive *directive, struct config_place place)
{
	struct report *report = apply->parsed->report;
	struct marks *marks = parsed_marks(apply->parsed, directive->where);
	const struct config_place *first = marks_find(marks, directive);
	if (first != NULL && (directive->flags & (SCHEMA_REPEATED | SCHEMA_MERGED)) == 0) {
		report_error(report, place, "\"%s\" is given twice; first at %s", directive->name,
			     report_place(report, *first));
		return false;
	}
	marks_add(report, marks, directive, place);
	return true;
}

/* The place of the pool's name is needed when there is no such pool. */
static void to_place_set(struct reading *reading)
{
	struct config_service *service = reading->target;
	if (service->to != NULL && reading->statement->value_count > 0)
		service->to_place = reading->statement->values[0].place;
}

void apply_statement(struct apply *apply, const struct schema_directive *directive, const struct statement *statement)
{
	struct reading reading;
	if (!directive_mark(apply, directive, statement->word.place))
		return;
	reading_begin(&reading, apply, directive, statement);
	values_read(&reading);
	required_check(&reading);
	if (directive->where == SCHEMA_SERVICE && strcmp(directive->name, "to") == 0)
		to_place_set(&reading);
}

/* Enters the name of the block just read; says where it was given before. */
static void name_register(struct reading *reading, const char *name, struct config_place place)
{
	struct parsed *parsed = reading->apply->parsed;
	bool is_service = reading->directive->target == SCHEMA_INTO_SERVICE;
	struct name_index *index = is_service ? reading->apply->services : reading->apply->pools;
	size_t number = (is_service ? parsed->config->service_count : parsed->config->pool_count) - 1;
	size_t first = 0;
	if (name_index_add(index, span_from_text(name), number, &first))
		return;
	const struct config_place *first_place =
		is_service ? &parsed->config->services[first].place : &parsed->config->pools[first].place;
	report_error(reading->report, place, "%s \"%s\" is defined twice; first at %s", reading->directive->name, name,
		     report_place(reading->report, *first_place));
}

static void service_begin(struct apply *apply, struct config_place place)
{
	struct parsed *parsed = apply->parsed;
	struct config *config = parsed->config;
	parsed->services = config_memory_grow(parsed->report->memory, parsed->services, config->service_count,
					      sizeof(*parsed->services));
	parsed->services[config->service_count] = (struct marks){ 0 };
	struct config_service *service = array_append(apply, config->services, config->service_count);
	*service = apply->service_defaults;
	service->place = place;
}

static void pool_begin(struct apply *apply, struct config_place place)
{
	struct parsed *parsed = apply->parsed;
	struct config *config = parsed->config;
	parsed->pools =
		config_memory_grow(parsed->report->memory, parsed->pools, config->pool_count, sizeof(*parsed->pools));
	parsed->pools[config->pool_count] = (struct marks){ 0 };
	struct config_pool *pool = array_append(apply, config->pools, config->pool_count);
	*pool = apply->pool_defaults;
	pool->place = place;
}

void apply_block(struct apply *apply, const struct schema_directive *directive, const struct statement *statement)
{
	struct parsed *parsed = apply->parsed;
	bool is_service = directive->target == SCHEMA_INTO_SERVICE;
	enum schema_where where = is_service ? SCHEMA_SERVICE : SCHEMA_POOL;
	struct reading reading;
	struct config_place place = statement->value_count > 0 ? statement->values[0].place : statement->word.place;
	if (is_service)
		service_begin(apply, place);
	else
		pool_begin(apply, place);
	reading_begin(&reading, apply, directive, statement);
	reading.target = parsed_block(parsed, where);
	reading.marks = parsed_marks(parsed, where);
	values_read(&reading);
	required_check(&reading);
	const char *name = is_service ? ((struct config_service *)reading.target)->name
				      : ((struct config_pool *)reading.target)->name;
	if (name[0] != '\0')
		name_register(&reading, name, place);
	else if (is_service)
		parsed->has_lost_services = true;
	else
		parsed->has_lost_pools = true;
}
