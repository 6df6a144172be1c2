/* SPDX-License-Identifier: MIT */
/*
 * The variables of the environment that say where the daemon is and what is its. They are asked
 * each time, because a program may set them. But servers replace their environment when they have
 * started (nginx keeps TZ alone), and that is not meant to take them off the stack: what was kept
 * at the program's start counts for a variable that is not there any more.
 */
#ifndef TS_IPC_ENVIRONMENT_H
#define TS_IPC_ENVIRONMENT_H

/** Keep the values of now. For the shim, before the program's main(). */
void environment_keep(void);

/** secure_getenv(3), else the value that was kept, else NULL. */
const char *environment_get(const char *name);

#endif
