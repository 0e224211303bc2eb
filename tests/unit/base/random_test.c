/* SPDX-License-Identifier: Apache-2.0 */
#include "base/random.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void same_seed_same_sequence(void **state)
{
	(void)state;
	struct random one;
	struct random other;
	random_init_seed(&one, 7);
	random_init_seed(&other, 7);
	for (int i = 0; i < 1000; i++)
		assert_true(random_next(&one) == random_next(&other));
	random_init_seed(&other, 8);
	assert_true(random_next(&one) != random_next(&other));
}

static void below_a_bound_all_numbers_are_equally_likely(void **state)
{
	(void)state;
	struct random random;
	uint32_t counts[7] = { 0 };
	random_init_seed(&random, 1);
	for (int i = 0; i < 70000; i++)
		counts[random_below(&random, 7)]++;
	for (int i = 0; i < 7; i++)
		assert_in_range(counts[i], 9600, 10400);
	assert_int_equal(random_below(&random, 1), 0);
}

static void seeds_from_the_kernel_differ(void **state)
{
	(void)state;
	struct random one;
	struct random other;
	random_init(&one);
	random_init(&other);
	assert_true(random_next(&one) != random_next(&other));
}

static void *secret_read(void *secret)
{
	*(uint64_t *)secret = random_secret();
	return NULL;
}

static void all_threads_have_the_same_secret(void **state)
{
	(void)state;
	pthread_t threads[4];
	uint64_t secrets[4];
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, secret_read, &secrets[i]), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	for (int i = 0; i < 4; i++)
		assert_true(secrets[i] == random_secret());
	assert_true(random_secret() != 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_seed_same_sequence),
		cmocka_unit_test(below_a_bound_all_numbers_are_equally_likely),
		cmocka_unit_test(seeds_from_the_kernel_differ),
		cmocka_unit_test(all_threads_have_the_same_secret),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
