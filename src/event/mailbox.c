/* SPDX-License-Identifier: Apache-2.0 */
#include "event/mailbox.h"

#include "base/check.h"
#include "base/fd.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

static bool take(struct mailbox *mailbox, struct message *ret_message)
{
	pthread_mutex_lock(&mailbox->lock);
	bool is_any = mailbox->count > 0;
	if (is_any) {
		*ret_message = mailbox->messages[mailbox->first];
		mailbox->first = (mailbox->first + 1) % MAILBOX_MESSAGES_MAX;
		mailbox->count--;
	}
	pthread_mutex_unlock(&mailbox->lock);
	return is_any;
}

static void on_wake(struct loop_source *source, uint32_t events)
{
	(void)events;
	struct mailbox *mailbox = LIST_OWNER(source, struct mailbox, source);
	uint64_t ignored;
	/* Reset before emptying: whatever is posted after the read wakes the loop again. */
	ssize_t result = read(source->fd, &ignored, sizeof(ignored));
	(void)result;
	struct message message;
	for (int i = 0; i < MAILBOX_MESSAGES_MAX && take(mailbox, &message); i++)
		mailbox->on_message(mailbox, &message);
}

int mailbox_open(struct mailbox *mailbox, struct loop *loop,
		 void (*on_message)(struct mailbox *mailbox, const struct message *message))
{
	*mailbox = (struct mailbox){ .on_message = on_message };
	mailbox->source = (struct loop_source){ .on_event = on_wake, .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
	if (mailbox->source.fd < 0)
		return -errno;
	int result = loop_add(loop, &mailbox->source, EPOLLIN);
	if (result < 0) {
		fd_close(&mailbox->source.fd);
		return result;
	}
	pthread_mutex_init(&mailbox->lock, NULL);
	mailbox->messages = calloc(MAILBOX_MESSAGES_MAX, sizeof(*mailbox->messages));
	CHECK(mailbox->messages != NULL);
	return 0;
}

void mailbox_close(struct mailbox *mailbox)
{
	if (mailbox->messages == NULL)
		return;
	fd_close(&mailbox->source.fd);
	pthread_mutex_destroy(&mailbox->lock);
	free(mailbox->messages);
	mailbox->messages = NULL;
}

bool mailbox_post(struct mailbox *mailbox, struct message message)
{
	pthread_mutex_lock(&mailbox->lock);
	bool has_room = mailbox->count < MAILBOX_MESSAGES_MAX;
	if (has_room) {
		mailbox->messages[(mailbox->first + mailbox->count) % MAILBOX_MESSAGES_MAX] = message;
		mailbox->count++;
	}
	pthread_mutex_unlock(&mailbox->lock);
	uint64_t one = 1;
	ssize_t result = write(mailbox->source.fd, &one, sizeof(one));
	(void)result; /* EAGAIN: the counter is far from zero, so the loop is awake anyway */
	return has_room;
}
