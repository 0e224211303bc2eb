/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a configuration makes of a service's guard: access rules with the lists they name written out, limits, blocks.
 * Control thread.
 */
#ifndef POOL_GUARD_PLAN_H
#define POOL_GUARD_PLAN_H

#include "guard/guard.h"

struct config;
struct config_service;

/* The service is one of the configuration's, which was validated. The rules belong to the settings. */
void guard_plan_make(const struct config *config, const struct config_service *service,
		     struct guard_settings *ret_settings);
void guard_plan_done(struct guard_settings *settings);

#endif
