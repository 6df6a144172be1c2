/* SPDX-License-Identifier: MIT */
/*
 * Addresses as people read and write them.
 */
#ifndef TS_CLIENT_CLI_ADDRESS_H
#define TS_CLIENT_CLI_ADDRESS_H

#include "ipc/wire.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define ADDRESS_TEXT 64

/** "10.77.0.2:80", "[2001:db8::1]:80"; as ss(8), "0.0.0.0:*" for port 0. Returns out. */
const char *address_text(const struct wire_addr *addr, char out[ADDRESS_TEXT]);

/** The same for what ts_getpeername and ts_accept4 give. */
const char *address_text_of(const struct sockaddr *sa, socklen_t len, char out[ADDRESS_TEXT]);

/** A port number or the name of a service; -1 when it is neither. */
int address_port(const char *text);

#endif
