/* SPDX-License-Identifier: Apache-2.0 */
#include "event/mailbox.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { SENDERS = 4, MESSAGES_EACH = 20000, KIND_COUNT = 7, KIND_POST_AGAIN = 8 };

static struct loop loop;
static struct mailbox mailbox;
static unsigned int received_count;
static uint64_t next_argument[SENDERS]; /* of each sender */

static void on_message(struct mailbox *box, const struct message *message)
{
	assert_ptr_equal(box, &mailbox);
	received_count++;
	if (message->kind == KIND_POST_AGAIN && message->argument > 0) {
		struct message next = *message;
		next.argument--;
		assert_true(mailbox_post(box, next));
	}
	if (message->kind != KIND_COUNT)
		return;
	assert_ptr_equal(message->subject, &next_argument[message->number]);
	assert_int_equal(message->argument, next_argument[message->number]);
	next_argument[message->number]++;
}

static void turn(int timeout_ms)
{
	loop_wait(&loop, timeout_ms);
	loop_dispatch(&loop);
	loop_end_turn(&loop);
}

static int set_up(void **state)
{
	(void)state;
	received_count = 0;
	for (int i = 0; i < SENDERS; i++)
		next_argument[i] = 0;
	int result = loop_init(&loop);
	return result < 0 ? result : mailbox_open(&mailbox, &loop, on_message);
}

static int tear_down(void **state)
{
	(void)state;
	mailbox_close(&mailbox);
	mailbox_close(&mailbox);
	loop_done(&loop);
	return 0;
}

static struct message counted(uint32_t sender, uint64_t argument)
{
	return (struct message){
		.kind = KIND_COUNT,
		.number = sender,
		.subject = &next_argument[sender],
		.argument = argument,
	};
}

static void delivers_in_order(void **state)
{
	(void)state;
	turn(0);
	assert_int_equal(received_count, 0);
	for (uint64_t i = 0; i < 10; i++)
		assert_true(mailbox_post(&mailbox, counted(0, i)));
	turn(0);
	assert_int_equal(received_count, 10);
	turn(0);
	assert_int_equal(received_count, 10);
}

static void refuses_when_full(void **state)
{
	(void)state;
	for (int round = 0; round < 3; round++) {
		uint64_t first = next_argument[0];
		for (uint64_t i = 0; i < MAILBOX_MESSAGES_MAX; i++)
			assert_true(mailbox_post(&mailbox, counted(0, first + i)));
		assert_false(mailbox_post(&mailbox, counted(0, 12345678)));
		turn(0);
		assert_int_equal(next_argument[0], first + MAILBOX_MESSAGES_MAX);
	}
	assert_int_equal(received_count, 3 * MAILBOX_MESSAGES_MAX);
}

static void receiver_may_post(void **state)
{
	(void)state;
	struct message message = { .kind = KIND_POST_AGAIN, .argument = 9 };
	assert_true(mailbox_post(&mailbox, message));
	for (int i = 0; i < 20; i++)
		turn(0);
	assert_int_equal(received_count, 10);
}

/* A receiver that posts without end does not hold up its loop for ever. */
static void turn_is_bounded(void **state)
{
	(void)state;
	struct message message = { .kind = KIND_POST_AGAIN, .argument = UINT64_MAX };
	assert_true(mailbox_post(&mailbox, message));
	turn(0);
	assert_in_range(received_count, 1, MAILBOX_MESSAGES_MAX);
	turn(0);
	assert_true(received_count > 1);
}

static void *send_all(void *argument)
{
	uint32_t sender = *(const uint32_t *)argument;
	for (uint64_t i = 0; i < MESSAGES_EACH; i++) {
		while (!mailbox_post(&mailbox, counted(sender, i)))
			sched_yield();
	}
	return NULL;
}

static void many_threads_post(void **state)
{
	(void)state;
	pthread_t threads[SENDERS];
	uint32_t numbers[SENDERS];
	for (uint32_t i = 0; i < SENDERS; i++) {
		numbers[i] = i;
		assert_int_equal(pthread_create(&threads[i], NULL, send_all, &numbers[i]), 0);
	}
	while (received_count < SENDERS * MESSAGES_EACH) {
		loop_wait(&loop, 20000);
		assert_int_equal(loop.event_count, 1); /* no wake-up was lost */
		loop_dispatch(&loop);
	}
	for (int i = 0; i < SENDERS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(next_argument[i], MESSAGES_EACH);
	}
}

static void close_drops_what_waits(void **state)
{
	(void)state;
	assert_true(mailbox_post(&mailbox, counted(0, 0)));
	mailbox_close(&mailbox);
	turn(0);
	assert_int_equal(received_count, 0);
}

#define mailbox_unit_test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		mailbox_unit_test(delivers_in_order), mailbox_unit_test(refuses_when_full),
		mailbox_unit_test(receiver_may_post), mailbox_unit_test(turn_is_bounded),
		mailbox_unit_test(many_threads_post), mailbox_unit_test(close_drops_what_waits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
