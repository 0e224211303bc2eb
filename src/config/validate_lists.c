/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the files of networks that rules and blocks name, each once. */
#include "config/config_memory.h"
#include "config/network_list.h"
#include "config/source_file.h"
#include "config/validate.h"

#include <errno.h>

struct reading {
	struct config *config;
	struct report *report;
	struct name_index *index; /* paths, to numbers of lists */
	bool shows_lines;         /* what stands in a file may be shown to who has named it */
	uint32_t file;            /* of the list that is being read, for places */
};

static void on_problem(void *owner, const struct network_list_problem *problem)
{
	struct reading *reading = owner;
	struct config_place place = { reading->file, problem->line, problem->column, problem->len };
	report_error(reading->report, place, "%s", problem->message);
}

static uint32_t source_add(struct reading *reading, const char *path, const struct source_file *file,
			   struct config_place place)
{
	struct source source = {
		.name = report_text(reading->report, "%s", path), /* messages outlive a tree that was refused */
		.text = reading->shows_lines ? file->text : (struct span){ NULL, 0 },
		.included_at = place,
		.device = file->device,
		.inode = file->inode,
		.depth = 1,
	};
	return report_add_source(reading->report, &source);
}

static void list_read(struct reading *reading, struct config_list *list, struct config_place place)
{
	struct source_file file;
	struct network_list read = { NULL, 0 };
	const char *problem = NULL;
	struct report *report = reading->report;
	if (source_file_read(list->path, NETWORK_LIST_BYTES_MAX, report->memory, &file, &problem) != 0) {
		report_error(report, place, "the list \"%s\" cannot be read: %s", list->path, problem);
		return;
	}
	reading->file = source_add(reading, list->path, &file, place);
	if (network_list_parse(file.text, reading->config->memory, on_problem, reading, &read) == -E2BIG)
		report_error(report, place, "the list \"%s\" has more than %d networks", list->path, NETWORK_LIST_MAX);
	if (read.count == 0 && report->found_count[DIAGNOSTIC_ERROR] == 0)
		report_warning_hint(report, place, NULL, "the list \"%s\" is empty", list->path);
	list->networks = read.networks;
	list->count = read.count;
}

static void networks_resolve(struct reading *reading, struct config_networks *networks, struct config_place place)
{
	struct config *config = reading->config;
	if (networks->list_path == NULL)
		return;
	if (name_index_find(reading->index, span_from_text(networks->list_path), &networks->list))
		return;
	networks->list = config->list_count;
	name_index_add(reading->index, span_from_text(networks->list_path), config->list_count, &networks->list);
	config->lists = config_memory_grow(config->memory, config->lists, config->list_count, sizeof(*config->lists));
	struct config_list *list = &config->lists[config->list_count++];
	*list = (struct config_list){ .path = networks->list_path };
	list_read(reading, list, place);
}

void validate_lists(struct parsed *parsed, enum validate_origin origin)
{
	struct reading reading = {
		.config = parsed->config,
		.report = parsed->report,
		.index = name_index_new(),
		.shows_lines = origin == VALIDATE_FROM_FILES,
	};
	for (size_t i = 0; i < parsed->config->service_count; i++) {
		struct config_service *service = &parsed->config->services[i];
		for (size_t j = 0; j < service->rule_count; j++)
			networks_resolve(&reading, &service->rules[j].from, service->rules[j].place);
	}
	for (size_t i = 0; i < parsed->config->block_count; i++)
		networks_resolve(&reading, &parsed->config->blocks[i].from, parsed->config->blocks[i].place);
	name_index_free(&reading.index);
}
