/* SPDX-License-Identifier: MIT */
/*
 * `tapstack explain`: what holds a connection back, in words. Figures come from the daemon, once
 * (over the connection's life) or twice (over --for SECONDS); verdict.c says what they mean.
 */
#include "client/cli/address.h"
#include "client/cli/cli.h"
#include "client/cli/conn.h"
#include "client/cli/daemon.h"
#include "client/cli/options.h"
#include "client/cli/verdict.h"
#include "client/cli/watch.h"
#include "client/lib/control.h"

#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void usage(FILE *to)
{
    fprintf(to, "Usage: tapstack [--socket PATH] explain [OPTION]... CONN\n"
                "\n"
                "Say in words what holds a connection back: for what share of the time its "
                "program, the\n"
                "send buffer, the peer's window, the congestion window, pacing, Nagle, the repair "
                "of losses\n"
                "or the device did; how the path is; what would help; and the counters behind "
                "it.\n" CONN_HELP "\n");
    cli_options_help(to, "explain");
}

static int ask(uint64_t id, struct wire_figures *out)
{
    struct wire_id which = {id};
    struct control_request rq = {
        .op = WIRE_OP_FIGURES, .fd = -1, .body = &which, .len = sizeof(which)};
    struct control_reply rp = {.body = out, .cap = sizeof(*out), .fd = -1};
    int r = control_call(&rq, &rp);

    if (r < 0)
        daemon_complain("explain", -r);
    else if (r > 0)
        fprintf(stderr, "tapstack explain: the connection has ended\n");
    return r ? -1 : 0;
}

static void wait_s(double seconds)
{
    struct timespec t = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};

    nanosleep(&t, NULL);
}

/* --- saying it ---------------------------------------------------------------------------------
 */

static void print_verdict(const struct verdict *v)
{
    if (v->share >= 0)
        printf("%5.1f %%  %s\n", 100 * v->share, v->says);
    else
        printf("   -     %s\n", v->says);
    if (v->helps[0])
        printf("         => %s\n", v->helps);
    printf("         [%s]\n", v->counters);
}

static void print_all(const struct wire_figures *w, const struct figures *f, bool lifetime,
                      const struct verdict *v, unsigned n)
{
    char local[ADDRESS_TEXT], remote[ADDRESS_TEXT], state[17] = {0};

    memcpy(state, w->info.state_name, sizeof(w->info.state_name));
    printf("%s -> %s, %s, %s %.3g s\n", address_text(&w->info.local, local),
           address_text(&w->info.remote, remote), state, lifetime ? "since it began:" : "over",
           f->seconds);
    printf("Held back by: %s\n\n", verdict_title(v[0].kind));
    for (unsigned i = 0; i < n; i++) {
        if (v[i].kind == VERDICT_path && (i == 0 || v[i - 1].kind != VERDICT_path))
            printf("\nThe path:\n");
        print_verdict(&v[i]);
    }
}

static int print_json(const struct wire_figures *w, const struct figures *f,
                      const struct verdict *v, unsigned n)
{
    char local[ADDRESS_TEXT], remote[ADDRESS_TEXT];
    json_t *o = json_object(), *list = json_array();

    json_object_set_new(o, "local", json_string(address_text(&w->info.local, local)));
    json_object_set_new(o, "peer", json_string(address_text(&w->info.remote, remote)));
    json_object_set_new(o, "seconds", json_real(f->seconds));
    json_object_set_new(o, "held_back_by", json_string(verdict_name(v[0].kind)));
    for (unsigned i = 0; i < n; i++) {
        json_t *one = json_object();

        json_object_set_new(one, "kind", json_string(verdict_name(v[i].kind)));
        if (v[i].share >= 0)
            json_object_set_new(one, "share", json_real(v[i].share));
        json_object_set_new(one, "says", json_string(v[i].says));
        json_object_set_new(one, "helps", json_string(v[i].helps));
        json_object_set_new(one, "counters", json_string(v[i].counters));
        json_array_append_new(list, one);
    }
    json_object_set_new(o, "statements", list);
    json_dumpf(o, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(o);
    return fflush(stdout) != 0;
}

static int explain(const struct conn_spec *spec, double seconds, bool json)
{
    struct verdict v[VERDICT_MOST];
    struct wire_figures before, after;
    struct wire_info info;
    struct figures f;
    uint64_t began;
    unsigned n;

    if (conn_find("explain", spec, &info) < 0 || ask(info.id, &after) < 0)
        return 1;
    if (seconds > 0) {
        before = after;
        began = watch_now();
        wait_s(seconds);
        if (ask(info.id, &after) < 0)
            return 1;
        seconds = (double)(watch_now() - began) / 1e6;
    }
    figures_of(seconds > 0 ? &before : NULL, &after, seconds, &f);
    n = verdicts_of(&f, v);
    if (json)
        return print_json(&after, &f, v, n);
    print_all(&after, &f, seconds <= 0, v, n);
    return fflush(stdout) != 0;
}

int explain_main(int argc, char **argv)
{
    double seconds = 0;
    bool json = false;
    struct conn_spec spec;
    int c;

    optind = 0;
    while ((c = cli_getopt("explain", argc, argv)) != -1) {
        switch (c) {
        case 'f':
            seconds = cli_seconds(optarg);
            if (seconds <= 0)
                return cli_wrong_usage("explain");
            break;
        case 'j':
            json = true;
            break;
        case 'h':
            usage(stdout);
            return 0;
        default:
            return cli_wrong_usage("explain");
        }
    }
    if (optind >= argc || argc - optind > 2 ||
        conn_parse(&spec, argv[optind], argc - optind == 2 ? argv[optind + 1] : NULL) < 0) {
        usage(stderr);
        return 2;
    }
    return explain(&spec, seconds, json);
}
