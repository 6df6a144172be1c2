/* SPDX-License-Identifier: MIT */
/*
 * The subcommands of `tapstack`. Each gets its own argv (argv[0] is its name) and returns the exit
 * status.
 */
#ifndef TS_CLIENT_CLI_CLI_H
#define TS_CLIENT_CLI_CLI_H

#include <stdio.h>

int connect_main(int argc, char **argv);
int listen_main(int argc, char **argv);
int ss_main(int argc, char **argv);
int capture_main(int argc, char **argv);
int stats_main(int argc, char **argv);
int trace_main(int argc, char **argv);
int explain_main(int argc, char **argv);
int plot_main(int argc, char **argv);
int get_main(int argc, char **argv);
int set_main(int argc, char **argv);
int config_main(int argc, char **argv);
int reload_main(int argc, char **argv);

/** An option that the command does not have; getopt(3) has said which. Returns the exit status. */
static inline int cli_wrong_usage(const char *command)
{
    fprintf(stderr, "Try 'tapstack %s --help'.\n", command);
    return 2;
}

#endif
