/* SPDX-License-Identifier: MIT */
/*
 * dlsym(RTLD_NEXT), remembered.
 */
#include "client/preload/real.h"

#include "ipc/environment.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const names[REAL_COUNT] = {
#define F(name, result, parameters) #name,
    REAL_FUNCTIONS(F)
#undef F
};

static _Atomic(void *) found[REAL_COUNT];

static void say(const char *text)
{
    if (write(STDERR_FILENO, text, strlen(text)) < 0)
        return; /* nobody to tell */
}

void *real_get(enum real_index which)
{
    void *f = atomic_load_explicit(&found[which], memory_order_relaxed);

    if (f)
        return f;
    f = dlsym(RTLD_NEXT, names[which]);
    if (!f) {
        say("tapstack: this C library has no ");
        say(names[which]);
        say("()\n");
        abort();
    }
    atomic_store_explicit(&found[which], f, memory_order_relaxed);
    return f;
}

/* Early, so that a signal handler does not meet dlsym later. Fortified names are missing in other C
 * libraries. */
__attribute__((constructor)) static void prepare(void)
{
    environment_remember();
    for (int i = 0; i < REAL_COUNT; i++)
        atomic_store_explicit(&found[i], dlsym(RTLD_NEXT, names[i]), memory_order_relaxed);
}
