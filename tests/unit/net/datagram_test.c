/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams over loopback: boundaries, sizes, sources, trains, and errors of one that do not harm the others. */
#include "net/datagram.h"
#include "net/socket.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct addr loopback(uint16_t port)
{
	struct addr addr = { .len = sizeof(struct sockaddr_in) };
	addr.in.sin_family = AF_INET;
	addr.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	addr.in.sin_port = htons(port);
	return addr;
}

static struct addr any(void)
{
	struct addr addr = loopback(0);
	addr.in.sin_addr.s_addr = htonl(INADDR_ANY);
	return addr;
}

static int connected(const struct addr *addr)
{
	int fd = socket_open_from(AF_INET, SOCK_DGRAM, &(struct socket_source){ 0 });
	assert_int_equal(socket_connect(fd, addr), 0);
	return fd;
}

/*
 * Sets *addr to a loopback address that refuses what comes, until a socket listens there. The socket that is returned
 * keeps its port: it takes only what comes from its peer, here itself.
 */
static int keep_closed(struct addr *addr)
{
	*addr = loopback(0);
	int keeper = socket_listen_udp(addr);
	addr_set_port(addr, socket_local_endpoint(keeper).port);
	assert_int_equal(connect(keeper, &addr->sa, addr->len), 0);
	return keeper;
}

/* A receiver on all addresses and a sender connected to it over 127.0.0.2. */
struct pair {
	int receiver;
	int sender;
	uint16_t port;
};

static struct pair open_pair(void)
{
	struct addr addr = any();
	struct pair pair = { .receiver = socket_listen_udp(&addr) };
	assert_true(pair.receiver >= 0);
	pair.port = socket_local_endpoint(pair.receiver).port;
	struct addr to = loopback(pair.port);
	to.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
	pair.sender = connected(&to);
	return pair;
}

static void close_pair(struct pair *pair)
{
	close(pair->receiver);
	close(pair->sender);
}

static void keeps_every_size(void **state)
{
	(void)state;
	static const uint32_t sizes[] = { 0, 1, 1472, 1473, 9000, 24001, 65507 };
	struct pair pair = open_pair();
	struct datagram_batch out, in;
	datagram_batch_init(&out);
	datagram_batch_init(&in);
	enum { COUNT = sizeof(sizes) / sizeof(sizes[0]) };
	for (uint32_t i = 0; i < COUNT; i++) {
		out.entries[i].len = sizes[i];
		memset(out.entries[i].bytes, (int)i + 1, sizes[i]);
	}
	struct datagram_route route = { .fd = pair.sender, .is_connected = true };
	assert_int_equal(datagram_send(&route, out.entries, COUNT, NULL), 0);
	assert_int_equal(datagram_receive(pair.receiver, &in, DATAGRAM_BATCH_MAX), COUNT);
	for (uint32_t i = 0; i < COUNT; i++) {
		assert_int_equal(in.entries[i].len, sizes[i]);
		assert_memory_equal(in.entries[i].bytes, out.entries[i].bytes, sizes[i]);
	}
	datagram_batch_done(&in);
	datagram_batch_done(&out);
	close_pair(&pair);
}

static void answers_from_the_address_that_was_asked(void **state)
{
	(void)state;
	struct pair pair = open_pair();
	struct datagram_batch batch;
	datagram_batch_init(&batch);
	assert_int_equal(send(pair.sender, "ask", 3, 0), 3);
	assert_int_equal(datagram_receive(pair.receiver, &batch, 1), 1);
	assert_true(batch.entries[0].has_local);
	assert_int_equal(batch.entries[0].local_ip[15], 2);
	struct datagram_route route = { .fd = pair.receiver, .family = AF_INET };
	assert_int_equal(datagram_send(&route, batch.entries, 1, NULL), 0);
	/* The sender is connected to 127.0.0.2, so an answer from elsewhere would not arrive. */
	char answer[8];
	assert_int_equal(recv(pair.sender, answer, sizeof(answer), 0), 3);
	datagram_batch_done(&batch);
	close_pair(&pair);
}

static void sends_trains_that_arrive_as_datagrams(void **state)
{
	(void)state;
	struct pair pair = open_pair();
	struct datagram_batch out, in;
	datagram_batch_init(&out);
	datagram_batch_init(&in);
	out.entries[0].len = 2500;
	out.entries[0].segment_bytes = 1000;
	for (uint32_t i = 0; i < 2500; i++)
		out.entries[0].bytes[i] = (uint8_t)(i / 1000);
	assert_int_equal(datagram_count(&out.entries[0]), 3);
	struct datagram_route route = { .fd = pair.sender, .is_connected = true };
	assert_int_equal(datagram_send(&route, out.entries, 1, NULL), 0);
	assert_int_equal(datagram_receive(pair.receiver, &in, DATAGRAM_BATCH_MAX), 3);
	assert_int_equal(in.entries[0].len, 1000);
	assert_int_equal(in.entries[2].len, 500);
	assert_int_equal(in.entries[2].bytes[499], 2);
	datagram_batch_done(&in);
	datagram_batch_done(&out);
	close_pair(&pair);
}

static void receives_trains(void **state)
{
	(void)state;
	struct pair pair = open_pair();
	datagram_enable_trains(pair.receiver);
	struct datagram_batch out, in;
	datagram_batch_init(&out);
	datagram_batch_init(&in);
	out.entries[0].len = 6400;
	out.entries[0].segment_bytes = 100;
	struct datagram_route route = { .fd = pair.sender, .is_connected = true };
	assert_int_equal(datagram_send(&route, out.entries, 1, NULL), 0);
	uint32_t datagrams = 0;
	while (datagrams < 64 && datagram_receive(pair.receiver, &in, 1) == 1) {
		datagrams += datagram_count(&in.entries[0]);
		in.count = 0;
	}
	assert_int_equal(datagrams, 64);
	datagram_batch_done(&in);
	datagram_batch_done(&out);
	close_pair(&pair);
}

static void sends_a_train_singly_when_its_datagrams_are_too_large_for_one(void **state)
{
	(void)state;
	struct pair pair = open_pair();
	struct datagram_batch out, in;
	datagram_batch_init(&out);
	datagram_batch_init(&in);
	/* More segments than the kernel takes in one call. */
	out.entries[0].len = 300;
	out.entries[0].segment_bytes = 1;
	struct datagram_route route = { .fd = pair.sender, .is_connected = true };
	assert_int_equal(datagram_send(&route, out.entries, 1, NULL), 0);
	uint32_t received = 0;
	for (int count; (count = datagram_receive(pair.receiver, &in, DATAGRAM_BATCH_MAX)) > 0; in.count = 0)
		received += (uint32_t)count;
	assert_int_equal(received, 300);
	datagram_batch_done(&in);
	datagram_batch_done(&out);
	close_pair(&pair);
}

static void put_head(struct datagram *datagram, const char *text)
{
	datagram->head_bytes = (uint32_t)strlen(text);
	assert_true(datagram->head_bytes <= datagram_headroom(datagram));
	memcpy(datagram->bytes - datagram->head_bytes, text, datagram->head_bytes);
}

static void assert_datagram(const struct datagram *datagram, const char *head, const uint8_t *bytes, uint32_t len)
{
	uint32_t head_len = (uint32_t)strlen(head);
	assert_int_equal(datagram->len, head_len + len);
	assert_memory_equal(datagram->bytes, head, head_len);
	assert_memory_equal(datagram->bytes + head_len, bytes, len);
}

static void leaves_out_the_beginning_until_the_next_one(void **state)
{
	(void)state;
	struct pair pair = open_pair();
	struct datagram_batch batch;
	datagram_batch_init(&batch);
	assert_int_equal(send(pair.sender, "header+data", 11, 0), 11);
	assert_int_equal(datagram_receive(pair.receiver, &batch, 1), 1);
	struct datagram *datagram = &batch.entries[0];
	uint8_t *bytes = datagram->bytes;
	assert_true(endpoint_equal(&datagram->client, &datagram->peer));
	datagram_skip(datagram, 7);
	assert_datagram(datagram, "data", bytes, 0);
	assert_int_equal(datagram_headroom(datagram), DATAGRAM_HEADROOM_BYTES + 7);
	put_head(datagram, "longer header ");
	struct datagram_route route = { .fd = pair.receiver, .family = AF_INET };
	assert_int_equal(datagram_send(&route, datagram, 1, NULL), 0);
	char answer[32];
	assert_int_equal(recv(pair.sender, answer, sizeof(answer), 0), 18);
	assert_memory_equal(answer, "longer header data", 18);
	batch.count = 0;
	assert_int_equal(send(pair.sender, "next", 4, 0), 4);
	assert_int_equal(datagram_receive(pair.receiver, &batch, 1), 1);
	assert_ptr_equal(datagram->bytes, bytes);
	assert_int_equal(datagram->head_bytes, 0);
	assert_datagram(datagram, "next", bytes, 0);
	datagram_batch_done(&batch);
	close_pair(&pair);
}

/* Of so many bytes in datagrams of so many, with a head before each. */
static void send_headed_train(uint32_t len, uint32_t segment_bytes)
{
	static const char head[] = "the head of each";
	struct pair pair = open_pair();
	struct datagram_batch out, in;
	datagram_batch_init(&out);
	datagram_batch_init(&in);
	/* With others on both sides, which have none. */
	memcpy(out.entries[0].bytes, "before", out.entries[0].len = 6);
	memcpy(out.entries[2].bytes, "behind", out.entries[2].len = 6);
	out.entries[1].len = len;
	out.entries[1].segment_bytes = segment_bytes;
	for (uint32_t i = 0; i < len; i++)
		out.entries[1].bytes[i] = (uint8_t)(i * 7 + i / 256);
	put_head(&out.entries[1], head);
	struct datagram_route route = { .fd = pair.sender, .is_connected = true };
	int error = 0;
	assert_int_equal(datagram_send(&route, out.entries, 3, &error), 0);
	assert_int_equal(error, 0);
	assert_int_equal(datagram_receive(pair.receiver, &in, 1), 1);
	assert_datagram(&in.entries[0], "before", NULL, 0);
	for (uint32_t offset = 0; offset < len; offset += segment_bytes) {
		in.count = 0;
		assert_int_equal(datagram_receive(pair.receiver, &in, 1), 1);
		uint32_t left = len - offset;
		assert_datagram(&in.entries[0], head, out.entries[1].bytes + offset,
				left < segment_bytes ? left : segment_bytes);
	}
	in.count = 0;
	assert_int_equal(datagram_receive(pair.receiver, &in, DATAGRAM_BATCH_MAX), 1);
	assert_datagram(&in.entries[0], "behind", NULL, 0);
	datagram_batch_done(&in);
	datagram_batch_done(&out);
	close_pair(&pair);
}

static void sends_trains_with_a_head_before_each_datagram(void **state)
{
	(void)state;
	send_headed_train(2500, 1000);
	send_headed_train(2000, 1000);
	send_headed_train(1001, 1000);
	send_headed_train(6400, 100);
	send_headed_train(65500, 1400); /* more than one call takes, with heads */
	send_headed_train(100, 1);      /* more datagrams than one call takes */
	send_headed_train(50000, 30000);
}

static void reports_an_earlier_icmp_error_and_sends_a_headed_train(void **state)
{
	(void)state;
	struct addr addr;
	int keeper = keep_closed(&addr);
	int sender = connected(&addr);
	assert_int_equal(send(sender, "x", 1, 0), 1);
	int listener = socket_listen_udp(&addr);
	struct datagram_batch out, in;
	datagram_batch_init(&out);
	datagram_batch_init(&in);
	out.entries[0].len = 200;
	out.entries[0].segment_bytes = 100;
	put_head(&out.entries[0], "head");
	struct datagram_route route = { .fd = sender, .is_connected = true };
	int error = 0;
	assert_int_equal(datagram_send(&route, out.entries, 1, &error), 0);
	assert_int_equal(error, -ECONNREFUSED);
	assert_int_equal(datagram_receive(listener, &in, DATAGRAM_BATCH_MAX), 2);
	assert_int_equal(in.entries[1].len, 104);
	close(listener);
	error = 0;
	assert_int_equal(datagram_send(&route, out.entries, 1, &error), 0); /* an ICMP error comes back */
	assert_int_equal(datagram_send(&route, out.entries, 1, &error), 0);
	assert_int_equal(error, -ECONNREFUSED);
	datagram_batch_done(&in);
	datagram_batch_done(&out);
	close(sender);
	close(keeper);
}

static void goes_on_after_one_that_cannot_be_sent(void **state)
{
	(void)state;
	struct pair pair = open_pair();
	struct datagram_batch out, in;
	datagram_batch_init(&out);
	datagram_batch_init(&in);
	struct addr good = loopback(pair.port);
	for (uint32_t i = 0; i < 3; i++) {
		out.entries[i].len = 4;
		out.entries[i].peer = endpoint_from_addr(&good);
	}
	out.entries[1].len = 65535; /* too large for IPv4 */
	struct datagram_route route = { .fd = pair.receiver, .family = AF_INET };
	int error = 0;
	assert_int_equal(datagram_send(&route, out.entries, 3, &error), 1);
	assert_int_equal(error, -EMSGSIZE);
	assert_int_equal(datagram_receive(pair.receiver, &in, DATAGRAM_BATCH_MAX), 2);
	datagram_batch_done(&in);
	datagram_batch_done(&out);
	close_pair(&pair);
}

static void sends_in_spite_of_an_earlier_icmp_error(void **state)
{
	(void)state;
	struct addr addr;
	int keeper = keep_closed(&addr);
	int sender = connected(&addr);
	assert_int_equal(send(sender, "x", 1, 0), 1); /* nobody is there: an ICMP error comes back */
	int listener = socket_listen_udp(&addr);
	struct datagram_batch out, in;
	datagram_batch_init(&out);
	datagram_batch_init(&in);
	out.entries[0].len = 5;
	struct datagram_route route = { .fd = sender, .is_connected = true };
	int error = 0;
	assert_int_equal(datagram_send(&route, out.entries, 1, &error), 0);
	assert_int_equal(error, -ECONNREFUSED);
	assert_int_equal(datagram_receive(listener, &in, 1), 1);
	assert_int_equal(in.entries[0].len, 5);
	datagram_batch_done(&in);
	datagram_batch_done(&out);
	close(listener);
	close(sender);
	close(keeper);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_every_size),
		cmocka_unit_test(answers_from_the_address_that_was_asked),
		cmocka_unit_test(sends_trains_that_arrive_as_datagrams),
		cmocka_unit_test(receives_trains),
		cmocka_unit_test(sends_a_train_singly_when_its_datagrams_are_too_large_for_one),
		cmocka_unit_test(leaves_out_the_beginning_until_the_next_one),
		cmocka_unit_test(sends_trains_with_a_head_before_each_datagram),
		cmocka_unit_test(reports_an_earlier_icmp_error_and_sends_a_headed_train),
		cmocka_unit_test(goes_on_after_one_that_cannot_be_sent),
		cmocka_unit_test(sends_in_spite_of_an_earlier_icmp_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
