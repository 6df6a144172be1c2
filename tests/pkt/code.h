/* SPDX-License-Identifier: MIT */
/*
 * Assertions over TCP_INFO: `assert tcpi_snd_cwnd == 10 and tcpi_unacked > 0, "why"`, `print
 * tcpi_rtt`. The fields have the names of Linux's struct tcp_info.
 */
#ifndef TS_TESTS_PKT_CODE_H
#define TS_TESTS_PKT_CODE_H

#include "tests/pkt/arena.h"

#include "proto/sock/sock.h"

/** Run the text between %{ and }%. NULL when every assertion holds, else what does not. Prints go
 * to `printed`. */
const char *code_run(struct arena *a, const char *text, const struct sock_tcp_info *info,
                     const char **printed);

#endif
