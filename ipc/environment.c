/* SPDX-License-Identifier: MIT */
/*
 * Copies, made once: a program that sets its title writes over the strings of its first
 * environment.
 */
#include "ipc/environment.h"

#include "ipc/scope.h"
#include "ipc/wire.h"

#include <stdlib.h>
#include <string.h>

static struct kept {
    const char *name;
    char *value;
} kept[] = {{WIRE_SOCKET_ENV, NULL}, {SCOPE_ONLY_ENV, NULL}, {SCOPE_EXCEPT_ENV, NULL}};

#define KEPT (sizeof(kept) / sizeof(kept[0]))

void environment_keep(void)
{
    for (size_t i = 0; i < KEPT; i++) {
        const char *value = secure_getenv(kept[i].name);

        /* The value of before stays: somebody may be reading it. */
        if (value && !kept[i].value)
            kept[i].value = strdup(value);
    }
}

const char *environment_get(const char *name)
{
    const char *value = secure_getenv(name);

    for (size_t i = 0; !value && i < KEPT; i++) {
        if (strcmp(kept[i].name, name) == 0)
            return kept[i].value;
    }
    return value;
}
