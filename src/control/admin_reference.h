/* SPDX-License-Identifier: Apache-2.0 */
/* The reference page of the admin API, in Markdown, from the table of endpoints: docs/admin-api.md is what this writes. */
#ifndef CONTROL_ADMIN_REFERENCE_H
#define CONTROL_ADMIN_REFERENCE_H

#include <stdio.h>

void admin_reference_print(FILE *out);

#endif
