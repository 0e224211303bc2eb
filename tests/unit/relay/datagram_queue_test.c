/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/datagram_queue.h"

#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { LEN_MAX = 65535, CHUNKS = 64 };

struct fixture {
	struct datagram_chunks chunks;
	struct datagram_queue queue;
	uint8_t bytes[LEN_MAX];
	uint8_t got[LEN_MAX];
};

static int set_up(void **state)
{
	static struct fixture fixture;
	fixture = (struct fixture){ 0 };
	datagram_chunks_init(&fixture.chunks, CHUNKS * DATAGRAM_CHUNK_BYTES);
	for (size_t i = 0; i < LEN_MAX; i++)
		fixture.bytes[i] = (uint8_t)(i * 7 + i / 256);
	*state = &fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	datagram_queue_clear(&f->queue, &f->chunks);
	assert_int_equal(f->chunks.slab.taken_count, 0);
	assert_int_equal(f->chunks.taken_bytes, 0);
	datagram_chunks_done(&f->chunks);
	return 0;
}

static bool put(struct fixture *f, struct datagram_queue *queue, uint32_t offset, uint32_t len)
{
	return datagram_queue_put(queue, &f->chunks, (struct span){ NULL, 0 },
				  (struct span){ (const char *)f->bytes + offset, len });
}

static void assert_takes(struct fixture *f, uint32_t offset, uint32_t len)
{
	assert_true(f->queue.count > 0);
	assert_int_equal(f->queue.first.len, len);
	assert_int_equal(f->queue.first.head_bytes, 0);
	datagram_queue_take(&f->queue, &f->chunks, f->got);
	assert_memory_equal(f->got, f->bytes + offset, len);
}

static void keeps_order_and_boundaries(void **state)
{
	static const uint32_t lens[] = { 1, 0, 1448, 0, 0, 2035, 2036, 2037, 2038, 2039, 2040, 2041, 65535, 3, 4094 };
	struct fixture *f = *state;
	for (uint32_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++)
		assert_true(put(f, &f->queue, 0, lens[i]));
	assert_int_equal(f->queue.count, sizeof(lens) / sizeof(lens[0]));
	for (uint32_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++)
		assert_takes(f, 0, lens[i]);
	assert_int_equal(f->queue.count, 0);
	assert_int_equal(f->chunks.taken_bytes, 0);
}

static void heads_come_out_right_before(void **state)
{
	struct fixture *f = *state;
	for (uint32_t i = 0; i < 100; i++)
		assert_true(datagram_queue_put(&f->queue, &f->chunks, (struct span){ (const char *)f->bytes, i },
					       (struct span){ (const char *)f->bytes + 1000, 2 * i }));
	for (uint32_t i = 0; i < 100; i++) {
		assert_int_equal(f->queue.first.head_bytes, i);
		assert_int_equal(f->queue.first.len, 2 * i);
		datagram_queue_take(&f->queue, &f->chunks, f->got);
		assert_memory_equal(f->got, f->bytes, i);
		assert_memory_equal(f->got + i, f->bytes + 1000, 2 * i);
	}
	assert_int_equal(f->queue.stored_bytes, 0);
}

/* At any time as long as it says, and as many chunks as it had said it would take. */
static void comes_and_goes_at_random(void **state)
{
	struct fixture *f = *state;
	struct {
		uint32_t offset;
		uint32_t len;
	} waiting[4096];
	uint32_t first = 0;
	uint32_t end = 0;
	uint64_t bytes = 0;
	struct random random;
	random_init_seed(&random, 1);
	for (int i = 0; i < 200000; i++) {
		uint32_t len = random_below(&random, random_below(&random, 20) == 0 ? 20000 : 1500);
		uint32_t offset = random_below(&random, 1000);
		uint64_t before = f->chunks.taken_bytes;
		uint64_t growth = datagram_queue_growth(&f->queue, sizeof(struct datagram_lengths) + len);
		if (end - first < 4096 && random_below(&random, 2) == 0) {
			if (!put(f, &f->queue, offset, len)) {
				assert_true(before + growth > CHUNKS * DATAGRAM_CHUNK_BYTES);
				assert_int_equal(f->chunks.taken_bytes, before);
				continue;
			}
			assert_int_equal(f->chunks.taken_bytes, before + growth);
			waiting[end % 4096].offset = offset;
			waiting[end++ % 4096].len = len;
			bytes += len;
		} else if (end > first) {
			assert_takes(f, waiting[first % 4096].offset, waiting[first % 4096].len);
			bytes -= waiting[first++ % 4096].len;
		}
		assert_int_equal(f->queue.count, end - first);
		assert_int_equal(f->queue.bytes, bytes);
		assert_int_equal(f->queue.stored_bytes, bytes + sizeof(struct datagram_lengths) * (end - first));
	}
}

static void says_no_when_there_are_no_chunks(void **state)
{
	struct fixture *f = *state;
	struct datagram_queue other = { 0 };
	assert_true(put(f, &f->queue, 0, 65535));
	assert_false(put(f, &other, 0, 65535));
	assert_int_equal(other.count, 0);
	assert_true(put(f, &other, 0, 0));
	assert_int_equal(datagram_queue_clear(&other, &f->chunks), 1);
	assert_takes(f, 0, 65535);
}

static void empty_datagrams_take_room(void **state)
{
	struct fixture *f = *state;
	uint32_t count = 0;
	while (put(f, &f->queue, 0, 0))
		count++;
	assert_in_range(count, CHUNKS * (DATAGRAM_CHUNK_BYTES / 4 - 2), CHUNKS * DATAGRAM_CHUNK_BYTES / 4);
	assert_int_equal(datagram_queue_clear(&f->queue, &f->chunks), count);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(keeps_order_and_boundaries, set_up, tear_down),
		cmocka_unit_test_setup_teardown(heads_come_out_right_before, set_up, tear_down),
		cmocka_unit_test_setup_teardown(comes_and_goes_at_random, set_up, tear_down),
		cmocka_unit_test_setup_teardown(says_no_when_there_are_no_chunks, set_up, tear_down),
		cmocka_unit_test_setup_teardown(empty_datagrams_take_room, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
