/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs that checks run: started, watched and reaped on one loop, without SIGCHLD and without a fork of the daemon's
 * memory (posix_spawn; the thread that starts one waits until it has begun, not longer).
 *
 * Each is the leader of a process group of its own, in the folder /, with all signals as the system has them, standard
 * input and output from and to /dev/null, and no other descriptor but standard error, of which the first line is kept.
 * When it has ended, whatever is left of its group is killed, so a program leaves nothing behind that did not leave its
 * group.
 *
 * A program that is given up is killed with its group, and keeps its place until the kernel lets it go: one that hangs
 * in the kernel costs a place, never the thread's time. All on the thread of the loop.
 */
#ifndef HEALTH_PROGRAMS_H
#define HEALTH_PROGRAMS_H

#include "event/loop.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	PROGRAM_LINE_BYTES = 96, /* of the first line of standard error, with a zero */
	/* A program that has written more to standard error is not read any more, and will have to wait. */
	PROGRAM_ERRORS_BYTES_MAX = 1 << 20,
	/* How long programs_free waits for those it has killed. */
	PROGRAMS_PATIENCE_MS = 1000,
};

struct programs;
struct program;

struct program_end {
	int exit_status;  /* 0 to 255, when it was not killed */
	int signal;       /* that killed it; 0: none */
	const char *line; /* the first of standard error, as printable ASCII; "" when there was none */
};

/* Called once, unless the program is given up; the program is gone then. */
typedef void program_end_fn(void *owner, const struct program_end *end);

/* on_room is called whenever a place has become free, after the program's own on_end; it may start others. */
struct programs *programs_new(struct loop *loop, uint32_t count_max, void (*on_room)(void *owner), void *owner);

/* Kills and reaps what still runs; between turns of the loop, not within one. Accepts NULL; clears the pointer. */
void programs_free(struct programs **programs);

/* True when another may be started. */
bool programs_have_room(const struct programs *programs);

/*
 * Starts the program at the path, without arguments; environment ends with NULL and is used within the call only.
 * Returns 0, or -errno of why it cannot be started (-ENOENT, -EACCES, -ENOEXEC, ..., of shortages -EAGAIN, -ENOMEM,
 * -EMFILE, -ENFILE). Not without room.
 */
int program_start(struct programs *programs, const char *path, char *const *environment, program_end_fn *on_end,
		  void *owner, struct program **ret_program);

/* Gives the program up: kills it with its group, and nothing is told of it any more. Accepts NULL; clears the pointer. */
void program_abandon(struct program **program);

#endif
