/* SPDX-License-Identifier: MIT */
/*
 * Is this segment acceptable? PAWS, sequence number, RST, SYN, in the order of RFC 9293 §3.10.7.4
 * with the hardening of RFC 5961 and RFC 7323 §5 (linux-receiver §7, steps 2 to 5).
 */
#include "proto/sock/sock_internal.h"

#include <errno.h>

#define PAWS_IDLE_S                                                                                \
    2147u /**< older stamps prove nothing (linux-receiver §7; RFC 7323 §5.5 allows 24 days) */

bool tcp_paws_reject(uint32_t ts_recent, uint32_t stamp_s, bool valid, uint32_t now_s,
                     uint32_t tsval, int32_t tolerance)
{
    if (!valid || seq_diff(ts_recent, tsval) <= tolerance)
        return false;
    return now_s - stamp_s <= PAWS_IDLE_S;
}

bool tcp_lacks_timestamp(struct stack *st, bool ts_ok, const struct tcp_seg *seg)
{
    if (!st->tcp.tunables.timestamps_required || !ts_ok || seg->opt.has_ts || (seg->flags & TH_RST))
        return false;
    COUNT(st, tcp_in_no_timestamp);
    return true;
}

void tcp_challenge_ack(struct tcb *tp, bool limited)
{
    struct stack *st = tp->st;

    if (limited && tp->challenge_at &&
        st->now - tp->challenge_at < (uint64_t)st->tcp.tunables.invalid_ratelimit * 1000) {
        COUNT(st, tcp_challenge_limited);
        return;
    }
    if (limited)
        tp->challenge_at = st->now;
    COUNT(st, tcp_challenge_acks);
    tcp_send_ack(tp);
}

void tcp_reset_received(struct tcb *tp)
{
    int error = ECONNRESET;

    COUNT(tp->st, tcp_in_rst);
    if (tp->conn.state == TCPS_SYN_SENT || (tp->conn.state == TCPS_SYN_RECV && !tp->passive))
        error = ECONNREFUSED;
    else if (tp->conn.state == TCPS_CLOSE_WAIT)
        error = EPIPE;
    else
        COUNT(tp->st, tcp_established_resets);
    tcp_finish(tp, error);
}

void tcp_replace_ts_recent(struct tcb *tp, const struct tcp_seg *seg)
{
    uint32_t now_s = (uint32_t)(tp->st->now / 1000000);

    if (!tp->ts_ok || !seg->opt.has_ts || seq_gt(seg->seq, tp->rcv_wup))
        return;
    if (tp->ts_recent_valid && seq_lt(seg->opt.tsval, tp->ts_recent) &&
        now_s - tp->ts_recent_stamp_s <= PAWS_IDLE_S)
        return;
    tp->ts_recent = seg->opt.tsval;
    tp->ts_recent_stamp_s = now_s;
    tp->ts_recent_valid = true;
}

/* A reordered pure ACK carries an old stamp without harm (Linux: tcp_disordered_ack). */
static bool is_disordered_ack(const struct tcb *tp, const struct tcp_seg *seg)
{
    return (seg->flags & (TH_ACK | TH_SYN | TH_FIN | TH_RST)) == TH_ACK && seg->len == 0 &&
           seg->seq == tp->rcv_nxt && seg->ack == tp->snd_una &&
           (uint32_t)seg->window << tp->snd_wscale == tp->snd_wnd &&
           (uint64_t)(tp->ts_recent - seg->opt.tsval) * 1000 <= (uint64_t)tp->rto * 6 / 5;
}

/* Data that has been here before: it is reported, and the ACKs of what follows come at once. */
static void note_duplicate(struct tcb *tp, const struct tcp_seg *seg)
{
    if (!seg->len || !seq_lt(seg->seq, tp->rcv_nxt))
        return;
    COUNT(tp->st, tcp_in_duplicate);
    tcp_ack_enter_quick(tp, TCP_MAX_QUICKACKS);
    sack_blocks_duplicate(tp, seg->seq, seq_min(seg->end_seq, tp->rcv_nxt));
}

static bool paws_ok(struct tcb *tp, const struct tcp_seg *seg)
{
    struct stack *st = tp->st;

    if (!tp->ts_ok || !seg->opt.has_ts || (seg->flags & TH_RST))
        return true;
    if (!tcp_paws_reject(tp->ts_recent, tp->ts_recent_stamp_s, tp->ts_recent_valid,
                         (uint32_t)(st->now / 1000000), seg->opt.tsval, 1))
        return true;
    if (is_disordered_ack(tp, seg))
        return true;
    COUNT(st, tcp_in_paws);
    if (seg->flags & TH_SYN) {
        tcp_challenge_ack(tp, true);
        return false;
    }
    note_duplicate(tp, seg);
    tcp_challenge_ack(tp, seg->len == 0);
    return false;
}

/* The left edge is the last ACK sent, as in Linux: what we have since received may still be
 * repeated. */
static bool sequence_ok(const struct tcb *tp, const struct tcp_seg *seg)
{
    return seq_geq(seg->end_seq, tp->rcv_wup) &&
           seq_leq(seg->seq, tp->rcv_nxt + tcp_receive_window(tp));
}

static bool is_exact_reset(const struct tcb *tp, const struct tcp_seg *seg)
{
    uint8_t state = tp->conn.state;

    if (seg->seq == tp->rcv_nxt)
        return true;
    /* the peer may have reset without counting its FIN */
    return seg->seq == tp->rcv_nxt - 1 &&
           (state == TCPS_CLOSE_WAIT || state == TCPS_LAST_ACK || state == TCPS_CLOSING);
}

/* With SACK the peer may count what it knows to be held: the end of the highest block is as good as
 * RCV.NXT (Linux; RFC 5961 §3.2 wants an exact match, and this is one). */
static bool resets_behind_hole(const struct tcb *tp, const struct tcp_seg *seg)
{
    uint32_t end;

    return sack_blocks_highest(tp, &end) && seg->seq == end;
}

static void outside_window(struct tcb *tp, const struct tcp_seg *seg)
{
    COUNT(tp->st, tcp_in_outside_window);
    if (seg->flags & TH_RST) {
        if (is_exact_reset(tp, seg))
            tcp_reset_received(tp);
        else
            COUNT(tp->st, tcp_in_rst_ignored);
        return;
    }
    note_duplicate(tp, seg);
    tcp_challenge_ack(tp, seg->len == 0);
}

/* Our SYN of a simultaneous open has no ACK yet; the program may have closed meanwhile. */
static bool awaits_synack(const struct tcb *tp)
{
    return !tp->passive && (tp->conn.state == TCPS_SYN_RECV ||
                            (tp->conn.state == TCPS_FIN_WAIT1 && tp->snd_una == tp->iss));
}

bool tcp_validate(struct tcb *tp, const struct tcp_seg *seg)
{
    if (!(seg->flags & (TH_ACK | TH_RST | TH_SYN))) {
        COUNT(tp->st, tcp_in_no_flags);
        return false;
    }
    if (tcp_lacks_timestamp(tp->st, tp->ts_ok, seg) || !paws_ok(tp, seg))
        return false;
    if (tcp_ecn_handshake_again(tp, seg)) {
        tcp_send_active_reset(tp);
        tcp_finish(tp, ECONNRESET);
        return false;
    }
    if (!sequence_ok(tp, seg)) {
        outside_window(tp, seg);
        return false;
    }
    if (seg->flags & TH_RST) {
        if (is_exact_reset(tp, seg) || resets_behind_hole(tp, seg)) {
            tcp_reset_received(tp);
        } else {
            COUNT(tp->st, tcp_in_rst_ignored);
            tcp_challenge_ack(tp, true);
        }
        return false;
    }
    if (seg->flags & TH_SYN) {
        /* the crossing SYN-ACK of a simultaneous open is the one SYN that is welcome, while ours
         * waits for its ACK */
        if (awaits_synack(tp) && (seg->flags & TH_ACK) && seg->seq + 1 == tp->rcv_nxt) {
            tp->ack_flags |= TCP_ACK_SCHED | TCP_ACK_NOW;
            tcp_touch(tp, TCP_PEND_ACK);
            return true;
        }
        COUNT(tp->st, tcp_in_syn_in_window);
        tcp_challenge_ack(tp, true);
        return false;
    }
    return true;
}
