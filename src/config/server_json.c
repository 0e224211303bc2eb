/* SPDX-License-Identifier: Apache-2.0 */
#include "config/server_json.h"

#include "base/check.h"
#include "config/json_reader.h"
#include "config/validate.h"

#include <errno.h>

/* A tree with one pool, which the server is read into as from a document. */
static void server_read(struct apply *apply, json_t *object)
{
	static const char pool_name[] = "pool";
	const struct schema_directive *directive = schema_find(SCHEMA_POOL, span_from_text("server"));
	struct json_reader reader;
	struct source source = { .name = NULL };
	struct token name = { .kind = TOKEN_VALUE, .value = { pool_name, sizeof(pool_name) - 1 } };
	struct statement head = { .values = &name, .value_count = 1 };
	json_reader_init(&reader, apply, report_add_source(apply->parsed->report, &source));
	apply_block(apply, schema_find(SCHEMA_TOP, span_from_text(pool_name)), &head);
	reader.where = SCHEMA_POOL;
	json_reader_read_statement(&reader, directive, JSON_POINTER_ROOT, object);
}

int config_server_read(const struct config *config, const struct config_pool *pool, json_t *object,
		       struct config_server *ret_server, struct diagnostics *diagnostics)
{
	struct config_memory *memory = config_memory_new();
	struct config read = { 0 };
	struct report report;
	struct parsed parsed = { .config = &read, .report = &report };
	struct apply apply;
	report_init(&report, memory);
	apply_init(&apply, &parsed, memory, NULL);
	server_read(&apply, object);
	const struct config_pool *made = &read.pools[0];
	if (report.found_count[DIAGNOSTIC_ERROR] == 0) {
		CHECK(made->server_count == 1);
		validate_added_server(&report, config, pool, &made->servers[0]);
	}
	bool is_good = report.found_count[DIAGNOSTIC_ERROR] == 0;
	if (is_good) {
		/* A server owns nothing that lies in the memory of its tree. */
		*ret_server = made->servers[0];
		ret_server->place = (struct config_place){ 0 };
	}
	report_finish(&report, diagnostics);
	apply_done(&apply);
	config_memory_free(&memory);
	return is_good ? 0 : -EINVAL;
}
