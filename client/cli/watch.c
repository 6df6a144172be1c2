/* SPDX-License-Identifier: MIT */
/* Frames, periods and signals; see watch.h. */
#include "client/cli/watch.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000ull

uint64_t watch_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec / 1000;
}

uint64_t watch_period(const char *text)
{
    char *end;
    double seconds;

    if (!text)
        return SECOND;
    seconds = strtod(text, &end);
    if (end == text || *end || !(seconds >= 0.1) || seconds > 86400)
        return 0;
    return (uint64_t)(seconds * (double)SECOND);
}

void watch_screen(int *lines, int *columns)
{
    struct winsize size;

    *lines = *columns = INT_MAX;
    if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || !size.ws_row)
        return;
    *lines = size.ws_row;
    *columns = size.ws_col;
}

void watch_frame(void)
{
    static bool later;

    if (isatty(STDOUT_FILENO))
        fputs("\033[H\033[J", stdout); /* home, erase to the end */
    else if (later)
        putchar('\n');
    later = true;
}

static volatile sig_atomic_t interrupted;

static void on_signal(int signum)
{
    (void)signum;
    interrupted = 1;
}

void watch_signals(void)
{
    struct sigaction sa = {.sa_handler = on_signal};

    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
}

bool watch_interrupted(void)
{
    return interrupted;
}

bool watch_wait(uint64_t period_us)
{
    struct timespec t = {.tv_sec = (time_t)(period_us / SECOND),
                         .tv_nsec = (long)(period_us % SECOND) * 1000};
    sigset_t wanted;
    int sig;

    if (fflush(stdout) != 0)
        return false;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGINT);
    sigaddset(&wanted, SIGTERM);
    sigprocmask(SIG_BLOCK, &wanted, NULL);
    do
        sig = sigtimedwait(&wanted, NULL, &t);
    while (sig < 0 && errno == EINTR);
    return sig < 0;
}

const char *watch_rate(double per_second, char out[16])
{
    static const char units[] = " kMGT";
    size_t unit = 0;

    for (; per_second >= 999.5 && units[unit + 1]; unit++)
        per_second /= 1000;
    if (!unit)
        snprintf(out, 16, "%.0f", per_second);
    else
        snprintf(out, 16, "%.3g%c", per_second, units[unit]);
    return out;
}
