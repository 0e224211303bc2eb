/* SPDX-License-Identifier: Apache-2.0 */
/* Blocking the sources that workers report, as the service's directive `block` wants it. Control thread. */
#ifndef CONTROL_AUTOMATIC_BLOCKS_H
#define CONTROL_AUTOMATIC_BLOCKS_H

#include "control/daemon.h"

/* message: a RELAY_REPORT_BLOCK_DUE. */
void automatic_blocks_on_report(struct daemon *daemon, const struct message *message);

#endif
