/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How threads talk to each other: small messages into one thread's loop. Any thread posts, the owner of the loop
 * receives, in the order of posting. For decisions and requests, not for data: a mutex and an eventfd are cheap enough.
 */
#ifndef EVENT_MAILBOX_H
#define EVENT_MAILBOX_H

#include "event/loop.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum { MAILBOX_MESSAGES_MAX = 4096 };

/* What a kind means, and what its fields hold, is declared where the receiver's kinds are. */
struct message {
	uint32_t kind;
	uint32_t number;
	void *subject;
	uint64_t argument;
	uint8_t address[16];
};

struct mailbox {
	struct loop_source source;
	void (*on_message)(struct mailbox *mailbox, const struct message *message);
	pthread_mutex_t lock;
	uint32_t first;
	uint32_t count;
	struct message *messages; /* a ring of MAILBOX_MESSAGES_MAX */
};

/* Call on the owner's thread, or before it runs. Returns 0 or -errno. */
int mailbox_open(struct mailbox *mailbox, struct loop *loop,
		 void (*on_message)(struct mailbox *mailbox, const struct message *message));
/* Messages not yet received are dropped. Nobody may post any more. */
void mailbox_close(struct mailbox *mailbox);

/* Returns false when the mailbox is full; the message is then not delivered. Any thread. */
bool mailbox_post(struct mailbox *mailbox, struct message message);

#endif
