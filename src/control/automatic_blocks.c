/* SPDX-License-Identifier: Apache-2.0 */
#include "control/automatic_blocks.h"

#include "config/edit.h"
#include "config/values.h"
#include "control/blocks.h"

#include <stdio.h>
#include <string.h>

static struct network network_of(const struct message *message)
{
	struct network network = {
		.prefix_bits = (uint8_t)message->number,
		.family = (uint8_t)(message->number >> 8),
	};
	memcpy(network.ip, message->address, sizeof(network.ip));
	return network;
}

void automatic_blocks_on_report(struct daemon *daemon, const struct message *message)
{
	char cause[BLOCK_CAUSE_BYTES];
	char window[VALUE_TEXT_BYTES];
	char network[NETWORK_TEXT_BYTES];
	const struct service *reporting = message->subject;
	const struct config_service *service = config_find_service(daemon->config, reporting->name);
	/* A reload may have taken the service or its directive away. */
	if (service == NULL || service->block.count == 0)
		return;
	value_format_time(service->block.window_ms, window);
	snprintf(cause, sizeof(cause), "refused %llu times in %s", (unsigned long long)service->block.count, window);
	const struct block_request request = {
		.network = network_of(message),
		.origin = BLOCK_FROM_SERVICE,
		.for_ms = service->block.for_ms,
		.cause = cause,
		.service = service->name,
	};
	if (service->guard == CONFIG_GUARD_DRY_RUN)
		log_event(daemon->log, CONFIG_LEVEL_WARNING, "block_spared", record_text("service", service->name),
			  record_text("network", network_format(&request.network, network, sizeof(network))),
			  record_text("cause", cause));
	else
		blocks_add(daemon->blocks, &request);
}
