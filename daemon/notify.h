/* SPDX-License-Identifier: MIT */
/*
 * What the service manager is told (sd_notify(3)): ready, reloading, stopping, alive. Its socket is
 * opened before privileges are dropped, and a message that it does not take at once is lost: a
 * manager that hangs must not hold up anybody's bytes, and the system call filter needs no
 * socket(2). Without NOTIFY_SOCKET in the environment nobody is told.
 */
#ifndef TS_DAEMON_NOTIFY_H
#define TS_DAEMON_NOTIFY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

struct notify {
    int fd; /**< -1: nobody is told */
    socklen_t len;
    struct sockaddr_un to;
    uint64_t watchdog_us; /**< he expects to hear from us within this time; 0: he does not watch */
    unsigned loops;       /**< event loops, each of which must be alive: 1 to 64 */
    _Atomic uint64_t signs; /**< those that gave theirs since he was told, a bit each */
};

/** From the environment (NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID), which is left without them. 0
 * or a negative errno value, logged; an address that is no AF_UNIX one is -EAFNOSUPPORT. */
int notify_open(struct notify *n);
void notify_close(struct notify *n);

/** The start, or a reload, has come to its end. `status` (one line) is what `systemctl status`
 * shows. */
void notify_ready(const struct notify *n, const char *status);
/** A reload has begun, at `now` (CLOCK_MONOTONIC, microseconds). */
void notify_reloading(const struct notify *n, uint64_t now);
void notify_stopping(const struct notify *n);

/** How often notify_alive() is to be called, in milliseconds; 0: never. */
uint64_t notify_period_ms(const struct notify *n);
/** A sign of life of the event loop `index`, on any thread: at `now` a turn of it has ended, and
 * after it its core's next deadline is `deadline` (both in microseconds). One that has been due for
 * a period is of a core that stands still: that is no sign. With the signs of all loops he is told
 * that we are alive; returns whether he was. */
bool notify_alive(struct notify *n, unsigned index, uint64_t now, uint64_t deadline);

#endif
