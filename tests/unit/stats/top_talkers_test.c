/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/top_talkers.h"

#include "base/random.h"
#include "stats/trend_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { SOURCES = 5000, FLOWS = 200000, PLACES = 256 };

static struct talker *add(struct top_talkers *top, uint32_t number, uint32_t weight, struct memory_budget *budget)
{
	struct network source = fixture_source(number);
	bool is_fresh;
	return top_talkers_add(top, &source, fixture_hash(&source), weight, budget, &is_fresh);
}

static struct talker *find(const struct top_talkers *top, uint32_t number)
{
	struct network source = fixture_source(number);
	return top_talkers_find(top, &source, fixture_hash(&source));
}

static void few_are_counted_exactly(void **state)
{
	struct memory_budget budget = fixture_budget();
	struct top_talkers top = { .capacity_max = PLACES };
	(void)state;
	for (uint32_t round = 0; round < 10; round++)
		for (uint32_t i = 0; i < PLACES; i++)
			if (i % 10 >= round)
				assert_non_null(add(&top, i, 1, &budget));
	for (uint32_t i = 0; i < PLACES; i++) {
		assert_int_equal(find(&top, i)->count, i % 10 + 1);
		assert_int_equal(find(&top, i)->error, 0);
	}
	assert_null(find(&top, PLACES));
	top_talkers_clear(&top, &budget);
	assert_int_equal(budget.used_bytes, 0);
	assert_int_equal(top.capacity_max, PLACES);
}

/* Every fifth flow is of source 0, the others of anybody. */
static uint32_t *send_flows(struct top_talkers *top, struct memory_budget *budget)
{
	static uint32_t truth[SOURCES];
	struct random random;
	random_init_seed(&random, 7);
	memset(truth, 0, sizeof(truth));
	for (uint32_t i = 0; i < FLOWS; i++) {
		uint32_t number = i % 5 == 0 ? 0 : (uint32_t)random_below(&random, SOURCES);
		truth[number]++;
		add(top, number, 1, budget);
	}
	return truth;
}

static void among_many_the_bounds_hold(void **state)
{
	struct memory_budget budget = fixture_budget();
	struct top_talkers top = { .capacity_max = PLACES };
	(void)state;
	const uint32_t *truth = send_flows(&top, &budget);
	uint64_t sum = 0;
	for (uint32_t i = 0; i < SOURCES; i++) {
		const struct talker *talker = find(&top, i);
		if (talker == NULL)
			continue;
		assert_true(truth[i] <= talker->count);
		assert_true(talker->count - talker->error <= truth[i]);
		assert_true(talker->error <= FLOWS / PLACES);
		sum += talker->count;
	}
	assert_int_equal(sum, FLOWS); /* every flow is in it somewhere */
	assert_true(find(&top, 0)->count - truth[0] <= FLOWS / 100);
	top_talkers_close(&top, 10, &budget);
	struct network first = fixture_source(0);
	assert_true(source_equal(&top.talkers[0].source, &first));
	assert_int_equal(top.count, 10);
	assert_int_equal(budget.used_bytes, 10 * sizeof(struct talker));
	top_talkers_clear(&top, &budget);
	assert_int_equal(budget.used_bytes, 0);
}

static void the_end_of_a_flow_takes_nobodys_place(void **state)
{
	struct memory_budget budget = fixture_budget();
	struct top_talkers top = { .capacity_max = 8 };
	(void)state;
	for (uint32_t i = 0; i < 8; i++)
		add(&top, i, 1, &budget);
	assert_null(add(&top, 8, 0, &budget));
	assert_null(find(&top, 8));
	struct talker *taken = add(&top, 8, 1, &budget);
	assert_int_equal(taken->count, 2);
	assert_int_equal(taken->error, 1);
	top_talkers_clear(&top, &budget);
}

static void without_memory_there_are_fewer_places(void **state)
{
	struct memory_budget budget = { .max_bytes = 4000 };
	struct top_talkers top = { .capacity_max = PLACES };
	(void)state;
	for (uint32_t i = 0; i < PLACES; i++)
		assert_non_null(add(&top, i, 1, &budget));
	assert_true(top.count < PLACES);
	assert_true(budget.used_bytes <= budget.max_bytes && budget.refused_count > 0);
	top_talkers_clear(&top, &budget);
	struct memory_budget nothing = { .max_bytes = 0 };
	assert_null(add(&top, 1, 1, &nothing));
	top_talkers_clear(&top, &nothing);
}

static void counts_stay_at_their_largest(void **state)
{
	struct memory_budget budget = fixture_budget();
	struct top_talkers top = { .capacity_max = 8 };
	(void)state;
	add(&top, 1, UINT32_MAX, &budget);
	assert_int_equal(add(&top, 1, 5, &budget)->count, UINT32_MAX);
	top_talkers_clear(&top, &budget);
}

static void it_is_read_as_it_was_written(void **state)
{
	struct memory_budget budget = fixture_budget();
	struct byte_writer writer = { 0 };
	struct top_talkers top = { .capacity_max = PLACES }, read = { .capacity_max = PLACES };
	(void)state;
	for (uint32_t i = 0; i < 100; i++) {
		struct talker *talker = add(&top, i, i + 1, &budget);
		talker->bytes_in = i;
		talker->bytes_out = 2 * i;
		talker->first_seen_s = 1000 + i;
		talker->is_new = i % 2 == 0;
	}
	top_talkers_write(&top, &writer);
	struct byte_reader reader = fixture_reader(&writer);
	/* With another secret: hashes are made anew. */
	top_talkers_read(&read, &reader, FIXTURE_SECRET + 1, &budget);
	assert_false(reader.has_failed);
	for (uint32_t i = 0; i < 100; i++) {
		struct network source = fixture_source(i);
		const struct talker *talker =
			top_talkers_find(&read, &source, source_hash(&source, FIXTURE_SECRET + 1));
		assert_non_null(talker);
		assert_int_equal(talker->count, i + 1);
		assert_int_equal(talker->bytes_in, i);
		assert_int_equal(talker->bytes_out, 2 * i);
		assert_int_equal(talker->first_seen_s, 1000 + i);
		assert_int_equal(talker->is_new, i % 2 == 0);
	}
	top_talkers_clear(&top, &budget);
	top_talkers_clear(&read, &budget);
	byte_writer_done(&writer);
	assert_int_equal(budget.used_bytes, 0);
}

/* Every file that ends too early, and one with every byte changed in turn: no harm is done. */
static void nonsense_does_no_harm(void **state)
{
	struct memory_budget budget = fixture_budget();
	struct byte_writer writer = { 0 };
	struct top_talkers top = { .capacity_max = PLACES };
	(void)state;
	for (uint32_t i = 0; i < 3; i++)
		add(&top, i, i + 1, &budget);
	top_talkers_write(&top, &writer);
	for (size_t len = 0; len < writer.len; len++) {
		struct top_talkers read = { .capacity_max = PLACES };
		struct byte_reader reader = { .left = { (const char *)writer.bytes, len } };
		top_talkers_read(&read, &reader, FIXTURE_SECRET, &budget);
		assert_true(reader.has_failed);
		top_talkers_clear(&read, &budget);
	}
	for (size_t i = 0; i < writer.len; i++) {
		struct top_talkers read = { .capacity_max = PLACES };
		writer.bytes[i] ^= 0xff;
		struct byte_reader reader = fixture_reader(&writer);
		top_talkers_read(&read, &reader, FIXTURE_SECRET, &budget);
		writer.bytes[i] ^= 0xff;
		top_talkers_clear(&read, &budget);
	}
	top_talkers_clear(&top, &budget);
	byte_writer_done(&writer);
	assert_int_equal(budget.used_bytes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(few_are_counted_exactly),
		cmocka_unit_test(among_many_the_bounds_hold),
		cmocka_unit_test(the_end_of_a_flow_takes_nobodys_place),
		cmocka_unit_test(without_memory_there_are_fewer_places),
		cmocka_unit_test(counts_stay_at_their_largest),
		cmocka_unit_test(it_is_read_as_it_was_written),
		cmocka_unit_test(nonsense_does_no_harm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
