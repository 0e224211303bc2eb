/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ring.h"

#include "base/random.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { CAPACITY = 4096, LEN_MAX = CAPACITY / 4, MESSAGES = 200000 };

static struct ring ring;

/* The message with this number: 8 bytes of it, then bytes that depend on it; the length does, too. */
static size_t make_message(uint64_t number, uint8_t *buf)
{
	struct random random;
	random_init_seed(&random, number);
	size_t len = 8 + random_below(&random, random_below(&random, 8) == 0 ? LEN_MAX - 8 + 1 : 100);
	memcpy(buf, &number, 8);
	memset(buf + 8, (int)random_below(&random, 256), len - 8);
	return len;
}

static void assert_message(uint64_t number, const uint8_t *message, size_t len)
{
	uint8_t expected[LEN_MAX];
	assert_int_equal(len, make_message(number, expected));
	assert_memory_equal(message, expected, len);
}

static int set_up(void **state)
{
	(void)state;
	ring_init(&ring, CAPACITY);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	ring_done(&ring);
	return 0;
}

static void gives_back_what_was_put(void **state)
{
	(void)state;
	uint8_t buf[LEN_MAX];
	assert_int_equal(ring_take(&ring, buf, sizeof(buf)), 0);
	/* Far around the end, with every remainder of the length. */
	for (uint64_t i = 0; i < 5000; i++) {
		size_t len = make_message(i, buf);
		assert_true(ring_put(&ring, buf, len));
		memset(buf, 0, sizeof(buf));
		len = ring_take(&ring, buf, sizeof(buf));
		assert_message(i, buf, len);
	}
	assert_int_equal(ring_take(&ring, buf, sizeof(buf)), 0);
	assert_int_equal(atomic_load(&ring.dropped), 0);
}

static void refuses_and_counts_when_full(void **state)
{
	(void)state;
	uint8_t buf[LEN_MAX] = { 0 };
	for (unsigned int round = 0; round < 3; round++) {
		unsigned int count = 0;
		while (ring_put(&ring, buf, 120))
			count++;
		assert_int_equal(count, CAPACITY / (8 + 120));
		assert_false(ring_put(&ring, buf, 1));
		assert_int_equal(atomic_load(&ring.dropped), 2 * (round + 1));
		for (unsigned int i = 0; i < count; i++)
			assert_int_equal(ring_take(&ring, buf, sizeof(buf)), 120);
		assert_int_equal(ring_take(&ring, buf, sizeof(buf)), 0);
	}
}

static void takes_the_longest_and_the_shortest(void **state)
{
	(void)state;
	uint8_t buf[LEN_MAX];
	memset(buf, 7, sizeof(buf));
	assert_true(ring_put(&ring, buf, LEN_MAX));
	assert_true(ring_put(&ring, buf, 1));
	memset(buf, 0, sizeof(buf));
	assert_int_equal(ring_take(&ring, buf, sizeof(buf)), LEN_MAX);
	assert_int_equal(buf[0], 7);
	assert_int_equal(buf[LEN_MAX - 1], 7);
	assert_int_equal(ring_take(&ring, buf, sizeof(buf)), 1);
}

static void cuts_what_does_not_fit_the_buffer(void **state)
{
	(void)state;
	uint8_t buf[16] = { 0 };
	assert_true(ring_put(&ring, "0123456789", 10));
	assert_true(ring_put(&ring, "next", 4));
	assert_int_equal(ring_take(&ring, buf, 4), 10);
	assert_memory_equal(buf, "0123\0", 5);
	assert_int_equal(ring_take(&ring, buf, sizeof(buf)), 4);
	assert_memory_equal(buf, "next", 4);
}

static void *put_all(void *argument)
{
	uint64_t *refused = argument;
	uint8_t buf[LEN_MAX];
	for (uint64_t i = 0; i < MESSAGES; i++) {
		size_t len = make_message(i, buf);
		while (!ring_put(&ring, buf, len)) {
			(*refused)++;
			sched_yield();
		}
	}
	return NULL;
}

static void passes_messages_between_two_threads(void **state)
{
	(void)state;
	pthread_t producer;
	uint64_t refused = 0;
	uint8_t buf[LEN_MAX];
	assert_int_equal(pthread_create(&producer, NULL, put_all, &refused), 0);
	for (uint64_t i = 0; i < MESSAGES;) {
		size_t len = ring_take(&ring, buf, sizeof(buf));
		if (len == 0)
			sched_yield();
		else
			assert_message(i++, buf, len);
	}
	pthread_join(producer, NULL);
	assert_int_equal(ring_take(&ring, buf, sizeof(buf)), 0);
	assert_int_equal(atomic_load(&ring.dropped), refused);
}

#define ring_unit_test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ring_unit_test(gives_back_what_was_put),
		ring_unit_test(refuses_and_counts_when_full),
		ring_unit_test(takes_the_longest_and_the_shortest),
		ring_unit_test(cuts_what_does_not_fit_the_buffer),
		ring_unit_test(passes_messages_between_two_threads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
