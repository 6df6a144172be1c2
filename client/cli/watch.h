/* SPDX-License-Identifier: MIT */
/*
 * --watch: the same again and again, on a terminal in place, elsewhere one frame after the other.
 */
#ifndef TS_CLIENT_CLI_WATCH_H
#define TS_CLIENT_CLI_WATCH_H

#include <stdbool.h>
#include <stdint.h>

/** Microseconds of CLOCK_MONOTONIC. */
uint64_t watch_now(void);

/** What --watch[=SECONDS] means: microseconds, of `text` (NULL: one second); 0: malformed or less
 * than 0.1 s. */
uint64_t watch_period(const char *text);

/** Lines and columns of the terminal; where there is none, no limit. */
void watch_screen(int *lines, int *columns);

/** Begin a frame: an empty screen, or, not on a terminal, an empty line after the first. */
void watch_frame(void);

/** From here on SIGINT and SIGTERM end nothing but what asks watch_interrupted(). */
void watch_signals(void);
/** Has one come? */
bool watch_interrupted(void);

/** Wait for the rest of the period. False: a signal to end came, or nobody reads us any more. */
bool watch_wait(uint64_t period_us);

/** "1.25G", "830k", "12": in four characters or so, with one of k, M, G, T. Returns out. */
const char *watch_rate(double per_second, char out[16]);

#endif
