/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin_reference.h"

#include "control/admin_documents.h"
#include "control/admin_routes.h"

#include <ctype.h>
#include <string.h>

static const char introduction[] =
	"<!-- Written by `strait explain --api-reference`; change src/control/admin_table.c, admin_documents.c or "
	"admin_reference.c and run `make reference`. -->\n"
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
	"Any endpoint may answer 400 (the request is not sound, an argument is unknown), 401 (the token), 403 (foreign "
	"`Host` or\n`Origin`), 413, 415 and 417; what else it may answer stands with it. Who may ask, what is bounded "
	"and "
	"how,\nis told in [security.md](security.md). `/openapi.json` tells all this to programs.\n\n"
	"Names in a path are percent-encoded: a server that is called by its address is `10.0.0.1:80` or "
	"`unix%3A%2Frun%2Fx.sock`.\n\n"
	"| | | |\n|---|---|---|\n";

static const char documents_introduction[] =
	"\n## Documents\n\n"
	"`[X]` is a list, `{X}` an object whose keys are names, `X?` may be null, `key?` may be absent. More keys may "
	"come with time.\n";

static void print_usage(const struct admin_route *route, FILE *out)
{
	fputs(route->path, out);
	for (size_t i = 0; route->arguments[i].name != NULL; i++)
		fprintf(out, "%s%s=", i == 0 ? "?" : "&", route->arguments[i].name);
}

static void print_problems(const struct admin_route *route, FILE *out)
{
	for (const enum admin_status *status = route->problems; *status != 0; status++)
		fprintf(out, "%s%d", status == route->problems ? " Also: " : ", ", (int)*status);
	fputs(route->problems[0] != 0 ? ".\n" : "\n", out);
}

/* "Answers `Pool`. Also: 404." */
static void print_answer(const struct admin_route *route, FILE *out)
{
	fprintf(out, "\nAnswers %d, `%s`", route->is_creating ? ADMIN_CREATED : ADMIN_OK, route->answer);
	if (route->other_answer != NULL)
		fprintf(out, " or `%s`", route->other_answer);
	fputc('.', out);
	print_problems(route, out);
}

/* In a cell of a table. */
static void print_type(const char *type, FILE *out)
{
	for (const char *at = type; *at != '\0' && *at != '!'; at++)
		fprintf(out, *at == '|' ? "\\%c" : "%c", *at);
}

static void print_route(const struct admin_route *route, FILE *out)
{
	fprintf(out, "\n## %s %s\n\n", route->method, route->path);
	if (route->details != NULL)
		fprintf(out, "%s\n", route->details);
	else
		fprintf(out, "%c%s.\n", toupper((unsigned char)route->help[0]), route->help + 1);
	if (route->arguments[0].name != NULL)
		fputs("\n| argument | is | |\n|---|---|---|\n", out);
	for (const struct admin_parameter *argument = route->arguments; argument->name != NULL; argument++) {
		fprintf(out, "| `%s` | ", argument->name);
		print_type(argument->type, out);
		fprintf(out, " | %s%s |\n", argument->help,
			strchr(argument->type, '!') != NULL ? "; has to be given" : "");
	}
	print_answer(route, out);
}

static void print_document(const struct admin_document *document, FILE *out)
{
	fprintf(out, "\n### %s\n\n%s\n\n| key | is | |\n|---|---|---|\n", document->name, document->help);
	for (const struct admin_field *field = document->fields; field->name != NULL; field++) {
		fprintf(out, "| `%s` | ", field->name);
		print_type(field->type, out);
		fprintf(out, " | %s |\n", field->help);
	}
}

void admin_reference_print(FILE *out)
{
	fputs(introduction, out);
	for (size_t i = 0; i < admin_route_count; i++) {
		fprintf(out, "| %s | `", admin_routes[i].method);
		print_usage(&admin_routes[i], out);
		fprintf(out, "` | %s |\n", admin_routes[i].help);
	}
	fputs("\nParts of a path:\n\n", out);
	for (const struct admin_parameter *parameter = admin_path_parameters; parameter->name != NULL; parameter++)
		fprintf(out, "- `{%s}`: %s\n", parameter->name, parameter->help);
	for (size_t i = 0; i < admin_route_count; i++)
		print_route(&admin_routes[i], out);
	fputs(documents_introduction, out);
	for (size_t i = 0; i < admin_document_count; i++)
		print_document(&admin_documents[i], out);
}
