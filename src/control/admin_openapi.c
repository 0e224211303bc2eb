/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin_openapi.h"

#include "base/check.h"
#include "base/version.h"
#include "control/admin_documents.h"
#include "control/admin_routes.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_BYTES = 256 };

static void put_text(json_t *object, const char *key, const char *text)
{
	json_object_set_new(object, key, json_string(text));
}

/* {key: value}; takes the reference. */
static json_t *object_of(const char *key, json_t *value)
{
	json_t *object = json_object();
	json_object_set_new(object, key, value);
	return object;
}

static json_t *object_of_text(const char *key, const char *text)
{
	return object_of(key, json_string(text));
}

/* --- types ------------------------------------------------------------------------------------------------------- */

static json_t *reference_build(const char *kind, const char *name)
{
	char pointer[TEXT_BYTES];
	snprintf(pointer, sizeof(pointer), "#/components/%s/%s", kind, name);
	return object_of_text("$ref", pointer);
}

/* "up|down" */
static json_t *words_build(struct span words)
{
	json_t *list = json_array();
	for (size_t begin = 0; begin <= words.len;) {
		const char *bar = memchr(words.data + begin, '|', words.len - begin);
		size_t end = bar != NULL ? (size_t)(bar - words.data) : words.len;
		json_array_append_new(list, json_stringn(words.data + begin, end - begin));
		begin = end + 1;
	}
	json_t *schema = object_of_text("type", "string");
	json_object_set_new(schema, "enum", list);
	return schema;
}

/* A type without its brackets and question marks. */
static json_t *inner_build(struct span type)
{
	char text[TEXT_BYTES];
	bool is_copied = span_copy(type, text, sizeof(text));
	CHECK(is_copied);
	if (memchr(type.data, '|', type.len) != NULL)
		return words_build(type);
	if (isupper((unsigned char)text[0]))
		return reference_build("schemas", text);
	return object_of_text("type", text);
}

/* The notation of admin_documents.h is at most one bracket deep. */
static json_t *type_build(const char *text)
{
	struct span type = span_from_text(text);
	CHECK(type.len > 0);
	type.len -= text[type.len - 1] == '!';
	bool is_nullable = text[type.len - 1] == '?';
	type.len -= is_nullable;
	bool is_list = text[0] == '[';
	bool is_map = text[0] == '{';
	json_t *schema =
		is_list || is_map ? inner_build((struct span){ type.data + 1, type.len - 2 }) : inner_build(type);
	if (is_list || is_map) {
		json_t *outer = object_of_text("type", is_list ? "array" : "object");
		json_object_set_new(outer, is_list ? "items" : "additionalProperties", schema);
		schema = outer;
	}
	if (!is_nullable)
		return schema;
	json_t *either = json_array();
	json_array_append_new(either, schema);
	json_array_append_new(either, object_of_text("type", "null"));
	return object_of("anyOf", either);
}

/* Beside a $ref, too, which OpenAPI 3.1 allows. */
static json_t *described_build(const char *type, const char *help)
{
	json_t *schema = type_build(type);
	put_text(schema, "description", help);
	return schema;
}

static json_t *document_build(const struct admin_document *document)
{
	json_t *properties = json_object();
	json_t *required = json_array();
	for (const struct admin_field *field = document->fields; field->name != NULL; field++) {
		struct span name = span_from_text(field->name);
		bool is_optional = field->name[name.len - 1] == '?';
		name.len -= is_optional;
		json_object_setn_new(properties, name.data, name.len, described_build(field->type, field->help));
		if (!is_optional)
			json_array_append_new(required, json_stringn(name.data, name.len));
	}
	json_t *schema = object_of_text("type", "object");
	put_text(schema, "description", document->help);
	json_object_set_new(schema, "properties", properties);
	json_object_set_new(schema, "required", required);
	return schema;
}

/* --- one endpoint ------------------------------------------------------------------------------------------------ */

static json_t *parameter_build(const struct admin_parameter *parameter, const char *place)
{
	bool is_required = strcmp(place, "path") == 0 || strchr(parameter->type, '!') != NULL;
	json_t *object = object_of_text("name", parameter->name);
	put_text(object, "in", place);
	put_text(object, "description", parameter->help);
	json_object_set_new(object, "required", json_boolean(is_required));
	json_object_set_new(object, "schema", type_build(parameter->type));
	return object;
}

static const struct admin_parameter *find_path_parameter(struct span name)
{
	const struct admin_parameter *parameter = admin_path_parameters;
	while (parameter->name != NULL && !span_equals(name, parameter->name))
		parameter++;
	CHECK(parameter->name != NULL);
	return parameter;
}

static json_t *parameters_build(const struct admin_route *route)
{
	json_t *list = json_array();
	for (const char *at = route->path; (at = strchr(at, '{')) != NULL; at++) {
		struct span name = { at + 1, strcspn(at + 1, "}") };
		json_array_append_new(list, parameter_build(find_path_parameter(name), "path"));
	}
	for (const struct admin_parameter *argument = route->arguments; argument->name != NULL; argument++)
		json_array_append_new(list, parameter_build(argument, "query"));
	return list;
}

static void add_content(json_t *content, const char *type)
{
	bool is_media_type = strchr(type, '/') != NULL;
	json_object_set_new(content, is_media_type ? type : "application/json",
			    object_of("schema", is_media_type ? object_of_text("type", "string") : type_build(type)));
}

static void add_two(json_t *content, const char *type, const char *other)
{
	bool has_media_type = strchr(type, '/') != NULL || strchr(other, '/') != NULL;
	json_t *either = json_array();
	if (has_media_type) {
		add_content(content, type);
		add_content(content, other);
		json_decref(either);
		return;
	}
	json_array_append_new(either, type_build(type));
	json_array_append_new(either, type_build(other));
	json_object_set_new(content, "application/json", object_of("schema", object_of("anyOf", either)));
}

static json_t *answer_build(const struct admin_route *route)
{
	json_t *content = json_object();
	if (route->other_answer != NULL)
		add_two(content, route->answer, route->other_answer);
	else
		add_content(content, route->answer);
	json_t *answer = object_of_text("description", route->help);
	json_object_set_new(answer, "content", content);
	return answer;
}

static void add_problem(json_t *answers, enum admin_status status)
{
	char key[8];
	snprintf(key, sizeof(key), "%d", (int)status);
	json_object_set_new(answers, key, reference_build("responses", "Problem"));
}

static json_t *answers_build(const struct admin_route *route)
{
	static const enum admin_status everywhere[] = { ADMIN_BAD_REQUEST, ADMIN_UNAUTHORIZED, ADMIN_FORBIDDEN,
							ADMIN_CONTENT_TOO_LARGE, ADMIN_EXPECTATION_FAILED };
	json_t *answers = object_of(route->is_creating ? "201" : "200", answer_build(route));
	for (size_t i = 0; i < sizeof(everywhere) / sizeof(everywhere[0]); i++)
		add_problem(answers, everywhere[i]);
	if (strcmp(route->method, "GET") != 0)
		add_problem(answers, ADMIN_UNSUPPORTED_MEDIA_TYPE);
	if (route->body != ADMIN_BODY_NONE)
		add_problem(answers, ADMIN_UNAVAILABLE);
	for (const enum admin_status *status = route->problems; *status != 0; status++)
		add_problem(answers, *status);
	return answers;
}

static json_t *body_build(const struct admin_route *route)
{
	json_t *content = json_object();
	add_content(content, route->body_type != NULL ? route->body_type : "object");
	if (route->body == ADMIN_BODY_CONFIGURATION)
		add_content(content, "text/plain");
	json_t *body = object_of("content", content);
	bool is_required = route->body == ADMIN_BODY_CONFIGURATION || route->body_type != NULL;
	json_object_set_new(body, "required", json_boolean(is_required));
	return body;
}

/* "getV1PoolsPool": unique, because a path and a method are. */
static void format_id(const struct admin_route *route, char id[TEXT_BYTES])
{
	size_t len = 0;
	bool begins = false;
	for (const char *at = route->method; *at != '\0' && len < TEXT_BYTES - 1; at++)
		id[len++] = (char)tolower((unsigned char)*at);
	for (const char *at = route->path; *at != '\0' && len < TEXT_BYTES - 1; at++) {
		if (isalnum((unsigned char)*at))
			id[len++] = (char)(begins ? toupper((unsigned char)*at) : *at);
		begins = !isalnum((unsigned char)*at);
	}
	id[len] = '\0';
}

static json_t *operation_build(const struct admin_route *route)
{
	char id[TEXT_BYTES];
	format_id(route, id);
	json_t *operation = object_of_text("operationId", id);
	put_text(operation, "summary", route->help);
	if (route->details != NULL)
		put_text(operation, "description", route->details);
	json_object_set_new(operation, "parameters", parameters_build(route));
	if (route->body != ADMIN_BODY_NONE)
		json_object_set_new(operation, "requestBody", body_build(route));
	json_object_set_new(operation, "responses", answers_build(route));
	return operation;
}

static json_t *paths_build(void)
{
	json_t *paths = json_object();
	for (size_t i = 0; i < admin_route_count; i++) {
		const struct admin_route *route = &admin_routes[i];
		char method[16] = "";
		for (size_t at = 0; route->method[at] != '\0' && at < sizeof(method) - 1; at++)
			method[at] = (char)tolower((unsigned char)route->method[at]);
		if (json_object_get(paths, route->path) == NULL)
			json_object_set_new(paths, route->path, json_object());
		json_object_set_new(json_object_get(paths, route->path), method, operation_build(route));
	}
	return paths;
}

/* --- the whole --------------------------------------------------------------------------------------------------- */

static json_t *components_build(void)
{
	json_t *schemas = json_object();
	for (size_t i = 0; i < admin_document_count; i++)
		json_object_set_new(schemas, admin_documents[i].name, document_build(&admin_documents[i]));
	json_t *content =
		object_of("application/problem+json", object_of("schema", reference_build("schemas", "Problem")));
	json_t *problem = object_of_text("description", "a problem document (RFC 9457); its detail says what is wrong");
	json_object_set_new(problem, "content", content);
	json_t *token = object_of_text("type", "http");
	put_text(token, "scheme", "bearer");
	json_t *components = object_of("schemas", schemas);
	json_object_set_new(components, "responses", object_of("Problem", problem));
	json_object_set_new(components, "securitySchemes", object_of("token", token));
	return components;
}

/* Nothing, or the token: which of them, the listener's configuration says. */
static json_t *security_build(void)
{
	json_t *list = json_array();
	json_array_append_new(list, json_object());
	json_array_append_new(list, object_of("token", json_array()));
	return list;
}

json_t *admin_openapi_build(void)
{
	json_t *info = object_of_text("title", "strait admin API");
	put_text(info, "version", STRAIT_VERSION);
	put_text(info, "description",
		 "A GET changes nothing. What is changed is in force before the answer is sent. Every GET has a HEAD, "
		 "too.");
	json_t *document = object_of_text("openapi", "3.1.0");
	json_object_set_new(document, "info", info);
	json_object_set_new(document, "security", security_build());
	json_object_set_new(document, "paths", paths_build());
	json_object_set_new(document, "components", components_build());
	return document;
}

void admin_openapi_show(struct admin_request *request, struct admin_answer *answer)
{
	(void)request;
	admin_answer_json(answer, ADMIN_OK, admin_openapi_build());
}
