/* SPDX-License-Identifier: MIT */
/* Log lines on stderr: "tapstackd: warning: text", for the journal "<4>warning: text". A line that
 * cannot be written is lost, never waited for twice. */
#include "daemon/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#define LOG_LINE      512
#define LOG_BURST     5
#define LOG_PERIOD_US 10000000ull

/* Of all limits: who comes here is about to write a line, or one too many. */
static pthread_mutex_t limits = PTHREAD_MUTEX_INITIALIZER;
static enum log_level shown = LEVEL_INFO;

static bool journal;

static const struct {
    const char *word, *priority;
} prefixes[] = {
    {"error: ", SD_ERR}, {"warning: ", SD_WARNING}, {"", SD_INFO}, {"debug: ", SD_DEBUG}};

void log_set_level(enum log_level level)
{
    shown = level;
}

void log_find_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long device, inode;
    struct stat st;

    journal = stream && sscanf(stream, "%lu:%lu", &device, &inode) == 2 &&
              fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

static void log_line(enum log_level level, uint32_t suppressed, const char *format, va_list args)
{
    char line[LOG_LINE];
    size_t n =
        (size_t)snprintf(line, sizeof(line), "%s%s",
                         journal ? prefixes[level].priority : "tapstackd: ", prefixes[level].word);
    int more = vsnprintf(line + n, sizeof(line) - n - 1, format, args);

    if (more > 0)
        n += (size_t)more < sizeof(line) - n - 1 ? (size_t)more : sizeof(line) - n - 2;
    if (suppressed) {
        more = snprintf(line + n, sizeof(line) - n - 1, " (%u more of these)", suppressed);
        n += (size_t)more < sizeof(line) - n - 1 ? (size_t)more : sizeof(line) - n - 2;
    }
    /* A program's text may be in it: no control characters on somebody's terminal. */
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)line[i] < ' ' || line[i] == 127)
            line[i] = '?';
    line[n++] = '\n';
    (void)!write(STDERR_FILENO, line, n);
}

void log_at(enum log_level level, const char *format, ...)
{
    va_list args;

    if (level > shown)
        return;
    va_start(args, format);
    log_line(level, 0, format, args);
    va_end(args);
}

/* May one more line go out? *suppressed: how many did not, before it. */
static bool allow(struct log_limit *limit, uint32_t *suppressed)
{
    struct timespec t;
    uint64_t now;
    bool may;

    clock_gettime(CLOCK_MONOTONIC, &t);
    now = (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
    pthread_mutex_lock(&limits);
    if (limit->lines == 0 || now - limit->since > LOG_PERIOD_US) {
        limit->since = now;
        limit->lines = 0;
    }
    may = limit->lines < LOG_BURST;
    if (may) {
        limit->lines++;
        *suppressed = limit->suppressed;
        limit->suppressed = 0;
    } else {
        limit->suppressed++;
    }
    pthread_mutex_unlock(&limits);
    return may;
}

void log_limited(struct log_limit *limit, enum log_level level, const char *format, ...)
{
    uint32_t suppressed;
    va_list args;

    if (level > shown || !allow(limit, &suppressed))
        return;
    va_start(args, format);
    log_line(level, suppressed, format, args);
    va_end(args);
}
