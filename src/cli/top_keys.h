/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of the live screen, told on it. Pure. */
#ifndef CLI_TOP_KEYS_H
#define CLI_TOP_KEYS_H

#include "cli/canvas.h"

/* All of them, in several columns where one would not fit. */
void top_keys_draw(struct canvas *canvas);

#endif
