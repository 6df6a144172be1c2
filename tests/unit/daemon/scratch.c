/* SPDX-License-Identifier: MIT */
/* See scratch.h. */
#include "tests/unit/daemon/scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

char scratch_path[64];

static char dir[] = "/tmp/tapstack-test-XXXXXX";

int scratch_make(void **state)
{
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    snprintf(scratch_path, sizeof(scratch_path), "%s/s", dir);
    return 0;
}

int scratch_remove(void **state)
{
    (void)state;
    return rmdir(dir);
}
