/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One running check of one address: started, it ends by itself with an outcome, at the latest with its time-out. What
 * is asked is in the files of the kinds (probe_tcp.c, probe_dns.c, ...); this is what they share: the descriptor in the
 * loop, the deadline on the wheel, the bytes, the outcome.
 *
 * A probe is embedded in its owner and used again and again; it owns a descriptor and a block of memory only while it
 * runs. All on the thread of the loop. It knows nothing of servers, intervals or rise and fall.
 */
#ifndef HEALTH_PROBE_H
#define HEALTH_PROBE_H

#include "base/addr.h"
#include "base/http_statuses.h"
#include "base/span.h"
#include "event/loop.h"
#include "event/timer_wheel.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	PROBE_CAUSE_BYTES = 128,
	PROBE_ANSWER_BYTES_MAX = 4096, /* of an answer looked at; what comes behind them is not read */
};

enum probe_result {
	PROBE_PENDING,
	PROBE_GOOD,
	PROBE_BAD,
	PROBE_UNDECIDED, /* strait itself could not ask (no descriptor, no memory): says nothing about the server */
};

struct probe_outcome {
	enum probe_result result;
	uint64_t duration_us;
	char cause[PROBE_CAUSE_BYTES]; /* for people: "connection refused"; empty when good */
};

struct probe_kind;
extern const struct probe_kind probe_kind_tcp;
extern const struct probe_kind probe_kind_udp;
extern const struct probe_kind probe_kind_http;
extern const struct probe_kind probe_kind_dns;
extern const struct probe_kind probe_kind_exec;

struct programs;

struct probe_request {
	const struct probe_kind *kind;
	struct addr addr;
	/* Of this machine, with port 0: the first that can be used; none: the kernel chooses. Used within probe_start only. */
	const struct addr *sources;
	size_t source_count;
	uint64_t timeout_ms;
	struct span preface; /* what servers want before anything else; len 0: nothing */
	struct span send;    /* len 0: nothing */
	struct span expect;  /* len 0: nothing; else the answer must contain these bytes, wherever */
	/* Of one kind each; the texts are used within probe_start only. */
	struct {
		const char *method;
		const char *path;
		const char *host; /* NULL: the address */
		struct http_statuses statuses;
	} http;
	struct {
		const char *name;
		uint16_t type;
		uint32_t rcodes; /* bit n for RCODE n */
	} dns;
	struct {
		struct programs *programs;
		const char *program;
		const char *pool;
		const char *server;
	} exec;
};

struct probe {
	struct loop_source source; /* fd -1: none */
	struct timer deadline;     /* armed: the check runs */
	struct loop *loop;
	struct timer_wheel *wheel;
	void (*on_end)(struct probe *probe);
	struct probe_request request; /* its spans point into memory; its texts are gone */
	struct probe_outcome outcome;
	uint64_t start_ns;
	uint64_t deadline_ms;
	uint32_t events; /* asked of the loop */
	bool is_connected;
	size_t sent_len; /* of preface and send together */
	size_t answer_len;
	const char *lack; /* what is said when the time is over: "no answer" within 1s */
	void *state;      /* the kind's own, in memory */
	char *answer;     /* PROBE_ANSWER_BYTES_MAX, in memory */
	char *memory;
};

/* on_end is called once for each check, never from within probe_start; it finds the outcome in the probe and may start
 * the next check. */
void probe_init(struct probe *probe, struct loop *loop, struct timer_wheel *wheel, void (*on_end)(struct probe *probe));

/* Begins; whatever fails becomes the outcome. The request and its bytes are copied. Not while one runs. */
void probe_start(struct probe *probe, const struct probe_request *request);

/* Ends a running check without an outcome; does nothing when none runs. */
void probe_stop(struct probe *probe);

static inline bool probe_is_running(const struct probe *probe)
{
	return timer_is_armed(&probe->deadline);
}

/* --- for the kinds ----------------------------------------------------------------------------------------------- */

/* What a step wants next; the driver in probe.c alone talks to the loop. */
enum probe_next { PROBE_WANT_READ, PROBE_WANT_WRITE, PROBE_ENDED };

struct probe_kind {
	/*
	 * Opens source.fd and begins to connect, or leaves that and calls probe_advance by itself. Sets lack. Returns 0
	 * or -errno, which becomes the outcome.
	 */
	int (*open)(struct probe *probe);
	/* Goes on; called when what was wanted may have happened, and sometimes when it has not. */
	enum probe_next (*step)(struct probe *probe);
	/* Lets go of what is not source.fd; called after every open, also one that failed. NULL: there is no such. */
	void (*close)(struct probe *probe);
	enum probe_next first;
	size_t state_bytes; /* of probe->state, filled with zeros before open */
};

/* What happens with the events of source.fd: a step, and what it wants next. May end the check. */
void probe_advance(struct probe *probe);

/*
 * For a kind's open: opens source.fd, from where the request says, and begins to connect. Returns 0, -EINPROGRESS or
 * -errno.
 */
int probe_connect(struct probe *probe, int type);

/* Set the outcome and return PROBE_ENDED; may be called within open, too. error: a positive errno. */
enum probe_next probe_succeed(struct probe *probe);
enum probe_next probe_fail(struct probe *probe, const char *cause);
enum probe_next probe_fail_errno(struct probe *probe, int error);
enum probe_next probe_leave_undecided(struct probe *probe, const char *cause);

/* True when the answer so far holds the expected bytes, or none are expected. */
bool probe_has_expected(const struct probe *probe);

/*
 * The kernel may give a socket the very port that it connects to, if nobody listens there: TCP then meets itself in a
 * simultaneous open (RFC 9293, 3.5), UDP hears its own words, and a dead server on this host would look well.
 */
bool probe_meets_itself(const struct probe *probe);

#endif
