/* SPDX-License-Identifier: MIT */
/*
 * Peers without SACK: fast retransmit and NewReno (RFC 5681 §3.2, RFC 6582), in Linux's packet
 * counting.
 *
 * A duplicate ACK says that one packet left the network: it is counted in sacked_out and so leaves
 * in_flight, which makes the window inflation of RFC 5681 implicit. A partial ACK names the next
 * hole; recovery ends only when more than high_seq is acknowledged, so that late duplicates cannot
 * start it again (RFC 6582 §3.2, §6).
 */
#include "proto/tcp/tcp.h"

static uint32_t holes(const struct tcb *tp)
{
    uint32_t n = tp->lost_out ? tp->lost_out : 1;

    return n < tp->packets_out ? n : tp->packets_out;
}

void tcp_reno_limit(struct tcb *tp)
{
    uint32_t n = holes(tp);

    if (tp->sacked_out + n > tp->packets_out)
        tp->sacked_out = tp->packets_out - n;
}

/* More duplicates than packets that can have caused them: the network reorders (Linux:
 * tcp_check_reno_reordering). */
static void check_reordering(struct tcb *tp)
{
    uint32_t most = (uint32_t)tp->st->tcp.tunables.max_reordering;

    if (tp->sacked_out + holes(tp) <= tp->packets_out)
        return;
    tp->reordering = (uint16_t)(tp->packets_out < most ? tp->packets_out : most);
    tp->reord_seen++;
    COUNT(tp->st, tcp_reordering_seen);
}

void tcp_reno_add_dup(struct tcb *tp, const struct tcp_ack_state *as)
{
    uint32_t before = tp->sacked_out;

    if (!tcp_ack_is_dup(as) || (tp->has_recover && tp->snd_una == tp->recover))
        return;
    tp->sacked_out++;
    check_reordering(tp);
    tcp_reno_limit(tp);
    if (tp->sacked_out > before)
        tp->delivered++;
}

void tcp_reno_remove(struct tcb *tp, uint32_t acked)
{
    uint32_t covered = acked ? acked - 1 : 0;

    if (acked) {
        /* duplicates have told of some of them already: this ACK tells of the hole, and of the rest
         */
        tp->delivered += acked > tp->sacked_out ? acked - tp->sacked_out : 1;
        tp->sacked_out -= covered < tp->sacked_out ? covered : tp->sacked_out;
    }
    check_reordering(tp);
    tcp_reno_limit(tp);
}

void tcp_reno_reset(struct tcb *tp)
{
    tp->sacked_out = 0;
}

void tcp_reno_mark_lost(struct tcb *tp, bool una_advanced)
{
    struct segment *head = scoreboard_first(tp);
    bool due = (tp->ca_state < CA_RECOVERY && tp->sacked_out >= tp->reordering) ||
               (tp->ca_state == CA_RECOVERY && una_advanced);

    if (!head || !due || (head->marks & SEG_LOST))
        return;
    /* one MSS of it, whatever the burst was */
    if (head->pcount > 1 && tso_fragment(tp, head, head->mss, head->mss) != 0)
        return;
    scoreboard_mark_lost(tp, head);
    tcp_reno_limit(tp);
}
