/* SPDX-License-Identifier: MIT */
/*
 * `tapstack ss --watch`: a table that is drawn again each period, the busiest connection first.
 * Rates are differences of the daemon's counts between two frames; a connection is known again by
 * its number, which is never used twice.
 */
#include "client/cli/address.h"
#include "client/cli/cli.h"
#include "client/cli/ss.h"
#include "client/cli/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct row {
    const struct ss_socket *now;
    double sent, received, retransmitted, segments; /* per second */
};

static int by_id(const void *a, const void *b)
{
    uint64_t x = ((const struct ss_socket *)a)->wire.id, y = ((const struct ss_socket *)b)->wire.id;

    return x < y ? -1 : x > y;
}

/* The busiest first, else the older connection. */
static int by_rate(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    double dx = x->sent + x->received, dy = y->sent + y->received;

    if (dx != dy)
        return dx > dy ? -1 : 1;
    return by_id(x->now, y->now);
}

static struct row row_of(const struct ss_socket *now, const struct ss_sockets *before,
                         double seconds)
{
    static const struct ss_socket nothing;
    const struct ss_socket *was = NULL;
    struct row r = {.now = now};

    if (!seconds)
        return r;
    if (before->count)
        was = bsearch(now, before->list, before->count, sizeof(*now), by_id);
    if (!was || !now->wire.id)
        was = &nothing; /* it has come since */
    r.sent = (double)(now->tcp.bytes_acked - was->tcp.bytes_acked) / seconds;
    r.received = (double)(now->tcp.bytes_received - was->tcp.bytes_received) / seconds;
    r.retransmitted = (now->tcp.total_retrans - was->tcp.total_retrans) / seconds;
    r.segments = (now->tcp.segs_in + (double)now->tcp.segs_out - was->tcp.segs_in -
                  (double)was->tcp.segs_out) /
                 seconds;
    return r;
}

static struct row *rows_of(const struct ss_sockets *now, const struct ss_sockets *before,
                           double seconds)
{
    struct row *rows = calloc(now->count + 1, sizeof(*rows));

    for (size_t i = 0; rows && i < now->count; i++)
        rows[i] = row_of(&now->list[i], before, seconds);
    if (rows)
        qsort(rows, now->count, sizeof(*rows), by_rate);
    return rows;
}

/* --- a screen ----------------------------------------------------------------------------------
 */

static void print_row(const struct row *r, int columns)
{
    const struct ss_socket *s = r->now;
    char local[ADDRESS_TEXT], remote[ADDRESS_TEXT], rtt[24] = "-", cwnd[16] = "-", line[512];
    char sent[16], received[16], again[16], segments[16];

    if (s->tcp.rtt)
        snprintf(rtt, sizeof(rtt), "%.3g", s->tcp.rtt / 1e3);
    if (s->wire.state != SS_LISTEN)
        snprintf(cwnd, sizeof(cwnd), "%u", s->tcp.snd_cwnd);
    snprintf(line, sizeof(line), "%-11s %21s %21s %7s %7s %6s %6s %7s %6s %8u %8u %s%s",
             s->wire.state_name, ss_local(&s->wire, local), ss_peer(&s->wire, remote),
             watch_rate(r->sent, sent), watch_rate(r->received, received),
             watch_rate(r->segments, segments), watch_rate(r->retransmitted, again), rtt, cwnd,
             s->wire.recv_queue, s->wire.send_queue,
             s->holders.count ? s->holders.list[0].name : "", s->holders.count > 1 ? ",..." : "");
    printf("%.*s\n", columns, line);
}

static void print_frame(const struct row *rows, size_t n)
{
    double sent = 0, received = 0;
    char a[16], b[16], line[256];
    int lines, columns, used = 3;

    watch_screen(&lines, &columns);
    for (size_t i = 0; i < n; i++) {
        sent += rows[i].sent;
        received += rows[i].received;
    }
    watch_frame();
    printf("Sockets: %zu, sending %sB/s, receiving %sB/s\n", n, watch_rate(sent, a),
           watch_rate(received, b));
    snprintf(line, sizeof(line), "%-11s %21s %21s %7s %7s %6s %6s %7s %6s %8s %8s %s", "State",
             "Local Address:Port", "Peer Address:Port", "Send/s", "Recv/s", "Segs/s", "Rexm/s",
             "RTT/ms", "cwnd", "Recv-Q", "Send-Q", "Process");
    printf("%.*s\n", columns, line);
    for (size_t i = 0; i < n && used < lines; i++, used++)
        print_row(&rows[i], columns);
}

static void print_json(const struct row *rows, size_t n)
{
    json_t *array = json_array();

    for (size_t i = 0; i < n; i++) {
        json_t *o = ss_json(rows[i].now);

        json_object_set_new(o, "send_rate", json_real(rows[i].sent));
        json_object_set_new(o, "receive_rate", json_real(rows[i].received));
        json_object_set_new(o, "segment_rate", json_real(rows[i].segments));
        json_object_set_new(o, "retransmit_rate", json_real(rows[i].retransmitted));
        json_array_append_new(array, o);
    }
    json_dumpf(array, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(array);
}

static int print(const struct ss_show *show, const struct ss_sockets *now,
                 const struct ss_sockets *before, double seconds)
{
    struct row *rows = rows_of(now, before, seconds);

    if (!rows)
        return -1;
    if (show->json)
        print_json(rows, now->count);
    else
        print_frame(rows, now->count);
    free(rows);
    return 0;
}

int ss_watch(const struct ss_show *once)
{
    struct ss_sockets before = {0}, now;
    struct ss_show show = *once;
    uint64_t then = 0, at;
    int status = 0;

    show.processes = true;
    do {
        if (ss_fetch(&show, &now) < 0) {
            ss_release(&now);
            status = 1;
            break;
        }
        at = watch_now();
        qsort(now.list, now.count, sizeof(*now.list), by_id);
        status = print(&show, &now, &before, then ? (double)(at - then) / 1e6 : 0) < 0;
        ss_release(&before);
        before = now;
        then = at;
    } while (!status && watch_wait(show.watch_us));
    ss_release(&before);
    return status;
}
