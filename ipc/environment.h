/* SPDX-License-Identifier: MIT */
/*
 * Our variables of the environment. They are asked for each time, since a program may set them
 * before its first socket; but some clear their environment (nginx does in its workers), and that
 * is not meant for us: then what it said when the shim was loaded holds.
 */
#ifndef TS_IPC_ENVIRONMENT_H
#define TS_IPC_ENVIRONMENT_H

/** Remember our variables as they are now. Once, before there are threads. */
void environment_remember(void);

/** The value of one of ours as things stand, else the remembered one, else NULL; NULL too where
 * rights were gained. */
const char *environment_get(const char *name);

#endif
