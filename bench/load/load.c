/* SPDX-License-Identifier: Apache-2.0 */
/* The load generator of bench/run.py, and the server it talks to. One thread; run two processes for more. */
#include "commands.h"

#include <err.h>
#include <string.h>

static const struct {
	const char *name;
	void (*run)(const struct options *options);
} commands[] = {
	{ "serve", serve },
	{ "tcp-rr", tcp_round_trips },
	{ "tcp-crr", tcp_churn },
	{ "tcp-open", tcp_open_loop },
	{ "udp-rr", udp_round_trips },
	{ "udp-open", udp_open_loop },
	{ "udp-train", udp_trains },
	{ "tcp-hold", hold_tcp },
	{ "udp-hold", hold_udp },
};

int main(int argc, char **argv)
{
	struct options options;
	options_parse(&options, argc, argv);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(commands[i].name, options.command) == 0) {
			commands[i].run(&options);
			return 0;
		}
	}
	errx(2, "unknown command: %s", options.command);
}
