/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/launch.h"

#include "base/check.h"
#include "base/fd.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "config/config.h"
#include "control/daemon.h"

#include <string.h>
#include <sys/socket.h>

int launch_text(const char *name, const char *text)
{
	char summary[64];
	struct diagnostics diagnostics;
	diagnostics_init(&diagnostics);
	struct config *config = config_load_text(name, span_from_text(text), &diagnostics);
	diagnostics_print(&diagnostics, stderr);
	if (config == NULL)
		fprintf(stderr, "%s. strait was not started.\n",
			diagnostics_summarize(&diagnostics, summary, sizeof(summary)));
	diagnostics_done(&diagnostics);
	return config != NULL ? daemon_run(config, NULL) : EXIT_CODE_INVALID_CONFIGURATION;
}

void launch_write_word(const char *word, FILE *out)
{
	fputc('"', out);
	for (; *word != '\0'; word++) {
		unsigned char byte = (unsigned char)*word;
		if (byte == '"' || byte == '\\' || byte == '$' || byte < 0x20 || byte == 0x7f)
			fprintf(out, "\\x%02x", byte);
		else
			fputc(byte, out);
	}
	fputc('"', out);
}

bool launch_is_free(const struct addr *addr, int type)
{
	int on = 1;
	int fd = socket(addr->sa.sa_family, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	/* As listeners do, or a port in TIME-WAIT would look taken; for datagrams it would hide a taken one. */
	if (type == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	bool is_free = bind(fd, &addr->sa, addr->len) == 0 && (type != SOCK_STREAM || listen(fd, 1) == 0);
	fd_close(&fd);
	return is_free;
}

void launch_write_admin(const char *wanted, FILE *out)
{
	struct addr addr;
	const char *problem;
	if (wanted != NULL && strcmp(wanted, "none") == 0)
		return;
	if (wanted == NULL) {
		int error = addr_parse(span_from_text(COMMAND_DEFAULT_ADMIN), &addr, &problem);
		CHECK(error == 0);
		wanted = COMMAND_DEFAULT_ADMIN;
		if (!launch_is_free(&addr, SOCK_STREAM)) {
			fprintf(stderr, "strait: %s is taken: going on without the admin API (--admin ADDRESS)\n",
				wanted);
			return;
		}
	}
	fprintf(out, "admin ");
	launch_write_word(wanted, out);
	fprintf(out, "\n");
}
