/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parts of the document of GET /v1/status in words for people, the same wherever they are shown. What the daemon sent is
 * not made fit for a terminal here: that is done where it is drawn (cli/shown_text.h). Pure.
 */
#ifndef CLI_STATUS_WORDS_H
#define CLI_STATUS_WORDS_H

#include "cli/look.h"

#include <jansson.h>

enum { STATUS_WORDS_BYTES = 160 };

/* All return text, of STATUS_WORDS_BYTES. */

/* Of a service, "udp 127.0.0.1:53 :8080": as in the configuration, TCP unsaid. */
char *status_words_listens(const json_t *service, char *text);
/* Of a server, "up", "down (ejected)", "up (backup)". */
char *status_words_state(const json_t *server, char *text);
/* Of a server, what its last check said: "good, 0.3 ms, 2s ago", "connection refused, 1s ago", "-". */
char *status_words_check(const json_t *server, char *text);
/* Of the packet guard, "eth0, eth1": where it is; "" when it is nowhere. */
char *status_words_guarded(const json_t *guard, char *text);
/* Of a service, "limit_rate 1.2k, denied_access 3": most first; "" when nothing was refused. Likewise of packets. */
char *status_words_refused(const json_t *refused, char *text);

enum look status_words_state_look(const json_t *server);

#endif
