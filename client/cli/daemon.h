/* SPDX-License-Identifier: MIT */
/*
 * The tool's side of reaching the daemon: asking it, and telling people what to do when it does not
 * answer.
 */
#ifndef TS_CLIENT_CLI_DAEMON_H
#define TS_CLIENT_CLI_DAEMON_H

#include "ipc/wire.h"

#define DAEMON_PATH_ROOM 108

/** The control socket's path in use. Returns 0, or -1 with errno when it is too long. */
int daemon_path(char out[DAEMON_PATH_ROOM]);

/** Ask HELLO; `who` is the subcommand that complains on stderr. hello may be NULL. Returns 0 or
 * -1. */
int daemon_check(const char *who, struct wire_hello *hello);

/** Ask LIST or STATS; each body goes to `each`. Complains on stderr. Returns 0 or -1. */
int daemon_each(const char *who, uint16_t op, void (*each)(void *ctx, const void *body), void *ctx);

/** Complain about an errno value of reaching the daemon, with what to do about it. */
void daemon_complain(const char *who, int error);

#endif
