/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/block_list.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <urcu-qsbr.h>

#include <cmocka.h>

static struct block block(const char *text)
{
	struct block made = { .refused = 0 };
	const char *problem = NULL;
	bool had_host_bits = false;
	assert_int_equal(network_parse(span_from_text(text), &made.network, &had_host_bits, &problem), 0);
	return made;
}

static struct block *find(const struct block_list *list, const char *text)
{
	struct addr addr;
	const char *problem = NULL;
	assert_int_equal(addr_parse(span_from_text(text), &addr, &problem), 0);
	struct endpoint endpoint = endpoint_from_addr(&addr);
	return block_list_find(list, &endpoint);
}

static void the_most_specific_block_is_found(void **state)
{
	(void)state;
	struct block_list *list = block_list_new();
	struct block blocks[] = { block("10.0.0.0/8"), block("10.1.2.3"),      block("10.1.0.0/16"),
				  block("unix:"),      block("2001:db8::/32"), block("2001:db8:0:1::/64") };
	const size_t count = sizeof(blocks) / sizeof(blocks[0]);
	assert_null(find(list, "10.1.2.3:1"));
	for (size_t i = 0; i < count; i++)
		assert_int_equal(block_list_add(list, &blocks[i]), 0);
	assert_int_equal(block_list_count(list), count);
	assert_ptr_equal(find(list, "10.2.0.0:1"), &blocks[0]);
	assert_ptr_equal(find(list, "10.1.2.3:1"), &blocks[1]);
	assert_ptr_equal(find(list, "10.1.2.4:1"), &blocks[2]);
	assert_ptr_equal(find(list, "unix:/x"), &blocks[3]);
	assert_ptr_equal(find(list, "[2001:db8:1::1]:1"), &blocks[4]);
	assert_ptr_equal(find(list, "[2001:db8:0:1::1]:1"), &blocks[5]);
	assert_null(find(list, "11.0.0.0:1"));
	assert_null(find(list, "[2001:db9::1]:1"));
	block_list_remove(list, &blocks[1]);
	assert_ptr_equal(find(list, "10.1.2.3:1"), &blocks[2]);
	for (size_t i = 0; i < count; i++)
		if (i != 1)
			block_list_remove(list, &blocks[i]);
	assert_null(find(list, "10.1.2.3:1"));
	assert_int_equal(block_list_count(list), 0);
	block_list_free(&list);
	assert_null(list);
	block_list_free(&list);
}

static void families_are_apart(void **state)
{
	(void)state;
	struct block_list *list = block_list_new();
	struct block all4 = block("0.0.0.0/0"), all6 = block("::/0");
	assert_int_equal(block_list_add(list, &all4), 0);
	assert_ptr_equal(find(list, "192.0.2.1:1"), &all4);
	assert_null(find(list, "[::1]:1"));
	assert_int_equal(block_list_add(list, &all6), 0);
	assert_ptr_equal(find(list, "[::1]:1"), &all6);
	block_list_remove(list, &all4);
	assert_null(find(list, "192.0.2.1:1"));
	block_list_remove(list, &all6);
	block_list_free(&list);
}

static void a_network_is_blocked_once(void **state)
{
	(void)state;
	struct block_list *list = block_list_new();
	struct block first = block("10.0.0.0/8"), second = block("10.0.0.0/8"), other = block("10.0.0.0/9");
	assert_int_equal(block_list_add(list, &first), 0);
	assert_int_equal(block_list_add(list, &second), -EEXIST);
	assert_ptr_equal(block_list_get(list, &second.network), &first);
	assert_null(block_list_get(list, &other.network));
	block_list_remove(list, &first);
	assert_int_equal(block_list_add(list, &second), 0);
	block_list_remove(list, &second);
	block_list_free(&list);
}

static struct network numbered(uint32_t number)
{
	struct network network = block("10.0.0.1").network;
	memcpy(network.ip + 12, &number, sizeof(number));
	return network;
}

static void what_does_not_fit_is_refused(void **state)
{
	(void)state;
	struct block_list *list = block_list_new();
	struct block *blocks = calloc(BLOCKS_MAX, sizeof(*blocks));
	struct block more = block("192.0.2.0/24");
	for (uint32_t i = 0; i < BLOCKS_MAX; i++) {
		blocks[i].network = numbered(i);
		assert_int_equal(block_list_add(list, &blocks[i]), 0);
	}
	assert_int_equal(block_list_add(list, &more), -ENOSPC);
	for (uint32_t i = 0; i < BLOCKS_MAX; i++)
		assert_ptr_equal(block_list_get(list, &blocks[i].network), &blocks[i]);
	for (uint32_t i = 0; i < BLOCKS_MAX; i++)
		block_list_remove(list, &blocks[i]);
	block_list_free(&list);
	free(blocks);
}

struct reader {
	struct block_list *list;
	_Atomic bool is_over;
	uint64_t found;
};

static void *read_on(void *argument)
{
	struct reader *reader = argument;
	rcu_register_thread();
	while (!atomic_load(&reader->is_over)) {
		struct block *found = find(reader->list, "192.0.2.1:1");
		if (found != NULL)
			reader->found += atomic_fetch_add(&found->refused, 1) + 1 > 0;
		rcu_quiescent_state();
	}
	rcu_unregister_thread();
	return NULL;
}

/* A worker looks while control adds and removes. */
static void readers_need_no_lock(void **state)
{
	(void)state;
	struct reader reader = { .list = block_list_new() };
	struct block blocks[2] = { block("192.0.2.1"), block("192.0.2.0/24") };
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, read_on, &reader), 0);
	for (int i = 0; i < 20000 || atomic_load(&blocks[0].refused) == 0; i++) {
		assert_int_equal(block_list_add(reader.list, &blocks[i % 2]), 0);
		block_list_remove(reader.list, &blocks[i % 2]);
		if (i % 100 == 0)
			synchronize_rcu();
	}
	atomic_store(&reader.is_over, true);
	pthread_join(thread, NULL);
	assert_int_equal(reader.found, blocks[0].refused + blocks[1].refused);
	block_list_free(&reader.list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_most_specific_block_is_found),
		cmocka_unit_test(families_are_apart),
		cmocka_unit_test(a_network_is_blocked_once),
		cmocka_unit_test(what_does_not_fit_is_refused),
		cmocka_unit_test(readers_need_no_lock),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
