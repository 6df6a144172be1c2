/* SPDX-License-Identifier: MIT */
/*
 * What is done before the program's main().
 */
#include "ipc/environment.h"

__attribute__((constructor)) static void begin(void)
{
    environment_keep();
}
