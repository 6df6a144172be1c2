/* SPDX-License-Identifier: MIT */
/* Traces of connections: which ring belongs to whom, and the events that take more than a line.
 *
 * A ring that waits for the next connection may wait in several stacks. The first connection that
 * fits takes it, an opening one at its birth. Of what peers open the SYN is told as well, so a
 * half-open connection holds the ring, until it is whole, gone, or has not answered a SYN-ACK in
 * time: who never answers does not keep others from it. */
#include "proto/sock/sock_internal.h"

#include <errno.h>
#include <string.h>

static bool is(const struct ip_endpoint *a, const struct ip_endpoint *b)
{
    return a->port == b->port && ip_addr_equal(&a->addr, &b->addr);
}

static bool is_taken(const struct trace_ring *ring)
{
    return atomic_load_explicit(&ring->held, memory_order_relaxed) == TRACE_TAKEN;
}

/* From here on it is nobody else's. */
static void keep(struct trace_ring *ring)
{
    atomic_store_explicit(&ring->held, TRACE_TAKEN, memory_order_relaxed);
}

static void take_out(struct stack *st, unsigned i)
{
    struct tcp_traces *t = &st->traces;

    if (t->of[i].tp)
        t->of[i].tp->traced = false;
    else
        t->waiting--;
    if (st->tracing == t->of[i].ring)
        st->tracing = NULL;
    t->of[i] = t->of[--t->n];
}

/* Other stacks' connections have what these wait with. */
static void forget_taken(struct stack *st)
{
    struct tcp_traces *t = &st->traces;

    for (unsigned i = t->waiting ? t->n : 0; i-- > 0;) {
        if (!t->of[i].tp && is_taken(t->of[i].ring))
            take_out(st, i);
    }
}

static struct trace_ring *ring_of(const struct tcb *tp)
{
    const struct tcp_traces *t = &tp->st->traces;

    for (unsigned i = 0; i < t->n; i++) {
        if (t->of[i].tp == tp)
            return t->of[i].ring;
    }
    return NULL;
}

void tcp_trace_values(const struct tcb *tp, enum trace_event event, unsigned why,
                      const uint32_t v[TRACE_VALUES])
{
    struct trace_ring *ring = ring_of(tp);

    if (ring)
        trace_emit(ring, trace_now(ring), (uint8_t)event, (uint8_t)why, v);
}

void tcp_trace(const struct tcb *tp, enum trace_event event, unsigned why, uint32_t a, uint32_t b,
               uint32_t c, uint32_t d, uint32_t e, uint32_t f, uint32_t g)
{
    tcp_trace_values(tp, event, why, (const uint32_t[TRACE_VALUES]){a, b, c, d, e, f, g});
}

void tcp_trace_enter(const struct tcb *tp)
{
    tp->st->tracing = ring_of(tp);
}

/* --- the way in
 * -----------------------------------------------------------------------------------------------
 */

void tcp_trace_read(struct stack *st, uint32_t bytes)
{
    forget_taken(st);
    if (!st->traces.n)
        return;
    st->traces.read_ns = trace_now(st->traces.of[0].ring);
    st->traces.read_bytes = bytes;
}

static void emit_input(const struct stack *st, struct trace_ring *ring, const struct tcp_seg *seg,
                       uint8_t wscale)
{
    uint32_t v[TRACE_VALUES] = {st->traces.read_bytes};

    trace_emit(ring, st->traces.read_ns, TRACE_netdev_read, TRACE_WHY_none, v);
    v[0] = seg->seq;
    v[1] = seg->len;
    v[2] = seg->n_segs;
    v[3] = seg->flags;
    v[4] = seg->flags & TH_ACK ? seg->ack : 0;
    v[5] = (uint32_t)seg->window << (seg->flags & TH_SYN ? 0 : wscale);
    trace_emit(ring, trace_now(ring), TRACE_tcp_input, TRACE_WHY_none, v);
}

void tcp_trace_input(const struct tcb *tp, const struct tcp_seg *seg)
{
    struct trace_ring *ring = ring_of(tp);

    if (ring)
        emit_input(tp->st, ring, seg, tp->snd_wscale);
}

static void trace_sack(const struct tcb *tp, const struct tcp_seg *seg)
{
    uint32_t v[TRACE_VALUES] = {0};

    for (unsigned i = 0; i < seg->opt.n_sack && i < 3; i++) {
        v[2 * i] = seg->opt.sack[i].start;
        v[2 * i + 1] = seg->opt.sack[i].end;
    }
    v[6] = tp->lost_out;
    tcp_trace_values(tp, TRACE_tcp_sack, TRACE_WHY_none, v);
}

void tcp_trace_ack(const struct tcb *tp, const struct tcp_seg *seg, unsigned why, uint32_t acked)
{
    const uint32_t v[TRACE_VALUES] = {
        seg->ack, acked, tp->cwnd, tp->ssthresh, tcp_in_flight(tp), tp->srtt_us >> 3, tp->snd_wnd};

    tcp_trace_values(tp, TRACE_tcp_ack, why, v);
    if (seg->opt.n_sack)
        trace_sack(tp, seg);
}

/* --- the way out
 * ---------------------------------------------------------------------------------------------- */

static enum trace_event event_of(unsigned stop)
{
    if (stop == TCP_STOP_sndbuf)
        return TRACE_wait_for_sndbuf;
    return stop == TCP_STOP_autocork ? TRACE_tcp_push : TRACE_tcp_write_xmit;
}

void tcp_trace_stop(const struct tcb *tp, unsigned stop)
{
    const struct segment *head =
        list_empty(&tp->sendq) ? NULL : container_of(tp->sendq.next, const struct segment, link);
    uint32_t unsent = tp->write_seq - tp->snd_nxt;
    uint32_t seq = head ? head->seq : tp->snd_nxt, len = head ? seg_len(head) : 0;
    const uint32_t xmit[TRACE_VALUES] = {seq,
                                         len,
                                         tp->cwnd,
                                         tcp_in_flight(tp),
                                         tcp_wnd_end(tp) - tp->snd_nxt,
                                         unsent,
                                         (uint32_t)tcp_pacing_delay(tp)};
    const uint32_t push[TRACE_VALUES] = {seq, len, 0, unsent, tp->device_queued};
    const uint32_t wait[TRACE_VALUES] = {tcp_wmem_queued(tp), tp->sndbuf, unsent};
    enum trace_event event = event_of(stop);

    tcp_trace_values(tp, event, TRACE_WHY_stop_pacing + stop,
                     event == TRACE_tcp_write_xmit ? xmit
                     : event == TRACE_tcp_push     ? push
                                                   : wait);
}

/* --- beginning and end
 * ---------------------------------------------------------------------------------------- */

/* The one whose ring is held for this half-open connection. */
static struct tcp_trace *half_open_of(struct stack *st, const struct ip_endpoint *local,
                                      const struct ip_endpoint *remote)
{
    for (unsigned i = 0; i < st->traces.n; i++) {
        struct tcp_trace *t = &st->traces.of[i];

        if (t->half_open && is(&t->local, local) && is(&t->remote, remote))
            return t;
    }
    return NULL;
}

/* Of those that wait for such a connection the first whose ring can be had; it is held then. */
static struct tcp_trace *hold(struct stack *st, const struct ip_endpoint *local,
                              const struct ip_endpoint *remote, uint32_t owner, enum trace_hold how)
{
    for (unsigned i = 0; i < st->traces.n; i++) {
        struct tcp_trace *t = &st->traces.of[i];

        if (!t->tp && trace_matches(&t->match, local, remote, owner) && trace_hold(t->ring, how))
            return t;
    }
    return NULL;
}

static void begin(struct tcp_trace *trace, struct tcb *tp)
{
    const uint32_t v[TRACE_VALUES] = {tp->iss,
                                      tp->irs,
                                      tp->snd_una,
                                      tp->write_seq - tp->snd_nxt,
                                      (uint32_t)tcp_unread(tp),
                                      tp->conn.state,
                                      tp->mss_cache};

    trace->tp = tp;
    tp->traced = true;
    tcp_trace_values(tp, TRACE_begin, TRACE_WHY_none, v);
}

void tcp_trace_born(struct tcb *tp)
{
    struct tcp_trace *t;

    if (tp->traced) /* from an attempt before this one */
        return;
    t = half_open_of(tp->st, &tp->conn.local, &tp->conn.remote);
    if (t) {
        t->half_open = false;
        keep(t->ring);
    } else {
        t = hold(tp->st, &tp->conn.local, &tp->conn.remote, tp->bind.owner, TRACE_TAKEN);
    }
    if (!t)
        return;
    tp->st->traces.waiting--;
    begin(t, tp);
}

/* The ring for what a half-open connection does. */
static struct trace_ring *waiting_for(struct stack *st, const struct ip_endpoint *local,
                                      const struct ip_endpoint *remote, uint32_t owner)
{
    struct tcp_trace *t = half_open_of(st, local, remote);

    if (t)
        return t->ring;
    t = hold(st, local, remote, owner, TRACE_HALF_OPEN);
    if (!t)
        return NULL;
    t->half_open = true;
    t->local = *local;
    t->remote = *remote;
    return t->ring;
}

void tcp_trace_let_go(struct stack *st, const struct ip_endpoint *local,
                      const struct ip_endpoint *remote)
{
    struct tcp_trace *t = half_open_of(st, local, remote);

    if (!t)
        return;
    t->half_open = false;
    trace_let_go(t->ring);
}

void tcp_trace_refused(struct stack *st, const struct tcp_seg *seg)
{
    struct ip_endpoint local = {seg->packet->dst, seg->dst_port};
    struct ip_endpoint remote = {seg->packet->src, seg->src_port};

    tcp_trace_let_go(st, &local, &remote);
}

void tcp_trace_half_open(struct stack *st, const struct tcp_seg *seg, uint32_t owner)
{
    struct ip_endpoint local = {seg->packet->dst, seg->dst_port};
    struct ip_endpoint remote = {seg->packet->src, seg->src_port};
    struct trace_ring *ring = waiting_for(st, &local, &remote, owner);

    if (ring)
        emit_input(st, ring, seg, 0);
}

void tcp_trace_synack(struct stack *st, const struct tcp_reply *r, uint32_t owner)
{
    const uint32_t v[TRACE_VALUES] = {r->seq, 0, 1, r->flags, r->ack, r->window, 0};
    struct trace_ring *ring = waiting_for(st, &r->local, &r->remote, owner);

    if (!ring)
        return;
    st->tracing = ring;
    trace_emit(ring, trace_now(ring), TRACE_tcp_transmit_segment, TRACE_WHY_first, v);
}

void tcp_trace_gone(struct tcb *tp)
{
    struct stack *st = tp->st;
    const uint32_t v[TRACE_VALUES] = {(uint32_t)tcp_bytes_acked(tp), (uint32_t)tp->rcv_offset};

    tcp_trace_values(tp, TRACE_end, TRACE_WHY_none, v);
    for (unsigned i = 0; i < st->traces.n; i++) {
        if (st->traces.of[i].tp != tp)
            continue;
        st->traces.of[i].ring->over = true;
        take_out(st, i);
        return;
    }
}

/* --- the host's side (stack.h)
 * -------------------------------------------------------------------------------- */

static struct tcp_trace *new_trace(struct stack *st, struct trace_ring *ring)
{
    struct tcp_traces *t = &st->traces;

    forget_taken(st);
    if (t->n == TCP_TRACES)
        return NULL;
    t->of[t->n] = (struct tcp_trace){.ring = ring};
    return &t->of[t->n++];
}

int stack_trace(struct stack *st, uint64_t id, struct trace_ring *ring)
{
    struct hash_node *n = hash_first(&st->tcp.by_id, id);
    struct tcb *tp = n ? container_of(n, struct tcb, id_node) : NULL;
    struct tcp_trace *trace;

    if (!tp || tp->conn.state == TCPS_LISTEN)
        return -ENOENT;
    if (tp->traced)
        return -EBUSY;
    trace = new_trace(st, ring);
    if (!trace)
        return -ENOSPC;
    keep(ring);
    begin(trace, tp);
    return 0;
}

int stack_trace_next(struct stack *st, const struct trace_match *match, struct trace_ring *ring)
{
    struct tcp_trace *trace;

    if (is_taken(ring))
        return 0;
    trace = new_trace(st, ring);
    if (!trace)
        return -ENOSPC;
    trace->match = *match;
    st->traces.waiting++;
    return 0;
}

/* It stays held, if it was held here: nobody else shall have it. */
void stack_trace_stop(struct stack *st, struct trace_ring *ring)
{
    for (unsigned i = 0; i < st->traces.n; i++) {
        if (st->traces.of[i].ring == ring) {
            take_out(st, i);
            return;
        }
    }
}

void sock_trace(struct sock *s, enum trace_event event, enum trace_why why, uint32_t a, uint32_t b,
                uint32_t c)
{
    if (__builtin_expect(s->tcb->traced, 0))
        tcp_trace(s->tcb, event, why, a, b, c, 0, 0, 0, 0);
}
