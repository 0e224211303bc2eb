/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may ask the admin API: pure decisions about three request headers.
 *
 *   Host    a web page can let its own name point at 127.0.0.1 (DNS rebinding); the browser then sends that name. Only
 *           names and addresses of the listener are accepted. Any port is: a forwarded port may differ.
 *   Origin  a web page elsewhere can make a browser send requests here. Only the page's own origin is accepted.
 *   Authorization  the token, when the listener has one; compared in constant time.
 *
 * Any thread.
 */
#ifndef CONTROL_ADMIN_POLICY_H
#define CONTROL_ADMIN_POLICY_H

#include "base/addr.h"

#include <stdbool.h>

/*
 * host: the header's value; NULL when there is none, which is accepted (HTTP/1.0; no browser leaves it out). On a
 * wildcard address, which needs a token, every IP address is accepted besides localhost; on a unix socket everything.
 */
bool admin_policy_accepts_host(const char *host, const struct addr *listen);

/* origin: NULL when there is none, which is accepted. Otherwise it has to be http:// and the accepted Host. */
bool admin_policy_accepts_origin(const char *origin, const char *host);

/* authorization: "Bearer TOKEN", or NULL. token: NULL accepts everybody. */
bool admin_policy_accepts_token(const char *authorization, const char *token);

#endif
