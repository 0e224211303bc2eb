/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin_reference.h"

#include "control/admin_routes.h"

#include <string.h>

static const char introduction[] =
	"<!-- Written by `strait explain --api-reference`; change src/control/admin_routes.c or "
	"src/control/admin_reference.c and run `make reference`. -->\n"
	"# Admin API\n\n"
	"HTTP on the `admin` addresses of the configuration. Answers are JSON unless said otherwise. GET changes "
	"nothing; "
	"changes are\nmade by POST, PUT, PATCH and DELETE, are in force before the answer is sent, and each is an "
	"event "
	"`audit` in the log. They are\nsent with `Content-Type: application/json`.\n\n"
	"Errors are problem documents (RFC 9457): `{\"type\",\"title\",\"status\",\"detail\"}`. Where a configuration "
	"is at "
	"fault they have\n`errors`, a list of `{severity,file,line,column,message,hint,accepted}` (`pointer` in place "
	"of line "
	"and column where it was JSON).\n\n"
	"A listener on a loopback address or a unix socket needs no token; others do: `Authorization: Bearer TOKEN`. "
	"Requests "
	"with a\nforeign `Host` or `Origin` are refused, so no web page can speak to it.\n\n"
	"Names in a path are percent-encoded: a server that is called by its address is `10.0.0.1:80` or "
	"`unix%3A%2Frun%2Fx.sock`.\n\n"
	"| | | |\n|---|---|---|\n";

/* "/v1/pools/NAME/servers/SERVER": what the stars stand for can be told from what stands before them. */
static void print_path(const char *path, FILE *out)
{
	const char *part = "";
	for (const char *at = path; *at != '\0'; at++) {
		if (*at == '/')
			part = at + 1;
		if (*at != '*')
			fputc(*at, out);
		else if (strstr(path, "/servers/") != NULL && part > strstr(path, "/servers/"))
			fputs("SERVER", out);
		else
			fputs(strstr(path, "/flows/") != NULL ? "ID" : "NAME", out);
	}
}

static void print_usage(const struct admin_route *route, FILE *out)
{
	print_path(route->path, out);
	for (size_t i = 0; route->arguments[i] != NULL; i++)
		fprintf(out, "%s%s=", i == 0 ? "?" : "&", route->arguments[i]);
}

void admin_reference_print(FILE *out)
{
	fputs(introduction, out);
	for (size_t i = 0; i < admin_route_count; i++) {
		fprintf(out, "| %s | `", admin_routes[i].method);
		print_usage(&admin_routes[i], out);
		fprintf(out, "` | %s |\n", admin_routes[i].help);
	}
	for (size_t i = 0; i < admin_route_count; i++) {
		if (admin_routes[i].details == NULL)
			continue;
		fprintf(out, "\n## %s ", admin_routes[i].method);
		print_path(admin_routes[i].path, out);
		fprintf(out, "\n\n%s\n", admin_routes[i].details);
	}
}
