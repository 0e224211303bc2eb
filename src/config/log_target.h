/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a log directive writes to:
 *
 *   stderr                          file:/var/log/strait.log
 *   syslog                          the same as syslog:unix:/dev/log
 *   syslog:10.0.0.1:514             the same as syslog:udp:10.0.0.1:514; syslog:tcp:[fd00::1]:601
 *   journald                        the same as journald:/run/systemd/journal/socket
 *
 * Pure but for the memory that texts are copied to; any thread. Resolves and opens nothing.
 */
#ifndef CONFIG_LOG_TARGET_H
#define CONFIG_LOG_TARGET_H

#include "config/config.h"
#include "config/config_memory.h"

enum { LOG_TARGET_HINT_BYTES = 96 };

/*
 * Sets sink, path and addr. Returns 0; -ENOENT when the text is of no kind of sink; -EINVAL with ret_hint (of
 * LOG_TARGET_HINT_BYTES) saying what is wrong. The log is changed on success only.
 */
int log_target_parse(struct span text, struct config_memory *memory, struct config_log *ret_log, char *ret_hint);

/* What log_target_parse reads, in the one form that stands for it. */
const char *log_target_text(const struct config_log *log, struct config_memory *memory);

/* How people are told of it: "stderr", the path of a file, else its text. Returns buf. */
enum { LOG_TARGET_NAME_BYTES = 4096 + 16 };
char *log_target_name(const struct config_log *log, char *buf);

/* Do both write to the same? */
bool log_target_equal(const struct config_log *a, const struct config_log *b);

#endif
