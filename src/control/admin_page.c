/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin_page.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ASSETS "/assets/"

static const char content_security_policy[] =
	"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
	"worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static const char without_page[] =
	"strait runs here. Its dashboard was not built in: that takes Node and npm, see docs/dashboard.md.\n"
	"GET /v1 lists the endpoints, strait status and strait top show the same in a terminal.\n";

bool admin_page_is_public(const char *path)
{
	return strcmp(path, "/") == 0 || strncmp(path, ASSETS, strlen(ASSETS)) == 0;
}

/* Takes the next item of a list with commas, without blanks around it; false at the end. */
static bool take_item(const char **list, struct span *ret_item)
{
	const char *at = *list + strspn(*list, ", \t");
	size_t len = strcspn(at, ",");
	*list = at + len;
	while (len > 0 && (at[len - 1] == ' ' || at[len - 1] == '\t'))
		len--;
	*ret_item = (struct span){ at, len };
	return len > 0;
}

static bool is_same(struct span item, const char *text)
{
	return item.len == strlen(text) && strncasecmp(item.data, text, item.len) == 0;
}

/* "gzip", "gzip;q=0.8"; a weight of 0 says no. */
static bool item_accepts(struct span item, const char *coding)
{
	const char *semicolon = memchr(item.data, ';', item.len);
	struct span name = { item.data, semicolon != NULL ? (size_t)(semicolon - item.data) : item.len };
	while (name.len > 0 && name.data[name.len - 1] == ' ')
		name.len--;
	if (!is_same(name, coding))
		return false;
	const char *weight = semicolon != NULL ? memmem(item.data, item.len, "q=", 2) : NULL;
	return weight == NULL || strtod(weight + 2, NULL) > 0;
}

bool admin_page_accepts_gzip(const char *accept_encoding)
{
	struct span item;
	while (accept_encoding != NULL && take_item(&accept_encoding, &item))
		if (item_accepts(item, "gzip") || item_accepts(item, "x-gzip"))
			return true;
	return false;
}

bool admin_page_matches(const char *if_none_match, const char *etag)
{
	struct span item;
	while (if_none_match != NULL && take_item(&if_none_match, &item)) {
		if (item.len > 2 && memcmp(item.data, "W/", 2) == 0)
			item = (struct span){ item.data + 2, item.len - 2 };
		if (is_same(item, "*") || is_same(item, etag))
			return true;
	}
	return false;
}

static const struct admin_page_file *find_file(const char *path)
{
	for (size_t i = 0; i < admin_page_file_count; i++)
		if (strcmp(admin_page_files[i].path, path) == 0)
			return &admin_page_files[i];
	return NULL;
}

static void answer_file(const struct admin_page_file *file, const struct admin_request *request,
			struct admin_answer *answer)
{
	bool is_known = admin_page_matches(request->if_none_match, file->etag);
	bool is_packed = file->gzip.len > 0 && admin_page_accepts_gzip(request->accept_encoding);
	struct span body = is_packed ? file->gzip : file->plain;
	*answer = (struct admin_answer){
		.status = is_known ? ADMIN_NOT_MODIFIED : ADMIN_OK,
		.type = file->type,
		.content_security_policy = content_security_policy,
		.etag = file->etag,
		.cache_control = strcmp(file->path, "/") == 0 ? "no-cache" : "public, max-age=31536000, immutable",
		.content_encoding = is_packed && !is_known ? "gzip" : NULL,
		.body = is_known ? memory_copy_text("") : memory_alloc_zeroed(body.len, 1),
		.body_bytes = is_known ? 0 : body.len,
	};
	if (!is_known)
		memcpy(answer->body, body.data, body.len);
}

void admin_page_answer(struct admin_request *request, struct admin_answer *answer)
{
	const struct admin_page_file *file = find_file(request->path);
	if (file != NULL)
		answer_file(file, request, answer);
	else if (strcmp(request->path, "/") == 0)
		admin_answer_text(answer, without_page);
	else
		admin_refuse(answer, ADMIN_NOT_FOUND, "the page has no such file; it may be of another version");
}
