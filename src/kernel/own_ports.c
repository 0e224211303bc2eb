/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/own_ports.h"

#include "base/memory.h"
#include "base/random.h"

#include <stdbool.h>
#include <stdio.h>

enum { PORT_COUNT = 65536 };

/* Lines of /proc/net/tcp and its like; of those that have a peer the port may be used. */
static void mark_listening(const char *path, bool *is_used)
{
	char line[512];
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return;
	while (fgets(line, sizeof(line), file) != NULL) {
		unsigned int port, peer_port;
		if (sscanf(line, " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%x", &port, &peer_port) == 2 &&
		    port < PORT_COUNT && peer_port == 0)
			is_used[port] = true;
	}
	fclose(file);
}

static void shuffle(struct own_ports *ports)
{
	struct random random;
	random_init(&random);
	for (size_t i = ports->count; i > 1; i--) {
		size_t other = random_below(&random, (uint32_t)i);
		uint16_t port = ports->all[i - 1];
		ports->all[i - 1] = ports->all[other];
		ports->all[other] = port;
	}
}

/* Every other port is for the one use, and those between them for the other. */
static bool is_for(uint32_t port, enum own_ports_use use)
{
	return (port & 1) == (use == OWN_PORTS_OF_NAT);
}

struct own_ports *own_ports_new(uint32_t ephemeral, enum own_ports_use use)
{
	static const char *const files[] = { "/proc/net/tcp", "/proc/net/tcp6", "/proc/net/udp", "/proc/net/udp6" };
	bool is_used[PORT_COUNT] = { false };
	struct own_ports *ports = memory_alloc_zeroed(1, sizeof(*ports) + PORT_COUNT * sizeof(ports->all[0]));
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		mark_listening(files[i], is_used);
	for (uint32_t port = OWN_PORTS_FIRST; port < PORT_COUNT; port++)
		if (!is_used[port] && is_for(port, use) && (port < (ephemeral & UINT16_MAX) || port > ephemeral >> 16))
			ports->all[ports->count++] = (uint16_t)port;
	shuffle(ports);
	return ports;
}
