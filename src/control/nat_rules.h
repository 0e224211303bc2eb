/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The access rules of a service in the kernel's table of networks (kernel/nat_table.h). Of two sets that a service has there one
 * is in use; the other one takes the next rules, so that packets find the former ones or the new ones whole. Control.
 */
#ifndef CONTROL_NAT_RULES_H
#define CONTROL_NAT_RULES_H

#include "guard/guard.h"
#include "kernel/nat_table.h"

/* All zero: none. */
struct nat_rules {
	struct guard_rule *rules;
	size_t count;
	bool is_second;
};

/* number: of the service. Returns false when there is no room; then the former rules are in force. */
bool nat_rules_replace(struct nat_rules *rules, struct nat_table *table, uint32_t number,
		       const struct guard_settings *settings);
/* The table goes as a whole. */
void nat_rules_done(struct nat_rules *rules);

#endif
