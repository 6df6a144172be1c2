/* SPDX-License-Identifier: MIT */
/*
 * Standard input to a connection, the connection to standard output: full duplex, with progress on
 * request.
 */
#ifndef TS_CLIENT_CLI_RELAY_H
#define TS_CLIENT_CLI_RELAY_H

#include <stdbool.h>

/**
 * Relay until the peer has ended. The end of standard input is a half-close; what the peer still
 * sends is written out. verbose: bytes and rates on stderr, each second on a terminal, and at the
 * end. Closes fd. Returns 0, or -1 having complained.
 */
int relay(const char *who, int fd, bool verbose);

#endif
