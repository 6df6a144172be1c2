/* SPDX-License-Identifier: MIT */
/* From what the daemon counted to figures; see verdict.h. */
#include "client/cli/verdict.h"

#include <linux/tcp.h>
#include <string.h>

#define OPTION_ECN      8
#define OPTION_ECN_SEEN 16

static const char *const chrono_names[] = {
#define VERDICT(name, chrono, text) chrono,
#include "client/cli/verdicts.def"
#undef VERDICT
};

static struct tcp_info info_of(const struct wire_figures *w)
{
    struct tcp_info ti;

    memset(&ti, 0, sizeof(ti));
    if (w)
        memcpy(&ti, w->info.tcp_info,
               sizeof(ti) < sizeof(w->info.tcp_info) ? sizeof(ti) : sizeof(w->info.tcp_info));
    return ti;
}

/* Microseconds that a chronograph of this name ran. */
static double waited(const struct wire_figures *w, const char *name)
{
    for (int i = 0; w && i < WIRE_CHRONOS; i++) {
        if (strncmp(w->waited_names[i], name, sizeof(w->waited_names[i])) == 0)
            return (double)w->waited[i];
    }
    return 0;
}

static double within(double x)
{
    return x < 0 ? 0 : x > 1 ? 1 : x;
}

static void fill_shares(const struct wire_figures *before, const struct wire_figures *after,
                        struct figures *out)
{
    double us = out->seconds * 1e6, busy = 0;

    if (us <= 0)
        return;
    for (int k = VERDICT_program + 1; k <= VERDICT_recovery; k++) {
        out->share[k] =
            within((waited(after, chrono_names[k]) - waited(before, chrono_names[k])) / us);
        busy += out->share[k];
    }
    /* Linux counts the first only where the congestion window is no limit */
    out->share[VERDICT_sndbuf] += within((waited(after, "space") - waited(before, "space")) / us);
    busy += within((waited(after, "space") - waited(before, "space")) / us);
    out->share[VERDICT_program] = within((waited(after, "app") - waited(before, "app")) / us);
    busy += out->share[VERDICT_program];
    out->idle = within(1 - busy);
    out->share[VERDICT_program] += out->idle;
    out->reader =
        within(((double)after->reader_us - (before ? (double)before->reader_us : 0)) / us);
}

static void fill_counts(const struct tcp_info *b, const struct tcp_info *a, struct figures *out)
{
    out->sent = (double)(a->tcpi_bytes_sent - b->tcpi_bytes_sent);
    out->acked = (double)(a->tcpi_bytes_acked - b->tcpi_bytes_acked);
    out->received = (double)(a->tcpi_bytes_received - b->tcpi_bytes_received);
    out->retrans = (double)(a->tcpi_bytes_retrans - b->tcpi_bytes_retrans);
    out->packets = a->tcpi_data_segs_out - b->tcpi_data_segs_out;
    out->packets_again = a->tcpi_total_retrans - b->tcpi_total_retrans;
    out->reordered = a->tcpi_reord_seen - b->tcpi_reord_seen;
    out->dsacks = a->tcpi_dsack_dups - b->tcpi_dsack_dups;
    out->marked = a->tcpi_delivered_ce - b->tcpi_delivered_ce;
    if (out->seconds > 0) {
        out->rate_out = out->acked / out->seconds;
        out->rate_in = out->received / out->seconds;
    }
}

static void fill_state(const struct tcp_info *a, struct figures *out)
{
    out->rtt_ms = a->tcpi_rtt / 1e3;
    out->rttvar_ms = a->tcpi_rttvar / 1e3;
    out->min_rtt_ms = a->tcpi_min_rtt == UINT32_MAX ? 0 : a->tcpi_min_rtt / 1e3;
    out->rcv_rtt_ms = a->tcpi_rcv_rtt / 1e3;
    out->delivery = (double)a->tcpi_delivery_rate;
    out->pacing = a->tcpi_pacing_rate == UINT64_MAX ? 0 : (double)a->tcpi_pacing_rate;
    out->max_pacing = a->tcpi_max_pacing_rate == UINT64_MAX ? 0 : (double)a->tcpi_max_pacing_rate;
    out->mss = a->tcpi_snd_mss;
    out->cwnd = (double)a->tcpi_snd_cwnd * out->mss;
    if (a->tcpi_snd_ssthresh < 0x7fffffff)
        out->ssthresh = (double)a->tcpi_snd_ssthresh * out->mss;
    out->snd_wnd = a->tcpi_snd_wnd;
    out->pmtu = a->tcpi_pmtu;
    out->reordering = a->tcpi_reordering;
    out->unsent = a->tcpi_notsent_bytes;
    out->ecn = a->tcpi_options & OPTION_ECN;
    out->ecn_seen = a->tcpi_options & OPTION_ECN_SEEN;
}

void figures_of(const struct wire_figures *before, const struct wire_figures *after, double seconds,
                struct figures *out)
{
    struct tcp_info b = info_of(before), a = info_of(after);

    memset(out, 0, sizeof(*out));
    out->seconds = (double)after->age_us / 1e6;
    if (before && seconds < out->seconds)
        out->seconds = seconds;
    out->established = after->age_us > 0;
    fill_shares(before, after, out);
    fill_counts(&b, &a, out);
    fill_state(&a, out);
    out->timeouts = after->total_rto - (before ? before->total_rto : 0);
    out->max_window = (double)after->max_window;
    out->rcv_wnd = after->rcv_wnd;
    out->send_queue = after->info.send_queue;
    out->recv_queue = after->info.recv_queue;
    out->sndbuf = after->sndbuf;
    out->rcvbuf = after->rcvbuf;
    out->nodelay = after->nodelay;
    out->sndbuf_fixed = after->sndbuf_fixed;
    out->rcvbuf_fixed = after->rcvbuf_fixed;
    out->slow_start = after->slow_start;
    memcpy(out->algorithm, after->algorithm, sizeof(after->algorithm));
    for (int i = 0; i < WIRE_STOPS; i++) {
        out->stops[i] = after->info.stops[i] - (before ? before->info.stops[i] : 0);
        memcpy(out->stop_names[i], after->info.stop_names[i], sizeof(after->info.stop_names[i]));
    }
}
