/* SPDX-License-Identifier: MIT */
/*
 * Loss recovery by counting what is SACKed (RFC 6675), for those who switch RACK off with
 * tcp_recovery: a packet is lost when DupThresh discontiguous ranges, or more than DupThresh - 1
 * packets of bytes, above it are SACKed (IsLost, §4). When neither lost packets nor new data are
 * there to send, NextSeg's rules 3 and 4 fill the pipe. RFC 8985 §9.2 forbids to mix the two.
 */
#include "proto/tcp/tcp.h"

void tcp_6675_begin(struct tcb *tp)
{
    tp->sack_count.high_rxt = tp->snd_una;
    tp->sack_count.rescued = false;
}

/* The end of what is lost: everything below it that is not SACKed. snd_una: nothing. */
static uint32_t lost_end(const struct tcb *tp)
{
    uint32_t ranges = 0, bytes = 0;
    bool hole = true; /* above the segment that is looked at */
    struct list *l;

    for (l = tp->rtxq.prev; l != &tp->rtxq; l = l->prev) {
        const struct segment *seg = container_of(l, const struct segment, link);

        if (!(seg->marks & SEG_SACKED)) {
            hole = true;
            continue;
        }
        ranges += hole;
        bytes += seg->end_seq - seg->seq;
        hole = false;
        if (ranges >= tp->reordering || bytes > (tp->reordering - 1u) * tp->mss_cache)
            return seg->seq;
        /* below this nothing has changed since the last time */
        if (seq_leq(seg->seq, tp->sack_count.lost_below))
            break;
    }
    return tp->snd_una;
}

bool tcp_6675_mark_lost(struct tcb *tp, const struct tcp_ack_state *as)
{
    struct segment *seg = scoreboard_first(tp);
    uint32_t end;
    bool any = false;

    if (as->una_advanced)
        tp->sack_count.dup_acks = 0;
    /* nothing was SACKed before, or all that has been acknowledged since */
    if (!as->prior_sacked_out ||
        tp->sack_count.lost_below - tp->snd_una > tp->snd_nxt - tp->snd_una)
        tp->sack_count.lost_below = tp->snd_una;
    if (as->new_sack && tp->sack_count.dup_acks < UINT8_MAX)
        tp->sack_count.dup_acks++;
    if (!tp->sacked_out)
        return false;
    end = lost_end(tp);
    /* §5, (1): the third duplicate names the first hole */
    if (tp->sack_count.dup_acks >= tp->reordering && tp->ca_state < CA_RECOVERY &&
        seq_leq(end, tp->snd_una) && seg)
        end = seg->end_seq;
    for (; seg && seq_lt(seg->seq, end); seg = scoreboard_next(tp, seg)) {
        if (!(seg->marks & (SEG_SACKED | SEG_RETRANS)))
            any |= scoreboard_mark_lost(tp, seg);
    }
    tp->sack_count.lost_below = seq_max(tp->sack_count.lost_below, end);
    return any;
}

/* Rule 3: a hole below the highest SACK, though it is not known to be lost. */
static struct segment *next_hole(const struct tcb *tp)
{
    struct segment *seg = scoreboard_find(tp, seq_max(tp->sack_count.high_rxt, tp->snd_una));

    for (; seg && seq_lt(seg->seq, tp->highest_sacked); seg = scoreboard_next(tp, seg)) {
        if (!(seg->marks & (SEG_SACKED | SEG_RETRANS)))
            return seg;
    }
    return NULL;
}

/* Rule 4: once in a recovery, the end of what is outstanding; HighRxt stays where it is. */
static void rescue(struct tcb *tp)
{
    struct segment *last = scoreboard_last(tp);
    uint32_t high_rxt = tp->sack_count.high_rxt;

    if (tp->sack_count.rescued || !last || (last->marks & (SEG_SACKED | SEG_RETRANS)))
        return;
    if (last->pcount > 1 && tso_fragment(tp, last, (last->pcount - 1) * last->mss, last->mss) != 0)
        return;
    if (tcp_retransmit_segment(tp, scoreboard_last(tp), 1) == 0)
        tp->sack_count.rescued = true;
    tp->sack_count.high_rxt = high_rxt;
}

void tcp_6675_send_more(struct tcb *tp)
{
    struct segment *seg;

    if (tp->ca_state != CA_RECOVERY || !tp->sack_ok || tcp_rack_enabled(tp) || !tp->sacked_out)
        return;
    while (tcp_in_flight(tp) < tp->cwnd && (seg = next_hole(tp))) {
        if (tcp_retransmit_segment(tp, seg, 1) != 0)
            return;
    }
    if (tcp_in_flight(tp) < tp->cwnd)
        rescue(tp);
}
