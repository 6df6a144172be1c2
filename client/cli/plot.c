/* SPDX-License-Identifier: MIT */
/*
 * `tapstack plot`: a connection as it goes, or one of a capture, as a picture. Live, it is a trace
 * (traceview.h) that is drawn in the end.
 */
#include "client/cli/plot.h"

#include "client/cli/address.h"
#include "client/cli/cli.h"
#include "client/cli/conn.h"
#include "client/cli/options.h"
#include "client/cli/watch.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOK_MS         5
#define DEFAULT_SECONDS 5
#define WAIT_US         3600000000u

struct plot_options {
    const char *output;
    double seconds;
    uint16_t port;
    bool new;
};

static void usage(FILE *to)
{
    fprintf(to, "Usage: tapstack [--socket PATH] plot [OPTION]... -o FILE.svg CONN\n"
                "       tapstack plot [-p PORT] -o FILE.svg CAPTURE\n"
                "\n"
                "Draw a connection: the time-sequence graph (data, acknowledgements, SACK blocks,\n"
                "retransmissions, the receiver's window), the congestion window and what is in "
                "flight, the\n"
                "round trip, the rate.\n" CONN_HELP
                "CAPTURE is a pcap or pcapng file; of its connections the busiest is drawn.\n"
                "\n");
    cli_options_help(to, "plot");
}

/* --- a live connection -------------------------------------------------------------------------
 */

static void watch(struct traceview *v, const struct plot_options *o, struct plot_trace *p)
{
    uint64_t for_us = (uint64_t)(o->seconds * 1e6);
    uint64_t end = watch_now() + (o->new ? WAIT_US : for_us);
    struct tracefile_slot s;

    while (!watch_interrupted() && !v->over) {
        bool begun = p->begun;

        if (traceview_next(v, &s)) {
            plot_trace_event(p, v, &s);
            if (!begun && p->begun)
                end = watch_now() + for_us;
        } else if (watch_now() >= end) {
            break;
        } else {
            usleep(LOOK_MS * 1000);
        }
    }
}

/* Where it was waited for, its addresses are known when it is there. */
static void look_up(const struct conn_spec *spec, struct wire_info *info)
{
    if (conn_find("plot", spec, info) < 0)
        memset(info, 0, sizeof(*info));
}

static void describe(const struct wire_info *info, bool out, const struct traceview *v,
                     struct plot *p)
{
    char a[ADDRESS_TEXT], b[ADDRESS_TEXT];
    const char *local = address_text(&info->local, a), *remote = address_text(&info->remote, b);

    if (!info->local.port)
        snprintf(p->title, sizeof(p->title), "%s", out ? "sent" : "received");
    else
        snprintf(p->title, sizeof(p->title), "%s to %s", out ? local : remote,
                 out ? remote : local);
    snprintf(p->note, sizeof(p->note), "%s",
             out ? "traced where it is sent"
                 : "traced where it is received: windows are estimated");
    if (v->lost) {
        size_t n = strlen(p->note);

        snprintf(p->note + n, sizeof(p->note) - n, "; %" PRIu64 " events were lost", v->lost);
    }
}

static int plot_live(const struct conn_spec *spec, const struct plot_options *o, struct plot *out)
{
    struct plot_trace *p = calloc(1, sizeof(*p));
    struct wire_trace want = {0};
    struct wire_info info = {0};
    struct traceview v;
    bool sends;
    int r = p ? 0 : -1;

    if (r == 0 && o->new)
        r = conn_to_match(spec, &want);
    else if (r == 0)
        r = conn_find("plot", spec, &info);
    want.id = o->new ? 0 : info.id;
    want.events = TRACEFILE_MOST;
    if (r == 0)
        r = traceview_ask("plot", &want, &v);
    if (r < 0) {
        free(p);
        return -1;
    }
    watch(&v, o, p);
    if (o->new && !v.over)
        look_up(spec, &info);
    sends = p->out.bytes >= p->in.bytes;
    describe(&info, sends, &v, out);
    out->flow = sends ? p->out : p->in;
    plot_flow_free(sends ? &p->in : &p->out);
    free(p);
    traceview_close(&v);
    if (!out->flow.bytes) {
        fprintf(stderr, "tapstack plot: nothing was sent or received meanwhile\n");
        plot_flow_free(&out->flow);
        return -1;
    }
    return 0;
}

/* --- the command -------------------------------------------------------------------------------
 */

static int write_picture(const struct plot *p, const char *path)
{
    bool standard = strcmp(path, "-") == 0;
    FILE *to = standard ? stdout : fopen(path, "w");
    int r = to ? plot_draw(p, to) : -1;

    if (to && !standard && fclose(to) != 0)
        r = -1;
    if (r < 0)
        fprintf(stderr, "tapstack plot: %s: %s\n", path, strerror(errno));
    return r;
}

static bool is_file(const char *name)
{
    struct stat st;

    return stat(name, &st) == 0 && S_ISREG(st.st_mode);
}

static int plot(int argc, char **argv, const struct plot_options *o)
{
    struct plot p = {.note = ""};
    struct conn_spec spec;
    int r;

    if (argc == 1 && is_file(argv[0])) {
        r = plot_pcap("plot", argv[0], o->port, &p);
    } else if (conn_parse(&spec, argv[0], argc == 2 ? argv[1] : NULL) < 0) {
        fprintf(stderr, "tapstack plot: '%s' is neither a capture nor a connection\n", argv[0]);
        return 2;
    } else {
        watch_signals();
        r = plot_live(&spec, o, &p);
    }
    if (r == 0)
        r = write_picture(&p, o->output);
    plot_flow_free(&p.flow);
    return r < 0;
}

static bool read_option(int c, struct plot_options *o)
{
    int port;

    switch (c) {
    case 'o':
        o->output = optarg;
        return true;
    case 'n':
        o->new = true;
        return true;
    case 'f':
        o->seconds = cli_seconds(optarg);
        return o->seconds > 0;
    case 'p':
        port = address_port(optarg);
        o->port = (uint16_t)port;
        return port > 0;
    default:
        return false;
    }
}

int plot_main(int argc, char **argv)
{
    struct plot_options o = {.seconds = DEFAULT_SECONDS};
    int c;

    optind = 0;
    while ((c = cli_getopt("plot", argc, argv)) != -1) {
        if (c == 'h') {
            usage(stdout);
            return 0;
        }
        if (!read_option(c, &o))
            return cli_wrong_usage("plot");
    }
    if (!o.output || optind >= argc || argc - optind > 2) {
        usage(stderr);
        return 2;
    }
    return plot(argc - optind, argv + optind, &o);
}
