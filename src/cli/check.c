/* SPDX-License-Identifier: Apache-2.0 */
#include "base/proc.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "config/config.h"
#include "config/write.h"
#include "control/ceilings.h"
#include "control/metrics.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { OPTION_CONFIG, OPTION_STRICT, OPTION_OUTPUT, OPTION_PRINT };

enum { MESSAGE_BYTES = 256 };

static const char *const output_words[] = { "text", "json", NULL };

/* --- more flows allowed than descriptors ------------------------------------------------------------------------- */

/* What the daemon would have: it raises the soft limit to the hard one when it starts. */
static struct ceilings_resources read_resources(const struct config *config)
{
	struct rlimit limit;
	struct ceilings_resources resources = ceilings_read_resources(ceilings_worker_count(config));
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		resources.descriptor_limit = limit.rlim_max;
	return resources;
}

/* place: NULL: the main file as a whole. */
static void warn(const struct config *config, const struct config_place *place, char *message, char *hint,
		 struct diagnostics *diagnostics)
{
	struct diagnostic warning = {
		.severity = DIAGNOSTIC_WARNING,
		.file = (char *)(uintptr_t)
				config->files[place != NULL ? place->file : 0], /* all are copied, not changed */
		.line = place != NULL ? place->line : 0,
		.column = place != NULL ? place->column : 0,
		.message = message,
		.hint = hint,
	};
	diagnostics_add(diagnostics, &warning);
}

static void warn_descriptors(const struct config *config, const struct config_service *service, uint64_t needed,
			     uint64_t possible, struct diagnostics *diagnostics)
{
	char message[MESSAGE_BYTES];
	char hint[] =
		"raise the limit of open files (LimitNOFILE=, ulimit -n), or lower limit connections= and sessions=";
	snprintf(message, sizeof(message),
		 "the limits of %s%s allow flows that need %llu descriptors, but %llu can be had",
		 service != NULL ? "service " : "", service != NULL ? service->name : "the daemon",
		 (unsigned long long)needed, (unsigned long long)possible);
	warn(config, service != NULL ? &service->place : NULL, message, hint, diagnostics);
}

static void check_descriptors(const struct config *config, struct diagnostics *diagnostics)
{
	struct ceilings_resources resources = read_resources(config);
	uint64_t possible = ceilings_compute(config, &resources).descriptors;
	uint64_t needed = ceilings_descriptors_of(config->limit.connections, config->limit.sessions);
	if (needed > possible)
		warn_descriptors(config, NULL, needed, possible, diagnostics);
	for (size_t i = 0; i < config->service_count; i++) {
		const struct config_service *service = &config->services[i];
		needed = ceilings_descriptors_of(service->limit.connections, service->limit.sessions);
		if (needed > possible)
			warn_descriptors(config, service, needed, possible, diagnostics);
	}
}

/* --- what this process may not, or this machine does not ----------------------------------------------------------- */

static void check_transparency(const struct config *config, struct diagnostics *diagnostics)
{
	char message[MESSAGE_BYTES];
	char hint[] = "for the service: AmbientCapabilities=CAP_NET_ADMIN (docs/source.md)";
	if (proc_may_be_transparent(proc_read_capabilities("/proc/self/status")))
		return;
	for (size_t i = 0; i < config->pool_count; i++) {
		const struct config_pool *pool = &config->pools[i];
		if (!pool->source.is_client)
			continue;
		snprintf(message, sizeof(message),
			 "source client of pool \"%s\" needs CAP_NET_ADMIN, which this process has not", pool->name);
		warn(config, &pool->place, message, hint, diagnostics);
	}
}

static bool listens_tcp(const struct config *config)
{
	for (size_t i = 0; i < config->service_count; i++)
		for (size_t j = 0; j < config->services[i].listen_count; j++)
			if (config->services[i].listens[j].protocol == CONFIG_TCP &&
			    !addr_is_unix(&config->services[i].listens[j].addr))
				return true;
	return false;
}

static void check_syncookies(const struct config *config, struct diagnostics *diagnostics)
{
	char message[] = "SYN cookies are off on this machine: a SYN flood keeps real clients out";
	char hint[] = "sysctl -w net.ipv4.tcp_syncookies=1; strait doctor tells more";
	uint64_t syncookies;
	if (listens_tcp(config) && proc_read_numbers("/proc/sys/net/ipv4/tcp_syncookies", &syncookies, 1) == 1 &&
	    syncookies == 0)
		warn(config, NULL, message, hint, diagnostics);
}

/* --- output ------------------------------------------------------------------------------------------------------ */

static json_t *text_or_null(const char *text)
{
	json_t *string = text != NULL ? json_string(text) : NULL;
	return string != NULL ? string : json_null();
}

static json_t *entry_build(const struct diagnostic *entry)
{
	json_t *object = json_object();
	json_object_set_new(object, "file", text_or_null(entry->file));
	json_object_set_new(object, "line", json_integer(entry->line));
	json_object_set_new(object, "column", json_integer(entry->column));
	json_object_set_new(object, "message", text_or_null(entry->message));
	json_object_set_new(object, "hint", text_or_null(entry->hint));
	json_object_set_new(object, "accepted", text_or_null(entry->accepted));
	return object;
}

static void print_json(const struct config *config, const struct diagnostics *diagnostics)
{
	json_t *lists[] = { [DIAGNOSTIC_ERROR] = json_array(), [DIAGNOSTIC_WARNING] = json_array() };
	for (size_t i = 0; i < diagnostics->count; i++) {
		const struct diagnostic *entry = &diagnostics->entries[i];
		json_array_append_new(lists[entry->severity], entry_build(entry));
	}
	json_t *document = json_object();
	json_object_set_new(document, "errors", lists[DIAGNOSTIC_ERROR]);
	json_object_set_new(document, "warnings", lists[DIAGNOSTIC_WARNING]);
	if (config != NULL)
		json_object_set_new(document, "metrics_series_max",
				    json_integer((json_int_t)metrics_series_max(config)));
	char *text = json_dumps(document, JSON_INDENT(2));
	puts(text != NULL ? text : "");
	free(text);
	json_decref(document);
}

static void print_count(size_t count, const char *noun)
{
	printf(", %zu %s%s", count, noun, count == 1 ? "" : "s");
}

static void print_good(const char *path, const struct config *config, const struct diagnostics *diagnostics)
{
	size_t server_count = 0;
	for (size_t i = 0; i < config->pool_count; i++)
		server_count += config->pools[i].server_count;
	printf("%s: ok", path);
	print_count(config->service_count, "service");
	print_count(config->pool_count, "pool");
	print_count(server_count, "server");
	if (diagnostics->warning_count > 0)
		print_count(diagnostics->warning_count, "warning");
	printf("; at most %" PRIu64 " series of metrics\n", metrics_series_max(config));
}

static void print_config(const struct config *config, const char *form)
{
	size_t len = 0;
	if (strcmp(form, "json") == 0) {
		json_t *document = config_write_json(config);
		json_dumpf(document, stdout, JSON_INDENT(2));
		puts("");
		json_decref(document);
	} else {
		char *text = config_write_text(config, &len);
		fwrite(text, 1, len, stdout);
		free(text);
	}
}

/* print: in which form the configuration itself is asked for, or NULL. */
static void print_text(const char *path, const struct config *config, const struct diagnostics *diagnostics,
		       bool is_good, const char *print)
{
	char summary[64];
	diagnostics_print(diagnostics, stderr);
	if (is_good && print != NULL)
		print_config(config, print);
	else if (is_good)
		print_good(path, config, diagnostics);
	else
		fprintf(stderr, "%s%s\n", diagnostics_summarize(diagnostics, summary, sizeof(summary)),
			config != NULL ? ", and --strict was given." : ".");
}

static int run(const struct options *options)
{
	const char *path = options->values[OPTION_CONFIG];
	const char *output = options->values[OPTION_OUTPUT];
	const char *print = options->values[OPTION_PRINT];
	bool is_json = output != NULL && strcmp(output, "json") == 0;
	struct diagnostics diagnostics;
	if (is_json && print != NULL) {
		fprintf(stderr, "strait check: --print and -o json would both write to stdout\n");
		return EXIT_CODE_USAGE;
	}
	diagnostics_init(&diagnostics);
	if (path == NULL)
		path = COMMAND_DEFAULT_FILE;
	struct config *config = config_load(path, &diagnostics);
	if (config != NULL) {
		check_descriptors(config, &diagnostics);
		check_transparency(config, &diagnostics);
		check_syncookies(config, &diagnostics);
	}
	bool is_good = config != NULL && (options->values[OPTION_STRICT] == NULL || diagnostics.warning_count == 0);
	if (is_json)
		print_json(config, &diagnostics);
	else
		print_text(path, config, &diagnostics, is_good, print);
	config_free(&config);
	diagnostics_done(&diagnostics);
	return is_good ? EXIT_CODE_OK : EXIT_CODE_INVALID_CONFIGURATION;
}

const struct command command_check = {
	.name = "check",
	.arguments = "",
	.summary = "check a configuration without touching anything",
	.details = "Reports every error and warning in one run. Opens no socket and needs no privilege.\n"
		   "Exit code 0 when the file may be used, 78 when not.",
	.options = {
		[OPTION_CONFIG] = { 'c', "config", "FILE", NULL, "the configuration; default " COMMAND_DEFAULT_FILE },
		[OPTION_STRICT] = { 0, "strict", NULL, NULL, "warnings fail, too" },
		[OPTION_OUTPUT] = { 'o', "output", "text|json", output_words, "form of what is found; JSON goes to stdout" },
		[OPTION_PRINT] = { 0, "print", "text|json", output_words,
				   "write a good configuration to stdout: all in one, in a fixed form" },
	},
	.run = run,
};
