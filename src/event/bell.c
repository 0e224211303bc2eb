/* SPDX-License-Identifier: Apache-2.0 */
#include "event/bell.h"

#include "base/fd.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void on_event(struct loop_source *source, uint32_t events)
{
	(void)events;
	struct bell *bell = LIST_OWNER(source, struct bell, source);
	uint64_t ignored;
	/* The descriptor before the flag: whoever rings after the flag is cleared writes to it again. */
	ssize_t result = read(source->fd, &ignored, sizeof(ignored));
	(void)result;
	atomic_exchange(&bell->is_rung, false);
	bell->on_ring(bell);
}

int bell_open(struct bell *bell, struct loop *loop, void (*on_ring)(struct bell *bell))
{
	*bell = (struct bell){ .on_ring = on_ring };
	bell->source = (struct loop_source){ .on_event = on_event, .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
	if (bell->source.fd < 0)
		return -errno;
	int result = loop_add(loop, &bell->source, EPOLLIN);
	if (result < 0)
		fd_close(&bell->source.fd);
	return result;
}

void bell_close(struct bell *bell)
{
	if (bell->on_ring == NULL)
		return;
	fd_close(&bell->source.fd);
	bell->on_ring = NULL;
}

void bell_ring(struct bell *bell)
{
	if (atomic_exchange(&bell->is_rung, true))
		return;
	uint64_t one = 1;
	ssize_t result = write(bell->source.fd, &one, sizeof(one));
	(void)result; /* cannot fail: it is written to once between two reads */
}
