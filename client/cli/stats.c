/* SPDX-License-Identifier: MIT */
/*
 * `tapstack stats`: the daemon's counters, as it sends them.
 */
#include "client/cli/stats.h"

#include "client/cli/cli.h"
#include "client/cli/daemon.h"
#include "client/cli/options.h"
#include "client/cli/watch.h"

#include <fnmatch.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct show {
    bool all, verbose, json, prometheus;
    uint64_t watch_us; /* 0: once */
    int n_patterns;
    char *const *patterns;
};

struct counters {
    const struct show *show;
    struct wire_counter *list;
    size_t count, room;
    bool failed;
};

static void usage(FILE *to)
{
    fprintf(to, "Usage: tapstack [--socket PATH] stats [OPTION]... [PATTERN]...\n"
                "\n"
                "Show the daemon's counters since it started: those whose name matches a PATTERN "
                "(with *, ?\n"
                "and [ ], or a part of the name), or all.\n"
                "\n");
    cli_options_help(to, "stats");
}

/* --- asking ------------------------------------------------------------------------------------
 */

static bool meant(const struct show *show, const char *name)
{
    for (int i = 0; i < show->n_patterns; i++) {
        const char *p = show->patterns[i];

        if (strpbrk(p, "*?[") ? fnmatch(p, name, 0) == 0 : strstr(name, p) != NULL)
            return true;
    }
    return show->n_patterns == 0;
}

static void one_more(void *ctx, const void *body)
{
    struct counters *all = ctx;
    struct wire_counter *c;

    if (all->count == all->room) {
        size_t room = all->room ? 2 * all->room : 256;

        c = realloc(all->list, room * sizeof(*c));
        if (!c) {
            all->failed = true;
            return;
        }
        all->list = c;
        all->room = room;
    }
    c = &all->list[all->count];
    memcpy(c, body, sizeof(*c));
    c->name[sizeof(c->name) - 1] = '\0';
    c->help[sizeof(c->help) - 1] = '\0';
    all->count += meant(all->show, c->name);
}

static int fetch(const struct show *show, struct counters *out)
{
    int r;

    *out = (struct counters){.show = show};
    r = daemon_each("stats", WIRE_OP_STATS, one_more, out);
    if (r == 0 && out->failed) {
        fprintf(stderr, "tapstack stats: out of memory\n");
        r = -1;
    }
    return r;
}

/* --- once --------------------------------------------------------------------------------------
 */

static void print_plain(const struct show *show, const struct counters *all)
{
    for (size_t i = 0; i < all->count; i++) {
        const struct wire_counter *c = &all->list[i];

        if (c->value == 0 && !show->all)
            continue;
        printf("%-28s %14" PRIu64, c->name, c->value);
        if (show->verbose)
            printf("  %s", c->help);
        putchar('\n');
    }
}

static void print_json(const struct show *show, const struct counters *all, size_t flags)
{
    json_t *o = json_object();

    for (size_t i = 0; i < all->count; i++)
        if (all->list[i].value || show->all)
            json_object_set_new(o, all->list[i].name, json_integer((json_int_t)all->list[i].value));
    json_dumpf(o, stdout, flags);
    putchar('\n');
    json_decref(o);
}

static int show_once(const struct show *show)
{
    struct counters all;
    int r = fetch(show, &all);

    if (r == 0 && show->json)
        print_json(show, &all, JSON_INDENT(2));
    else if (r == 0 && show->prometheus)
        prometheus_print(stdout, all.list, all.count);
    else if (r == 0)
        print_plain(show, &all);
    free(all.list);
    return r < 0 || fflush(stdout) != 0;
}

/* --- again and again ---------------------------------------------------------------------------
 */

/* Both lists are the daemon's, in its order; another daemon's would have another length or names.
 */
static const struct wire_counter *counter_before(const struct counters *before, size_t i,
                                                 const char *name)
{
    return i < before->count && !strcmp(before->list[i].name, name) ? &before->list[i] : NULL;
}

static void print_frame(const struct show *show, const struct counters *now,
                        const struct counters *before, double seconds)
{
    int lines, columns, used = 2;

    watch_screen(&lines, &columns);
    watch_frame();
    printf("%-28s %14s %9s\n", "Counter", "Value", "per sec");
    for (size_t i = 0; i < now->count && used < lines; i++) {
        const struct wire_counter *c = &now->list[i], *was = counter_before(before, i, c->name);
        bool moved = was && was->value != c->value;
        char rate[16] = "", line[256];

        if (!moved && !show->all)
            continue;
        if (moved && c->kind == WIRE_COUNTER)
            watch_rate((double)(c->value - was->value) / seconds, rate);
        snprintf(line, sizeof(line), "%-28s %14" PRIu64 " %9s%s%s", c->name, c->value, rate,
                 show->verbose ? "  " : "", show->verbose ? c->help : "");
        printf("%.*s\n", columns, line);
        used++;
    }
}

static int watch(const struct show *show)
{
    struct counters before = {0}, now;
    uint64_t then = watch_now(), at;
    int r;

    do {
        r = fetch(show, &now);
        if (r < 0)
            break;
        at = watch_now();
        if (show->json)
            print_json(show, &now, JSON_COMPACT);
        else
            print_frame(show, &now, &before, (double)(at - then) / 1e6);
        free(before.list);
        before = now;
        now.list = NULL;
        then = at;
    } while (watch_wait(show->watch_us));
    free(before.list);
    free(now.list);
    return r < 0;
}

/* --- the command -------------------------------------------------------------------------------
 */

static bool set(struct show *show, int c)
{
    switch (c) {
    case 'a':
        show->all = true;
        break;
    case 'v':
        show->verbose = true;
        break;
    case 'j':
        show->json = true;
        break;
    case 'P':
        show->prometheus = true;
        break;
    case 'W':
        show->watch_us = watch_period(optarg);
        if (!show->watch_us)
            fprintf(stderr, "tapstack stats: --watch takes seconds, 0.1 or more\n");
        return show->watch_us != 0;
    default:
        return false;
    }
    return true;
}

int stats_main(int argc, char **argv)
{
    struct show show = {0};
    int c;

    optind = 0;
    while ((c = cli_getopt("stats", argc, argv)) != -1) {
        if (c == 'h')
            return usage(stdout), 0;
        if (!set(&show, c))
            return cli_wrong_usage("stats");
    }
    if (show.prometheus && (show.json || show.watch_us)) {
        fprintf(stderr, "tapstack stats: --prometheus goes neither with --json nor with --watch\n");
        return cli_wrong_usage("stats");
    }
    show.n_patterns = argc - optind;
    show.patterns = argv + optind;
    return show.watch_us ? watch(&show) : show_once(&show);
}
