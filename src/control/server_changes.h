/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes of single servers at run time: added, removed, drained, set to another weight. They are made in the running
 * configuration and remembered beside it, so that a reload of the file does not undo them: a change stays as long as
 * what the file says of that server is what it said when the change was made. Where the file has changed, the file wins.
 * A configuration that replaces the running one whole (PUT /v1/config) drops them all. Control thread.
 */
#ifndef CONTROL_SERVER_CHANGES_H
#define CONTROL_SERVER_CHANGES_H

#include "config/config.h"

struct server_changes;

struct server_changes *server_changes_new(void);
struct server_changes *server_changes_copy(const struct server_changes *changes);
/* Accepts NULL; clears the pointer. */
void server_changes_free(struct server_changes **changes);

/*
 * What was done to the running tree. Servers are noted by value: before, the server as it was (NULL: there was none), and
 * after, as it is now (NULL: removed).
 */
void server_changes_note(struct server_changes *changes, const char *pool, const struct config_server *before,
			 const struct config_server *after);

/*
 * Makes the changes in a tree that was just read from the file. Those that the file has overtaken are left out and
 * dropped. Returns how many stay.
 */
size_t server_changes_apply(struct server_changes *changes, struct config *config);

#endif
