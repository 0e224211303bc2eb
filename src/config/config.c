/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"

#include "base/memory.h"
#include "config/json_reader.h"
#include "config/json_text.h"
#include "config/load.h"
#include "config/parser.h"
#include "config/source_file.h"
#include "config/validate.h"

#include <errno.h>
#include <glob.h>
#include <stdlib.h>

/* Everything that lives until the load is over, or ends with it. */
struct load {
	struct includer includer; /* the first member: what apply calls finds the rest by it */
	struct load_options options;
	struct config_memory *memory; /* texts, tokens and messages; the tree has its own */
	struct config *config;
	struct report report;
	struct parsed parsed;
	struct apply apply;
	size_t bytes; /* read so far */
};

static const char *path_base_end(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash != NULL ? slash + 1 : path;
}

static void load_lost(struct load *load)
{
	load->parsed.has_lost_services = true;
	load->parsed.has_lost_pools = true;
}

/* A file that is being read, or was, cannot be read again: says which of the two it is. */
static bool is_repeated(struct load *load, const char *path, struct source_file *file, struct config_place place)
{
	struct report *report = &load->report;
	size_t known = 0;
	while (known < report->source_count &&
	       (report->sources[known].device != file->device || report->sources[known].inode != file->inode))
		known++;
	if (known == report->source_count)
		return false;
	/* The main file is at depth 0 and ends every chain. */
	size_t ancestor = place.file;
	while (ancestor != known && report->sources[ancestor].depth > 0)
		ancestor = report->sources[ancestor].included_at.file;
	if (ancestor == known)
		report_error(report, place, "\"%s\" would include itself", path);
	else
		report_error(report, place, "\"%s\" is included twice; first at %s", path,
			     report_place(report, report->sources[known].included_at));
	return true;
}

static void source_add(struct load *load, const char *path, const struct source_file *file, struct config_place place)
{
	struct source source = {
		.name = report_text(&load->report, "%s", path),
		.text = file->text,
		.included_at = place,
		.device = file->device,
		.inode = file->inode,
		.depth = place.len > 0 ? load->report.sources[place.file].depth + 1 : 0,
	};
	uint32_t number = report_add_source(&load->report, &source);
	load->bytes += file->text.len;
	parser_read(&load->apply, number);
}

static void file_include(struct load *load, const char *path, struct config_place place)
{
	struct report *report = &load->report;
	struct source_file file;
	const char *problem = NULL;
	if (report->source_count == LOAD_FILES_MAX || load->bytes > LOAD_ALL_BYTES_MAX) {
		report_error(report, place, "more than %d files or %d MiB would be included", LOAD_FILES_MAX,
			     LOAD_ALL_BYTES_MAX >> 20);
		load_lost(load);
		return;
	}
	int error = source_file_read(path, LOAD_FILE_BYTES_MAX, load->memory, &file, &problem);
	if (error != 0) {
		report_error(report, place, "\"%s\" cannot be read: %s", path, problem);
		load_lost(load);
		return;
	}
	if (!is_repeated(load, path, &file, place))
		source_add(load, path, &file, place);
}

static int path_compare(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

static void pattern_include(struct load *load, const char *pattern, struct config_place place)
{
	glob_t found;
	int error = glob(pattern, GLOB_NOSORT | GLOB_ERR, NULL, &found);
	if (error == GLOB_NOMATCH) {
		report_warning_hint(&load->report, place, NULL, "no file matches this pattern");
		return;
	}
	if (error != 0) {
		report_error(&load->report, place, "the files of this pattern cannot be listed: %s", strerror(errno));
		load_lost(load);
		return;
	}
	/* By bytes, whatever the locale says. */
	qsort(found.gl_pathv, found.gl_pathc, sizeof(*found.gl_pathv), path_compare);
	for (size_t i = 0; i < found.gl_pathc; i++)
		file_include(load, found.gl_pathv[i], place);
	globfree(&found);
}

static bool is_pattern(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (strchr("*?[", text.data[i]) != NULL)
			return true;
	}
	return false;
}

/* The folder of the including file with its special characters taken as they are, and the pattern. */
static const char *pattern_join(struct load *load, const char *including, struct span pattern)
{
	size_t folder_len = pattern.data[0] == '/' ? 0 : (size_t)(path_base_end(including) - including);
	char *joined = config_memory_alloc(load->memory, 2 * folder_len + pattern.len + 1);
	size_t len = 0;
	for (size_t i = 0; i < folder_len; i++) {
		if (strchr("*?[]\\", including[i]) != NULL)
			joined[len++] = '\\';
		joined[len++] = including[i];
	}
	memcpy(joined + len, pattern.data, pattern.len);
	return joined;
}

static const char *include_problem(const struct load *load, const struct token *pattern)
{
	if (load->options.refuses_includes)
		return "nothing can be included here";
	if (pattern->value.len == 0)
		return "a file name is empty";
	if (memchr(pattern->value.data, '\0', pattern->value.len) != NULL)
		return "a file name cannot hold a zero byte";
	if (load->report.sources[pattern->place.file].depth == LOAD_INCLUDE_DEPTH_MAX)
		return "includes are nested too deep";
	return NULL;
}

static void include_read(struct includer *includer, const struct token *pattern)
{
	struct load *load = (struct load *)includer;
	const char *problem = include_problem(load, pattern);
	if (problem != NULL) {
		report_error(&load->report, pattern->place, "%s", problem);
		load_lost(load);
		return;
	}
	const char *including = load->report.sources[pattern->place.file].name;
	if (is_pattern(pattern->value))
		pattern_include(load, pattern_join(load, including, pattern->value), pattern->place);
	else
		file_include(load, source_file_path_beside(including, pattern->value, load->memory), pattern->place);
}

static void load_begin(struct load *load, const struct load_options *options)
{
	struct config_memory *tree_memory = config_memory_new();
	*load = (struct load){ .includer.read = include_read, .options = *options };
	load->memory = config_memory_new();
	load->config = config_memory_alloc(tree_memory, sizeof(*load->config));
	load->config->memory = tree_memory;
	report_init(&load->report, load->memory);
	load->parsed.config = load->config;
	load->parsed.report = &load->report;
	apply_init(&load->apply, &load->parsed, tree_memory, &load->includer);
}

static void files_name(struct load *load)
{
	struct config *config = load->config;
	config->file_count = load->report.source_count;
	config->files = config_memory_alloc(config->memory, config->file_count * sizeof(*config->files));
	for (size_t i = 0; i < config->file_count; i++)
		config->files[i] = config_memory_text(config->memory, span_from_text(load->report.sources[i].name));
}

/* Returns the tree if nothing was wrong with it, and releases all else. */
static struct config *load_end(struct load *load, struct diagnostics *diagnostics)
{
	struct config *config = load->config;
	if (config->log_count == 0) {
		config->logs = config_memory_grow(config->memory, NULL, 0, sizeof(*config->logs));
		config->logs[config->log_count++] = load->apply.log_defaults;
	}
	if (load->report.found_count[DIAGNOSTIC_ERROR] < PARSER_ERRORS_MAX)
		validate(&load->parsed, load->apply.pools,
			 load->options.refuses_includes ? VALIDATE_FROM_REQUEST : VALIDATE_FROM_FILES);
	files_name(load);
	if (load->report.found_count[DIAGNOSTIC_ERROR] > 0)
		config_free(&config);
	report_finish(&load->report, diagnostics);
	apply_done(&load->apply);
	config_memory_free(&load->memory);
	return config;
}

/* Files that cannot be read end the load before it has begun. */
static struct config *load_fail(struct load *load, const char *name, const char *problem,
				struct diagnostics *diagnostics)
{
	struct diagnostic entry = {
		.severity = DIAGNOSTIC_ERROR,
		.file = (char *)name,
		.message = (char *)report_text(&load->report, "the file cannot be read: %s", problem),
	};
	diagnostics_add(diagnostics, &entry);
	apply_done(&load->apply);
	config_free(&load->config);
	config_memory_free(&load->memory);
	return NULL;
}

struct config *load_text(const char *name, struct span text, const struct load_options *options,
			 struct diagnostics *diagnostics)
{
	struct load load;
	struct source_file file = { .text = text };
	const char *problem = NULL;
	load_begin(&load, options);
	int error = source_file_strip_mark(&file.text, &problem);
	if (error == 0 && text.len > LOAD_FILE_BYTES_MAX)
		problem = "it is too large for a configuration";
	if (problem != NULL)
		return load_fail(&load, name, problem, diagnostics);
	source_add(&load, name, &file, (struct config_place){ 0 });
	return load_end(&load, diagnostics);
}

struct config *config_load_text(const char *name, struct span text, struct diagnostics *diagnostics)
{
	return load_text(name, text, &(struct load_options){ 0 }, diagnostics);
}

struct config *config_load(const char *path, struct diagnostics *diagnostics)
{
	struct load load;
	struct source_file file;
	const char *problem = NULL;
	load_begin(&load, &(struct load_options){ 0 });
	if (source_file_read(path, LOAD_FILE_BYTES_MAX, load.memory, &file, &problem) != 0)
		return load_fail(&load, path, problem, diagnostics);
	source_add(&load, path, &file, (struct config_place){ 0 });
	return load_end(&load, diagnostics);
}

/* Places in a JSON document mean nothing without it. */
static void places_clear(struct config *config)
{
	const struct config_place none = { 0 };
	for (size_t i = 0; i < config->admin_count; i++)
		config->admins[i].place = none;
	for (size_t i = 0; i < config->log_count; i++)
		config->logs[i].place = none;
	for (size_t i = 0; i < config->service_count; i++) {
		struct config_service *service = &config->services[i];
		service->place = none;
		service->to_place = none;
		for (size_t j = 0; j < service->listen_count; j++)
			service->listens[j].place = none;
		for (size_t j = 0; j < service->rule_count; j++)
			service->rules[j].place = none;
	}
	for (size_t i = 0; i < config->block_count; i++)
		config->blocks[i].place = none;
	for (size_t i = 0; i < config->pool_count; i++) {
		config->pools[i].place = none;
		for (size_t j = 0; j < config->pools[i].server_count; j++)
			config->pools[i].servers[j].place = none;
	}
}

struct config *config_load_json(const char *name, struct span text, struct diagnostics *diagnostics)
{
	struct load load;
	struct json_reader reader;
	const char *problem = NULL;
	load_begin(&load, &(struct load_options){ .refuses_includes = true });
	int error = source_file_strip_mark(&text, &problem);
	if (error == 0 && text.len > LOAD_FILE_BYTES_MAX)
		problem = "it is too large for a configuration";
	if (problem != NULL)
		return load_fail(&load, name, problem, diagnostics);
	uint32_t file = report_add_source(&load.report, &(struct source){ .name = name, .text = text });
	json_t *document = json_text_read(&load.report, file);
	if (document != NULL) {
		json_reader_init(&reader, &load.apply, file);
		json_reader_read_document(&reader, document);
	} else {
		load_lost(&load);
	}
	struct config *config = load_end(&load, diagnostics);
	json_decref(document);
	if (config != NULL)
		places_clear(config);
	return config;
}

void config_free(struct config **config)
{
	if (*config == NULL)
		return;
	for (size_t i = 0; i < (*config)->list_count; i++)
		config_memory_free(&(*config)->lists[i].memory);
	struct config_memory *memory = (*config)->memory;
	config_memory_free(&memory);
	*config = NULL;
}
