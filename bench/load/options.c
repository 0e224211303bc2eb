/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"
#include "message.h"

#include <arpa/inet.h>
#include <err.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct option_row {
	const char *name;
	size_t offset;
	double fallback, min, max;
};

static const struct option_row rows[] = {
	{ "seconds", offsetof(struct options, seconds), 3, 0.01, 3600 },
	{ "warm-up", offsetof(struct options, warm_up), 0.5, 0, 3600 },
	{ "connections", offsetof(struct options, connections), 50, 1, 100000 },
	{ "active", offsetof(struct options, active), 0, 0, 100000 },
	{ "request", offsetof(struct options, request_bytes), 64, sizeof(struct tcp_request), 1 << 30 },
	{ "response", offsetof(struct options, response_bytes), 64, 1, 1 << 30 },
	{ "rate", offsetof(struct options, rate), 10000, 1, 1e7 },
	{ "segment", offsetof(struct options, segment_bytes), 1200, sizeof(struct udp_message), UDP_PAYLOAD_BYTES_MAX },
	{ "segments", offsetof(struct options, segments), 40, 1, 64 },
};
enum { ROW_COUNT = sizeof(rows) / sizeof(rows[0]) };

static double *value_of(struct options *options, const struct option_row *row)
{
	return (double *)(void *)((char *)options + row->offset);
}

static void parse_address(struct sockaddr_in *address, char *text)
{
	char *colon = strrchr(text, ':');
	if (!colon)
		errx(2, "address without a port: %s", text);
	*colon = '\0';
	address->sin_family = AF_INET;
	address->sin_port = htons((uint16_t)atoi(colon + 1));
	if (inet_pton(AF_INET, text, &address->sin_addr) != 1)
		errx(2, "not an IPv4 address: %s", text);
}

/* "--name=value" */
static void parse_option(struct options *options, const char *text)
{
	for (int i = 0; i < ROW_COUNT; i++) {
		size_t len = strlen(rows[i].name);
		if (strncmp(text, "--", 2) != 0 || strncmp(text + 2, rows[i].name, len) != 0 || text[2 + len] != '=')
			continue;
		char *end;
		double value = strtod(text + 3 + len, &end);
		if (*end || value < rows[i].min || value > rows[i].max)
			errx(2, "%s: a number from %g to %g", text, rows[i].min, rows[i].max);
		*value_of(options, &rows[i]) = value;
		return;
	}
	errx(2, "unknown option: %s", text);
}

void options_parse(struct options *options, int argc, char **argv)
{
	*options = (struct options){ 0 };
	for (int i = 0; i < ROW_COUNT; i++)
		*value_of(options, &rows[i]) = rows[i].fallback;
	if (argc < 3)
		errx(2, "usage: load COMMAND ADDRESS:PORT [--name=value ...]");
	options->command = argv[1];
	parse_address(&options->address, argv[2]);
	for (int i = 3; i < argc; i++)
		parse_option(options, argv[i]);
}
