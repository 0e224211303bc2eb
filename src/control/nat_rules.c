/* SPDX-License-Identifier: Apache-2.0 */
#include "control/nat_rules.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static uint32_t set_of(uint32_t service, bool is_second)
{
	return 2 * service + 1 + is_second;
}

static bool put_rules(struct nat_table *table, uint32_t set, const struct guard_settings *settings)
{
	for (size_t i = 0; i < settings->rule_count; i++)
		if (nat_table_add_network(table, set, &settings->rules[i].network, settings->rules[i].is_allow) < 0)
			return false;
	return true;
}

static void take_away(struct nat_table *table, uint32_t set, const struct guard_rule *rules, size_t count)
{
	for (size_t i = 0; i < count; i++)
		nat_table_remove_network(table, set, &rules[i].network);
}

static bool is_same(const struct nat_rules *rules, const struct guard_settings *settings)
{
	return rules->count == settings->rule_count &&
	       (rules->count == 0 || memcmp(rules->rules, settings->rules, rules->count * sizeof(*rules->rules)) == 0);
}

/* The new set is complete before the service refers to it, and the former one is there until it does not any more. */
bool nat_rules_replace(struct nat_rules *rules, struct nat_table *table, uint32_t number,
		       const struct guard_settings *settings)
{
	struct nat_service *row = nat_table_service(table, number);
	uint32_t former_set = set_of(number, rules->is_second), set = set_of(number, !rules->is_second);
	if (is_same(rules, settings))
		return true;
	if (!put_rules(table, set, settings)) {
		take_away(table, set, settings->rules, settings->rule_count);
		return false;
	}
	__atomic_store_n(&row->networks, settings->rule_count > 0 ? set : NAT_NETWORKS_BLOCKED, __ATOMIC_RELEASE);
	take_away(table, former_set, rules->rules, rules->count);
	free(rules->rules);
	rules->count = settings->rule_count;
	rules->rules = memory_alloc(rules->count * sizeof(*rules->rules));
	if (rules->count > 0)
		memcpy(rules->rules, settings->rules, rules->count * sizeof(*rules->rules));
	rules->is_second = !rules->is_second;
	return true;
}

void nat_rules_done(struct nat_rules *rules)
{
	free(rules->rules);
	*rules = (struct nat_rules){ 0 };
}
