/* SPDX-License-Identifier: Apache-2.0 */
/* How every command tells a script what came of it. */
#ifndef CLI_EXIT_CODE_H
#define CLI_EXIT_CODE_H

enum exit_code {
	EXIT_CODE_OK = 0,
	EXIT_CODE_FAILED = 1, /* or degraded */
	EXIT_CODE_USAGE = 2,
	EXIT_CODE_NOT_REACHABLE = 3, /* the daemon */
	EXIT_CODE_TIMED_OUT = 4,
	EXIT_CODE_CONFLICT = 5,
	EXIT_CODE_INVALID_CONFIGURATION = 78, /* EX_CONFIG of sysexits.h */
};

#endif
