/* SPDX-License-Identifier: MIT */
/*
 * Which addresses are ours: everything but loopback, unless $TAPSTACK_ONLY and $TAPSTACK_EXCEPT say
 * otherwise (`tapstack run --only`, `--except`, and what the daemon's configuration excludes).
 *
 * Both are lists of rules, separated by commas or blanks: CIDR, CIDR:PORT, CIDR:FIRST-LAST or
 * :PORT, where CIDR is an address with or without a prefix length, IPv6 in brackets when a port
 * follows. The environment is asked each time (ipc/environment.h): it survives
 * exec, and no state can go stale.
 */
#ifndef TS_IPC_SCOPE_H
#define TS_IPC_SCOPE_H

#include "ipc/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define SCOPE_ONLY_ENV   "TAPSTACK_ONLY"
#define SCOPE_EXCEPT_ENV "TAPSTACK_EXCEPT"

/** One rule. */
struct scope_rule {
    uint8_t addr[16];     /**< v4-mapped when IPv4 */
    uint8_t bits;         /**< of addr that count, 0 to 128 */
    uint16_t first, last; /**< ports; 0 and 65535: any */
};

/** Parse the n characters of one rule. Returns 0 or -EINVAL. */
int scope_parse(const char *text, size_t n, struct scope_rule *out);

/** Is every rule of this list well formed? */
bool scope_valid(const char *list);

/** Is this address, as connect(2) or bind(2) name it, ours by these two lists (each may be NULL)?
 */
bool scope_decide(const char *only, const char *except, const struct wire_addr *a, bool connecting);

/** Does a rule of this list hold for the address? For a wildcard only one for all addresses does.
 */
bool scope_listed(const char *list, const struct wire_addr *a);

/**
 * Should a socket with this address be the kernel's? Loopback, or, to connect to, the wildcard,
 * which means loopback; and what the environment leaves out. errno is preserved.
 */
bool scope_is_kernels(const struct sockaddr *addr, socklen_t len, bool connecting);

#endif
