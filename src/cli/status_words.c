/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/status_words.h"

#include "cli/document.h"
#include "cli/table.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Adds as much as there is room for. */
static void add(char *text, const char *separator, const char *what)
{
	size_t len = strlen(text);
	snprintf(text + len, STATUS_WORDS_BYTES - len, "%s%s", len > 0 ? separator : "", what);
}

char *status_words_listens(const json_t *service, char *text)
{
	size_t index;
	const json_t *listen;
	text[0] = '\0';
	json_array_foreach(json_object_get(service, "listens"), index, listen)
	{
		char item[STATUS_WORDS_BYTES];
		bool is_udp = strcmp(document_text(listen, "protocol"), "udp") == 0;
		bool is_dual = json_is_true(json_object_get(listen, "is_dual"));
		const char *address = document_text(listen, "address");
		const char *port = strrchr(address, ':');
		snprintf(item, sizeof(item), "%s%s", is_udp ? "udp " : "", is_dual && port != NULL ? port : address);
		add(text, " ", item);
	}
	return text;
}

char *status_words_state(const json_t *server, char *text)
{
	bool is_ejected = json_is_true(json_object_get(server, "is_ejected"));
	bool is_backup = json_is_true(json_object_get(server, "is_backup"));
	snprintf(text, STATUS_WORDS_BYTES, "%s%s%s", document_text(server, "state"), is_ejected ? " (ejected)" : "",
		 is_backup ? " (backup)" : "");
	return text;
}

char *status_words_check(const json_t *server, char *text)
{
	char age[TABLE_NUMBER_BYTES];
	const json_t *last = json_object_get(server, "last_check");
	table_time(document_number(last, "age_ms") / 1000, age);
	if (!json_is_object(last))
		snprintf(text, STATUS_WORDS_BYTES, "-");
	else if (json_is_true(json_object_get(last, "good")))
		snprintf(text, STATUS_WORDS_BYTES, "good, %.1f ms, %s ago",
			 (double)document_number(last, "duration_us") / 1000, age);
	else
		snprintf(text, STATUS_WORDS_BYTES, "%.120s, %s ago", document_text(last, "cause"), age);
	return text;
}

char *status_words_guarded(const json_t *guard, char *text)
{
	size_t index;
	const json_t *place;
	text[0] = '\0';
	json_array_foreach(json_object_get(guard, "interfaces"), index, place)
		add(text, ", ", document_text(place, "name"));
	return text;
}

char *status_words_refused(const json_t *refused, char *text)
{
	uint64_t bound = UINT64_MAX;
	text[0] = '\0';
	for (;;) {
		const char *key;
		const json_t *value;
		uint64_t most = 0;
		json_object_foreach((json_t *)refused, key, value)
		{
			uint64_t count = document_number(refused, key);
			most = count > most && count < bound ? count : most;
		}
		if (most == 0)
			return text;
		json_object_foreach((json_t *)refused, key, value)
		{
			char item[STATUS_WORDS_BYTES];
			char number[TABLE_NUMBER_BYTES];
			if (document_number(refused, key) != most)
				continue;
			snprintf(item, sizeof(item), "%s %s", key, table_count(most, number));
			add(text, ", ", item);
		}
		bound = most;
	}
}

enum look status_words_state_look(const json_t *server)
{
	const char *state = document_text(server, "state");
	if (strcmp(state, "up") == 0)
		return LOOK_GOOD;
	return strcmp(state, "down") == 0 ? LOOK_BAD : LOOK_CAUTION;
}
