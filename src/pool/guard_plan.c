/* SPDX-License-Identifier: Apache-2.0 */
#include "pool/guard_plan.h"

#include "base/memory.h"
#include "config/config.h"

#include <stdlib.h>

/* The list that the rule names; NULL when it names a network. */
static const struct config_list *list_of(const struct config *config, const struct config_access_rule *rule)
{
	return rule->from.list_path != NULL ? &config->lists[rule->from.list] : NULL;
}

/* A rule for each network; those of a list stand where the list stood. */
static struct guard_rule *rules_make(const struct config *config, const struct config_service *service,
				     size_t *ret_count)
{
	size_t count = 0;
	for (size_t i = 0; i < service->rule_count; i++) {
		const struct config_list *list = list_of(config, &service->rules[i]);
		count += list != NULL ? list->count : 1;
	}
	struct guard_rule *rules = memory_alloc_zeroed(count, sizeof(*rules));
	*ret_count = 0;
	for (size_t i = 0; i < service->rule_count; i++) {
		const struct config_access_rule *rule = &service->rules[i];
		const struct config_list *list = list_of(config, rule);
		if (list == NULL)
			rules[(*ret_count)++] = (struct guard_rule){ rule->is_allow, rule->from.network };
		for (size_t j = 0; list != NULL && j < list->count; j++)
			rules[(*ret_count)++] = (struct guard_rule){ rule->is_allow, list->networks[j] };
	}
	return rules;
}

static struct guard_rate rate_of(const struct config_rate *config)
{
	return (struct guard_rate){ config->amount, config->per_ms };
}

void guard_plan_make(const struct config *config, const struct config_service *service,
		     struct guard_settings *ret_settings)
{
	const struct config_prefixes *prefixes = &service->limit.source_prefixes;
	*ret_settings = (struct guard_settings){
		.connections_max = service->limit.connections,
		.sessions_max = service->limit.sessions,
		.rate = rate_of(&service->limit.rate),
		.per_source_max = service->limit.per_source,
		.per_source_rate = rate_of(&service->limit.per_source_rate),
		.per_source_packets = rate_of(&service->limit.per_source_packets),
		.source_prefixes = { prefixes->ipv4_bits, prefixes->ipv6_bits },
		.block = { (uint32_t)service->block.count, service->block.window_ms },
		.is_trial = service->guard == CONFIG_GUARD_DRY_RUN,
	};
	ret_settings->rules = rules_make(config, service, &ret_settings->rule_count);
}

void guard_plan_done(struct guard_settings *settings)
{
	free((void *)settings->rules);
	*settings = (struct guard_settings){ 0 };
}
