/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a server directive names: an address ("10.0.0.1:80", "[fd00::1]:53", "unix:/run/x.sock"), a host and port
 * ("db.example.com:5432"), or SRV records ("srv:_postgresql._tcp.example.com"). Pure; any thread. Resolves nothing.
 */
#ifndef CONFIG_SERVER_ADDRESS_H
#define CONFIG_SERVER_ADDRESS_H

#include "config/config.h"

enum { SERVER_ADDRESS_TEXT_BYTES = 5 + HOST_NAME_BYTES + 6 }; /* "srv:" or a port */
static_assert((int)SERVER_ADDRESS_TEXT_BYTES >= (int)ADDR_TEXT_BYTES, "an address fits, too");

/*
 * Sets addr, or host, port and is_srv, of the server. Returns 0, or -EINVAL with
 * *ret_problem set to a static phrase for people, and then the server is unchanged.
 */
int server_address_parse(struct span text, struct config_server *ret_server, const char **ret_problem);

/* The same address, or the same name with the same port. */
bool server_address_equal(const struct config_server *a, const struct config_server *b);

/* What server_address_parse reads. buf: SERVER_ADDRESS_TEXT_BYTES. Returns buf. */
char *server_address_format(const struct config_server *server, char *buf);

/* What a server without name= is called: the text of its address. buf: CONFIG_NAME_BYTES. Returns buf. */
char *server_address_name(const struct config_server *server, char *buf);

/*
 * A text in at most room bytes and a zero: as it is, or its beginning and "~" with four digits made of all of it, so
 * that different texts stay different (with another salt: when they do not). room: at least 6. Returns buf.
 */
char *server_name_shorten(struct span text, size_t room, uint32_t salt, char *buf);

#endif
