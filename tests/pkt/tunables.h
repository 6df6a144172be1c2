/* SPDX-License-Identifier: MIT */
/* Linux's sysctl names to the core's tunables (proto/tcp/tunables.def), and `sysctl` lines taken
 * apart. */
#ifndef TS_TESTS_PKT_TUNABLES_H
#define TS_TESTS_PKT_TUNABLES_H

#include "tests/pkt/arena.h"

struct stack;

/** Set net.ipv4.…/net.core.… of this core. NULL, or why that cannot be. */
const char *tunable_set(struct stack *st, struct arena *a, const char *name, const char *value);

/**
 * A line `sysctl -q net.ipv4.tcp_timestamps=0 net.ipv4.tcp_rmem="4096 8192 16384"`: call `set` for
 * each pair. NULL, or what is wrong, be it set's answer. Nothing but sysctl is understood: no shell
 * runs.
 */
const char *tunable_command(struct arena *a, const char *line,
                            const char *(*set)(void *ctx, const char *name, const char *value),
                            void *ctx);

#endif
