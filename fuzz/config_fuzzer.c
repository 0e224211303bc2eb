/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text must be read to its end, and either give a whole tree or at least one error. Includes are refused, so no
 * input makes the fuzzer open files.
 */
#include "base/check.h"
#include "config/load.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

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
		CHECK(diagnostics->entries[i].line == 0 || diagnostics->entries[i].column > 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct load_options options = { .refuses_includes = true };
	struct diagnostics diagnostics;
	diagnostics_init(&diagnostics);
	struct config *config = load_text("fuzz", (struct span){ (const char *)data, len }, &options, &diagnostics);
	CHECK((config == NULL) == (diagnostics.error_count > 0));
	if (config != NULL)
		tree_check(config);
	diagnostics_check(&diagnostics);
	config_free(&config);
	diagnostics_done(&diagnostics);
	return 0;
}
