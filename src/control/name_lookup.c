/* SPDX-License-Identifier: Apache-2.0 */
#include "control/name_lookup.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { FAMILY_COUNT = 2 };

static const struct {
	enum dns_kind kind;
	int family;
} families[FAMILY_COUNT] = { { DNS_A, AF_INET }, { DNS_AAAA, AF_INET6 } };

/* One host whose addresses are asked for. */
struct lookup_target {
	struct family_question {
		struct dns_question question;
		struct name_lookup *lookup;
	} asked[FAMILY_COUNT];
	char host[HOST_NAME_BYTES];
	struct name_entry pattern; /* of its addresses; addr has the port only */
};

bool name_lookup_is_running(const struct name_lookup *lookup)
{
	return lookup->running_count > 0;
}

void name_lookup_stop(struct name_lookup *lookup)
{
	dns_question_done(&lookup->srv);
	for (size_t i = 0; i < lookup->target_count; i++) {
		for (size_t j = 0; j < FAMILY_COUNT; j++)
			dns_question_done(&lookup->targets[i].asked[j].question);
	}
	free(lookup->targets);
	lookup->targets = NULL;
	lookup->target_count = 0;
	lookup->running_count = 0;
}

/* --- the end ----------------------------------------------------------------------------------------------------- */

static void note_ttl(struct name_lookup *lookup, const struct dns_question *question)
{
	uint32_t ttl_s = question->is_local ? NAME_LOCAL_TTL_S : question->ttl_s;
	if (ttl_s < lookup->ttl_s)
		lookup->ttl_s = ttl_s;
}

/* Returns how many addresses were found, now. */
static size_t collect(struct name_lookup *lookup, const struct lookup_target *target, size_t family)
{
	const struct dns_question *question = &target->asked[family].question;
	struct name_entry entry = target->pattern;
	size_t before = lookup->answer.entry_count;
	if (question->result == DNS_FAILED) {
		name_answer_add_known(&lookup->answer, lookup->older, families[family].family, &target->pattern);
		lookup->error = question->error;
		return 0;
	}
	if (question->result == DNS_NEGATIVE)
		return 0;
	note_ttl(lookup, question);
	for (size_t i = 0; i < question->count; i++) {
		entry.addr = question->addrs[i];
		addr_set_port(&entry.addr, addr_port(&target->pattern.addr));
		name_answer_add(&lookup->answer, &entry);
	}
	return lookup->answer.entry_count - before;
}

static const char *find_denial(const struct name_lookup *lookup)
{
	if (lookup->is_srv && lookup->srv.result == DNS_NEGATIVE)
		return lookup->srv.error;
	for (size_t i = 0; i < lookup->target_count; i++) {
		for (size_t j = 0; j < FAMILY_COUNT; j++) {
			const struct dns_question *question = &lookup->targets[i].asked[j].question;
			if (question->result == DNS_NEGATIVE)
				return question->error;
		}
	}
	return "none of its addresses can be used";
}

static void judge(struct name_lookup *lookup)
{
	size_t found_count = 0;
	name_answer_init(&lookup->answer, lookup->is_srv);
	lookup->error = NULL;
	lookup->ttl_s = UINT32_MAX;
	if (lookup->is_srv && lookup->srv.result == DNS_FAILED)
		lookup->error = lookup->srv.error;
	if (lookup->is_srv && lookup->srv.result == DNS_FOUND)
		note_ttl(lookup, &lookup->srv);
	for (size_t i = 0; i < lookup->target_count; i++) {
		for (size_t j = 0; j < FAMILY_COUNT; j++)
			found_count += collect(lookup, &lookup->targets[i], j);
	}
	lookup->is_good = found_count > 0 || lookup->is_withdrawn;
	if (lookup->is_good) {
		name_answer_finish(&lookup->answer);
		return;
	}
	name_answer_done(&lookup->answer);
	if (lookup->error == NULL)
		lookup->error = find_denial(lookup);
}

static void end_one(struct name_lookup *lookup)
{
	lookup->running_count--;
	if (lookup->running_count > 0)
		return;
	judge(lookup);
	name_lookup_stop(lookup);
	lookup->on_end(lookup);
}

/* --- addresses --------------------------------------------------------------------------------------------------- */

static void on_addresses(struct dns_question *question)
{
	end_one(LIST_OWNER(question, struct family_question, question)->lookup);
}

static void ask_targets(struct name_lookup *lookup)
{
	/* All are counted before the first is asked. */
	lookup->running_count += lookup->target_count * FAMILY_COUNT;
	for (size_t i = 0; i < lookup->target_count; i++) {
		struct lookup_target *target = &lookup->targets[i];
		for (size_t j = 0; j < FAMILY_COUNT; j++) {
			target->asked[j].lookup = lookup;
			dns_question_ask(&target->asked[j].question, lookup->client, families[j].kind, target->host,
					 on_addresses);
		}
	}
}

static void set_host_target(struct name_lookup *lookup)
{
	lookup->targets = memory_alloc_zeroed(1, sizeof(lookup->targets[0]));
	lookup->target_count = 1;
	struct lookup_target *target = &lookup->targets[0];
	span_copy(span_from_text(lookup->host), target->host, sizeof(target->host));
	target->pattern.addr.len = sizeof(target->pattern.addr.in);
	target->pattern.addr.in.sin_family = AF_INET;
}

/* --- SRV records ------------------------------------------------------------------------------------------------- */

static int compare_srvs(const void *left, const void *right)
{
	const struct dns_srv *a = left;
	const struct dns_srv *b = right;
	if (a->priority != b->priority)
		return a->priority < b->priority ? -1 : 1;
	int order = strcmp(a->target, b->target);
	return order != 0 ? order : (a->port > b->port) - (a->port < b->port);
}

static void set_srv_target(struct lookup_target *target, const struct dns_srv *srv)
{
	struct name_entry *pattern = &target->pattern;
	span_copy(span_from_text(srv->target), target->host, sizeof(target->host));
	pattern->addr.len = sizeof(pattern->addr.in);
	pattern->addr.in.sin_family = AF_INET;
	pattern->addr.in.sin_port = htons(srv->port);
	pattern->priority = srv->priority;
	pattern->weight = srv->weight;
	pattern->origin = XXH3_64bits_withSeed(srv->target, strlen(srv->target), srv->port);
}

static void set_srv_targets(struct name_lookup *lookup)
{
	struct dns_question *found = &lookup->srv;
	qsort(found->srvs, found->count, sizeof(found->srvs[0]), compare_srvs);
	lookup->targets = memory_alloc_zeroed(NAME_TARGETS_MAX, sizeof(lookup->targets[0]));
	for (size_t i = 0; i < found->count && lookup->target_count < NAME_TARGETS_MAX; i++) {
		if (found->srvs[i].target[0] != '\0')
			set_srv_target(&lookup->targets[lookup->target_count++], &found->srvs[i]);
	}
	lookup->is_withdrawn = lookup->target_count == 0;
}

static void on_srv(struct dns_question *question)
{
	struct name_lookup *lookup = LIST_OWNER(question, struct name_lookup, srv);
	if (question->result == DNS_FOUND) {
		set_srv_targets(lookup);
		ask_targets(lookup);
	}
	end_one(lookup);
}

void name_lookup_start(struct name_lookup *lookup, struct dns_client *client, const char *host, bool is_srv,
		       const struct name_answer *older, void (*on_end)(struct name_lookup *lookup))
{
	*lookup = (struct name_lookup){
		.client = client,
		.host = host,
		.is_srv = is_srv,
		.older = older,
		.on_end = on_end,
	};
	if (is_srv) {
		lookup->running_count = 1;
		dns_question_ask(&lookup->srv, client, DNS_SRV, host, on_srv);
		return;
	}
	set_host_target(lookup);
	ask_targets(lookup);
}
