/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin_headers.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const names[ADMIN_HEADER_COUNT] = {
	[ADMIN_HEADER_HOST] = "Host",
	[ADMIN_HEADER_ORIGIN] = "Origin",
	[ADMIN_HEADER_AUTHORIZATION] = "Authorization",
	[ADMIN_HEADER_CONTENT_TYPE] = "Content-Type",
	[ADMIN_HEADER_CONTENT_LENGTH] = "Content-Length",
	[ADMIN_HEADER_TRANSFER_ENCODING] = "Transfer-Encoding",
	[ADMIN_HEADER_EXPECT] = "Expect",
	[ADMIN_HEADER_FETCH_SITE] = "Sec-Fetch-Site",
	[ADMIN_HEADER_FETCH_MODE] = "Sec-Fetch-Mode",
	[ADMIN_HEADER_FETCH_DEST] = "Sec-Fetch-Dest",
	[ADMIN_HEADER_LAST_EVENT_ID] = "Last-Event-ID",
};

/* RFC 9110, section 5.6.2. */
static bool is_token(const char *name)
{
	static const char marks[] = "!#$%&'*+-.^_`|~";
	size_t len = 0;
	while (isalnum((unsigned char)name[len]) || (name[len] != '\0' && strchr(marks, name[len]) != NULL))
		len++;
	return len > 0 && name[len] == '\0';
}

void admin_headers_add(struct admin_headers *headers, const char *name, const char *value)
{
	headers->has_bad_name |= !is_token(name);
	for (size_t i = 0; i < ADMIN_HEADER_COUNT; i++) {
		if (strcasecmp(names[i], name) != 0)
			continue;
		if (headers->values[i] != NULL)
			headers->twice = names[i];
		headers->values[i] = value;
	}
}

bool admin_headers_have_body(const struct admin_headers *headers)
{
	const char *length = headers->values[ADMIN_HEADER_CONTENT_LENGTH];
	return (length != NULL && strspn(length, "0") != strlen(length)) ||
	       headers->values[ADMIN_HEADER_TRANSFER_ENCODING] != NULL;
}

size_t admin_headers_body_bytes(const struct admin_headers *headers)
{
	const char *length = headers->values[ADMIN_HEADER_CONTENT_LENGTH];
	return length != NULL ? strtoull(length, NULL, 10) : 0;
}

static bool is_version(const char *version, const char *wanted)
{
	return strcmp(version, wanted) == 0;
}

/* What is wrong with how the end of the body is told, or NULL. */
static const char *find_framing_problem(const struct admin_headers *headers, const char *version)
{
	const char *length = headers->values[ADMIN_HEADER_CONTENT_LENGTH];
	const char *coding = headers->values[ADMIN_HEADER_TRANSFER_ENCODING];
	if (length != NULL && coding != NULL)
		return "Content-Length and Transfer-Encoding exclude each other";
	if (length != NULL && (length[0] == '\0' || length[strspn(length, "0123456789")] != '\0'))
		return "Content-Length is not a number";
	if (coding != NULL && strcasecmp(coding, "chunked") != 0)
		return "the only transfer coding is chunked";
	if (coding != NULL && !is_version(version, "HTTP/1.1"))
		return "HTTP/1.0 has no transfer codings";
	return NULL;
}

static const char *find_problem(const struct admin_headers *headers, const char *target, const char *version)
{
	if (!is_version(version, "HTTP/1.1") && !is_version(version, "HTTP/1.0"))
		return "the protocol is HTTP/1.1 or HTTP/1.0";
	if (target[0] != '/')
		return "the target of a request begins with a slash: this is no proxy for HTTP";
	if (headers->has_bad_name)
		return "the name of a header holds what no name can";
	if (headers->twice != NULL)
		return "a header is given twice that may be given once";
	if (headers->values[ADMIN_HEADER_HOST] == NULL && is_version(version, "HTTP/1.1"))
		return "HTTP/1.1 wants a Host header";
	return find_framing_problem(headers, version);
}

bool admin_headers_check(const struct admin_headers *headers, const char *target, const char *version,
			 struct admin_answer *answer)
{
	const char *problem = find_problem(headers, target, version);
	const char *expect = headers->values[ADMIN_HEADER_EXPECT];
	if (problem != NULL)
		admin_refuse(answer, ADMIN_BAD_REQUEST, problem);
	else if (expect != NULL && strcasecmp(expect, "100-continue") != 0)
		admin_refuse(answer, ADMIN_EXPECTATION_FAILED, "the only expectation is 100-continue");
	else
		return true;
	return false;
}
