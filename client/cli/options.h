/* SPDX-License-Identifier: MIT */
/*
 * The options of a sub-command, from options.def: for getopt(3), and as its help.
 */
#ifndef TS_CLIENT_CLI_OPTIONS_H
#define TS_CLIENT_CLI_OPTIONS_H

#include <stdint.h>
#include <stdio.h>

struct cli_option {
    const char *command;
    char letter;
    const char *name;     /**< without the dashes */
    const char *argument; /**< "FILE"; "[FILE]": may be left out; NULL: none */
    const char *help;
};

/** The i-th line of the list, of whatever command; NULL when there are no more. */
const struct cli_option *cli_option(size_t i);

/** "-w, --write=FILE", as help and manual write it. Returns out. */
const char *cli_option_text(const struct cli_option *o, char out[64]);

/**
 * The next option's letter, with its argument in optarg; -1 at the end, operands from optind on;
 * '?' for a wrong one, which has been said on stderr. Set optind to 0 before the first call.
 */
int cli_getopt(const char *command, int argc, char **argv);

/** The command's options, one a line, --help included. */
void cli_options_help(FILE *to, const char *command);

/** A whole number from min to max, or -1. */
int64_t cli_number(const char *text, int64_t min, int64_t max);

/** Seconds, above 0 and for thirty years at most, with decimals; or 0. */
double cli_seconds(const char *text);

#endif
