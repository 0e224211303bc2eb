/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes must be refused with an error, or be JSON that gives a whole tree, which can be written and read again. The
 * document is also read as one server, as requests send it.
 */
#include "base/check.h"
#include "config/server_json.h"
#include "loaded.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void server_check(struct span text)
{
	static const char around[] = "service a { listen udp *:1; to a }\npool a { check tcp; server 10.0.0.1:1 }\n";
	struct config_server server;
	struct diagnostics diagnostics;
	json_error_t problem;
	json_t *object = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, &problem);
	if (object == NULL)
		return;
	diagnostics_init(&diagnostics);
	struct config *config = config_load_text("around", span_from_text(around), &diagnostics);
	CHECK(config != NULL);
	int error = config_server_read(config, &config->pools[0], object, &server, &diagnostics);
	CHECK((error == 0) == (diagnostics.error_count == 0));
	CHECK(error != 0 || server.name[0] != '\0');
	config_free(&config);
	diagnostics_done(&diagnostics);
	json_decref(object);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct diagnostics diagnostics;
	struct span text = { (const char *)data, len };
	diagnostics_init(&diagnostics);
	struct config *config = config_load_json("fuzz", text, &diagnostics);
	loaded_check(config, &diagnostics);
	config_free(&config);
	diagnostics_done(&diagnostics);
	if (len > 0)
		server_check(text);
	return 0;
}
