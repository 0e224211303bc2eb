/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/top_session.h"

#include "base/check.h"
#include "base/clock.h"
#include "cli/exit_code.h"
#include "cli/top_source.h"
#include "cli/top_terminal.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { REDRAW_MS = 1000 }; /* the ages of answers that do not come */

/* The documents that the picture is made of. */
static void want(const struct top_session *session, struct top_source *source)
{
	char paths[TOP_DOCUMENT_COUNT][TOP_PATH_BYTES] = { { 0 } };
	const struct top_screen *screen = &session->screen;
	enum top_document wanted = top_views[screen->view]->document;
	if (!screen->is_paused) {
		top_model_path(&session->model, TOP_STATUS, screen->filter, paths[TOP_STATUS]);
		top_model_path(&session->model, wanted, screen->filter, paths[wanted]);
	}
	top_source_want(source, paths);
}

/* --- live -------------------------------------------------------------------------------------------------------- */

/* Before a thread is started, so that the signals come here only. */
static int open_signals(sigset_t *ret_signals)
{
	sigemptyset(ret_signals);
	sigaddset(ret_signals, SIGINT);
	sigaddset(ret_signals, SIGTERM);
	sigaddset(ret_signals, SIGHUP);
	sigaddset(ret_signals, SIGQUIT);
	sigaddset(ret_signals, SIGTSTP);
	sigaddset(ret_signals, SIGWINCH);
	pthread_sigmask(SIG_BLOCK, ret_signals, NULL);
	return signalfd(-1, ret_signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void draw(struct top_session *session)
{
	struct canvas canvas;
	canvas_init(&canvas, top_terminal_width(), top_terminal_height());
	top_screen_draw(&session->screen, &session->model, clock_monotonic_ms(), &canvas);
	top_terminal_draw(&canvas);
	canvas_done(&canvas);
}

/* The signal does what it would have done without us. */
static void let_act(int signal_number)
{
	sigset_t only;
	sigemptyset(&only);
	sigaddset(&only, signal_number);
	signal(signal_number, SIG_DFL);
	raise(signal_number);
	pthread_sigmask(SIG_UNBLOCK, &only, NULL);
	pthread_sigmask(SIG_BLOCK, &only, NULL);
}

/* Ctrl-Z. Comes back when the shell says so, perhaps with another size. */
static void stand_back(void)
{
	top_terminal_leave();
	let_act(SIGTSTP);
	top_terminal_resize();
}

/* Returns the signal that ends it, or 0. */
static int take_signals(int fd)
{
	struct signalfd_siginfo info;
	int ending = 0;
	while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGWINCH)
			top_terminal_resize();
		else if (info.ssi_signo == SIGTSTP)
			stand_back();
		else
			ending = (int)info.ssi_signo;
	}
	return ending;
}

static void take_keys(struct top_screen *screen)
{
	bool is_gone;
	int key;
	while ((key = top_terminal_read_key(&is_gone)) != TOP_KEY_NONE && !screen->is_over) {
		top_screen_press(screen, key);
		if (key == TOP_KEY_REDRAW)
			top_terminal_resize();
	}
	screen->is_over |= is_gone;
}

/* Returns the signal that ended it, or 0. */
static int go_round(struct top_session *session, struct top_source *source, int signal_fd)
{
	enum { KEYS, SIGNALS, ANSWERS, COUNT };
	struct pollfd fds[COUNT] = {
		[KEYS] = { .fd = STDIN_FILENO, .events = POLLIN },
		[SIGNALS] = { .fd = signal_fd, .events = POLLIN },
		[ANSWERS] = { .fd = top_source_fd(source), .events = POLLIN },
	};
	int ending = 0;
	while (ending == 0 && !session->screen.is_over) {
		want(session, source);
		draw(session);
		if (poll(fds, COUNT, REDRAW_MS) < 0 && errno != EINTR)
			break;
		ending = take_signals(signal_fd);
		take_keys(&session->screen);
		if (!session->screen.is_paused)
			top_source_take(source, &session->model);
	}
	return ending;
}

int top_session_run(struct top_session *session)
{
	char problem[TOP_TERMINAL_PROBLEM_BYTES];
	sigset_t signals;
	int signal_fd = open_signals(&signals);
	CHECK(signal_fd >= 0);
	if (top_terminal_open(session->colour, problem) < 0) {
		fprintf(stderr, "strait top: %s\n", problem);
		close(signal_fd);
		return EXIT_CODE_FAILED;
	}
	struct top_source *source = top_source_new(&session->client, session->every_ms);
	int ending = go_round(session, source, signal_fd);
	top_terminal_close();
	top_source_free(&source);
	top_model_done(&session->model);
	close(signal_fd);
	if (ending != 0)
		let_act(ending);
	return EXIT_CODE_OK;
}

/* --- once -------------------------------------------------------------------------------------------------------- */

/* Waits until the model has all that is wanted, twice, or there is no answer. */
static void gather(struct top_session *session, struct top_source *source)
{
	struct pollfd answers = { .fd = top_source_fd(source), .events = POLLIN };
	const struct top_model *model = &session->model;
	enum top_document which = top_views[session->screen.view]->document;
	bool is_whole = false;
	while (!is_whole && model->problem[0] == '\0') {
		want(session, source);
		if (poll(&answers, 1, -1) < 0 && errno != EINTR)
			break;
		top_source_take(source, &session->model);
		bool has_rates = model->services.before != NULL && (which != TOP_FLOWS || model->flows.before != NULL);
		is_whole = has_rates && (model->documents[which] != NULL || model->is_missing[which]);
	}
}

int top_session_print_once(struct top_session *session, int width, int height)
{
	struct canvas canvas;
	struct top_source *source = top_source_new(&session->client, session->every_ms);
	gather(session, source);
	top_source_free(&source);
	if (session->model.documents[TOP_STATUS] == NULL || session->model.problem[0] != '\0') {
		fprintf(stderr, "strait top: no answer from the daemon at %s: %s\n", session->screen.where,
			session->model.problem);
		top_model_done(&session->model);
		return EXIT_CODE_NOT_REACHABLE;
	}
	canvas_init(&canvas, width, height > 0 ? height : top_screen_height_whole(&session->screen, &session->model));
	top_screen_draw(&session->screen, &session->model, clock_monotonic_ms(), &canvas);
	canvas_print(&canvas, session->colour, stdout);
	canvas_done(&canvas);
	top_model_done(&session->model);
	return EXIT_CODE_OK;
}
