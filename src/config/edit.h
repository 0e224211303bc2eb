/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes of a tree after it was read, as the admin API makes them at run time: servers come and go. What they make
 * lives in the memory of the tree, and a pool that changes often needs no more of it than its largest size asked for.
 * They check what the tree itself promises (names are unique, no pool is empty); whether a server makes sense is for
 * server_json.h and validation to say. The thread that owns the tree.
 */
#ifndef CONFIG_EDIT_H
#define CONFIG_EDIT_H

#include "config/config.h"

/*
 * Appends a copy; a server without a name gets its default. Pointers to the pool's servers are void afterwards. Returns
 * 0, or -EEXIST when a server of the pool has that name.
 */
int config_pool_add_server(struct config *config, struct config_pool *pool, const struct config_server *server);

/* The order of the others stays. Returns 0; -ENOENT; or -EBUSY for the last server of a pool, which cannot be empty. */
int config_pool_remove_server(struct config_pool *pool, const char *name);

struct config_service *config_find_service(struct config *config, const char *name);             /* or NULL */
struct config_pool *config_find_pool(struct config *config, const char *name);                   /* or NULL */
struct config_server *config_pool_find_server(const struct config_pool *pool, const char *name); /* or NULL */

#endif
