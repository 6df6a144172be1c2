/* SPDX-License-Identifier: MIT */
/*
 * The path of the control socket. The environment is asked each time (ipc/environment.h): a
 * program may change it before its first socket. What was set is a list whose head is swapped
 * atomically, so that signal handlers and children of fork need no lock; earlier entries stay,
 * because another thread may be reading them.
 */
#include "client/lib/path.h"

#include "client/include/tapstack.h"
#include "ipc/environment.h"
#include "ipc/wire.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

_Static_assert(PATH_ROOM == sizeof(((struct sockaddr_un *)0)->sun_path),
               "the room is the kernel's");

struct entry {
    struct entry *older;
    unsigned generation;
    char path[PATH_ROOM]; /* empty: the environment's */
};

static _Atomic(struct entry *) newest;

unsigned path_generation(void)
{
    struct entry *e = atomic_load(&newest);

    return e ? e->generation : 0;
}

int ts_set_socket_path(const char *path)
{
    struct entry *e;

    if (path && strlen(path) >= PATH_ROOM) {
        errno = ENAMETOOLONG;
        return -1;
    }
    e = calloc(1, sizeof(*e));
    if (!e)
        return -1;
    if (path)
        memcpy(e->path, path, strlen(path));
    e->older = atomic_load(&newest);
    do {
        e->generation = e->older ? e->older->generation + 1 : 1;
    } while (!atomic_compare_exchange_weak(&newest, &e->older, e));
    return 0;
}

int path_get(char out[PATH_ROOM])
{
    struct entry *e = atomic_load(&newest);
    const char *path = e && e->path[0] ? e->path : environment_get(WIRE_SOCKET_ENV);

    if (!path || !path[0])
        path = WIRE_SOCKET_PATH;
    if (strlen(path) >= PATH_ROOM)
        return -ENAMETOOLONG;
    memset(out, 0, PATH_ROOM);
    memcpy(out, path, strlen(path));
    return 0;
}
