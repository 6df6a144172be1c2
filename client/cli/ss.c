/* SPDX-License-Identifier: MIT */
/*
 * `tapstack ss`: the daemon's sockets as ss(8) shows the kernel's, with what only this stack can
 * say: how often each reason kept a connection from sending.
 */
#include "client/cli/address.h"
#include "client/cli/cli.h"
#include "client/cli/daemon.h"
#include "client/lib/info.h"

#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <linux/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { STATE_LISTEN = 10 }; /* Linux's TCP_LISTEN */

struct show {
    bool all, listening, info;
    json_t *json;
};

static void usage(FILE *to)
{
    fprintf(to, "Usage: tapstack [--socket PATH] ss [-ali] [--json]\n"
                "\n"
                "Show the daemon's TCP sockets, numerically: connections, or\n"
                "\n"
                "  -a, --all        connections and listening sockets\n"
                "  -l, --listening  listening sockets only\n"
                "  -i, --info       what each connection does, and what kept it from sending\n"
                "  -j, --json       a JSON array of objects, with everything\n"
                "  -h, --help       show this help\n"
                "\n"
                "Recv-Q: bytes that the program has not read; of a listener, connections not yet "
                "accepted.\n"
                "Send-Q: bytes that the peer has not acknowledged; of a listener, the backlog.\n");
}

static struct tcp_info tcp_info_of(const struct wire_info *wire)
{
    struct tcp_info ti = {0};
    size_t len = wire->tcp_info_len < sizeof(ti) ? wire->tcp_info_len : sizeof(ti);

    memcpy(&ti, wire->tcp_info, len < sizeof(wire->tcp_info) ? len : sizeof(wire->tcp_info));
    return ti;
}

/* Strings in a wire_info may lack their end. */
static const char *terminated(char *text, size_t size)
{
    text[size - 1] = '\0';
    return text;
}

/* As ss(8) writes it: 204ms, 59sec, 1min58sec. */
static void print_timer(const char *name, uint64_t us)
{
    unsigned ms = (unsigned)(us / 1000), sec = ms / 1000;

    if (sec >= 60)
        printf(" timer:(%s,%umin%usec)", name, sec / 60, sec % 60);
    else if (sec >= 1)
        printf(" timer:(%s,%usec)", name, sec);
    else
        printf(" timer:(%s,%ums)", name, ms);
}

static void print_info(struct wire_info *wire)
{
    struct tcp_info ti = tcp_info_of(wire);
    const char *timer = terminated(wire->timer, sizeof(wire->timer));

    /* TIME-WAIT and half-open records have little more than a timer. */
    if (!ti.tcpi_snd_mss) {
        if (timer[0]) {
            printf("\t");
            print_timer(timer, wire->timer_us);
            printf("\n");
        }
        return;
    }
    printf("\t rto:%.3g rtt:%.3g/%.3g mss:%u pmtu:%u cwnd:%u", ti.tcpi_rto / 1e3, ti.tcpi_rtt / 1e3,
           ti.tcpi_rttvar / 1e3, ti.tcpi_snd_mss, ti.tcpi_pmtu, ti.tcpi_snd_cwnd);
    /* Linux's "infinite" is all the bits. */
    if (ti.tcpi_snd_ssthresh < 0x7fffffff)
        printf(" ssthresh:%u", ti.tcpi_snd_ssthresh);
    printf(" bytes_sent:%" PRIu64 " bytes_acked:%" PRIu64 " bytes_received:%" PRIu64,
           (uint64_t)ti.tcpi_bytes_sent, (uint64_t)ti.tcpi_bytes_acked,
           (uint64_t)ti.tcpi_bytes_received);
    if (ti.tcpi_total_retrans || ti.tcpi_bytes_retrans)
        printf(" retrans:%u/%u bytes_retrans:%" PRIu64, ti.tcpi_retrans, ti.tcpi_total_retrans,
               (uint64_t)ti.tcpi_bytes_retrans);
    printf(" unacked:%u notsent:%u", ti.tcpi_unacked, ti.tcpi_notsent_bytes);
    if (timer[0])
        print_timer(timer, wire->timer_us);
    printf(" pid:%u uid:%u\n", wire->pid, wire->uid);
    printf("\t did not send because:");
    for (int i = 0; i < WIRE_STOPS; i++) {
        const char *name = terminated(wire->stop_names[i], sizeof(wire->stop_names[i]));

        if (name[0] && wire->stops[i])
            printf(" %s:%" PRIu64, name, wire->stops[i]);
    }
    printf("\n");
}

static json_t *stops_json(struct wire_info *wire)
{
    json_t *stops = json_object();

    for (int i = 0; i < WIRE_STOPS; i++) {
        const char *name = terminated(wire->stop_names[i], sizeof(wire->stop_names[i]));

        if (name[0])
            json_object_set_new(stops, name, json_integer((json_int_t)wire->stops[i]));
    }
    return stops;
}

static json_t *info_json(struct wire_info *wire)
{
    struct tcp_info ti = tcp_info_of(wire);
    char local[ADDRESS_TEXT], remote[ADDRESS_TEXT];
    json_t *o = json_object();
    const struct {
        const char *name;
        uint64_t value;
    } numbers[] = {
        {"recv_q", wire->recv_queue},
        {"send_q", wire->send_queue},
        {"id", wire->id},
        {"pid", wire->pid},
        {"uid", wire->uid},
        {"timer_us", wire->timer_us},
        {"rtt_us", ti.tcpi_rtt},
        {"rttvar_us", ti.tcpi_rttvar},
        {"rto_us", ti.tcpi_rto},
        {"mss", ti.tcpi_snd_mss},
        {"pmtu", ti.tcpi_pmtu},
        {"cwnd", ti.tcpi_snd_cwnd},
        {"ssthresh", ti.tcpi_snd_ssthresh},
        {"bytes_sent", ti.tcpi_bytes_sent},
        {"bytes_acked", ti.tcpi_bytes_acked},
        {"bytes_received", ti.tcpi_bytes_received},
        {"bytes_retrans", ti.tcpi_bytes_retrans},
        {"retrans", ti.tcpi_total_retrans},
        {"segs_in", ti.tcpi_segs_in},
        {"segs_out", ti.tcpi_segs_out},
        {"unacked", ti.tcpi_unacked},
        {"notsent", ti.tcpi_notsent_bytes},
    };

    json_object_set_new(o, "state",
                        json_string(terminated(wire->state_name, sizeof(wire->state_name))));
    json_object_set_new(o, "local", json_string(address_text(&wire->local, local)));
    json_object_set_new(o, "peer", json_string(address_text(&wire->remote, remote)));
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        json_object_set_new(o, numbers[i].name, json_integer((json_int_t)numbers[i].value));
    json_object_set_new(o, "timer", json_string(terminated(wire->timer, sizeof(wire->timer))));
    json_object_set_new(o, "stops", stops_json(wire));
    return o;
}

static void show_socket(void *ctx, const void *body)
{
    const struct show *show = ctx;
    char local[ADDRESS_TEXT], remote[ADDRESS_TEXT];
    struct wire_info wire;
    bool listening;

    memcpy(&wire, body, sizeof(wire));
    listening = wire.state == STATE_LISTEN;
    if (!show->all && listening != show->listening)
        return;
    if (show->json) {
        json_array_append_new(show->json, info_json(&wire));
        return;
    }
    printf("%-11s %-8u %-8u %25s %25s\n", terminated(wire.state_name, sizeof(wire.state_name)),
           wire.recv_queue, wire.send_queue, address_text(&wire.local, local),
           address_text(&wire.remote, remote));
    if (show->info && !listening)
        print_info(&wire);
}

static int show_all(struct show *show)
{
    int r;

    if (!show->json)
        printf("%-11s %-8s %-8s %25s %25s\n", "State", "Recv-Q", "Send-Q", "Local Address:Port",
               "Peer Address:Port");
    r = daemon_each("ss", WIRE_OP_LIST, show_socket, show);
    if (show->json && r == 0) {
        json_dumpf(show->json, stdout, JSON_INDENT(2));
        putchar('\n');
    }
    json_decref(show->json);
    return r < 0 || fflush(stdout) != 0;
}

int ss_main(int argc, char **argv)
{
    static const struct option options[] = {
        {"all", no_argument, NULL, 'a'},  {"listening", no_argument, NULL, 'l'},
        {"info", no_argument, NULL, 'i'}, {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'}, {0}};
    struct show show = {0};
    int c;

    optind = 0;
    /* -t and -n are what we always do: fingers type them. */
    while ((c = getopt_long(argc, argv, "alijtnh", options, NULL)) != -1) {
        switch (c) {
        case 'a':
            show.all = true;
            break;
        case 'l':
            show.listening = true;
            break;
        case 'i':
            show.info = true;
            break;
        case 'j':
            if (!show.json)
                show.json = json_array();
            break;
        case 't':
        case 'n':
            break;
        case 'h':
            json_decref(show.json);
            usage(stdout);
            return 0;
        default:
            json_decref(show.json);
            return cli_wrong_usage("ss");
        }
    }
    if (optind != argc) {
        json_decref(show.json);
        usage(stderr);
        return 2;
    }
    return show_all(&show);
}
