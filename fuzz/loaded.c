/* SPDX-License-Identifier: Apache-2.0 */
#include "loaded.h"

#include "base/check.h"
#include "config/write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What later stages take for granted about a tree. */
static void tree_check(const struct config *config)
{
	CHECK(config->log_count > 0);
	for (size_t i = 0; i < config->service_count; i++) {
		const struct config_service *service = &config->services[i];
		CHECK(service->name[0] != '\0');
		CHECK(service->listen_count > 0);
		CHECK(service->pool_index < config->pool_count);
		CHECK(strcmp(config->pools[service->pool_index].name, service->to) == 0);
		CHECK(service->timeout.idle_ms > 0);
	}
	for (size_t i = 0; i < config->pool_count; i++) {
		const struct config_pool *pool = &config->pools[i];
		CHECK(pool->name[0] != '\0');
		CHECK(pool->server_count > 0);
		CHECK(pool->check.kind != CONFIG_CHECK_UDP || pool->check.send.len > 0);
		for (size_t j = 0; j < pool->server_count; j++) {
			CHECK(pool->servers[j].name[0] != '\0');
			CHECK(pool->servers[j].weight >= 1);
		}
	}
}

static void diagnostics_check(const struct diagnostics *diagnostics)
{
	/* fmemopen cuts what does not fit; the text is written nevertheless. */
	char buf[256];
	FILE *out = fmemopen(buf, sizeof(buf), "w");
	CHECK(out != NULL);
	diagnostics_print(diagnostics, out);
	fclose(out);
	diagnostics_summarize(diagnostics, buf, sizeof(buf));
	for (size_t i = 0; i < diagnostics->count; i++) {
		CHECK(diagnostics->entries[i].message != NULL);
		CHECK(diagnostics->entries[i].line == 0 || diagnostics->entries[i].source != NULL);
		CHECK(diagnostics->entries[i].line == 0 || diagnostics->entries[i].pointer == NULL);
		CHECK(diagnostics->entries[i].line == 0 || diagnostics->entries[i].column > 0);
	}
}

/* The text, read and written again. */
static char *rewrite_text(struct span text)
{
	struct diagnostics diagnostics;
	size_t len = 0;
	diagnostics_init(&diagnostics);
	struct config *config = config_load_text("written", text, &diagnostics);
	CHECK(config != NULL);
	char *written = config_write_text(config, &len);
	config_free(&config);
	diagnostics_done(&diagnostics);
	return written;
}

static char *json_dump(const struct config *config)
{
	json_t *document = config_write_json(config);
	char *text = json_dumps(document, 0);
	CHECK(text != NULL);
	json_decref(document);
	return text;
}

/* What was written reads back, and as the same tree: it is written the same again, from the other form, too. */
static void round_trip_check(const struct config *config)
{
	struct diagnostics diagnostics;
	size_t len = 0;
	diagnostics_init(&diagnostics);
	char *text = config_write_text(config, &len);
	char *text_again = rewrite_text((struct span){ text, len });
	CHECK(strcmp(text, text_again) == 0);
	char *json = json_dump(config);
	struct config *from_json = config_load_json("written", span_from_text(json), &diagnostics);
	CHECK(from_json != NULL);
	char *json_again = json_dump(from_json);
	CHECK(strcmp(json, json_again) == 0);
	char *text_from_json = config_write_text(from_json, &len);
	CHECK(strcmp(text, text_from_json) == 0);
	free(text_from_json);
	free(json_again);
	config_free(&from_json);
	free(json);
	free(text_again);
	free(text);
	diagnostics_done(&diagnostics);
}

void loaded_check(const struct config *config, const struct diagnostics *diagnostics)
{
	CHECK((config == NULL) == (diagnostics->error_count > 0));
	if (config != NULL) {
		tree_check(config);
		round_trip_check(config);
	}
	diagnostics_check(diagnostics);
}
