/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program's number cannot be given to another process before it is reaped, and the number of its group not before
 * that either: so all killing is done before, never after.
 */
#include "health/programs.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READS_PER_EVENT = 16, READ_BYTES = 4096 };

struct program {
	struct list link;        /* in programs->present, or at the end in programs->removed */
	struct loop_source exit; /* a pidfd: readable when the program has ended */
	struct loop_source errors;
	struct programs *programs;
	program_end_fn *on_end; /* NULL: given up */
	void *owner;
	pid_t pid;
	size_t errors_len;
	size_t line_len;
	bool is_line_complete;
	char line[PROGRAM_LINE_BYTES];
};

struct programs {
	struct loop *loop;
	uint32_t count;
	uint32_t count_max;
	void (*on_room)(void *owner);
	void *owner;
	struct list present;
	struct list removed; /* to be freed at the end of the turn */
	struct loop_deferred removal;
};

/* --- starting ---------------------------------------------------------------------------------------------------- */

static int set_attributes(posix_spawnattr_t *attributes)
{
	sigset_t none, all;
	sigemptyset(&none);
	sigfillset(&all);
	int error = posix_spawnattr_setflags(attributes,
					     POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	if (error == 0)
		error = posix_spawnattr_setpgroup(attributes, 0);
	if (error == 0)
		error = posix_spawnattr_setsigmask(attributes, &none);
	if (error == 0)
		error = posix_spawnattr_setsigdefault(attributes, &all);
	return error;
}

/* Standard error first: its descriptor here may be 0 or 1, when strait was started without these. */
static int set_actions(posix_spawn_file_actions_t *actions, int errors_fd)
{
	int error = posix_spawn_file_actions_adddup2(actions, errors_fd, STDERR_FILENO);
	if (error == 0)
		error = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (error == 0)
		error = posix_spawn_file_actions_addopen(actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	if (error == 0)
		error = posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
	if (error == 0)
		error = posix_spawn_file_actions_addchdir_np(actions, "/");
	return error;
}

/* Returns 0 or a positive errno. */
static int spawn(const char *path, char *const *environment, int errors_fd, pid_t *ret_pid)
{
	posix_spawnattr_t attributes;
	posix_spawn_file_actions_t actions;
	char *arguments[] = { (char *)(uintptr_t)path, NULL };
	int error = posix_spawnattr_init(&attributes);
	if (error != 0)
		return error;
	error = posix_spawn_file_actions_init(&actions);
	if (error != 0)
		goto destroy_attributes;
	error = set_attributes(&attributes);
	if (error == 0)
		error = set_actions(&actions, errors_fd);
	if (error == 0)
		error = posix_spawn(ret_pid, path, &actions, &attributes, arguments, environment);
	posix_spawn_file_actions_destroy(&actions);
destroy_attributes:
	posix_spawnattr_destroy(&attributes);
	return error;
}

static void kill_group(const struct program *program)
{
	kill(-program->pid, SIGKILL);
	kill(program->pid, SIGKILL); /* it may have left its group */
}

/* Watches a program that runs. Returns 0 or -errno. */
static int watch(struct program *program)
{
	program->exit.fd = pidfd_open(program->pid, 0);
	if (program->exit.fd < 0)
		return -errno;
	int result = loop_add(program->programs->loop, &program->exit, EPOLLIN);
	return result < 0 ? result : loop_add(program->programs->loop, &program->errors, EPOLLIN);
}

/* What cannot be watched cannot stay. It was started just now, and dies at once. */
static void kill_and_wait(struct program *program)
{
	kill_group(program);
	while (waitpid(program->pid, NULL, 0) < 0 && errno == EINTR)
		continue;
}

/* --- the end ----------------------------------------------------------------------------------------------------- */

static void close_descriptors(struct program *program)
{
	fd_close(&program->exit.fd);
	fd_close(&program->errors.fd);
}

static void free_removed(struct programs *programs)
{
	struct list *link;
	while ((link = list_take_first(&programs->removed)) != NULL)
		free(LIST_OWNER(link, struct program, link));
}

static void on_end_of_turn(struct loop_deferred *deferred)
{
	free_removed(LIST_OWNER(deferred, struct programs, removal));
}

/* An event of this turn may still point at it. */
static void remove_program(struct program *program)
{
	struct programs *programs = program->programs;
	close_descriptors(program);
	list_remove(&program->link);
	list_add_last(&programs->removed, &program->link);
	loop_defer(programs->loop, &programs->removal, on_end_of_turn);
	programs->count--;
}

/* Reaps the program if it has ended; its group is killed while the number still belongs to it. */
static bool reap(struct program *program, struct program_end *ret_end)
{
	siginfo_t info = { 0 };
	id_t id = (id_t)program->exit.fd;
	if (waitid(P_PIDFD, id, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0)
		return false;
	kill(-program->pid, SIGKILL);
	waitid(P_PIDFD, id, &info, WEXITED | WNOHANG);
	bool is_exit = info.si_code == CLD_EXITED;
	*ret_end = (struct program_end){
		.exit_status = is_exit ? info.si_status : 0,
		.signal = is_exit ? 0 : info.si_status,
		.line = program->line,
	};
	return true;
}

/* --- standard error ---------------------------------------------------------------------------------------------- */

static void note_line(struct program *program, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len && !program->is_line_complete; i++) {
		if (bytes[i] == '\n' || program->line_len == sizeof(program->line) - 1)
			program->is_line_complete = true;
		else
			program->line[program->line_len++] = bytes[i] >= ' ' && bytes[i] <= '~' ? bytes[i] : '?';
	}
}

static void read_errors(struct program *program)
{
	char bytes[READ_BYTES];
	for (int i = 0; i < READS_PER_EVENT && program->errors.fd >= 0; i++) {
		ssize_t len = read(program->errors.fd, bytes, sizeof(bytes));
		if (len < 0)
			return;
		note_line(program, bytes, (size_t)len);
		program->errors_len += (size_t)len;
		if (len == 0)
			fd_close(&program->errors.fd);
	}
}

static void on_errors(struct loop_source *source, uint32_t events)
{
	(void)events;
	struct program *program = LIST_OWNER(source, struct program, errors);
	if (source->fd < 0)
		return;
	read_errors(program);
	if (source->fd >= 0 && program->errors_len > PROGRAM_ERRORS_BYTES_MAX)
		loop_remove(program->programs->loop, source);
}

static void on_exit_of_program(struct loop_source *source, uint32_t events)
{
	(void)events;
	struct program *program = LIST_OWNER(source, struct program, exit);
	struct programs *programs = program->programs;
	struct program_end end;
	if (source->fd < 0 || !reap(program, &end))
		return;
	read_errors(program);
	remove_program(program);
	if (program->on_end != NULL)
		program->on_end(program->owner, &end);
	programs->on_room(programs->owner);
}

/* --- life -------------------------------------------------------------------------------------------------------- */

struct programs *programs_new(struct loop *loop, uint32_t count_max, void (*on_room)(void *owner), void *owner)
{
	struct programs *programs = memory_alloc_zeroed(1, sizeof(*programs));
	programs->loop = loop;
	programs->count_max = count_max;
	programs->on_room = on_room;
	programs->owner = owner;
	list_init(&programs->present);
	list_init(&programs->removed);
	return programs;
}

bool programs_have_room(const struct programs *programs)
{
	return programs->count < programs->count_max;
}

int program_start(struct programs *programs, const char *path, char *const *environment, program_end_fn *on_end,
		  void *owner, struct program **ret_program)
{
	int ends[2];
	CHECK(programs_have_room(programs));
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	struct program *program = memory_alloc_zeroed(1, sizeof(*program));
	program->exit = (struct loop_source){ .on_event = on_exit_of_program, .fd = -1 };
	program->errors = (struct loop_source){ .on_event = on_errors, .fd = ends[0] };
	program->programs = programs;
	program->on_end = on_end;
	program->owner = owner;
	int result = -spawn(path, environment, ends[1], &program->pid);
	fd_close(&ends[1]);
	if (result < 0)
		goto close;
	result = watch(program);
	if (result < 0)
		goto kill;
	list_add_last(&programs->present, &program->link);
	programs->count++;
	*ret_program = program;
	return 0;
kill:
	kill_and_wait(program);
close:
	close_descriptors(program);
	free(program);
	return result;
}

void program_abandon(struct program **program)
{
	struct program *abandoned = *program;
	if (abandoned == NULL)
		return;
	abandoned->on_end = NULL;
	kill_group(abandoned);
	fd_close(&abandoned->errors.fd);
	*program = NULL;
}

/* Waits for the killed program; one that the kernel does not let go is left to whoever inherits it. */
static void wait_for(struct program *program, uint64_t deadline_ms)
{
	struct program_end end;
	struct pollfd descriptor = { .fd = program->exit.fd, .events = POLLIN };
	uint64_t now_ms = clock_monotonic_ms();
	while (now_ms < deadline_ms && poll(&descriptor, 1, (int)(deadline_ms - now_ms)) < 0 && errno == EINTR)
		now_ms = clock_monotonic_ms();
	reap(program, &end);
}

void programs_free(struct programs **programs)
{
	struct programs *doomed = *programs;
	struct list *link;
	if (doomed == NULL)
		return;
	uint64_t deadline_ms = clock_monotonic_ms() + PROGRAMS_PATIENCE_MS;
	for (link = doomed->present.next; link != &doomed->present; link = link->next)
		kill_group(LIST_OWNER(link, struct program, link));
	while ((link = list_take_first(&doomed->present)) != NULL) {
		struct program *program = LIST_OWNER(link, struct program, link);
		wait_for(program, deadline_ms);
		close_descriptors(program);
		free(program);
	}
	list_remove(&doomed->removal.link);
	free_removed(doomed);
	free(doomed);
	*programs = NULL;
}
