/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths of the admin API. A part of a path may hold a name that the user has chosen, with a slash in it (a server is
 * called by its address, which may be unix:/path), so parts are told apart before they are decoded. Pure. Any thread.
 */
#ifndef CONTROL_ADMIN_PATH_H
#define CONTROL_ADMIN_PATH_H

#include "control/admin_answer.h"

#include <stdbool.h>

/*
 * Does the path, percent-encoded (RFC 3986), fit the pattern "/v1/pools/{pool}/servers/{server}"? Each {} stands for one
 * part that is not empty; decoded they are put into ret_names in order. A part that is not well
 * encoded, too long or holds a zero byte fits nothing.
 */
bool admin_path_matches(const char *pattern, const char *path, char ret_names[ADMIN_NAMES_MAX][ADMIN_NAME_BYTES]);

/*
 * Reads "a=1&b=x%20y", the part of a target behind its question mark, into the request's arguments. They are decoded in
 * place, so query has to stay as long as the request. '+' is a blank, as forms have it. What is not well encoded, holds a
 * zero byte or is not UTF-8, or is too much, is told in request->argument_problem.
 */
void admin_path_read_arguments(char *query, struct admin_request *request);

#endif
