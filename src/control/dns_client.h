/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks name servers (or the system's files) for records, without waiting: c-ares in a loop and a timer wheel. One
 * client for each set of name servers; each question is embedded in its owner and ends by itself, at the latest when
 * all servers were asked twice for as long as the client's time-out. What an answer means is the owner's business.
 *
 * A client without servers asks what the system asks: /etc/hosts, then the servers of /etc/resolv.conf with its search
 * domains; a change of that file is noticed. With servers, only these are asked, for names as they stand.
 *
 * localhost and the names below it are 127.0.0.1 and ::1, whoever would be asked (RFC 6761, 6.3).
 *
 * Nothing here can fail to be made: what goes wrong is the outcome of a question. Control thread.
 */
#ifndef CONTROL_DNS_CLIENT_H
#define CONTROL_DNS_CLIENT_H

#include "base/addr.h"
#include "base/host_name.h"
#include "event/loop.h"
#include "event/timer_wheel.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DNS_RECORDS_MAX = 256 }; /* of one answer; more are not looked at */

enum dns_kind { DNS_A, DNS_AAAA, DNS_SRV };

enum dns_result {
	DNS_FOUND,
	DNS_NEGATIVE, /* the servers say that there is no such name, or no such record of it */
	DNS_FAILED,   /* nobody could say */
};

struct dns_srv {
	char target[HOST_NAME_BYTES]; /* "": the service is decidedly not available (RFC 2782) */
	uint16_t priority;
	uint16_t weight;
	uint16_t port;
};

struct dns_question {
	struct loop_deferred ended;
	void (*on_end)(struct dns_question *question);
	struct dns_call *call; /* running: what c-ares holds of it */
	enum dns_kind kind;
	/* The outcome. */
	enum dns_result result;
	const char *error;  /* for people, static; when not DNS_FOUND */
	bool is_local;      /* from a file: it has no TTL */
	uint32_t ttl_s;     /* the least of all records on the way to the answer */
	struct addr *addrs; /* without port; A and AAAA */
	struct dns_srv *srvs;
	size_t count;
};

struct dns_client;

/* The addresses are copied. timeout_ms: of one try. The loop and the wheel outlive the client. */
struct dns_client *dns_client_new(struct loop *loop, struct timer_wheel *wheel, const struct addr *servers,
				  size_t server_count, uint64_t timeout_ms);

/* Drops what is running; no question of it may be waited for any more. Not within an event of its sockets: between
 * turns, or in deferred work. Accepts NULL; clears the pointer. */
void dns_client_free(struct dns_client **client);

/*
 * Begins. on_end is called once, at the end of a turn, never from within this call. The question holds the answer until
 * dns_question_done.
 */
void dns_question_ask(struct dns_question *question, struct dns_client *client, enum dns_kind kind, const char *name,
		      void (*on_end)(struct dns_question *question));

/* Ends it if it runs, without calling on_end, and frees the answer. Does nothing to one that was never asked. */
void dns_question_done(struct dns_question *question);

/* Reads the SRV records of a whole DNS message into the question; for tests and fuzzing. Any bytes. */
void dns_question_read_srv(struct dns_question *question, const uint8_t *message, size_t message_bytes);

#endif
