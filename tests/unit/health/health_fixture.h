/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A loop with its wheel, and small servers on loopback that live in the same loop, for the tests of health. One thread:
 * what a server does and what a check sees happen in turns.
 *
 * The monotonic clock of these tests is steady: between two readings it goes on by 11 ms at the most, so that what the
 * process stands still without a processor lets no time-out pass before the turn that would have been in time.
 */
#ifndef TEST_HEALTH_FIXTURE_H
#define TEST_HEALTH_FIXTURE_H

#include "base/addr.h"
#include "event/loop.h"
#include "event/timer_wheel.h"

#include <stdbool.h>
#include <stdint.h>

enum { FIXTURE_CLOSED_MAX = 4 };

struct fixture {
	struct loop loop;
	struct timer_wheel wheel;
	int closed_fds[FIXTURE_CLOSED_MAX]; /* that keep the ports of fixture_closed_addr */
	unsigned int closed_count;
};

/* So much time passes at once. */
void fixture_pass(uint64_t ms);

void fixture_init(struct fixture *fixture);
void fixture_done(struct fixture *fixture);
/* One turn of at most 10 ms. */
void fixture_turn(struct fixture *fixture);
void fixture_run_for(struct fixture *fixture, uint64_t ms);
/* Turns until *flag, at most 10 seconds. Fails the test when that was not enough. */
void fixture_run_until(struct fixture *fixture, const bool *flag);
/* The same for a count that reaches a number. */
void fixture_run_until_count(struct fixture *fixture, const unsigned int *count, unsigned int wanted);

/* 127.0.0.1 or ::1 with the port (0: any); unix: an abstract name that is free. */
struct addr fixture_addr(int family, uint16_t port);
/*
 * A loopback address, IPv4 or IPv6, that refuses what comes. Its port is kept until fixture_done: a free one might be
 * given to a server of another process meanwhile.
 */
struct addr fixture_closed_addr(struct fixture *fixture, int family, int type);
/* A bound, non-blocking socket; TCP and unix ones listen with the backlog. Sets *addr to where it is. */
int fixture_listen(struct addr *addr, int type, int backlog);

/* A TCP or unix stream server that plays the same part on every connection. Set what is wanted, then start. */
struct stream_server {
	const char *parts[5];   /* sent one after the other, part_delay_ms apart; NULL: no more */
	uint64_t part_delay_ms; /* also before the first */
	bool speaks_first;      /* else the first bytes of the client begin the play */
	bool closes;            /* after the last part */
	struct fixture *fixture;
	struct loop_source source;
	struct addr addr;
	unsigned int accepted_count;
	unsigned int fin_count;   /* connections that ended with FIN */
	unsigned int reset_count; /* and with RST */
	char received[512];       /* on the last connection */
	struct list connections;
};
void stream_server_start(struct stream_server *server, struct fixture *fixture, int family);
void stream_server_stop(struct stream_server *server);

/* A UDP server: its script says what each datagram is answered. */
struct datagram_server {
	const char *script; /* 'y': "pong", 'n': "nope", 'e': an empty datagram, '-': nothing; the last is repeated */
	struct fixture *fixture;
	struct loop_source source;
	struct addr addr;
	unsigned int received_count;
	void (*on_datagram)(struct datagram_server *server); /* may be NULL */
};
void datagram_server_start(struct datagram_server *server, struct fixture *fixture, int family);
void datagram_server_stop(struct datagram_server *server);

#endif
