/* SPDX-License-Identifier: MIT */
/*
 * `tapstack trace`: what a connection does, step by step: the send path in the names of Linux's,
 * the way in, and the reason of each stop. The daemon writes into memory that we look at every few
 * milliseconds; nothing is asked for an event.
 */
#include "client/cli/cli.h"
#include "client/cli/conn.h"
#include "client/cli/options.h"
#include "client/cli/traceview.h"
#include "client/cli/watch.h"

#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOOK_MS 5

struct trace_options {
    bool json, new;
    double seconds; /* 0: until the connection is gone */
    uint64_t count; /* 0: all */
    uint32_t events;
};

static void usage(FILE *to)
{
    fprintf(to, "Usage: tapstack [--socket PATH] trace [OPTION]... CONN\n"
                "\n"
                "Show what a connection does, step by step, until it is gone.\n" CONN_HELP "\n");
    cli_options_help(to, "trace");
    fprintf(to, "\n"
                "With --new CONN is :PORT, LOCAL REMOTE or latest.\n"
                "Columns: seconds since the first event, microseconds since the one before, the "
                "step's\n"
                "number on the send path (i1, i2 … on the way in), its name, its figures, and "
                "why.\n");
}

/* --- one event ---------------------------------------------------------------------------------
 */

static void print_line(const struct traceview *v, const struct tracefile_slot *s, uint64_t first,
                       uint64_t before)
{
    const struct traceview_event *e = traceview_event(v, s);
    char text[48];

    printf("%11.6f %+9.1f  %-3s %-21s", (double)(int64_t)(s->at_ns - first) / 1e9,
           (double)(int64_t)(s->at_ns - before) / 1e3, e->step, e->name);
    for (unsigned i = 0; i < e->n_fields; i++)
        printf(" %s %s%s", e->field[i].name, traceview_text(v, s, i, text, sizeof(text)),
               i + 1 < e->n_fields ? "," : "");
    if (s->why)
        printf(": %s", traceview_why_text(v, s));
    putchar('\n');
}

static void print_json(const struct traceview *v, const struct tracefile_slot *s)
{
    const struct traceview_event *e = traceview_event(v, s);
    json_t *o = json_object();
    char text[48];

    json_object_set_new(o, "time", json_real((double)(s->at_ns + v->file->realtime_ns) / 1e9));
    json_object_set_new(o, "us", json_real((double)s->at_ns / 1e3));
    json_object_set_new(o, "step", json_string(e->step));
    json_object_set_new(o, "event", json_string(e->name));
    if (s->why)
        json_object_set_new(o, "why", json_string(traceview_why(v, s)));
    for (unsigned i = 0; i < e->n_fields; i++) {
        char kind = e->field[i].kind;
        bool words = kind == 'F' || kind == 'M' || kind == 'T' || kind == 'C';

        json_object_set_new(o, e->field[i].name,
                            words ? json_string(traceview_text(v, s, i, text, sizeof(text)))
                                  : json_integer(traceview_number(v, s, i)));
    }
    json_dumpf(o, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(o);
}

/* --- all of them -------------------------------------------------------------------------------
 */

static void follow(struct traceview *v, const struct trace_options *o)
{
    uint64_t end = o->seconds > 0 ? watch_now() + (uint64_t)(o->seconds * 1e6) : UINT64_MAX;
    uint64_t first = 0, before = 0, shown = 0;
    struct tracefile_slot s;

    while (!watch_interrupted() && !v->over && (!o->count || shown < o->count)) {
        if (!traceview_next(v, &s)) {
            if (fflush(stdout) != 0 || watch_now() >= end)
                break;
            usleep(LOOK_MS * 1000);
            continue;
        }
        if (!shown++)
            first = before = s.at_ns;
        if (o->json)
            print_json(v, &s);
        else
            print_line(v, &s, first, before);
        before = s.at_ns;
    }
    if (v->lost)
        fprintf(stderr,
                "tapstack trace: %" PRIu64 " events were overwritten before they were read "
                "(--ring)\n",
                v->lost);
}

static int trace(const struct conn_spec *spec, const struct trace_options *o)
{
    struct wire_trace want = {0};
    struct wire_info info;
    struct traceview v;

    if (o->new &&conn_to_match(spec, &want) < 0) {
        fprintf(stderr, "tapstack trace: --new wants :PORT, LOCAL REMOTE or latest\n");
        return 2;
    }
    if (!o->new) {
        if (conn_find("trace", spec, &info) < 0)
            return 1;
        want.id = info.id;
    }
    want.events = o->events;
    if (traceview_ask("trace", &want, &v) < 0)
        return 1;
    watch_signals();
    follow(&v, o);
    traceview_close(&v);
    return fflush(stdout) != 0;
}

static bool read_option(int c, struct trace_options *o)
{
    char *end = optarg;

    switch (c) {
    case 'n':
        o->new = true;
        return true;
    case 'j':
        o->json = true;
        return true;
    case 'f':
        o->seconds = cli_seconds(optarg);
        return o->seconds > 0;
    case 'c':
        o->count = strtoull(optarg, &end, 10);
        return end != optarg && !*end && o->count > 0;
    case 'r':
        o->events = (uint32_t)strtoul(optarg, &end, 10);
        return end != optarg && !*end && o->events > 0 && o->events <= TRACEFILE_MOST;
    default:
        return false;
    }
}

int trace_main(int argc, char **argv)
{
    struct trace_options o = {0};
    struct conn_spec spec;
    int c;

    optind = 0;
    while ((c = cli_getopt("trace", argc, argv)) != -1) {
        if (c == 'h') {
            usage(stdout);
            return 0;
        }
        if (!read_option(c, &o))
            return cli_wrong_usage("trace");
    }
    if (optind >= argc || argc - optind > 2 ||
        conn_parse(&spec, argv[optind], argc - optind == 2 ? argv[optind + 1] : NULL) < 0) {
        usage(stderr);
        return 2;
    }
    return trace(&spec, &o);
}
