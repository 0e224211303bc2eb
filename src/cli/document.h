/* SPDX-License-Identifier: Apache-2.0 */
/* Reading members of the daemon's answers, and lists of such objects. What is missing or of another type reads as nothing. Pure. */
#ifndef CLI_DOCUMENT_H
#define CLI_DOCUMENT_H

#include <jansson.h>
#include <stdint.h>

/* NULL when there is none. */
static inline const char *document_find_text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* For tables: "-" when there is none, or an empty one. */
static inline const char *document_text(const json_t *object, const char *key)
{
	const char *text = document_find_text(object, key);
	return text != NULL && text[0] != '\0' ? text : "-";
}

/* 0 when there is none, or a negative one. */
static inline uint64_t document_number(const json_t *object, const char *key)
{
	json_int_t number = json_integer_value(json_object_get(object, key));
	return number > 0 ? (uint64_t)number : 0;
}

/* The objects of an array by their names; the caller's reference. */
static inline json_t *document_index_by_name(const json_t *array)
{
	json_t *names = json_object();
	size_t index;
	json_t *item;
	json_array_foreach(array, index, item) json_object_set(names, document_text(item, "name"), item);
	return names;
}

/* Of a number that all objects of an array have. */
static inline uint64_t document_sum(const json_t *array, const char *key)
{
	uint64_t sum = 0;
	size_t index;
	const json_t *item;
	json_array_foreach(array, index, item) sum += document_number(item, key);
	return sum;
}

#endif
