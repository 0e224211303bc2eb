/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds out what one name stands for: both families of a host; or its SRV records, and both families of each target.
 * Runs once, from start to its end, and never says less than is known: what could not be asked this time is taken from
 * the answer before.
 *
 * Embedded in its owner. Control thread.
 */
#ifndef CONTROL_NAME_LOOKUP_H
#define CONTROL_NAME_LOOKUP_H

#include "control/dns_client.h"
#include "control/name_answer.h"

enum {
	NAME_TARGETS_MAX = 64, /* of SRV records; those of the lowest priorities are kept */
	NAME_LOCAL_TTL_S = 10, /* of what stands in a file */
};

struct lookup_target;

struct name_lookup {
	struct dns_client *client;
	const char *host;
	bool is_srv;
	const struct name_answer *older;
	void (*on_end)(struct name_lookup *lookup);
	struct dns_question srv;
	struct lookup_target *targets; /* of a host one, itself */
	size_t target_count;
	size_t running_count;
	bool is_withdrawn; /* SRV: decidedly no such service */
	/* The outcome. */
	bool is_good;              /* answer and ttl_s are set */
	const char *error;         /* for people, static: why not, or what part of it could not be asked; or NULL */
	struct name_answer answer; /* the owner's from on_end on: name_answer_done */
	uint32_t ttl_s;
};

/*
 * host and older, the answer known so far, are borrowed until the end. on_end is called once, at the end of a turn; the
 * lookup does nothing more after it, and may be started again in it.
 *
 * Good is an answer with at least one address, found now; and that of an SRV record which says that the service is not
 * available, which has none. That a name does not exist is not: it is as likely a mistake as it is meant.
 */
void name_lookup_start(struct name_lookup *lookup, struct dns_client *client, const char *host, bool is_srv,
		       const struct name_answer *older, void (*on_end)(struct name_lookup *lookup));

bool name_lookup_is_running(const struct name_lookup *lookup);

/* Ends a running one without on_end. */
void name_lookup_stop(struct name_lookup *lookup);

#endif
