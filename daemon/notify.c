/* SPDX-License-Identifier: MIT */
/* Datagrams of lines NAME=VALUE to the service manager; see notify.h. */
#include "daemon/notify.h"

#include "daemon/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

/* He hears from us so many times in the time that he waits: one or two that are lost do no harm. */
#define TIMES        4
#define MESSAGE_ROOM 384

/* "/path", or "@name" in the abstract namespace. */
static int address_of(const char *text, struct notify *n)
{
    size_t length = strlen(text);

    if ((text[0] != '/' && text[0] != '@') || length < 2)
        return -EAFNOSUPPORT;
    if (length >= sizeof(n->to.sun_path))
        return -ENAMETOOLONG;
    n->to.sun_family = AF_UNIX;
    memcpy(n->to.sun_path, text, length + 1);
    n->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
    if (text[0] == '@') {
        n->to.sun_path[0] = '\0';
        n->len--;
    }
    return 0;
}

int notify_open(struct notify *n)
{
    const char *text = getenv("NOTIFY_SOCKET");
    int rc = 0;

    *n = (struct notify){.fd = -1, .loops = 1};
    if (sd_watchdog_enabled(1, &n->watchdog_us) <= 0)
        n->watchdog_us = 0;
    if (!text)
        return 0;
    rc = address_of(text, n);
    if (rc == 0) {
        n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        rc = n->fd < 0 ? -errno : 0;
    }
    if (rc < 0)
        log_error("NOTIFY_SOCKET=%s: %s", text, strerror(-rc));
    unsetenv("NOTIFY_SOCKET");
    return rc;
}

void notify_close(struct notify *n)
{
    if (n->fd >= 0)
        close(n->fd);
    n->fd = -1;
}

static void tell(const struct notify *n, const char *message)
{
    if (n->fd >= 0 && sendto(n->fd, message, strlen(message), MSG_NOSIGNAL,
                             (const struct sockaddr *)&n->to, n->len) < 0)
        log_debug("the service manager was not told: %s", strerror(errno));
}

void notify_ready(const struct notify *n, const char *status)
{
    char message[MESSAGE_ROOM];

    snprintf(message, sizeof(message), "READY=1\nSTATUS=%s", status);
    tell(n, message);
}

void notify_reloading(const struct notify *n, uint64_t now)
{
    char message[MESSAGE_ROOM];

    snprintf(message, sizeof(message), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, now);
    tell(n, message);
}

void notify_stopping(const struct notify *n)
{
    tell(n, "STOPPING=1");
}

uint64_t notify_period_ms(const struct notify *n)
{
    uint64_t ms = n->watchdog_us / TIMES / 1000;

    if (n->fd < 0 || n->watchdog_us == 0)
        return 0;
    return ms > 0 ? ms : 1;
}

bool notify_alive(struct notify *n, unsigned index, uint64_t now, uint64_t deadline)
{
    uint64_t all = UINT64_MAX >> (64 - n->loops), one = 1ull << index;

    if (deadline < now && now - deadline > n->watchdog_us / TIMES)
        return false;
    if ((atomic_fetch_or(&n->signs, one) | one) != all)
        return false;
    atomic_store(&n->signs, 0);
    tell(n, "WATCHDOG=1");
    return true;
}
