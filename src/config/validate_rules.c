/* SPDX-License-Identifier: Apache-2.0 */
#include "config/validate.h"

/* Prefix lengths that have been met, so that a rule is looked up once for each and not compared with every other. */
struct met_networks {
	struct name_index *index; /* from struct network to the number of the first rule with it */
	bool has_prefix[NETWORK_PREFIX_MAX + 1];
};

/* The network cut to fewer bits. */
static struct network network_widen(const struct network *network, unsigned int prefix_bits)
{
	struct network wide = *network;
	wide.prefix_bits = (uint8_t)prefix_bits;
	for (unsigned int i = prefix_bits / 8; i < sizeof(wide.ip); i++)
		wide.ip[i] &= (uint8_t)(i == prefix_bits / 8 ? 0xff00u >> prefix_bits % 8 : 0);
	return wide;
}

static struct span network_key(const struct network *network)
{
	return (struct span){ (const char *)network, sizeof(*network) };
}

/* The first rule whose network holds all of this one. */
static bool covering_find(const struct met_networks *met, const struct network *network, size_t *ret_number)
{
	size_t best = SIZE_MAX;
	for (unsigned int bits = 0; bits <= network->prefix_bits; bits++) {
		if (!met->has_prefix[bits])
			continue;
		struct network wide = network_widen(network, bits);
		size_t number = 0;
		if (name_index_find(met->index, network_key(&wide), &number) && number < best)
			best = number;
	}
	*ret_number = best;
	return best != SIZE_MAX;
}

static void service_rules_check(struct report *report, const struct config_service *service)
{
	struct met_networks met = { .index = name_index_new() };
	bool has_deny = false;
	for (size_t i = 0; i < service->rule_count; i++) {
		const struct config_access_rule *rule = &service->rules[i];
		size_t covering = 0;
		has_deny = has_deny || !rule->is_allow;
		/* What stands in a file may change. */
		if (rule->from.list_path != NULL)
			continue;
		if (covering_find(&met, &rule->from.network, &covering)) {
			report_warning_hint(report, rule->place, NULL, "this rule is never reached: %s at %s covers it",
					    service->rules[covering].is_allow ? "allow" : "deny",
					    report_place(report, service->rules[covering].place));
			continue;
		}
		met.has_prefix[rule->from.network.prefix_bits] = true;
		name_index_add(met.index, network_key(&rule->from.network), i, &covering);
	}
	if (service->rule_count > 0 && !has_deny)
		report_warning_hint(report, service->rules[service->rule_count - 1].place,
				    "end with: deny 0.0.0.0/0 ::/0",
				    "what no rule matches is allowed, so allow alone keeps nobody out");
	name_index_free(&met.index);
}

void validate_rules(struct parsed *parsed)
{
	for (size_t i = 0; i < parsed->config->service_count; i++) {
		if (parsed->config->services[i].rule_count > 0)
			service_rules_check(parsed->report, &parsed->config->services[i]);
	}
}
