/* SPDX-License-Identifier: MIT */
/* Invariants of every connection, checked after each event by the simulator: a description of the
 * first that fails, or NULL. */
#include "proto/sock/sock_internal.h"

static const char *check_queue(const struct tcb *tp, const struct list *queue, uint32_t *seq,
                               uint32_t *packets)
{
    const struct list *l;

    for (l = queue->next; l != queue; l = l->next) {
        const struct segment *seg = container_of(l, const struct segment, link);

        if (seg->seq != *seq)
            return "segments of the write queue are not contiguous";
        if (seq_geq(seg->seq, seg->end_seq))
            return "empty segment in the write queue";
        *seq = seg->end_seq;
        *packets += seg->pcount;
        /* SACKed runs are joined */
        if (queue == &tp->rtxq && !(seg->marks & SEG_EVER_RETRANS) && !tp->sack_ok &&
            seg_len(seg) > FRAME_MAX_BURST)
            return "segment larger than a frame";
    }
    return NULL;
}

static const char *check_send(const struct tcb *tp)
{
    const struct list *first = tp->rtxq.next != &tp->rtxq ? tp->rtxq.next : tp->sendq.next;
    uint32_t seq, in_flight = 0, unsent = 0;
    const char *why;

    if (!seq_leq(tp->snd_una, tp->snd_nxt))
        return "snd_una > snd_nxt";
    if (!seq_leq(tp->snd_nxt, tp->write_seq))
        return "snd_nxt > write_seq";
    if (first == &tp->sendq)
        return tp->packets_out || tp->snd_una != tp->write_seq
                   ? "no segments, but the write queue is not empty"
                   : NULL;
    seq = container_of(first, const struct segment, link)->seq;
    if (!seq_leq(seq, tp->snd_una) && tp->packets_out)
        return "the retransmission queue does not begin at snd_una";
    why = check_queue(tp, &tp->rtxq, &seq, &in_flight);
    if (why)
        return why;
    if (tp->packets_out && seq != tp->snd_nxt)
        return "the retransmission queue does not end at snd_nxt";
    why = check_queue(tp, &tp->sendq, &seq, &unsent);
    if (why)
        return why;
    if (seq != tp->write_seq)
        return "the write queue does not end at write_seq";
    if (in_flight != tp->packets_out)
        return "packets_out differs from the retransmission queue";
    return NULL;
}

static const char *check_flight(const struct tcb *tp)
{
    uint32_t lost = 0, retrans = 0, sacked = 0, waiting = 0;
    const struct list *l;

    for (l = tp->rtxq.next; l != &tp->rtxq; l = l->next) {
        const struct segment *seg = container_of(l, const struct segment, link);

        lost += seg->marks & SEG_LOST ? seg->pcount : 0;
        retrans += seg->marks & SEG_RETRANS ? seg->pcount : 0;
        sacked += seg->marks & SEG_SACKED ? seg->pcount : 0;
        waiting += (seg->marks & (SEG_LOST | SEG_RETRANS)) == SEG_LOST;
        if (scoreboard_find(tp, seg->seq) != seg)
            return "a segment cannot be found by its sequence number";
        if (list_linked(&seg->sent_link) ==
            ((seg->marks & SEG_SACKED) || (seg->marks & (SEG_LOST | SEG_RETRANS)) == SEG_LOST))
            return "the order of sending does not hold just what may be in the network";
    }
    for (struct rb_node *n = rb_first(&tp->lost); n; n = rb_next(n))
        waiting--;
    if (waiting)
        return "the lost segments that wait are not just those that are marked";
    if (tp->sack_ok && sacked != tp->sacked_out)
        return "sacked_out differs from the marks";
    if (lost != tp->lost_out)
        return "lost_out differs from the marks";
    if (retrans != tp->retrans_out)
        return "retrans_out differs from the marks";
    if (tp->sacked_out + tp->lost_out > tp->packets_out)
        return "more packets lost and delivered than sent";
    return NULL;
}

/* What RACK, the loss probe, the undo and the window rely on. */
static const char *check_recovery(const struct tcb *tp)
{
    uint64_t newest = 0;
    const struct list *l;

    for (l = tp->sent_order.next; l != &tp->sent_order; l = l->next) {
        const struct segment *seg = container_of(l, const struct segment, sent_link);

        if (seg->sent_at < newest)
            return "the order of sending is not that of time";
        newest = seg->sent_at;
    }
    if (tp->retrans_out > tp->packets_out)
        return "more packets retransmitted than are in flight";
    if (tp->sack_ok && tp->sacked_out &&
        (!seq_gt(tp->highest_sacked, tp->snd_una) || !seq_leq(tp->highest_sacked, tp->snd_nxt)))
        return "the highest SACKed byte is not in flight";
    if (tp->ca_state > CA_DISORDER && !seq_leq(tp->high_seq, tp->snd_nxt))
        return "a recovery reaches beyond what was sent";
    if (tp->undo_retrans < -1)
        return "more retransmissions were needless than were made";
    if (tp->cc_started && (!tp->cwnd || tp->ssthresh > TCP_INIT_SSTHRESH))
        return "the congestion window is empty, or its threshold above all";
    if (!tp->rto || !tp->reordering)
        return "a retransmission time-out or a degree of reordering of 0";
    return NULL;
}

static const char *check_timers(const struct tcb *tp)
{
    unsigned running = tcp_timer_pending(tp, TCP_TIMER_rexmt) +
                       tcp_timer_pending(tp, TCP_TIMER_loss_probe) +
                       tcp_timer_pending(tp, TCP_TIMER_reorder);

    if (tp->packets_out && !running)
        return "data in flight without a retransmission timer";
    if (running > 1)
        return "two of retransmission, loss probe and reordering timer run at once";
    if (!tp->packets_out && !list_empty(&tp->sendq) && !list_linked(&tp->dirty) &&
        !tcp_timer_pending(tp, TCP_TIMER_persist) && !tcp_timer_pending(tp, TCP_TIMER_retry) &&
        !tcp_timer_pending(tp, TCP_TIMER_pacing) && tp->pending == 0)
        return "data waits, nothing is in flight and no timer is armed";
    if ((tp->ack_flags & TCP_ACK_SCHED) && !list_linked(&tp->dirty) &&
        !tcp_timer_pending(tp, TCP_TIMER_delack) && !tcp_timer_pending(tp, TCP_TIMER_compack))
        return "an ACK is owed and no timer is armed";
    for (int i = 0; i < TCP_TIMER_COUNT; i++) {
        if (tp->deadline[i] &&
            (!wheel_armed(&tp->timer.node) || tp->timer.node.deadline > tp->deadline[i]))
            return "a named timer is later than the wheel's entry";
    }
    return NULL;
}

static const char *check_sack_blocks(const struct tcb *tp)
{
    const struct sack_block *b = tp->rcv_sack.block;
    uint32_t n = tp->rcv_sack.n;

    if (n > TCP_MAX_SACKS || ((n || tp->rcv_sack.has_dup) && !tp->sack_ok))
        return "SACK blocks without SACK";
    for (uint32_t i = 0; i < n; i++) {
        if (!seq_gt(b[i].start, tp->rcv_nxt) || !seq_lt(b[i].start, b[i].end))
            return "a SACK block is empty or acknowledged";
        for (uint32_t j = 0; j < i; j++)
            if (seq_leq(b[i].start, b[j].end) && seq_leq(b[j].start, b[i].end))
                return "SACK blocks overlap or touch";
    }
    return NULL;
}

static const char *check_receive(const struct tcb *tp)
{
    uint32_t bytes = 0, n = 0, prev = tp->rcv_nxt;

    if (tp->read_offset > tp->rcv_offset)
        return "more bytes read than received";
    for (struct rb_node *r = rb_first(&tp->ooo); r; r = rb_next(r)) {
        const struct ooo_range *range = container_of(r, const struct ooo_range, node);

        if (!seq_gt(range->seq, prev) || !seq_lt(range->seq, range->end_seq))
            return "out-of-order ranges overlap, touch or are empty";
        prev = range->end_seq;
        bytes += range->end_seq - range->seq;
        n++;
    }
    if (bytes != tp->ooo_bytes || n != tp->n_ooo)
        return "out-of-order accounting is wrong";
    return NULL;
}

static const char *check_tcb(const struct tcb *tp)
{
    const char *why;

    if (tp->conn.state == TCPS_CLOSED || tp->conn.state == TCPS_LISTEN)
        return tp->packets_out || wheel_armed(&tp->timer.node)
                   ? "a closed connection has packets or timers"
                   : NULL;
    why = check_send(tp);
    if (!why)
        why = check_flight(tp);
    if (!why)
        why = check_recovery(tp);
    if (!why)
        why = check_timers(tp);
    if (!why)
        why = check_receive(tp);
    if (!why)
        why = check_sack_blocks(tp);
    return why;
}

struct check {
    struct stack *st;
    const char *why;
    uint64_t cost;
    unsigned traced; /**< connections that know of their trace */
};

/* The accounts hold what their connections cost, no byte more or less. */
static void add_account(struct hash_node *n, void *ctx)
{
    struct check *c = ctx;

    c->cost -= container_of(n, struct account, node)->used;
}

static void check_accounts(struct check *c)
{
    c->cost -= c->st->tcp.common.used;
    hash_each(&c->st->tcp.accounts, add_account, c);
    if (!c->why && c->cost)
        c->why = "the accounts do not hold what the connections cost";
}

/* What is not a connection's waits, or is held for a half-open one that is there. */
static void check_traces(struct check *c)
{
    const struct tcp_traces *t = &c->st->traces;
    unsigned waiting = 0;

    for (unsigned i = 0; i < t->n && !c->why; i++) {
        const struct tcp_trace *of = &t->of[i];
        const struct tcp_conn *conn =
            of->half_open ? demux_find(c->st, &of->local, &of->remote) : NULL;

        waiting += !of->tp;
        if (of->half_open && (of->tp || !conn || conn->kind != TCP_KIND_REQUEST))
            c->why = "a trace is held for a half-open connection that is not there";
    }
    if (!c->why && (waiting != t->waiting || t->n - waiting != c->traced))
        c->why = "the connections that are traced are not those in the table";
}

static void check_one(struct hash_node *n, void *ctx)
{
    struct check *c = ctx;

    c->traced += container_of(n, struct tcb, id_node)->traced;
    c->cost += quota_cost(container_of(n, struct tcb, id_node));
    if (!c->why)
        c->why = check_tcb(container_of(n, struct tcb, id_node));
}

const char *stack_check(struct stack *st)
{
    struct check c = {.st = st};

    hash_each(&st->tcp.by_id, check_one, &c);
    if (!c.why && hash_count(&st->tcp.by_id) != st->tcp.n_tcbs)
        c.why = "the count of connections is wrong";
    check_accounts(&c);
    check_traces(&c);
    return c.why;
}
