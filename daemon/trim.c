/* SPDX-License-Identifier: MIT */
/*
 * malloc_trim(3), when it pays; see trim.h.
 */
#include "daemon/trim.h"

#include <malloc.h>

bool trim_due(struct trim *t, uint64_t used)
{
    if (used > t->most)
        t->most = used;
    return t->most - used >= TRIM_BYTES && used < t->most / 2;
}

void trim_now(struct trim *t, uint64_t used)
{
    t->most = used;
#ifdef __GLIBC__
    (void)malloc_trim(0);
#endif
}
