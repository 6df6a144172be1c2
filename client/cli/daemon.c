/* SPDX-License-Identifier: MIT */
/*
 * One place that turns errno values of the control socket into advice.
 */
#include "client/cli/daemon.h"

#include "client/lib/control.h"
#include "client/lib/path.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

_Static_assert(DAEMON_PATH_ROOM == PATH_ROOM, "one room");

int daemon_path(char out[DAEMON_PATH_ROOM])
{
    int r = path_get(out);

    if (r < 0)
        errno = -r;
    return r < 0 ? -1 : 0;
}

static const char *advice(int error)
{
    switch (error) {
    case ENOENT:
        return "is tapstackd running, and with this --socket?";
    case ECONNREFUSED:
        return "nobody listens there: is tapstackd running?";
    case ECONNRESET:
        return "the daemon hung up: see its log";
    case EACCES:
    case EPERM:
        return "this user may not use the socket: see its permissions";
    case EPROTO:
    case EPROTOTYPE:
        return "not a tapstack daemon, or one of another version";
    case ENAMETOOLONG:
        return "a socket's path has at most 107 bytes";
    default:
        return NULL;
    }
}

void daemon_complain(const char *who, int error)
{
    char path[DAEMON_PATH_ROOM + 1] = {0};
    const char *hint = advice(error);

    if (daemon_path(path) < 0)
        strcpy(path, "that path");
    fprintf(stderr, "tapstack %s: cannot reach the daemon at %s: %s%s%s%s\n", who, path,
            strerror(error), hint ? " (" : "", hint ? hint : "", hint ? ")" : "");
}

int daemon_check(const char *who, struct wire_hello *hello)
{
    struct wire_hello own = {0};
    struct control_request rq = {.op = WIRE_OP_HELLO, .fd = -1, .timeout_us = 5 * 1000000};
    struct control_reply rp = {.body = hello ? hello : &own, .cap = sizeof(own)};
    int r = control_call(&rq, &rp);

    if (r == 0)
        return 0;
    daemon_complain(who, r < 0 ? -r : r);
    return -1;
}

int daemon_each(const char *who, uint16_t op, void (*each)(void *ctx, const void *body), void *ctx)
{
    int r = control_each(op, each, ctx);

    if (r == 0)
        return 0;
    if (r < 0)
        daemon_complain(who, -r);
    else
        fprintf(stderr, "tapstack %s: the daemon says: %s\n", who, strerror(r));
    return -1;
}
