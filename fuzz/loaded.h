/* SPDX-License-Identifier: Apache-2.0 */
/* What must hold after any load of a configuration, from text or from JSON. Fails with CHECK. */
#ifndef FUZZ_LOADED_H
#define FUZZ_LOADED_H

#include "config/config.h"

/* config may be NULL: then there is an error among the diagnostics. */
void loaded_check(const struct config *config, const struct diagnostics *diagnostics);

#endif
