/* SPDX-License-Identifier: Apache-2.0 */
/* Flows that begin in the kernel, and errors about them: what the program makes of packets (BPF_PROG_TEST_RUN). */
#include "kernel/nat_table.h"

#include "kernel/flow_packets.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <limits.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { TO_THE_STACK = -1, DROPPED = 2, REDIRECTED = 7, LOOPBACK = 1 };

enum { FIN = 0x01, SYN = 0x02, RST = 0x04, ACK = 0x10, SERVERS = 3, PORT_COUNT = 64, FIRST_PORT = 51000 };

#define CLIENT "192.0.2.7:40000"
#define LISTEN "198.51.100.1:443"
#define LOCAL  "10.0.0.9:1" /* any port */

static const char *const addresses[SERVERS] = { "10.0.1.10:8443", "10.0.1.11:8443", "10.0.1.12:8443" };

static struct flow_table *flows;
static struct nat_table *table;
static const uint8_t payload[16] = "0123456789abcde";

static struct endpoint endpoint(const char *text)
{
	struct addr addr;
	const char *problem;
	assert_int_equal(addr_parse(span_from_text(text), &addr, &problem), 0);
	return endpoint_from_addr(&addr);
}

static struct endpoint with_port(struct endpoint endpoint, uint16_t port)
{
	endpoint.port = port;
	return endpoint;
}

static void fill_server(uint32_t number)
{
	struct endpoint server = endpoint(addresses[number]), local = endpoint(LOCAL);
	struct nat_server *row = nat_table_server(table, number);
	memcpy(row->ip, server.ip + 12, 4);
	memcpy(row->local, local.ip + 12, 4);
	row->port_be16 = htons(server.port);
	row->version = 4;
	row->way_out = LOOPBACK;
	row->state = NAT_SERVER_GENERATION | NAT_SERVER_AVAILABLE;
}

static void set_ports(uint16_t first, uint16_t count)
{
	static uint16_t ports[NAT_PORTS_MAX];
	for (uint16_t i = 0; i < count; i++)
		ports[i] = first + i;
	nat_table_set_ports(table, ports, count);
}

static void fill_service(void)
{
	struct endpoint listen = endpoint(LISTEN);
	struct nat_service *row = nat_table_service(table, 0);
	set_ports(FIRST_PORT, PORT_COUNT);
	row->tries_max = 3;
	row->new_ticks = row->idle_ticks = 1000;
	row->flows_max[0] = row->flows_max[1] = UINT32_MAX;
	row->state = NAT_SERVICE_ACTIVE;
	assert_int_equal(nat_table_add_listen(table, &listen, IPPROTO_TCP, 0), 0);
	assert_int_equal(nat_table_add_listen(table, &listen, IPPROTO_UDP, 0), 0);
}

enum { CHOICES = 4096 };
static const uint64_t choices[CHOICES + 1] = { 0, 1, 2 };

static int set_up(void **state)
{
	const struct flow_table_settings settings = { .flows_max = 256, .nat = { 16, 16, 4, 4, 16, CHOICES } };
	(void)state;
	int result = flow_table_open(&settings, &flows);
	if (result == -EPERM)
		return 0; /* where eBPF programs may not be loaded */
	assert_int_equal(result, 0);
	assert_int_equal(nat_table_open(flows, &table), 0);
	fill_service();
	for (uint32_t i = 0; i < SERVERS; i++)
		fill_server(i);
	assert_int_equal(nat_table_publish(table, 0, NAT_CHOOSES_FIRST, choices, SERVERS), 0);
	nat_table_fill_slots(table);
	nat_table_switch_on(table);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	nat_table_close(&table);
	flow_table_close(&flows);
	return 0;
}

#define NEEDS_BPF()                                                                                                    \
	do {                                                                                                           \
		if (table == NULL)                                                                                     \
			skip();                                                                                        \
	} while (0)

/* --- packets ----------------------------------------------------------------------------------------------------- */

static struct flow_says segment(struct endpoint source, struct endpoint dest, uint8_t flags, uint32_t seq, uint32_t ack)
{
	return (struct flow_says){
		.source = source,
		.dest = dest,
		.protocol = IPPROTO_TCP,
		.lifetime = 64,
		.seq = seq,
		.ack = ack,
		.window = 1000,
		.flags = flags,
		.payload = payload,
	};
}

static int run(const struct flow_frame *frame, struct flow_frame *ret_frame)
{
	flow_table_note_alive(flows);
	int action = flow_frame_run(flow_table_program(flows), frame, ret_frame);
	assert_int_not_equal(action, INT_MIN);
	return action;
}

static int verdict_on(const struct flow_says *says)
{
	struct flow_frame frame, made;
	flow_frame_make(says, &frame);
	return run(&frame, &made);
}

static void assert_same(const struct flow_frame *a, const struct flow_frame *b)
{
	assert_int_equal(a->bytes, b->bytes);
	for (size_t i = 0; i < a->bytes; i++)
		if (a->at[i] != b->at[i])
			fail_msg("byte %zu of the frame is %02x, not %02x", i, a->at[i], b->at[i]);
}

/* Sent on, with these addresses, and else unchanged but for the time to live. */
static void assert_becomes(const struct flow_says *before, struct endpoint source, struct endpoint dest)
{
	struct flow_frame frame, expected, made;
	struct flow_says after = *before;
	after.source = source;
	after.dest = dest;
	after.lifetime--;
	flow_frame_make(before, &frame);
	flow_frame_make(&after, &expected);
	assert_int_equal(run(&frame, &made), REDIRECTED);
	assert_same(&made, &expected);
}

/* Sent on to the server, from a port that it returns. */
static uint16_t syn_port(const struct flow_says *syn, uint32_t server)
{
	struct flow_frame frame, expected, made;
	struct flow_says after = *syn;
	flow_frame_make(syn, &frame);
	assert_int_equal(run(&frame, &made), REDIRECTED);
	uint16_t port = (uint16_t)(made.at[ETH_HLEN + 20] << 8 | made.at[ETH_HLEN + 21]);
	assert_in_range(port, FIRST_PORT, FIRST_PORT + PORT_COUNT - 1);
	after.source = with_port(endpoint(LOCAL), port);
	after.dest = endpoint(addresses[server]);
	after.lifetime--;
	flow_frame_make(&after, &expected);
	assert_same(&made, &expected);
	return port;
}

/* --- what it tells ----------------------------------------------------------------------------------------------- */

static struct nat_event last_event;

static void on_event(void *owner, const struct nat_event *event)
{
	(void)owner;
	last_event = *event;
}

static void assert_tells(enum nat_event_kind kind)
{
	memset(&last_event, 0, sizeof(last_event));
	assert_int_equal(nat_table_take_events(table, on_event, NULL), 1);
	assert_int_equal(last_event.kind, kind);
}

static void end_flow(void)
{
	flow_table_use(flows);
	flow_table_end(flows, last_event.slot);
	flow_table_give(flows, last_event.slot);
	nat_table_service(table, 0)->flows[0]--;
	nat_table_service(table, 0)->pending[0]--;
}

/* The client has asked, and not been answered. Returns the end towards the first server. */
static struct endpoint ask(const struct endpoint *client)
{
	struct flow_says syn = segment(*client, endpoint(LISTEN), SYN, 1000, 0);
	return with_port(endpoint(LOCAL), syn_port(&syn, 0));
}

static void answer(const struct endpoint *client, const struct endpoint *local)
{
	struct flow_says says = segment(endpoint(addresses[0]), *local, SYN | ACK, 5000, 1001);
	assert_becomes(&says, endpoint(LISTEN), *client);
}

/* A connection of the client's port that is established; last_event is its. Returns its port towards the server. */
static uint16_t establish(uint16_t client_port)
{
	struct endpoint client = with_port(endpoint(CLIENT), client_port), local = ask(&client);
	answer(&client, &local);
	struct flow_says ack = segment(client, endpoint(LISTEN), ACK, 1001, 5001);
	assert_becomes(&ack, local, endpoint(addresses[0]));
	assert_tells(NAT_EVENT_BEGUN);
	return local.port;
}

/* --- handshakes -------------------------------------------------------------------------------------------------- */

static void a_handshake_makes_a_flow(void **state)
{
	(void)state;
	NEEDS_BPF();
	uint16_t port = establish(40000);
	const struct flow_slot *slot = flow_table_slot(flows, last_event.slot);
	struct endpoint client = endpoint(CLIENT), local = with_port(endpoint(LOCAL), port);
	struct endpoint server = endpoint(addresses[0]), listen = endpoint(LISTEN);
	struct endpoint is = flow_side_dest(&slot->sides[FLOW_TO_CLIENT], 4);
	assert_true(endpoint_equal(&is, &client));
	is = flow_side_source(&slot->sides[FLOW_TO_SERVER], 4);
	assert_true(endpoint_equal(&is, &local));
	assert_int_equal(slot->state, FLOW_SLOT_ACTIVE);
	assert_int_equal(slot->flags, FLOW_SLOT_IS_NAT);
	assert_int_equal(slot->sides[FLOW_TO_SERVER].first, 1001);
	assert_int_equal(slot->sides[FLOW_TO_CLIENT].first, 5001);
	struct flow_says data = segment(client, listen, ACK, 1001, 5001);
	data.payload_bytes = sizeof(payload);
	assert_becomes(&data, local, server);
	assert_int_equal(slot->sides[FLOW_TO_SERVER].bytes, 1001 + sizeof(payload));
	assert_int_equal(nat_table_service(table, 0)->flows[0], 1);
	assert_int_equal(nat_table_service(table, 0)->pending[0], 1);
	end_flow();
	assert_int_equal(flow_table_flows(flows), 0);
}

static void wrong_numbers_establish_nothing(void **state)
{
	(void)state;
	NEEDS_BPF();
	struct endpoint client = with_port(endpoint(CLIENT), 40001), listen = endpoint(LISTEN);
	struct flow_says syn = segment(client, listen, SYN, 1000, 0);
	uint16_t port = syn_port(&syn, 0);
	struct flow_says early = segment(client, listen, ACK, 1001, 5001);
	assert_int_equal(verdict_on(&early), TO_THE_STACK);
	struct flow_says answer =
		segment(endpoint(addresses[0]), with_port(endpoint(LOCAL), port), SYN | ACK, 5000, 1001);
	assert_becomes(&answer, listen, client);
	struct flow_says forged = segment(client, listen, ACK, 1001, 5000);
	assert_int_equal(verdict_on(&forged), TO_THE_STACK);
	forged = segment(client, listen, ACK, 1000, 5001);
	assert_int_equal(verdict_on(&forged), TO_THE_STACK);
	assert_int_equal(nat_table_take_events(table, on_event, NULL), 0);
}

static void who_is_refused_goes_to_another_server(void **state)
{
	(void)state;
	NEEDS_BPF();
	struct endpoint client = with_port(endpoint(CLIENT), 40002), listen = endpoint(LISTEN);
	struct flow_says syn = segment(client, listen, SYN, 1000, 0);
	for (uint32_t i = 0; i < SERVERS; i++) {
		struct endpoint local = with_port(endpoint(LOCAL), syn_port(&syn, i));
		struct flow_says refusal = segment(endpoint(addresses[i]), local, RST | ACK, 0, 1001);
		if (i + 1 < SERVERS)
			assert_int_equal(verdict_on(&refusal), DROPPED);
		else
			assert_becomes(&refusal, listen, client);
		assert_tells(NAT_EVENT_REFUSED);
		assert_int_equal(last_event.server, i);
		assert_int_equal(last_event.tried_count, i);
	}
}

/* They are sent on to who would believe them or not, and the handshake goes on. */
static void resets_with_wrong_numbers_end_nothing(void **state)
{
	(void)state;
	NEEDS_BPF();
	struct endpoint client = with_port(endpoint(CLIENT), 40011), listen = endpoint(LISTEN);
	struct endpoint server = endpoint(addresses[0]);
	struct endpoint local = ask(&client);
	struct flow_says forged = segment(server, local, RST | ACK, 0, 1002);
	assert_becomes(&forged, listen, client);
	forged = segment(server, local, RST, 5001, 0);
	assert_becomes(&forged, listen, client);
	answer(&client, &local);
	forged = segment(server, local, RST, 5000, 0);
	assert_becomes(&forged, listen, client);
	forged = segment(client, listen, RST, 1000, 0);
	assert_becomes(&forged, local, server);
	assert_int_equal(nat_table_take_events(table, on_event, NULL), 0);
	struct flow_says ack = segment(client, listen, ACK, 1001, 5001);
	assert_becomes(&ack, local, server);
	assert_tells(NAT_EVENT_BEGUN);
	forged = segment(client, listen, RST, 900, 0);
	assert_becomes(&forged, local, server);
	assert_int_equal(flow_table_slot(flows, last_event.slot)->sides[FLOW_TO_SERVER].tcp_flags, 0);
	forged = segment(client, listen, RST, 1001, 0);
	assert_becomes(&forged, local, server);
	assert_int_equal(flow_table_slot(flows, last_event.slot)->sides[FLOW_TO_SERVER].tcp_flags, RST);
	end_flow();
}

static void who_is_not_let_in_goes_to_user_space(void **state)
{
	(void)state;
	NEEDS_BPF();
	struct endpoint client = with_port(endpoint(CLIENT), 40003);
	struct flow_says syn = segment(client, endpoint(LISTEN), SYN, 1000, 0);
	struct nat_service *row = nat_table_service(table, 0);
	struct network denied = network_from_endpoint(&client);
	assert_int_equal(nat_table_add_network(table, 7, &denied, false), 0);
	row->networks = 7;
	assert_int_equal(verdict_on(&syn), TO_THE_STACK);
	row->networks = 8;
	assert_int_equal(verdict_on(&syn), REDIRECTED);
	row->networks = 0;
	row->flows_max[0] = 0;
	syn.source.port = 40004;
	assert_int_equal(verdict_on(&syn), TO_THE_STACK);
	row->flows_max[0] = UINT32_MAX;
	nat_table_switch_off(table);
	assert_int_equal(verdict_on(&syn), TO_THE_STACK);
	nat_table_switch_on(table);
	assert_int_equal(verdict_on(&syn), REDIRECTED);
}

static void a_limit_that_was_reached_meanwhile_resets_the_server(void **state)
{
	(void)state;
	NEEDS_BPF();
	struct endpoint client = with_port(endpoint(CLIENT), 40005), listen = endpoint(LISTEN);
	struct endpoint server = endpoint(addresses[0]);
	struct endpoint local = ask(&client);
	answer(&client, &local);
	nat_table_service(table, 0)->flows_max[0] = 0;
	struct flow_says ack = segment(client, listen, ACK, 1001, 5001);
	struct flow_says reset = segment(local, server, RST, 1001, 5001);
	struct flow_frame frame, expected, made;
	reset.lifetime = 63;
	flow_frame_make(&ack, &frame);
	flow_frame_make(&reset, &expected);
	assert_int_equal(run(&frame, &made), REDIRECTED);
	assert_same(&made, &expected);
	assert_tells(NAT_EVENT_LIMITED);
	nat_table_service(table, 0)->flows_max[0] = UINT32_MAX;
	assert_int_equal(nat_table_service(table, 0)->flows[0], 0);
}

static void an_order_without_room_leaves_all_to_user_space(void **state)
{
	(void)state;
	NEEDS_BPF();
	struct flow_says syn = segment(with_port(endpoint(CLIENT), 40012), endpoint(LISTEN), SYN, 1000, 0);
	assert_int_equal(nat_table_publish(table, 0, NAT_CHOOSES_FIRST, choices, CHOICES + 1), -ENOSPC);
	assert_int_equal(verdict_on(&syn), TO_THE_STACK);
	assert_int_equal(nat_table_publish(table, 0, NAT_CHOOSES_FIRST, choices, SERVERS), 0);
	establish(40012);
	end_flow();
}

static void other_packets_are_the_stacks(void **state)
{
	(void)state;
	NEEDS_BPF();
	struct endpoint client = with_port(endpoint(CLIENT), 40006);
	static const uint8_t flags[] = { ACK, RST, SYN | ACK, 0x01 | ACK };
	for (size_t i = 0; i < sizeof(flags); i++) {
		struct flow_says says = segment(client, endpoint(LISTEN), flags[i], 1, 1);
		assert_int_equal(verdict_on(&says), TO_THE_STACK);
	}
	struct flow_says elsewhere = segment(client, endpoint("198.51.100.1:444"), SYN, 1, 0);
	assert_int_equal(verdict_on(&elsewhere), TO_THE_STACK);
}

/* --- errors ------------------------------------------------------------------------------------------------------ */

static void make_error(const struct flow_says *about, struct endpoint source, struct endpoint dest, uint8_t lifetime,
		       struct flow_frame *ret_frame)
{
	const struct flow_says says = { .source = source, .dest = dest, .lifetime = lifetime };
	flow_frame_make_too_big(&says, about, 1300, ret_frame);
}

static void errors_come_to_the_sender(void **state)
{
	(void)state;
	NEEDS_BPF();
	struct endpoint client = with_port(endpoint(CLIENT), 40007), listen = endpoint(LISTEN);
	struct endpoint local = with_port(endpoint(LOCAL), establish(40007)), server = endpoint(addresses[0]);
	struct flow_says sent = segment(client, listen, ACK, 1001, 5001),
			 went = segment(local, server, ACK, 1001, 5001);
	struct flow_frame frame, expected, made;
	make_error(&went, endpoint("10.0.1.254:1"), local, 64, &frame);
	make_error(&sent, listen, client, 63, &expected);
	assert_int_equal(run(&frame, &made), REDIRECTED);
	assert_same(&made, &expected);
	sent = segment(server, local, ACK, 5001, 1001);
	went = segment(listen, client, ACK, 5001, 1001);
	make_error(&went, endpoint("192.0.2.254:1"), listen, 64, &frame);
	make_error(&sent, local, server, 63, &expected);
	assert_int_equal(run(&frame, &made), REDIRECTED);
	assert_same(&made, &expected);
	end_flow();
	assert_int_equal(run(&frame, &made), TO_THE_STACK);
}

/* Its entries are there for what may be sent again, but not when there is nothing else left. */
static void the_port_of_an_ended_connection_is_used_again(void **state)
{
	(void)state;
	NEEDS_BPF();
	struct endpoint client = with_port(endpoint(CLIENT), 40010), listen = endpoint(LISTEN);
	uint16_t port = establish(40010);
	uint32_t number = last_event.slot, reused = 0;
	struct endpoint local = with_port(endpoint(LOCAL), port), server = endpoint(addresses[0]);
	struct flow_says fin = segment(client, listen, FIN | ACK, 1001, 5001);
	assert_becomes(&fin, local, server);
	fin = segment(server, local, FIN | ACK, 5001, 1002);
	assert_becomes(&fin, listen, client);
	usleep(300 * 1000);
	for (uint16_t i = 0; i < PORT_COUNT; i++) {
		struct flow_says syn = segment(with_port(client, 41000 + i), listen, SYN, 1000, 0);
		reused += syn_port(&syn, 0) == port;
	}
	assert_int_equal(reused, 1);
	assert_int_equal(flow_table_slot(flows, number)->state, FLOW_SLOT_TAKEN);
	struct flow_says late = segment(client, listen, ACK, 1002, 5002);
	assert_int_equal(verdict_on(&late), TO_THE_STACK);
	end_flow();
}

/* A client that was seen before is answered as user space has said, until routes change. */
static void the_way_back_is_remembered(void **state)
{
	(void)state;
	NEEDS_BPF();
	struct endpoint client = endpoint(CLIENT);
	nat_table_note_way(table, &client, LOOPBACK, 7, LOOPBACK | FLOW_ON_LINK);
	for (uint32_t epoch = 6; epoch <= 8; epoch++) {
		nat_table_set_routes_epoch(table, epoch);
		establish((uint16_t)(43000 + epoch));
		const struct flow_slot *slot = flow_table_slot(flows, last_event.slot);
		assert_int_equal(last_event.is_way_known, epoch == 7);
		assert_int_equal(slot->sides[FLOW_TO_CLIENT].way_out, LOOPBACK | (epoch == 7 ? FLOW_ON_LINK : 0));
		end_flow();
	}
}

/* A client of its own for each number. */
static struct endpoint stranger(uint32_t number)
{
	struct endpoint client = endpoint("203.0.0.0:1024");
	memcpy(client.ip + 14, &(uint16_t){ htons((uint16_t)number) }, 2);
	client.port = (uint16_t)(client.port + (number >> 16));
	return client;
}

/* Handshakes that nobody goes on with take the places of older ones, of which there are so many, and of no established flow. */
static void a_flood_pushes_out_handshakes_only(void **state)
{
	(void)state;
	NEEDS_BPF();
	struct endpoint old = with_port(endpoint(CLIENT), 42000), client = with_port(endpoint(CLIENT), 42001);
	struct endpoint listen = endpoint(LISTEN), server = endpoint(addresses[0]), local = endpoint(LOCAL);
	struct flow_says syn = segment(old, listen, SYN, 1000, 0);
	struct endpoint old_local = with_port(local, syn_port(&syn, 0));
	struct endpoint client_local = with_port(local, establish(42001));
	usleep(50 * 1000);
	set_ports(5000, 60000);
	for (uint32_t i = 0; i < 2 * NAT_HALF_OPEN_MAX; i++) {
		syn = segment(stranger(i), listen, SYN, 1000, 0);
		assert_int_equal(verdict_on(&syn), REDIRECTED);
	}
	set_ports(FIRST_PORT, PORT_COUNT);
	struct flow_says answer = segment(server, old_local, SYN | ACK, 5000, 1001);
	assert_int_equal(verdict_on(&answer), TO_THE_STACK);
	struct flow_says more = segment(client, listen, ACK, 1001, 5001);
	assert_becomes(&more, client_local, server);
	end_flow();
	establish(42002);
	end_flow();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_handshake_makes_a_flow),
		cmocka_unit_test(wrong_numbers_establish_nothing),
		cmocka_unit_test(who_is_refused_goes_to_another_server),
		cmocka_unit_test(resets_with_wrong_numbers_end_nothing),
		cmocka_unit_test(who_is_not_let_in_goes_to_user_space),
		cmocka_unit_test(a_limit_that_was_reached_meanwhile_resets_the_server),
		cmocka_unit_test(an_order_without_room_leaves_all_to_user_space),
		cmocka_unit_test(other_packets_are_the_stacks),
		cmocka_unit_test(errors_come_to_the_sender),
		cmocka_unit_test(the_port_of_an_ended_connection_is_used_again),
		cmocka_unit_test(the_way_back_is_remembered),
		cmocka_unit_test(a_flood_pushes_out_handshakes_only),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
