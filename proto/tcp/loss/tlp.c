/* SPDX-License-Identifier: MIT */
/*
 * The tail loss probe (RFC 8985 §7): when the last ACKs do not come, one segment is sent after
 * about two round trips, long before the RTO. New data if there is any, else the last segment
 * again; the answer's SACK blocks let RACK see what is missing.
 */
#include "proto/tcp/tcp.h"

static bool may_probe(const struct tcb *tp)
{
    return tp->sack_ok && tp->cc_started && tp->st->tcp.tunables.early_retrans && tp->packets_out &&
           (tp->ca_state == CA_OPEN || tp->ca_state == CA_CWR) && !tp->sacked_out;
}

/* §7.2: two round trips, and the peer's delayed ACK when a lone packet may wait for it. */
static uint64_t probe_timeout(const struct tcb *tp)
{
    uint64_t delayed = tcp_rto_min_us(tp);

    if (!tp->srtt_us)
        return TCP_RTO_INIT;
    return (tp->srtt_us >> 2) + (tp->packets_out == 1 ? delayed : TCP_TIMEOUT_MIN);
}

bool tcp_schedule_loss_probe(struct tcb *tp, bool advancing)
{
    struct segment *head = scoreboard_first(tp);
    uint64_t timeout, rto_at, now = tp->st->now;

    if (!may_probe(tp))
        return false;
    timeout = now + probe_timeout(tp) + tcp_pacing_delay(tp);
    /* never behind the time-out that it is to forestall */
    rto_at = advancing ? now + tp->rto : head->sent_at + tp->rto;
    if (rto_at > now && timeout > rto_at)
        timeout = rto_at;
    tcp_timer_clear(tp, TCP_TIMER_rexmt);
    tcp_timer_clear(tp, TCP_TIMER_reorder);
    tcp_timer_set(tp, TCP_TIMER_loss_probe, timeout);
    return true;
}

static bool probe_with_new_data(struct tcb *tp)
{
    uint32_t before = tp->packets_out;

    if (!wqueue_send_head(tp))
        return false;
    tcp_write_xmit(tp, tcp_current_mss(tp), TCP_NAGLE_OFF, TCP_PUSH_PROBE);
    return tp->packets_out > before;
}

static bool probe_with_last(struct tcb *tp)
{
    struct segment *last = scoreboard_last(tp);
    uint32_t head = (last->pcount - 1) * last->mss;

    if (last->marks & SEG_SACKED) /* it has arrived since the probe was planned */
        return false;
    if (last->pcount > 1 && seg_len(last) > head) {
        if (tso_fragment(tp, last, head, last->mss) != 0)
            return false;
        last = scoreboard_last(tp);
    }
    if (tcp_retransmit_segment(tp, last, 1) != 0)
        return false;
    tp->tlp_retrans = true;
    return true;
}

void tcp_tlp_timer(struct tcb *tp)
{
    if (!tp->packets_out)
        return;
    /* §7.3: one at a time, and a round trip measured between two; a SACK that has come meanwhile
     * says more than a probe */
    if (!tp->tlp_out && tp->tlp_sampled && !tp->sacked_out) {
        tp->tlp_retrans = false;
        if (probe_with_new_data(tp) || probe_with_last(tp)) {
            COUNT(tp->st, tcp_tlp_sent);
            tp->tlp_out = true;
            tp->tlp_sampled = false;
            tp->tlp_high_seq = tp->snd_nxt;
            /* a full time-out from the probe on (§7.3) */
            tcp_timer_clear(tp, TCP_TIMER_loss_probe);
            tcp_timer_clear(tp, TCP_TIMER_rexmt);
            tcp_rearm_rto(tp);
            return;
        }
    }
    tcp_rearm_rto_from_head(tp);
}

/* The probe repaired a loss that nothing else would have told of: the window answers (§7.4.2). */
static void repaired(struct tcb *tp, const struct tcp_ack_state *as)
{
    COUNT(tp->st, tcp_tlp_recovered);
    tp->prr.flight = 0; /* the window answers, as in Linux: a tail is a short flight by nature */
    tcp_prr_begin(tp, as, false);
    tcp_undo_forget(tp);
    tcp_set_ca_state(tp, CA_CWR);
    tcp_prr_end(tp);
    tcp_try_keep_open(tp);
}

void tcp_tlp_ack(struct tcb *tp, const struct tcp_ack_state *as)
{
    if (!tp->tlp_out || seq_lt(tp->snd_una, tp->tlp_high_seq))
        return;
    if (!tp->tlp_retrans || as->dsack_tlp)
        tp->tlp_out = false;
    else if (seq_gt(tp->snd_una, tp->tlp_high_seq))
        repaired(tp, as);
    else if (tcp_ack_is_dup(as) && !as->new_sack)
        tp->tlp_out = false; /* both copies arrived */
}
