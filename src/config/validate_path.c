/* SPDX-License-Identifier: Apache-2.0 */
/* What is said of `path` and `offload` in services, and of what they do not go together with. */
#include "config/flow_path.h"
#include "config/validate.h"

static const char *obstacles_text(struct report *report, uint32_t obstacles)
{
	const char *text = "";
	for (int i = 0; i < FLOW_OBSTACLE_COUNT; i++)
		if (obstacles & 1u << i)
			text = report_text(report, "%s%s\"%s\"", text, *text != '\0' ? ", " : "",
					   flow_obstacle_text((enum flow_obstacle)i));
	return text;
}

static bool takes(const struct config_service *service, enum config_protocol protocol)
{
	for (size_t i = 0; i < service->listen_count; i++)
		if (service->listens[i].protocol == protocol)
			return true;
	return false;
}

/* What somebody asks for by name and does not get is worth a word; `auto` is content with what is possible. */
static void offload_check(struct parsed *parsed, const struct config_service *service, const struct config_place *path)
{
	static const enum config_protocol protocols[] = { CONFIG_TCP, CONFIG_UDP };
	for (int i = 0; i < 2; i++) {
		uint32_t obstacles = flow_path_obstacles(parsed->config, service, protocols[i]);
		if (takes(service, protocols[i]) && obstacles != 0)
			report_warning_hint(
				parsed->report, *path, NULL, "%s of this service stays in user space, because of %s",
				protocols[i] == CONFIG_TCP ? "TCP" : "UDP", obstacles_text(parsed->report, obstacles));
	}
}

/* Somebody who wants flows to begin in the kernel has to do without what only user space can do. */
static void nat_check(struct parsed *parsed, const struct config_service *service, const struct config_place *path)
{
	uint32_t obstacles = flow_path_nat_obstacles(parsed->config, service);
	if (obstacles != 0)
		report_error_hint(parsed->report, *path, "write: path auto",
				  "\"path nat\" does not go together with what only user space can do: %s",
				  obstacles_text(parsed->report, obstacles));
}

static void service_check(struct parsed *parsed, size_t number)
{
	const struct config_service *service = &parsed->config->services[number];
	const struct marks *marks = &parsed->services[number];
	const struct config_place *path = marks_find_named(marks, SCHEMA_SERVICE, "path", NULL);
	const struct config_place *offload = marks_find_named(marks, SCHEMA_SERVICE, "offload", NULL);
	bool is_offloaded = service->path == CONFIG_PATH_OFFLOAD || service->path == CONFIG_PATH_AUTO;
	if (path != NULL && service->path == CONFIG_PATH_OFFLOAD && service->pool_index != (size_t)VALIDATE_NO_POOL)
		offload_check(parsed, service, path);
	if (offload != NULL && !is_offloaded)
		report_warning_hint(parsed->report, *offload, "write: path offload",
				    "\"offload\" has no effect: the path of this service is another");
	else if (offload != NULL && service->listen_count > 0 && !takes(service, CONFIG_TCP))
		report_warning_hint(parsed->report, *offload, NULL,
				    "\"offload after=\" is for TCP, which this service has none of");
	if (path != NULL && service->path == CONFIG_PATH_NAT && service->pool_index != (size_t)VALIDATE_NO_POOL)
		nat_check(parsed, service, path);
}

void validate_path(struct parsed *parsed)
{
	for (size_t i = 0; i < parsed->config->service_count; i++)
		service_check(parsed, i);
}
