/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: `load COMMAND ADDRESS:PORT [--name=value ...]`. */
#ifndef LOAD_OPTIONS_H
#define LOAD_OPTIONS_H

#include <netinet/in.h>

struct options {
	const char *command;
	struct sockaddr_in address; /* of the server; for `serve`, to listen on */
	double seconds;             /* of the measurement */
	double warm_up;             /* seconds before it */
	double connections;         /* TCP connections or UDP sessions */
	double active;              /* of them at a time; 0: all */
	double request_bytes;
	double response_bytes;
	double rate;          /* open loop: requests per second of all connections */
	double segment_bytes; /* a datagram of a train */
	double segments;      /* datagrams of one train */
};

/* Ends the program with a message when the command line is wrong. */
void options_parse(struct options *options, int argc, char **argv);

#endif
