/* SPDX-License-Identifier: MIT */
/* Log lines on stderr, one write(2) each, with levels and rate limits. Never used per packet. */
#ifndef TS_DAEMON_LOG_H
#define TS_DAEMON_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LEVEL_ERROR, LEVEL_WARNING, LEVEL_INFO, LEVEL_DEBUG };

/** How often one place in the code may speak: LOG_BURST lines in LOG_PERIOD_US, the rest is
 * counted. */
struct log_limit {
    uint64_t since;
    uint32_t lines;
    uint32_t suppressed;
};

/** Show lines up to this level (default LEVEL_INFO). */
void log_set_level(enum log_level level);
/** Is stderr the journal's stream (JOURNAL_STREAM, systemd.exec(5))? Then each line begins with its
 * priority (sd-daemon(3)) and not with our name, which the journal knows. */
void log_find_journal(void);

void log_at(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_limited(struct log_limit *limit, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define log_error(...)   log_at(LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_at(LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_at(LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_at(LEVEL_DEBUG, __VA_ARGS__)

#endif
