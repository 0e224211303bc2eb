/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps the lists of networks that the configuration in force names up to date: when a file changes, or another takes its
 * name, it is read again, a moment after it has come to rest, and put into the tree. A file that cannot be read or has a
 * wrong line changes nothing: what was known stays, and an event says why.
 *
 * Folders are watched, not files (inotify(7)), so that an editor's or a script's new file of the same name is seen. A list
 * is read in one piece on the control thread: about 0.1 s for 100,000 networks.
 */
#ifndef CONTROL_NETWORK_LISTS_H
#define CONTROL_NETWORK_LISTS_H

#include "config/config.h"
#include "event/loop.h"
#include "event/timer_wheel.h"

#include <stddef.h>

enum { NETWORK_LISTS_SETTLE_MS = 200 };

struct network_lists;
struct log_writer;

/* The list of this number in the watched tree has other networks now. */
typedef void network_lists_changed_fn(void *owner, size_t list);

/* log may be NULL. */
struct network_lists *network_lists_new(struct loop *loop, struct timer_wheel *wheel, struct log_writer *log,
					network_lists_changed_fn *on_change, void *owner);

/*
 * The tree is in force: its lists are kept up to date, in the tree, until another one is watched, and read once more in a
 * moment. The tree stays the caller's, who frees the one before only afterwards.
 */
void network_lists_watch(struct network_lists *lists, struct config *config);

/* Accepts NULL; clears the pointer. */
void network_lists_free(struct network_lists **lists);

#endif
