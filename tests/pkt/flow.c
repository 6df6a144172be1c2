/* SPDX-License-Identifier: MIT */
/* Connections of a script; see flow.h. */
#include "tests/pkt/flow.h"

#include <string.h>

#define FIRST_REMOTE_PORT 40000

void flows_init(struct flows *f, uint32_t remote_isn, uint16_t bind_port)
{
    f->n = 0;
    f->current = -1;
    f->epoch = 0;
    f->remote_isn = remote_isn;
    f->bind_port = bind_port;
}

struct flow *flow_find(struct flows *f, uint16_t local_port, uint16_t remote_port)
{
    for (int i = 0; i < f->n; i++)
        if (f->flow[i].local_port == local_port && f->flow[i].remote_port == remote_port)
            return &f->flow[i];
    return NULL;
}

static struct flow *flow_new(struct flows *f, uint16_t local_port, uint16_t remote_port)
{
    struct flow *flow;

    if (f->n == FLOW_MAX)
        return NULL;
    flow = &f->flow[f->n];
    memset(flow, 0, sizeof(*flow));
    flow->local_port = local_port;
    flow->remote_port = remote_port;
    flow->remote_off = f->remote_isn;
    f->current = f->n++;
    return flow;
}

void flow_make_current(struct flows *f, const struct flow *flow)
{
    f->current = (int)(flow - f->flow);
}

struct flow *flow_of_input(struct flows *f, struct pkt_packet *p)
{
    struct flow *flow;

    if (!p->has_ports && f->current >= 0) {
        flow = &f->flow[f->current];
        p->local_port = flow->local_port;
        p->remote_port = flow->remote_port;
        return flow;
    }
    if (!p->has_ports) {
        p->local_port = f->bind_port;
        p->remote_port = FIRST_REMOTE_PORT;
    }
    flow = flow_find(f, p->local_port, p->remote_port);
    if (!flow)
        return flow_new(f, p->local_port, p->remote_port);
    flow_make_current(f, flow);
    return flow;
}

struct flow *flow_of_output(struct flows *f, const struct pkt_packet *got)
{
    struct flow *flow = flow_find(f, got->local_port, got->remote_port);

    return flow ? flow : flow_new(f, got->local_port, got->remote_port);
}

static struct pkt_option *timestamps(struct pkt_packet *p)
{
    for (int i = 0; i < p->n_options; i++)
        if (p->option[i].kind == OPT_TS)
            return &p->option[i];
    return NULL;
}

static uint32_t ts_to_wire(const struct flow *flow, uint32_t script)
{
    unsigned n = flow->n_ts < FLOW_TS_PAIR ? flow->n_ts : FLOW_TS_PAIR;

    for (unsigned i = 1; i <= n; i++) {
        unsigned at = (flow->n_ts - i) % FLOW_TS_PAIR;

        if (flow->ts[at].script == script)
            return flow->ts[at].wire;
    }
    return flow->ts_known ? script + flow->ts_off : script;
}

void flow_input(struct flow *flow, struct pkt_packet *p)
{
    struct pkt_option *ts = timestamps(p);

    if (ts && (p->flags & PKT_ACK))
        ts->b = ts_to_wire(flow, ts->b);
    if ((p->flags & (PKT_SYN | PKT_ACK)) != PKT_SYN || p->icmp)
        return;
    /* another SYN begins another connection: its answer carries a new ISN */
    if (flow->syn_seen && flow->syn_seq != p->seq)
        flow->local_known = flow->ts_known = false;
    flow->syn_seen = true;
    flow->syn_seq = p->seq;
}

static bool learn_ts(struct flow *flow, const struct pkt_option *want, struct pkt_option *got)
{
    bool known = flow->ts_known;

    if (!known) {
        flow->ts_off = got->a - (want ? want->a : 0);
        flow->ts_known = true;
    }
    if (want) {
        flow->ts[flow->n_ts % FLOW_TS_PAIR].script = want->a;
        flow->ts[flow->n_ts++ % FLOW_TS_PAIR].wire = got->a;
    }
    got->a -= flow->ts_off;
    return known;
}

bool flow_output(struct flows *f, struct flow *flow, const struct pkt_packet *want,
                 struct pkt_packet *got)
{
    struct pkt_option *ts = timestamps(got);
    struct pkt_packet copy;
    bool known = false;

    if (got->flags & PKT_SYN) {
        bool fresh = !(got->flags & PKT_ACK) && flow->epoch != f->epoch;

        if (!flow->local_known || fresh) {
            flow->local_off = got->seq - (want ? want->seq : 0);
            flow->local_known = true;
            flow->epoch = f->epoch;
            flow->ts_known = false;
        }
    }
    pkt_to_script(got, &(struct pkt_offsets){.seq = flow->local_off, .ack = flow->remote_off});
    if (ts && want) {
        copy = *want;
        known = learn_ts(flow, timestamps(&copy), ts);
    } else if (ts) {
        known = learn_ts(flow, NULL, ts);
    }
    return known;
}
