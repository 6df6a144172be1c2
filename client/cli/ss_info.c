/* SPDX-License-Identifier: MIT */
/*
 * What -e, -o, -m and -i print of a socket, in the words and the order of ss(8) (iproute2 6.1), and
 * the fields of TCP_INFO that are younger. Fields that are zero are left out where ss does so.
 */
#include "client/cli/ss.h"

#include <inttypes.h>
#include <stdio.h>

enum { OPT_TIMESTAMPS = 1, OPT_SACK = 2, OPT_WSCALE = 4, OPT_ECN = 8, OPT_ECN_SEEN = 16 };
enum { REORDERING_USUAL = 3, NO_THRESHOLD = 0x7fffffff };

static void number(const char *name, uint64_t value)
{
    if (value)
        printf(" %s:%" PRIu64, name, value);
}

static void milliseconds(const char *name, uint64_t us)
{
    if (us)
        printf(" %s:%g", name, (double)us / 1000);
}

/* Bytes a second, as bits. ~0: no limit. */
static void rate(const char *name, uint64_t bytes)
{
    if (bytes && bytes != UINT64_MAX)
        printf(" %s %" PRIu64 "bps", name, bytes * 8);
}

/* As ss(8) writes it: 204ms, 59sec, 1min58sec; then the retransmissions. */
static void print_timer(const struct ss_socket *s)
{
    unsigned ms = (unsigned)(s->wire.timer_us / 1000), sec = ms / 1000;

    if (!s->wire.timer[0])
        return;
    if (sec >= 60)
        printf(" timer:(%s,%umin%usec,%u)", s->wire.timer, sec / 60, sec % 60, s->tcp.retransmits);
    else if (sec >= 1)
        printf(" timer:(%s,%usec,%u)", s->wire.timer, sec, s->tcp.retransmits);
    else
        printf(" timer:(%s,%ums,%u)", s->wire.timer, ms, s->tcp.retransmits);
}

static void print_extended(const struct wire_info *w)
{
    if (w->has_handle)
        printf(" uid:%u ino:%" PRIu64, w->uid, w->inode);
    printf(" sk:%" PRIx64, w->id);
}

/* skmem's letters are ss's: r bytes waiting to be read, w to be sent, rb and tb what they may be.
 */
static void print_memory(const struct wire_info *w)
{
    const struct wire_memory *m = &w->memory;

    printf("\t skmem:(r%u,rb%u,w%u,tb%u) extents:(snd%u,rcv%u) ooo:%u pair:(unread%u,untaken%u)"
           " account:(used%" PRIu64,
           w->recv_queue, m->rcvbuf, w->send_queue, m->sndbuf, m->send_extents, m->recv_extents,
           m->out_of_order, m->pair_unread, m->pair_untaken, m->account_used);
    if (m->account_limit)
        printf(",limit%" PRIu64, m->account_limit);
    printf(")\n");
}

static void print_options(const struct ss_socket *s)
{
    const struct ss_tcp_info *t = &s->tcp;

    printf("\t%s%s%s%s%s%s", t->options & OPT_TIMESTAMPS ? " ts" : "",
           t->options & OPT_SACK ? " sack" : "", t->options & OPT_ECN ? " ecn" : "",
           t->options & OPT_ECN_SEEN ? " ecnseen" : "", s->wire.congestion[0] ? " " : "",
           s->wire.congestion);
    if (t->options & OPT_WSCALE)
        printf(" wscale:%d,%d", t->wscales & 15, t->wscales >> 4);
}

static void print_path(const struct ss_tcp_info *t)
{
    milliseconds("rto", t->rto);
    number("backoff", t->backoff);
    if (t->rtt)
        printf(" rtt:%g/%g", t->rtt / 1e3, t->rttvar / 1e3);
    milliseconds("ato", t->ato);
    number("mss", t->snd_mss);
    number("pmtu", t->pmtu);
    number("rcvmss", t->rcv_mss);
    number("advmss", t->advmss);
    number("cwnd", t->snd_cwnd);
    if (t->snd_ssthresh < NO_THRESHOLD)
        number("ssthresh", t->snd_ssthresh);
}

static void print_counts(const struct ss_tcp_info *t)
{
    number("bytes_sent", t->bytes_sent);
    number("bytes_retrans", t->bytes_retrans);
    number("bytes_acked", t->bytes_acked);
    number("bytes_received", t->bytes_received);
    number("segs_out", t->segs_out);
    number("segs_in", t->segs_in);
    number("data_segs_out", t->data_segs_out);
    number("data_segs_in", t->data_segs_in);
}

static void limited(const char *name, uint64_t us, uint64_t busy)
{
    if (us)
        printf(" %s:%" PRIu64 "ms(%.1f%%)", name, us / 1000, 100.0 * (double)us / (double)busy);
}

static void print_rates(const struct ss_tcp_info *t)
{
    if (t->rtt && t->snd_mss && t->snd_cwnd)
        rate("send", (uint64_t)t->snd_cwnd * t->snd_mss * 1000000 / t->rtt);
    number("lastsnd", t->last_data_sent);
    number("lastrcv", t->last_data_recv);
    number("lastack", t->last_ack_recv);
    rate("pacing_rate", t->pacing_rate);
    rate("max_pacing_rate", t->max_pacing_rate);
    rate("delivery_rate", t->delivery_rate);
    number("delivered", t->delivered);
    number("delivered_ce", t->delivered_ce);
    printf("%s", t->delivery_flags & 1 ? " app_limited" : "");
    if (t->busy_time)
        printf(" busy:%" PRIu64 "ms", t->busy_time / 1000);
    limited("rwnd_limited", t->rwnd_limited, t->busy_time);
    limited("sndbuf_limited", t->sndbuf_limited, t->busy_time);
}

static void print_flight(const struct ss_tcp_info *t)
{
    number("unacked", t->unacked);
    if (t->retrans || t->total_retrans)
        printf(" retrans:%u/%u", t->retrans, t->total_retrans);
    number("lost", t->lost);
    number("sacked", t->sacked);
    number("dsack_dups", t->dsack_dups);
    if (t->reordering != REORDERING_USUAL)
        number("reordering", t->reordering);
    number("reord_seen", t->reord_seen);
    milliseconds("rcv_rtt", t->rcv_rtt);
    number("rcv_space", t->rcv_space);
    number("rcv_ssthresh", t->rcv_ssthresh);
    number("notsent", t->notsent_bytes);
    milliseconds("minrtt", t->min_rtt);
    number("rcv_ooopack", t->rcv_ooopack);
    number("snd_wnd", t->snd_wnd);
    number("rcv_wnd", t->rcv_wnd);
    number("rehash", t->rehash);
    number("probes", t->probes);
    number("total_rto", t->total_rto);
    number("total_rto_recoveries", t->total_rto_recoveries);
    number("total_rto_time", t->total_rto_time);
}

static void print_stops(const struct wire_info *w)
{
    printf("\t did not send because:");
    for (int i = 0; i < WIRE_STOPS; i++)
        if (w->stop_names[i][0] && w->stops[i])
            printf(" %s:%" PRIu64, w->stop_names[i], w->stops[i]);
    putchar('\n');
}

static void print_info(const struct ss_socket *s)
{
    print_options(s);
    print_path(&s->tcp);
    print_counts(&s->tcp);
    print_rates(&s->tcp);
    print_flight(&s->tcp);
    putchar('\n');
    print_stops(&s->wire);
}

void ss_print_more(const struct ss_show *show, const struct ss_socket *s)
{
    /* TIME-WAIT and half-open records have little more than a timer. */
    bool full = s->wire.state != SS_LISTEN && s->tcp.snd_mss;

    if (show->timer)
        print_timer(s);
    if (show->extended)
        print_extended(&s->wire);
    putchar('\n');
    if (show->memory && full)
        print_memory(&s->wire);
    if (show->info && full)
        print_info(s);
}
