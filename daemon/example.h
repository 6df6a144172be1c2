/* SPDX-License-Identifier: MIT */
/* A configuration file with every setting in it, explained, from the tables. */
#ifndef TS_DAEMON_EXAMPLE_H
#define TS_DAEMON_EXAMPLE_H

#include <stdio.h>

/** Write it. 0 or a negative errno value. */
int example_print(FILE *to);

#endif
