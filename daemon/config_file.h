/* SPDX-License-Identifier: MIT */
/*
 * The configuration file (INI, by libinih): [tapstack] has the settings of config.def, [sysctl] the
 * core's tunables, [user …] and [group …] the policy table. All that is wrong with it is found, not
 * only the first fault.
 */
#ifndef TS_DAEMON_CONFIG_FILE_H
#define TS_DAEMON_CONFIG_FILE_H

#include "daemon/config.h"

#include <stddef.h>

/** A file longer than this is none of ours. */
#define CONFIG_FILE_MAX (1u << 20)

/** The bytes of a file, NUL-terminated, from malloc(3). 0 or a negative errno value. */
int config_file_read(const char *path, char **text, size_t *len);

/** What such bytes say, put into `c`. Adds to the faults; with one the values are of no use. */
void config_file_parse(struct config *c, const char *text, size_t len, struct faults *faults);

/** Both, for the file that `c` names (`path`). One that cannot be read is a fault as well; false.
 */
bool config_file_load(struct config *c, struct faults *faults);

#endif
