/* SPDX-License-Identifier: MIT */
/*
 * `tapstack stats`: the daemon's counters, as it sends them.
 */
#include "client/cli/cli.h"
#include "client/cli/daemon.h"

#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct show {
    bool all, verbose;
    json_t *json;
};

static void usage(FILE *to)
{
    fprintf(to, "Usage: tapstack [--socket PATH] stats [-av] [--json]\n"
                "\n"
                "Show the daemon's counters since it started.\n"
                "\n"
                "  -a, --all      those that are zero as well\n"
                "  -v, --verbose  what each one counts\n"
                "  -j, --json     one JSON object: name to value\n"
                "  -h, --help     show this help\n");
}

static void show_counter(void *ctx, const void *body)
{
    const struct show *show = ctx;
    struct wire_counter counter;

    memcpy(&counter, body, sizeof(counter));
    counter.name[sizeof(counter.name) - 1] = '\0';
    counter.help[sizeof(counter.help) - 1] = '\0';
    if (counter.value == 0 && !show->all)
        return;
    if (show->json)
        json_object_set_new(show->json, counter.name, json_integer((json_int_t)counter.value));
    else if (show->verbose)
        printf("%-28s %14" PRIu64 "  %s\n", counter.name, counter.value, counter.help);
    else
        printf("%-28s %14" PRIu64 "\n", counter.name, counter.value);
}

int stats_main(int argc, char **argv)
{
    static const struct option options[] = {{"all", no_argument, NULL, 'a'},
                                            {"verbose", no_argument, NULL, 'v'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    struct show show = {0};
    bool json = false;
    int c, r;

    optind = 0;
    while ((c = getopt_long(argc, argv, "avjh", options, NULL)) != -1) {
        switch (c) {
        case 'a':
            show.all = true;
            break;
        case 'v':
            show.verbose = true;
            break;
        case 'j':
            json = true;
            break;
        case 'h':
            usage(stdout);
            return 0;
        default:
            return cli_wrong_usage("stats");
        }
    }
    if (optind != argc) {
        usage(stderr);
        return 2;
    }
    if (json)
        show.json = json_object();
    r = daemon_each("stats", WIRE_OP_STATS, show_counter, &show);
    if (json && r == 0) {
        json_dumpf(show.json, stdout, JSON_INDENT(2));
        putchar('\n');
    }
    json_decref(show.json);
    return r < 0 || fflush(stdout) != 0;
}
