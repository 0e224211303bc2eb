/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may ask the admin API: pure decisions about a few request headers.
 *
 *   Host    a web page can let its own name point at 127.0.0.1 (DNS rebinding); the browser then sends that name. Only
 *           names and addresses of the listener are accepted. Any port is: a forwarded port may differ.
 *   Origin  a web page elsewhere can make a browser send requests here. Only the page's own origin is accepted; "null"
 *           (a sandboxed frame, a file) is nobody's own.
 *   Sec-Fetch-Site  tells the same of requests that carry no Origin, such as those for pictures: their answers cannot be
 *           read, but they cost time, and how long one takes tells something. A page elsewhere may only link to here.
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
 * wildcard address, which needs a token, every IP address is accepted besides localhost. On a unix socket, which a browser
 * reaches through a forwarded port only, every IP address and every name without a dot: curl wants some name, and a web
 * page's has a dot. Names end without a dot ("localhost." is refused): browsers see another origin in it.
 */
bool admin_policy_accepts_host(const char *host, const struct addr *listen);

/* origin: NULL when there is none, which is accepted. Otherwise it has to be http:// and the accepted Host. */
bool admin_policy_accepts_origin(const char *origin, const char *host);

/*
 * site, mode and dest: Sec-Fetch-Site, -Mode and -Dest; NULL when there is none, which is accepted (programs and older
 * browsers). "same-origin" and "none" (typed, a bookmark) are accepted; anything else only when a page is opened by a link.
 */
bool admin_policy_accepts_fetch(const char *site, const char *mode, const char *dest);

/* authorization: "Bearer TOKEN", or NULL. token: NULL accepts everybody. */
bool admin_policy_accepts_token(const char *authorization, const char *token);

#endif
