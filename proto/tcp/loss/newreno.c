/* SPDX-License-Identifier: MIT */
/*
 * Loss detection and recovery without SACK: fast retransmit and NewReno (RFC 5681 §3.2, RFC 6582),
 * in Linux's packet counting.
 *
 * A duplicate ACK says that one packet left the network: it is counted in sacked_out and so leaves
 * in_flight, which makes the window inflation of RFC 5681 implicit. A partial ACK names the next
 * hole; recovery ends only when more than high_seq is acknowledged, so that late duplicates cannot
 * start it again (RFC 6582 §3.2, §6).
 */
#include "proto/tcp/tcp.h"

/* More duplicates than packets that can have caused them: the network reorders (Linux:
 * tcp_check_reno_reordering). */
static void check_reordering(struct tcb *tp)
{
    uint32_t holes = tp->lost_out ? tp->lost_out : 1;

    if (tp->sacked_out + (holes < tp->packets_out ? holes : tp->packets_out) > tp->packets_out)
        tp->reord_seen++;
}

static void limit_sacked(struct tcb *tp)
{
    uint32_t holes = tp->lost_out ? tp->lost_out : 1;

    if (holes > tp->packets_out)
        holes = tp->packets_out;
    if (tp->sacked_out + holes > tp->packets_out)
        tp->sacked_out = tp->packets_out - holes;
}

static void add_duplicate(struct tcb *tp)
{
    uint32_t before = tp->sacked_out++;

    check_reordering(tp);
    limit_sacked(tp);
    if (tp->sacked_out > before)
        tp->delivered++;
}

/* A cumulative ACK: one of the packets was the hole, the others had been counted as duplicates. */
static void remove_sacked(struct tcb *tp, uint32_t acked)
{
    uint32_t covered = acked ? acked - 1 : 0;

    tp->sacked_out -= covered < tp->sacked_out ? covered : tp->sacked_out;
    limit_sacked(tp);
}

/* The first packet of the queue is lost: one MSS of it, whatever the burst was. */
static void mark_head_lost(struct tcb *tp)
{
    struct segment *head;
    uint32_t mss = tcp_current_mss(tp);

    if (list_empty(&tp->rtxq))
        return;
    head = container_of(list_first(&tp->rtxq), struct segment, link);
    if (head->marks & SEG_LOST)
        return;
    if (head->pcount > 1 && tso_fragment(tp, head, mss, mss) != 0)
        return;
    head->marks |= SEG_LOST;
    tp->lost_out += head->pcount;
    limit_sacked(tp);
}

static void set_ca_state(struct tcb *tp, enum ca_state state)
{
    if (tp->cc->set_state && tp->ca_state != state)
        tp->cc->set_state(tp, state);
    tp->ca_state = (uint8_t)state;
}

static void enter_recovery(struct tcb *tp)
{
    COUNT(tp->st, tcp_recoveries);
    tp->high_seq = tp->snd_nxt;
    tp->prior_cwnd = tp->cwnd;
    tp->ssthresh = tp->cc->ssthresh(tp);
    tp->cwnd = tp->ssthresh;
    tp->cwnd_cnt = 0;
    set_ca_state(tp, CA_RECOVERY);
    mark_head_lost(tp);
    tcp_touch(tp, TCP_PEND_RETRANS | TCP_PEND_OUTPUT);
}

static void back_to_open(struct tcb *tp)
{
    tp->sacked_out = 0;
    tp->retrans_stamp = 0;
    set_ca_state(tp, CA_OPEN);
}

static void in_recovery(struct tcb *tp, const struct tcp_ack_state *as)
{
    if (seq_gt(tp->snd_una, tp->high_seq) || !tp->packets_out) {
        tp->cwnd = tp->ssthresh < tp->cwnd ? tp->ssthresh : tp->cwnd;
        back_to_open(tp);
        return;
    }
    if (as->una_advanced) {
        remove_sacked(tp, as->acked_packets);
        if (seq_lt(tp->snd_una, tp->high_seq)) {
            COUNT(tp->st, tcp_partial_acks);
            mark_head_lost(tp);
        }
    } else if (as->dup) {
        add_duplicate(tp);
    }
    tcp_touch(tp, TCP_PEND_RETRANS | TCP_PEND_OUTPUT);
}

static void in_loss(struct tcb *tp, const struct tcp_ack_state *as)
{
    if (seq_geq(tp->snd_una, tp->high_seq) || !tp->packets_out) {
        back_to_open(tp);
        tcp_rto_recovered(tp);
        return;
    }
    if (as->una_advanced)
        tp->sacked_out = 0;
    tcp_touch(tp, TCP_PEND_RETRANS | TCP_PEND_OUTPUT);
}

static void in_open(struct tcb *tp, const struct tcp_ack_state *as)
{
    if (as->una_advanced) {
        tp->sacked_out = 0;
        tp->retrans_stamp = 0;
        tp->ca_state = CA_OPEN;
    }
    if (!as->dup)
        return;
    add_duplicate(tp);
    set_ca_state(tp, CA_DISORDER);
    if (tp->sacked_out >= tp->reordering)
        enter_recovery(tp);
}

void tcp_fastretrans_alert(struct tcb *tp, const struct tcp_ack_state *as)
{
    switch (tp->ca_state) {
    case CA_RECOVERY:
        in_recovery(tp, as);
        break;
    case CA_LOSS:
        in_loss(tp, as);
        break;
    default:
        in_open(tp, as);
        break;
    }
}

/* Sent within the last RTO: nothing says yet that it is lost, and it must not go again so early
 * (RFC 6298 §5). */
static bool is_recent(const struct tcb *tp, const struct segment *seg)
{
    return seg->link.prev != &tp->rtxq && tp->st->now - seg->sent_at < tp->rto;
}

/* A time-out: what is in flight counts as lost, and slow start begins from one (RFC 5681 §3.1). */
void tcp_enter_loss(struct tcb *tp)
{
    struct list *l;

    if (tp->ca_state < CA_RECOVERY || (tp->ca_state == CA_LOSS && !tp->retransmits)) {
        tp->prior_cwnd = tp->cwnd;
        tp->ssthresh = tp->cc->ssthresh(tp);
    }
    tp->sacked_out = 0;
    tp->retrans_out = 0;
    tp->lost_out = 0;
    list_for_each (l, &tp->rtxq) {
        struct segment *seg = container_of(l, struct segment, link);

        seg->marks = (uint8_t)(seg->marks & ~(SEG_RETRANS | SEG_LOST));
        if (is_recent(tp, seg))
            continue;
        seg->marks |= SEG_LOST;
        tp->lost_out += seg->pcount;
    }
    tp->cwnd = tcp_in_flight(tp) + 1;
    tp->cwnd_cnt = 0;
    tp->high_seq = tp->snd_nxt;
    set_ca_state(tp, CA_LOSS);
}

void tcp_simple_retransmit(struct tcb *tp)
{
    uint32_t mss = tcp_current_mss(tp);
    struct list *l;
    bool any = false;

    list_for_each (l, &tp->rtxq) {
        struct segment *seg = container_of(l, struct segment, link);

        if (seg_len(seg) <= mss)
            continue;
        if (seg->marks & SEG_RETRANS)
            tp->retrans_out -= seg->pcount;
        if (!(seg->marks & SEG_LOST))
            tp->lost_out += seg->pcount;
        seg->marks = (uint8_t)((seg->marks & ~SEG_RETRANS) | SEG_LOST);
        any = true;
    }
    if (!any)
        return;
    limit_sacked(tp);
    if (tp->ca_state != CA_LOSS) {
        tp->high_seq = tp->snd_nxt;
        set_ca_state(tp, CA_LOSS);
    }
    tcp_touch(tp, TCP_PEND_RETRANS | TCP_PEND_OUTPUT);
}

void tcp_cong_control(struct tcb *tp, const struct tcp_ack_state *as)
{
    bool growing =
        tp->ca_state == CA_OPEN || tp->ca_state == CA_DISORDER || tp->ca_state == CA_LOSS;

    /* the ACK that ends a recovery counts packets that duplicates had counted (RFC 6582 §3.2, step
     * 3: cwnd is ssthresh) */
    if (as->prior_ca_state == CA_RECOVERY)
        growing = false;
    if (growing && as->acked_packets && tp->cc->cong_avoid && tcp_is_cwnd_limited(tp))
        tp->cc->cong_avoid(tp, as->acked_packets);
    tcp_update_pacing_rate(tp);
}
