/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin_audit.h"

#include <stdio.h>
#include <string.h>

enum {
	EACH_MS = 1000 / AUDIT_REFUSED_PER_SECOND,
	TEXT_BYTES = 400,
	FIELDS_MAX = 10,
};

static void tell_suppressed(struct admin_audit *audit)
{
	if (audit->suppressed_count > 0)
		log_event(audit->daemon->log, CONFIG_LEVEL_WARNING, "audit_suppressed",
			  record_number("refused", audit->suppressed_count));
	audit->suppressed_count = 0;
}

static void on_timer(struct timer *timer, uint64_t now_ms)
{
	(void)now_ms;
	tell_suppressed(LIST_OWNER(timer, struct admin_audit, timer));
}

void admin_audit_init(struct admin_audit *audit, struct daemon *daemon)
{
	*audit = (struct admin_audit){ .daemon = daemon, .timer = { .on_expiry = on_timer } };
}

void admin_audit_done(struct admin_audit *audit)
{
	timer_disarm(&audit->daemon->wheel, &audit->timer);
	tell_suppressed(audit);
}

/* --- how often --------------------------------------------------------------------------------------------------- */

static bool may_write_refused(struct admin_audit *audit, struct admin_audit_bound *bound)
{
	struct daemon *daemon = audit->daemon;
	uint64_t passed_ms = daemon->loop.now_ms - bound->last_ms;
	bound->used_ms = passed_ms < bound->used_ms ? bound->used_ms - (uint32_t)passed_ms : 0;
	bound->last_ms = daemon->loop.now_ms;
	if (bound->used_ms + EACH_MS <= AUDIT_REFUSED_BURST * EACH_MS) {
		bound->used_ms += EACH_MS;
		return true;
	}
	audit->suppressed_count++;
	if (!timer_is_armed(&audit->timer))
		timer_arm(&daemon->wheel, &audit->timer, daemon->loop.now_ms + AUDIT_SUPPRESSED_MS);
	return false;
}

static bool is_stranger(const struct admin_answer *answer)
{
	return answer->status == ADMIN_UNAUTHORIZED || answer->status == ADMIN_FORBIDDEN;
}

/* Refused for what they are, or before it was clear whether they may ask. */
static struct admin_audit_bound *bound_of(struct admin_audit *audit, const struct admin_answer *answer)
{
	bool is_early = answer->status == ADMIN_BAD_REQUEST || answer->status == ADMIN_EXPECTATION_FAILED;
	return is_stranger(answer) || is_early ? &audit->strangers : &audit->others;
}

static bool is_wanted(const struct admin_request *request, const struct admin_answer *answer)
{
	bool is_read = strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;
	return !is_read || is_stranger(answer);
}

/* --- what -------------------------------------------------------------------------------------------------------- */

static void format_arguments(const struct admin_request *request, char text[TEXT_BYTES])
{
	size_t len = 0;
	text[0] = '\0';
	for (size_t i = 0; i < request->argument_count && len < TEXT_BYTES - 1; i++) {
		int added = snprintf(text + len, TEXT_BYTES - len, "%s%s=%s", i > 0 ? "&" : "",
				     request->arguments[i].name, request->arguments[i].value);
		len += (size_t)added;
	}
}

static void format_change(const struct admin_request *request, char text[TEXT_BYTES])
{
	size_t len = request->body.len < TEXT_BYTES - 1 ? request->body.len : TEXT_BYTES - 1;
	for (size_t i = 0; i < len; i++)
		text[i] = (char)(request->body.data[i] != '\0' ? request->body.data[i] : ' ');
	text[len] = '\0';
}

void admin_audit_write(struct admin_audit *audit, const struct admin_request *request,
		       const struct admin_answer *answer)
{
	const struct admin_peer *peer = request->peer;
	struct record_field fields[FIELDS_MAX] = { 0 };
	char arguments[TEXT_BYTES] = "", change[TEXT_BYTES] = "";
	size_t count = 0;
	if (!is_wanted(request, answer))
		return;
	if (answer->status >= ADMIN_BAD_REQUEST && !may_write_refused(audit, bound_of(audit, answer)))
		return;
	if (!is_stranger(answer)) {
		format_arguments(request, arguments);
		format_change(request, change);
	}
	fields[count++] = record_text("method", request->method);
	fields[count++] = record_text("path", request->path);
	fields[count++] = record_text("arguments", arguments);
	fields[count++] = record_text("change", change);
	fields[count++] = record_text("peer", peer != NULL ? peer->text : "");
	if (peer != NULL && peer->has_credentials) {
		fields[count++] = record_number("uid", peer->uid);
		fields[count++] = record_number("pid", peer->pid);
	}
	fields[count++] = record_number("status", answer->status);
	log_writer_put_event(audit->daemon->log, is_stranger(answer) ? CONFIG_LEVEL_WARNING : CONFIG_LEVEL_INFO,
			     "audit", fields);
}
