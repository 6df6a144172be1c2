/* SPDX-License-Identifier: MIT */
/*
 * `tapstack get` and `tapstack set`: the tunables of the running daemon, under Linux's sysctl
 * names, written as sysctl(8) writes them.
 */
#include "client/cli/cli.h"
#include "client/cli/daemon.h"
#include "client/cli/options.h"
#include "client/lib/control.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static void get_usage(FILE *to)
{
    fprintf(to, "Usage: tapstack [--socket PATH] get [-v] [NAME]...\n"
                "\n"
                "Show tunables of the daemon (all of them without a NAME), by their sysctl names.\n"
                "\n");
    cli_options_help(to, "get");
}

static void set_usage(FILE *to)
{
    fprintf(
        to,
        "Usage: tapstack [--socket PATH] set NAME=VALUE...\n"
        "       tapstack [--socket PATH] set NAME VALUE\n"
        "\n"
        "Change tunables of the running daemon, as in: tapstack set net.ipv4.tcp_retries2=8\n"
        "and those settings of tapstackd.conf(5) that a reload can change, until the next one.\n"
        "Only root may, and the user who started the daemon.\n");
}

/* 0, a positive errno value of the daemon's answer, or -1 when it could not be asked (said on
 * stderr). */
static int ask(const char *who, uint16_t op, struct wire_tunable *t)
{
    struct control_request rq = {
        .op = op, .body = t, .len = sizeof(*t), .fd = -1, .timeout_us = 5 * 1000000};
    struct control_reply rp = {.body = t, .cap = sizeof(*t)};
    int r = control_call(&rq, &rp);

    if (r >= 0)
        return r;
    daemon_complain(who, -r);
    return -1;
}

static void show(const struct wire_tunable *t, bool verbose)
{
    printf("net.ipv4.%s = %s\n", t->name, t->value);
    if (verbose && t->help[0] && isalpha((unsigned char)t->value[0]))
        printf("    %s\n", t->help);
    else if (verbose && t->help[0])
        printf("    %s; %" PRId64 " to %" PRId64 " %s\n", t->help, t->min, t->max, t->unit);
}

static int refused(const char *who, const char *name, int error)
{
    const char *why = error == ENOENT   ? "the daemon has no such tunable"
                      : error == ERANGE ? "out of range (tapstack config -v shows it)"
                      : error == EINVAL
                          ? "not a value that it takes (tapstack config -v shows them)"
                      : error == EACCES ? "can only be read"
                      : error == EBUSY  ? "only a restart changes it"
                      : error == EPERM  ? "only root may, and the user who started the daemon"
                                        : strerror(error);

    fprintf(stderr, "tapstack %s: %s: %s\n", who, name, why);
    return 1;
}

static int set_name(struct wire_tunable *t, const char *name, size_t len)
{
    if (len >= sizeof(t->name))
        return -1;
    memset(t, 0, sizeof(*t));
    memcpy(t->name, name, len);
    return 0;
}

static int get_one(const char *name, bool verbose)
{
    struct wire_tunable t;
    int r = ENOENT;

    if (set_name(&t, name, strlen(name)) == 0)
        r = ask("get", WIRE_OP_TUNABLE_GET, &t);
    if (r > 0)
        return refused("get", name, r);
    if (r == 0) {
        /* the name without its prefix, whichever way it was asked for */
        if (!strncmp(t.name, "net.ipv4.", 9) || !strncmp(t.name, "net.core.", 9))
            memmove(t.name, t.name + 9, sizeof(t.name) - 9);
        show(&t, verbose);
    }
    return r != 0;
}

static int get_all(bool verbose)
{
    struct wire_tunable t;
    int r = 0;

    for (uint32_t i = 0; r == 0; i++) {
        memset(&t, 0, sizeof(t));
        t.index = i;
        r = ask("get", WIRE_OP_TUNABLE_GET, &t);
        if (r == 0)
            show(&t, verbose);
    }
    return r != ENOENT;
}

int get_main(int argc, char **argv)
{
    bool verbose = false;
    int c, status = 0;

    optind = 0;
    while ((c = cli_getopt("get", argc, argv)) != -1) {
        switch (c) {
        case 'v':
            verbose = true;
            break;
        case 'h':
            return get_usage(stdout), 0;
        default:
            return get_usage(stderr), 2;
        }
    }
    if (optind == argc)
        return get_all(verbose) || fflush(stdout) != 0;
    for (int i = optind; i < argc; i++)
        status |= get_one(argv[i], verbose);
    return status || fflush(stdout) != 0;
}

static int set_one(const char *name, size_t name_len, const char *value)
{
    struct wire_tunable t;
    int r = ENOENT;

    if (strlen(value) >= sizeof(t.value))
        return refused("set", name, ERANGE);
    if (set_name(&t, name, name_len) == 0) {
        strcpy(t.value, value);
        r = ask("set", WIRE_OP_TUNABLE_SET, &t);
    }
    return r > 0 ? refused("set", t.name[0] ? t.name : name, r) : r != 0;
}

int set_main(int argc, char **argv)
{
    int status = 0;

    if (argc > 1 && (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help")))
        return set_usage(stdout), 0;
    if (argc < 2)
        return set_usage(stderr), 2;
    if (argc == 3 && !strchr(argv[1], '='))
        return set_one(argv[1], strlen(argv[1]), argv[2]);
    for (int i = 1; i < argc; i++) {
        const char *eq = strchr(argv[i], '=');

        if (!eq)
            return set_usage(stderr), 2;
        status |= set_one(argv[i], (size_t)(eq - argv[i]), eq + 1);
    }
    return status;
}
