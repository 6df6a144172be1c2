/* SPDX-License-Identifier: MIT */
/* A plot's data from a trace's events. */
#include "client/cli/plot.h"

#include <string.h>

/* Sequence numbers in a trace are relative once "begin" was seen; a SYN's is 0, the first byte's 1.
 */
static void sent(struct plot_trace *p, const struct traceview *v, const struct tracefile_slot *s,
                 double t)
{
    uint32_t seq = traceview_value(v, s, "seq", 0), len = traceview_value(v, s, "len", 0);
    bool again = strcmp(traceview_why(v, s), "retransmission") == 0;

    uint32_t packets = traceview_value(v, s, "packets", 0);

    if (len)
        plot_flow_flight(&p->out, t, (traceview_value(v, s, "in_flight", 0) + packets) * p->mss);
    plot_flow_data(&p->out, t, seq, len, again);
    plot_flow_ack(&p->in, t, traceview_value(v, s, "ack", 0), traceview_value(v, s, "window", 0));
}

static void acknowledged(struct plot_trace *p, const struct traceview *v,
                         const struct tracefile_slot *s, double t)
{
    double srtt = traceview_value(v, s, "srtt", 0) / 1e3;

    plot_flow_ack(&p->out, t, traceview_value(v, s, "ack", 0), traceview_value(v, s, "window", 0));
    plot_flow_flight(&p->out, t, traceview_value(v, s, "in_flight", 0) * p->mss);
    plot_flow_cwnd(&p->out, t, traceview_value(v, s, "cwnd", 0) * p->mss);
    if (srtt > 0)
        plot_flow_rtt(&p->out, t, srtt);
}

static void sacked(struct plot_trace *p, const struct traceview *v, const struct tracefile_slot *s,
                   double t)
{
    for (unsigned i = 0; i < 3; i++) {
        uint32_t from = traceview_number(v, s, 2 * i), to = traceview_number(v, s, 2 * i + 1);

        if (s->v[2 * i] || s->v[2 * i + 1])
            plot_flow_sack(&p->out, t, from, to);
    }
}

void plot_trace_event(struct plot_trace *p, const struct traceview *v,
                      const struct tracefile_slot *s)
{
    double t;

    if (traceview_is(v, s, "begin")) {
        p->begun = true;
        p->first_ns = s->at_ns;
        p->mss = traceview_value(v, s, "mss", 1448);
    }
    if (!p->begun)
        return;
    t = s->at_ns > p->first_ns ? (double)(s->at_ns - p->first_ns) / 1e9 : 0;
    if (traceview_is(v, s, "tcp_send_mss")) {
        p->mss = traceview_value(v, s, "mss_now", (uint32_t)p->mss);
    } else if (traceview_is(v, s, "tcp_transmit_segment")) {
        sent(p, v, s, t);
    } else if (traceview_is(v, s, "tcp_ack")) {
        acknowledged(p, v, s, t);
    } else if (traceview_is(v, s, "tcp_sack")) {
        sacked(p, v, s, t);
    } else if (traceview_is(v, s, "tcp_data_queue")) {
        plot_flow_data(&p->in, t, traceview_value(v, s, "seq", 0), traceview_value(v, s, "len", 0),
                       false);
    } else if (traceview_is(v, s, "tcp_send_ack")) {
        plot_flow_ack(&p->in, t, traceview_value(v, s, "ack", 0),
                      traceview_value(v, s, "window", 0));
    }
}
