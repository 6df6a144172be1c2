/* SPDX-License-Identifier: MIT */
/* The command line: the settings of config.def, --config, and what only prints: --check-config,
 * --dump-config, --help, --version. */
#ifndef TS_DAEMON_OPTIONS_H
#define TS_DAEMON_OPTIONS_H

#include "daemon/config.h"

/** What to do after the command line was read. */
enum options_result {
    OPTIONS_RUN,
    OPTIONS_DONE,
    OPTIONS_WRONG, /**< of the options or the configuration, when about to run */
    OPTIONS_FAULTS /**< --check-config has found some */
};

/**
 * Fill the configuration, and `given` with what the command line alone says: it wins over the file
 * again at each reload. Help, version, mistakes and faults have been printed. Both are
 * config_free()d by the caller.
 */
enum options_result options_parse(int argc, char **argv, struct config *c, struct config *given);

/** Settings of the command line win over those of a file. */
void options_overlay(struct config *c, const struct config *given);

#endif
