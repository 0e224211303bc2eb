/* SPDX-License-Identifier: Apache-2.0 */
/* GET, POST and DELETE of /v1/blocks. Control thread. */
#ifndef CONTROL_ADMIN_BLOCKS_H
#define CONTROL_ADMIN_BLOCKS_H

#include "control/admin_answer.h"

void admin_blocks_list(struct admin_request *request, struct admin_answer *answer);
void admin_blocks_add(struct admin_request *request, struct admin_answer *answer);
/* The network stands in one part of the path, percent-encoded, or its prefix length in a part of its own. */
void admin_blocks_remove(struct admin_request *request, struct admin_answer *answer);

#endif
