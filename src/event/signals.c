/* SPDX-License-Identifier: Apache-2.0 */
#include "event/signals.h"

#include "base/fd.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

static const int received[] = { SIGHUP, SIGUSR1, SIGUSR2, SIGTERM, SIGINT };
enum { RECEIVED_COUNT = sizeof(received) / sizeof(received[0]) };

static sigset_t received_set(void)
{
	sigset_t set;
	sigemptyset(&set);
	for (int i = 0; i < RECEIVED_COUNT; i++)
		sigaddset(&set, received[i]);
	return set;
}

void signals_block(void)
{
	sigset_t set = received_set();
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	/* Where it is ignored, which a program inherits, children vanish and nobody learns how they ended. */
	signal(SIGCHLD, SIG_DFL);
}

static void on_readable(struct loop_source *source, uint32_t events)
{
	(void)events;
	struct signals *signals = LIST_OWNER(source, struct signals, source);
	struct signalfd_siginfo infos[RECEIVED_COUNT];
	ssize_t len = read(source->fd, infos, sizeof(infos));
	for (ssize_t i = 0; i < len / (ssize_t)sizeof(infos[0]) && source->fd >= 0; i++)
		signals->on_signal(signals, (int)infos[i].ssi_signo);
}

int signals_open(struct signals *signals, struct loop *loop,
		 void (*on_signal)(struct signals *signals, int signal_number))
{
	sigset_t set = received_set();
	*signals = (struct signals){ .on_signal = on_signal };
	signals->source = (struct loop_source){
		.on_event = on_readable,
		.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK),
	};
	if (signals->source.fd < 0)
		return -errno;
	int result = loop_add(loop, &signals->source, EPOLLIN);
	if (result < 0)
		fd_close(&signals->source.fd);
	return result;
}

void signals_close(struct signals *signals)
{
	fd_close(&signals->source.fd);
}
