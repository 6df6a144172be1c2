/* SPDX-License-Identifier: MIT */
/* The command line: the settings of config.def, and --config, --verbose, --help, --version. */
#ifndef TS_DAEMON_OPTIONS_H
#define TS_DAEMON_OPTIONS_H

#include "daemon/config.h"

/** What to do after the command line was read. */
enum options_result { OPTIONS_RUN, OPTIONS_DONE, OPTIONS_WRONG };

/** Fill the configuration. Help, version and mistakes have been printed. */
enum options_result options_parse(int argc, char **argv, struct config *c);

#endif
