/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checks that need more than one statement: what refers to what, what excludes what, what will never have an
 * effect. Completes the tree (a service's pool_index, lists of networks). Each takes time in proportion to the configuration, whatever
 * stands in it. One thread at a time; reports and never stops.
 */
#ifndef CONFIG_VALIDATE_H
#define CONFIG_VALIDATE_H

#include "config/name_index.h"
#include "config/parsed.h"

/*
 * pools: the names of the tree's pools, to their numbers. Messages quote lines of lists of networks only for who may read
 * the files that the configuration names: not where it comes over the network.
 */
enum validate_origin { VALIDATE_FROM_FILES, VALIDATE_FROM_REQUEST };
void validate(struct parsed *parsed, const struct name_index *pools, enum validate_origin origin);

/* Its parts, each in a file of its own, in the order they are called in. */
enum { VALIDATE_NO_POOL = -1 }; /* pool_index, as size_t, of a service whose pool is not known */
void validate_services(struct parsed *parsed, const struct name_index *pools);
void validate_lists(struct parsed *parsed, enum validate_origin origin);
void validate_rules(struct parsed *parsed);
void validate_pools(struct parsed *parsed, const struct name_index *pools);
void validate_proxy(struct parsed *parsed);
void validate_path(struct parsed *parsed);
void validate_listeners(struct parsed *parsed);
void validate_resolvers(struct parsed *parsed);
void validate_sources(struct parsed *parsed);

/* A server that is added to a pool of a tree which was validated without it. */
void validate_added_server(struct report *report, const struct config *config, const struct config_pool *pool,
			   const struct config_server *server);

/* For the parts. */
bool validate_takes_udp(const struct config_service *service);
bool validate_is_group(const struct addr *addr); /* multicast or broadcast */
/* Refuses a link-local address without interface, and warns of a unix socket with a relative path. */
void validate_socket_address(struct report *report, const struct addr *addr, struct config_place place);

#endif
