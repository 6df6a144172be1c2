/* SPDX-License-Identifier: MIT */
/*
 * `tapstack`: the options that all subcommands share, and the choice of one.
 */
#include "client/cli/cli.h"
#include "client/include/tapstack.h"
#include "client/run/run.h"
#include "ipc/wire.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef TAPSTACK_VERSION
#define TAPSTACK_VERSION "unknown"
#endif

static const struct command {
    const char *name, *help;
    int (*main)(int argc, char **argv);
} commands[] = {
    {"run", "run a program with its TCP sockets on the daemon", run_main},
    {"connect", "connect to a host and port, standard input and output (like nc)", connect_main},
    {"listen", "wait for a connection, standard input and output (like nc -l)", listen_main},
    {"ss", "show the daemon's sockets (like ss(8))", ss_main},
    {"stats", "show the daemon's counters, also for Prometheus", stats_main},
    {"capture", "write the daemon's frames to a file or a pipe (like tcpdump -w)", capture_main},
    {"trace", "show what a connection does, step by step", trace_main},
    {"explain", "say in words what holds a connection back", explain_main},
    {"plot", "draw a connection, or one of a capture, as SVG", plot_main},
    {"get", "show tunables, by their sysctl names", get_main},
    {"set", "change a tunable of the running daemon", set_main},
    {"config", "show the settings in force and where they came from", config_main},
    {"reload", "let the daemon read its configuration file again", reload_main},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void usage(FILE *to)
{
    fprintf(to, "Usage: tapstack [--socket PATH] COMMAND [ARGUMENT]...\n"
                "\n"
                "Use the TCP of the tapstack daemon (tapstackd).\n"
                "\n"
                "Commands:\n");
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(to, "  %-9s %s\n", commands[i].name, commands[i].help);
    fprintf(to, "\n"
                "Options:\n"
                "  -s, --socket PATH  the daemon's control socket\n"
                "                     (default: $" WIRE_SOCKET_ENV ", or " WIRE_SOCKET_PATH ")\n"
                "  -h, --help         show this help; `tapstack COMMAND --help` has more\n"
                "  -V, --version      show the version\n");
}

static int run_command(int argc, char **argv)
{
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(commands[i].name, argv[0]) == 0)
            return commands[i].main(argc, argv);
    }
    fprintf(stderr, "tapstack: '%s' is no command of mine. Try 'tapstack --help'.\n", argv[0]);
    return 2;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"socket", required_argument, NULL, 's'},
                                            {"help", no_argument, NULL, 'h'},
                                            {"version", no_argument, NULL, 'V'},
                                            {0}};
    int c;

    while ((c = getopt_long(argc, argv, "+s:hV", options, NULL)) != -1) {
        switch (c) {
        case 's':
            if (ts_set_socket_path(optarg) < 0) {
                fprintf(stderr, "tapstack: --socket %s: %s\n", optarg, strerror(errno));
                return 2;
            }
            break;
        case 'h':
            usage(stdout);
            return 0;
        case 'V':
            puts("tapstack " TAPSTACK_VERSION);
            return 0;
        default:
            fprintf(stderr, "Try 'tapstack --help'.\n");
            return 2;
        }
    }
    if (optind == argc) {
        usage(stderr);
        return 2;
    }
    return run_command(argc - optind, argv + optind);
}
