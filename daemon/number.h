/* SPDX-License-Identifier: MIT */
/* Numbers of the configuration. */
#ifndef TS_DAEMON_NUMBER_H
#define TS_DAEMON_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Least `memory`, of the daemon or of one user. */
#define NUMBER_MEMORY_MIN (1ull << 20)
/** The longest moment of busy polling, in microseconds. */
#define NUMBER_BUSY_POLL_MAX 10000u

/** A decimal number and nothing else; with `suffixes` K, M or G may follow. */
bool number_parse(const char *text, bool suffixes, uint64_t max, uint64_t *out);

/** The same number as text, with a unit where it comes out even. */
void number_format(uint64_t n, char *out, size_t room);

#endif
