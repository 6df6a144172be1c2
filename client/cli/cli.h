/* SPDX-License-Identifier: MIT */
/*
 * The subcommands of `tapstack`. Each gets its own argv (argv[0] is its name) and returns the exit
 * status.
 */
#ifndef TS_CLIENT_CLI_CLI_H
#define TS_CLIENT_CLI_CLI_H

int connect_main(int argc, char **argv);
int listen_main(int argc, char **argv);
int ss_main(int argc, char **argv);
int stats_main(int argc, char **argv);
int get_main(int argc, char **argv);
int set_main(int argc, char **argv);

#endif
