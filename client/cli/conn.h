/* SPDX-License-Identifier: MIT */
/*
 * Naming one connection: as ss(8) prints it (LOCAL REMOTE, or either end alone), :PORT of either
 * end, PID/FD, or "latest".
 */
#ifndef TS_CLIENT_CLI_CONN_H
#define TS_CLIENT_CLI_CONN_H

#include "ipc/wire.h"

#include <stdbool.h>
#include <sys/types.h>

/** For help texts, lines of their own. */
#define CONN_HELP                                                                                  \
    "CONN is LOCAL REMOTE as `tapstack ss` prints them, the address and port of either end,\n"     \
    ":PORT of either end, PID/FD, or latest.\n"

struct conn_spec {
    bool latest;
    pid_t pid; /**< > 0: the connection behind its descriptor `fd` */
    int fd;
    uint16_t port;   /**< of either end, 0: any */
    unsigned n_ends; /**< 1: of either end; 2: the local and the remote one */
    struct wire_addr end[2];
};

/** Read one or two words. 0, or -1: they name nothing. */
int conn_parse(struct conn_spec *spec, const char *first, const char *second);

/** Does this one fit (not for PID/FD)? Listeners do not. */
bool conn_fits(const struct conn_spec *spec, const struct wire_info *info);

/**
 * Find it: of several the newest, which stderr hears. `who` complains on stderr. Returns 0 or -1.
 */
int conn_find(const char *who, const struct conn_spec *spec, struct wire_info *out);

/** What is to be traced when it is opened: a port, or addresses. 0, or -1: not for such a name. */
int conn_to_match(const struct conn_spec *spec, struct wire_trace *out);

#endif
