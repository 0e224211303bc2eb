/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dashboard: the files of web/, bundled and put into the program when it is built (scripts/embed_page), served to
 * browsers by the admin listener. They hold no secret and are the same for everybody, so they need no token; what the page
 * then asks for does. Without Node at build time there are none, and GET / is a text that says so.
 *
 * Files under /assets/ have a hash of their content in their names, so browsers may keep them; the page itself is asked
 * for again each time, which costs an answer 304.
 *
 * Constant data; any thread.
 */
#ifndef CONTROL_ADMIN_PAGE_H
#define CONTROL_ADMIN_PAGE_H

#include "control/admin_answer.h"

struct admin_page_file {
	const char *path; /* "/" or "/assets/NAME" */
	const char *type; /* Content-Type */
	const char *etag; /* with its quotes */
	struct span plain;
	struct span gzip; /* empty: not worth it */
};

/* Written by scripts/embed_page; without a page there is one of no path at the end. */
extern const struct admin_page_file admin_page_files[];
extern const size_t admin_page_file_count;

/* Is it a path of the page, so that nobody has to show a token? */
bool admin_page_is_public(const char *path);

/* Does "gzip, br;q=0.5" accept gzip? NULL does not (RFC 9110, section 12.5.3). */
bool admin_page_accepts_gzip(const char *accept_encoding);

/* Does the list of If-None-Match name the tag, or anything? NULL does not (RFC 9110, section 13.1.2). */
bool admin_page_matches(const char *if_none_match, const char *etag);

/* GET / and GET /assets/NAME. */
void admin_page_answer(struct admin_request *request, struct admin_answer *answer);

#endif
