/* SPDX-License-Identifier: MIT */
/* What is remembered is a copy: programs write over the memory of their environment. */
#include "ipc/environment.h"

#include "ipc/scope.h"
#include "ipc/wire.h"

#include <stdlib.h>
#include <string.h>

static struct {
    const char *name;
    char *value;
} remembered[] = {{WIRE_SOCKET_ENV, NULL}, {SCOPE_ONLY_ENV, NULL}, {SCOPE_EXCEPT_ENV, NULL}};

#define COUNT (sizeof(remembered) / sizeof(remembered[0]))

void environment_remember(void)
{
    for (size_t i = 0; i < COUNT; i++) {
        const char *value = secure_getenv(remembered[i].name);

        if (value && !remembered[i].value)
            remembered[i].value = strdup(value);
    }
}

const char *environment_get(const char *name)
{
    const char *value = secure_getenv(name);

    for (size_t i = 0; i < COUNT && !value; i++) {
        if (strcmp(name, remembered[i].name) == 0)
            value = remembered[i].value;
    }
    return value;
}
