/* SPDX-License-Identifier: Apache-2.0 */
/* Small shell programs in a folder of their own, for the tests of checks that run programs. */
#ifndef TEST_PROGRAM_FIXTURE_H
#define TEST_PROGRAM_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { PROGRAM_PATH_BYTES = 128 };

void program_fixture_init(void);
/* Removes the folder with all that is in it. */
void program_fixture_done(void);

/* Where a file of that name is, or would be. buf: PROGRAM_PATH_BYTES. Returns buf. */
char *program_path(const char *name, char *buf);
/* Writes a program; %s in the script becomes the folder. Returns its path in buf. */
char *program_write(const char *name, const char *script, char *buf);
/* The content of a file in the folder; "" when it is not there. Until the next call. */
const char *program_read_file(const char *name);
/* The number that a program wrote into a file there; 0 when it has not yet. */
pid_t program_read_pid(const char *name);

/* True while the process is there, and no zombie. */
bool program_is_alive(pid_t pid);
/* How many children of this process are there, zombies too. */
unsigned int program_count_children(void);

#endif
