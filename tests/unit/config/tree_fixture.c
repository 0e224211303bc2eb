/* SPDX-License-Identifier: Apache-2.0 */
#include "config/tree_fixture.h"

#include "config/diff.h"
#include "config/schema.h"
#include "config/server_address.h"
#include "config/write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool is_same_text(const void *a, const void *b)
{
	const char *left = NULL;
	const char *right = NULL;
	memcpy(&left, a, sizeof(left));
	memcpy(&right, b, sizeof(right));
	return left == right || (left != NULL && right != NULL && strcmp(left, right) == 0);
}

static bool is_same_bytes(const struct config_bytes *a, const struct config_bytes *b)
{
	return a->len == b->len && (a->data == NULL) == (b->data == NULL) &&
	       (a->data == NULL || memcmp(a->data, b->data, a->len) == 0);
}

static bool is_same_log(const struct config_log *a, const struct config_log *b)
{
	return a->sink == b->sink && is_same_text(&a->path, &b->path) && addr_equal(&a->addr, &b->addr);
}

static bool are_same_addrs(const struct addr *a, size_t a_count, const struct addr *b, size_t b_count)
{
	if (a_count != b_count)
		return false;
	for (size_t i = 0; i < a_count; i++)
		if (!addr_equal(&a[i], &b[i]))
			return false;
	return true;
}

static bool is_same_resolver(const struct config_resolver *a, const struct config_resolver *b)
{
	return are_same_addrs(a->addrs, a->addr_count, b->addrs, b->addr_count);
}

static bool is_same_source(const struct config_source *a, const struct config_source *b)
{
	return a->is_client == b->is_client && are_same_addrs(a->addrs, a->addr_count, b->addrs, b->addr_count);
}

static bool is_same_field(const struct schema_value *value, const void *a, const void *b)
{
	switch (value->kind) {
	case SCHEMA_TIME:
	case SCHEMA_SIZE:
	case SCHEMA_COUNT:
	case SCHEMA_PERCENT:
	case SCHEMA_SHARE:
	case SCHEMA_BANDWIDTH:
		return memcmp(a, b, sizeof(uint64_t)) == 0;
	case SCHEMA_RATE:
		return memcmp(a, b, sizeof(struct config_rate)) == 0;
	case SCHEMA_WORD:
		return memcmp(a, b, sizeof(unsigned int)) == 0;
	case SCHEMA_FLAG:
		return memcmp(a, b, value->words != NULL ? sizeof(unsigned int) : sizeof(bool)) == 0;
	case SCHEMA_NAME:
		return strcmp(a, b) == 0;
	case SCHEMA_WORDS:
		return memcmp(a, b, sizeof(uint32_t)) == 0;
	case SCHEMA_STATUSES:
		return memcmp(a, b, sizeof(struct http_statuses)) == 0;
	case SCHEMA_REFERENCE:
	case SCHEMA_FILE:
	case SCHEMA_HTTP_PATH:
	case SCHEMA_HTTP_HOST:
	case SCHEMA_DNS_NAME:
	case SCHEMA_PROGRAM:
	case SCHEMA_PATH:
	case SCHEMA_INTERFACES:
		return is_same_text(a, b);
	case SCHEMA_BYTES:
		return is_same_bytes(a, b);
	case SCHEMA_SINK:
		return is_same_log(a, b);
	case SCHEMA_ADDRESS:
		return addr_equal(a, b);
	case SCHEMA_PREFIXES:
		return memcmp(a, b, sizeof(struct config_prefixes)) == 0;
	case SCHEMA_THRESHOLD:
		return memcmp(a, b, sizeof(struct config_threshold)) == 0;
	case SCHEMA_NETWORK:
		return memcmp(a, b, sizeof(struct network)) == 0;
	case SCHEMA_NETWORKS:
		return is_same_text(&((const struct config_networks *)a)->list_path,
				    &((const struct config_networks *)b)->list_path) &&
		       memcmp(a, b, sizeof(struct network)) == 0;
	case SCHEMA_SERVER_ADDRESS:
		return server_address_equal(a, b);
	case SCHEMA_NAME_SERVER:
		return is_same_resolver(a, b);
	case SCHEMA_SOURCE:
		return is_same_source(a, b);
	case SCHEMA_PATTERN:
		break;
	}
	return true;
}

/* All fields of all directives with that target. */
static void targets_assert_equal(enum schema_target target, const void *a, const void *b)
{
	for (size_t i = 0; i < schema_directive_count; i++) {
		const struct schema_directive *directive = &schema_directives[i];
		for (size_t j = 0; directive->target == target && j < directive->value_count; j++) {
			const struct schema_value *value = &directive->values[j];
			const char *left = (const char *)a + value->offset;
			const char *right = (const char *)b + value->offset;
			bool is_same = is_same_field(value, left, right);
			if (value->given_offset != 0)
				is_same = is_same && memcmp((const char *)a + value->given_offset,
							    (const char *)b + value->given_offset, sizeof(bool)) == 0;
			if (!is_same)
				fail_msg("%s %s differs", directive->name, value->name);
		}
	}
}

#define ARRAYS_ASSERT_EQUAL(target, a, a_count, b, b_count)                                                            \
	do {                                                                                                           \
		assert_int_equal((a_count), (b_count));                                                                \
		for (size_t item = 0; item < (a_count); item++)                                                        \
			targets_assert_equal((target), &(a)[item], &(b)[item]);                                        \
	} while (0)

static void services_assert_equal(const struct config_service *a, const struct config_service *b)
{
	targets_assert_equal(SCHEMA_INTO_SERVICE, a, b);
	ARRAYS_ASSERT_EQUAL(SCHEMA_INTO_LISTEN, a->listens, a->listen_count, b->listens, b->listen_count);
	ARRAYS_ASSERT_EQUAL(SCHEMA_INTO_RULE, a->rules, a->rule_count, b->rules, b->rule_count);
	for (size_t i = 0; i < a->listen_count; i++)
		assert_int_equal(a->listens[i].is_dual, b->listens[i].is_dual);
	for (size_t i = 0; i < a->rule_count; i++)
		assert_int_equal(a->rules[i].is_allow, b->rules[i].is_allow);
	assert_int_equal(a->pool_index, b->pool_index);
}

void tree_assert_equal(const struct config *a, const struct config *b)
{
	struct diff diff;
	targets_assert_equal(SCHEMA_INTO_CONFIG, a, b);
	ARRAYS_ASSERT_EQUAL(SCHEMA_INTO_ADMIN, a->admins, a->admin_count, b->admins, b->admin_count);
	ARRAYS_ASSERT_EQUAL(SCHEMA_INTO_BLOCK, a->blocks, a->block_count, b->blocks, b->block_count);
	ARRAYS_ASSERT_EQUAL(SCHEMA_INTO_LOG, a->logs, a->log_count, b->logs, b->log_count);
	assert_int_equal(a->service_count, b->service_count);
	for (size_t i = 0; i < a->service_count; i++)
		services_assert_equal(&a->services[i], &b->services[i]);
	ARRAYS_ASSERT_EQUAL(SCHEMA_INTO_POOL, a->pools, a->pool_count, b->pools, b->pool_count);
	for (size_t i = 0; i < a->pool_count; i++)
		ARRAYS_ASSERT_EQUAL(SCHEMA_INTO_SERVER, a->pools[i].servers, a->pools[i].server_count,
				    b->pools[i].servers, b->pools[i].server_count);
	diff_make(a, b, &diff);
	assert_int_equal(diff.count, 0);
	diff_done(&diff);
	assert_null(diff_find_fixed(a, b));
}

static struct config *loaded(struct config *(*load)(const char *, struct span, struct diagnostics *), struct span text)
{
	struct diagnostics diagnostics;
	diagnostics_init(&diagnostics);
	struct config *config = load("test", text, &diagnostics);
	if (config == NULL) {
		diagnostics_print(&diagnostics, stderr);
		fprintf(stderr, "%.*s\n", (int)text.len, text.data);
	}
	diagnostics_done(&diagnostics);
	assert_non_null(config);
	return config;
}

struct config *tree_of_text(const char *text)
{
	return loaded(config_load_text, span_from_text(text));
}

struct config *tree_of_json(const char *text)
{
	return loaded(config_load_json, span_from_text(text));
}

static void text_assert_round_trip(const struct config *config)
{
	size_t len = 0;
	size_t again_len = 0;
	char *text = config_write_text(config, &len);
	struct config *read = loaded(config_load_text, (struct span){ text, len });
	char *again = config_write_text(read, &again_len);
	assert_int_equal(strlen(text), len);
	assert_int_equal(strlen(again), again_len);
	assert_string_equal(text, again);
	tree_assert_equal(config, read);
	config_free(&read);
	free(again);
	free(text);
}

static void json_assert_round_trip(const struct config *config)
{
	json_t *document = config_write_json(config);
	char *text = json_dumps(document, 0);
	assert_non_null(text);
	struct config *read = tree_of_json(text);
	json_t *again = config_write_json(read);
	char *again_text = json_dumps(again, 0);
	assert_string_equal(text, again_text);
	tree_assert_equal(config, read);
	config_free(&read);
	free(again_text);
	free(text);
	json_decref(again);
	json_decref(document);
}

void tree_assert_round_trip(const struct config *config)
{
	text_assert_round_trip(config);
	json_assert_round_trip(config);
}
