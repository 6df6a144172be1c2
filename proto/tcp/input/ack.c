/* SPDX-License-Identifier: MIT */
/*
 * The ACK field (RFC 9293 §3.10.7.4, fifth; RFC 5961 §5): what left the network, the round trip,
 * the peer's window, and whether it is a duplicate. Decisions about loss and the congestion window
 * are loss/ and cc/.
 */
#include "proto/sock/sock_internal.h"

/* RFC 9293: taken only from segments that are newer than the last one that was used (SND.WL1,
 * SND.WL2). */
static bool may_update_window(const struct tcb *tp, const struct tcp_seg *seg, uint32_t wnd)
{
    return seq_gt(seg->ack, tp->snd_una) || seq_gt(seg->seq, tp->snd_wl1) ||
           (seg->seq == tp->snd_wl1 && (wnd > tp->snd_wnd || wnd == 0));
}

/* True: the segment says something about the window, so it is no duplicate ACK (RFC 5681 §2). */
static bool update_window(struct tcb *tp, const struct tcp_seg *seg)
{
    /* the window in a SYN is never scaled (RFC 7323 §2.2) */
    uint32_t wnd = (uint32_t)seg->window << (seg->flags & TH_SYN ? 0 : tp->snd_wscale);

    if (!may_update_window(tp, seg, wnd))
        return false;
    tp->snd_wl1 = seg->seq;
    if (wnd == tp->snd_wnd)
        return wnd == 0; /* the answer to a probe of a closed window */
    /* what was sent again behind a closed window was a probe: R2 counts from now (RFC 1122
     * §4.2.2.17) */
    if (!tp->snd_wnd)
        tp->retrans_stamp = tp->stalled_since = tp->retransmits = 0;
    tp->snd_wnd = wnd;
    if (wnd > tp->max_window) {
        tp->max_window = wnd;
        tcp_sync_mss(tp, tp->pmtu);
    }
    return true;
}

/* seg (or the part of it that is acknowledged) was delivered by this cumulative ACK. */
static void note_delivered(struct tcb *tp, const struct segment *seg, struct tcp_ack_state *as)
{
    if (seg->marks & SEG_EVER_RETRANS)
        as->retrans_acked = true;
    if (seg->flags & SEG_SYN)
        tp->retrans_stamp = 0; /* with the SYN the trouble of opening is over */
    if (seg->marks & SEG_SACKED)
        return;
    tcp_rate_delivered(tp, seg, as);
    if (tp->sack_ok)
        tcp_rack_advance(tp, seg, as);
    if (seg->marks & SEG_EVER_RETRANS)
        return;
    if (!as->oldest_sent)
        as->oldest_sent = seg->sent_at;
    as->newest_sent = seg->sent_at;
    if (!as->hole_filled || seq_lt(seg->seq, as->hole_seq)) {
        as->hole_filled = true;
        as->hole_seq = seg->seq;
    }
    if (seq_leq(seg->end_seq, tp->high_seq))
        as->orig_delivered = true;
}

/* RFC 5927 §7.2: so much in one packet has reached the peer. */
static void note_size(struct tcb *tp, const struct segment *seg)
{
    uint32_t len = seg_len(seg) < tp->mss_cache ? seg_len(seg) : tp->mss_cache;

    if (len > tp->size_acked)
        tp->size_acked = (uint16_t)len;
}

/* So many packets are the peer's now; SACK has told of some of them before. */
static void count_delivered(struct tcb *tp, const struct segment *seg, uint32_t packets,
                            struct tcp_ack_state *as)
{
    as->acked_packets += packets;
    if (tp->sack_ok && !(seg->marks & SEG_SACKED))
        tp->delivered += packets;
}

/* Drop what is acknowledged from the head of the retransmission queue (Linux: tcp_clean_rtx_queue).
 */
static void clean_rtx_queue(struct tcb *tp, struct tcp_ack_state *as)
{
    struct segment *seg;

    while ((seg = scoreboard_first(tp)) && seq_leq(seg->end_seq, tp->snd_una)) {
        note_delivered(tp, seg, as);
        note_size(tp, seg);
        tcp_mtup_acked(tp, seg);
        count_delivered(tp, seg, seg->pcount, as);
        scoreboard_remove(tp, seg);
    }
    if (!seg) {
        tcp_chrono_stop(tp, TCP_CHRONO_app);
        return;
    }
    if (seq_lt(seg->seq, tp->snd_una)) {
        note_delivered(tp, seg, as);
        count_delivered(tp, seg, scoreboard_trim_head(tp, seg), as);
    }
    as->renege = seg->marks & SEG_SACKED;
}

/* Who asked is told once. */
static void tell_acked(struct tcb *tp)
{
    struct sock *s = tp->sock;

    if (!s || !s->want_acked)
        return;
    s->want_acked = false;
    sock_event(s, SOCK_EV_ACKED);
}

/* The bytes are the peer's now: give their room back. */
static void release_bytes(struct tcb *tp)
{
    uint32_t data_end = tp->write_seq - tp->fin_queued;
    uint32_t upto = seq_lt(tp->snd_una, data_end) ? tp->snd_una : data_end;

    uint64_t offset = tcp_snd_offset(tp, upto);

    if (tp->shared && offset != tp->snd.tail)
        tell_acked(tp);
    bytestream_release(&tp->snd, offset);
    if (upto == data_end && !tp->shared)
        bytestream_give_back(&tp->snd);
}

/* What a cumulative ACK says beyond its number: which packets it was for. */
static void after_cleaning(struct tcb *tp, struct tcp_ack_state *as)
{
    if (!tp->sack_ok) {
        tcp_reno_remove(tp, as->acked_packets);
        /* without SACK it may have been the retransmission all the same */
        if (as->retrans_acked)
            as->orig_delivered = false;
    } else if (as->hole_filled && seq_lt(as->hole_seq, as->prior_highest_sacked) &&
               as->prior_sacked_out) {
        tcp_reordering_below(tp, as->hole_seq, as->prior_highest_sacked);
    }
}

static void advance(struct tcb *tp, const struct tcp_seg *seg, struct tcp_ack_state *as)
{
    as->una_advanced = true;
    as->acked_bytes = seg->ack - tp->snd_una;
    tp->snd_una = seg->ack;
    tp->retransmits = 0;
    tp->stalled_since = 0;
    if (!tcp_urg_mode(tp))
        tp->snd_up = tp->snd_una; /* or it would look new again half a sequence space on */
    if (tp->ptb_mtu && seq_gt(tp->snd_una, tp->ptb_seq))
        tp->ptb_mtu = 0; /* what a "too big" named has arrived after all (RFC 5927 §7.2) */
}

/* Does the time-out begin anew? With progress; and when a SACK times something younger than the
 * head (else the time-out would move on for ever in a long recovery). */
static void decide_timer(struct tcb *tp, struct tcp_ack_state *as, bool sampled)
{
    const struct segment *head = scoreboard_first(tp);

    if (as->acked_packets)
        as->rearm = true;
    else if (head && sampled && as->oldest_sack_sent > head->sent_at)
        as->rearm = true;
}

/* Space appeared: the program hears of it once a third is free (Linux: sk_stream_write_space). */
void tcp_tell_writer(struct tcb *tp)
{
    struct sock *s = tp->sock;

    /* it grows where it was the limit, and the congestion window is not (Linux: tcp_new_space) */
    if (tp->nospace && tcp_in_flight(tp) < tp->cwnd)
        tcp_sndbuf_expand(tp);
    if (!s || !s->want_write || !tcp_is_writable(tp))
        return;
    s->want_write = false;
    tp->nospace = false;
    tcp_chrono_stop(tp, TCP_CHRONO_space);
    tcp_chrono_stop(tp, TCP_CHRONO_sndbuf);
    sock_event(s, SOCK_EV_WRITABLE);
}

static bool ack_in_range(struct tcb *tp, const struct tcp_seg *seg)
{
    /* at the start nothing below the ISN was ever sent (linux-receiver §7, 6) */
    uint64_t acked = tcp_bytes_acked(tp);
    uint32_t oldest = acked < tp->max_window ? (uint32_t)acked : tp->max_window;

    if (seq_gt(seg->ack, tp->snd_nxt)) {
        COUNT(tp->st, tcp_in_ack_unsent);
        tcp_challenge_ack(tp, true);
        return false;
    }
    /* RFC 5961 §5.2: no older than the largest window that the peer ever offered */
    if (seq_lt(seg->ack, tp->snd_una - oldest)) {
        COUNT(tp->st, tcp_in_ack_too_old);
        tcp_challenge_ack(tp, true);
        return false;
    }
    return true;
}

/* Only news about loss and order go through the state machine (Linux: tcp_ack_is_dubious). */
static bool is_dubious(const struct tcb *tp, const struct tcp_ack_state *as)
{
    return tcp_ack_is_dup(as) || as->new_sack || as->ece || as->dsack || tp->ca_state != CA_OPEN;
}

/* An ACK counts as use of the window even if it may not grow: it decays in silence only (Linux:
 * tcp_cong_avoid). */
static void raise_cwnd(struct tcb *tp, uint32_t delivered)
{
    if (tcp_is_cwnd_limited(tp))
        tp->cc->cong_avoid(tp, delivered);
    tp->cwnd_stamp = tp->st->now;
}

/* The window and the pacing rate after this ACK (Linux: tcp_cong_control). */
static void cong_control(struct tcb *tp, struct tcp_ack_state *as)
{
    uint32_t delivered = tp->delivered - as->prior_delivered;
    bool in_order = as->acked_packets, answered = tp->eifel_answered;

    tp->eifel_answered = false;
    if (tp->ptb_window) {
        tp->ptb_window += delivered;
        if (tp->ptb_window >= tp->cwnd)
            tp->ptb_window = 0;
    }
    if (!tp->cc_started)
        return;
    if (tp->cc->acked && delivered) {
        struct tcp_cc_ack ack = {delivered, as->prior_in_flight, as->rtt_us};

        tp->cc->acked(tp, &ack);
    }
    tcp_rate_sample(tp, as);
    if (tp->cc->cong_control) {
        tp->cc->cong_control(tp, &as->rate);
        return;
    }
    /* a network that is known to reorder: SACKed data is progress as well */
    if (tp->reordering > (uint64_t)tp->st->tcp.tunables.reordering)
        in_order = in_order || as->new_sack;
    if (tcp_in_reduction(tp))
        tcp_prr_ack(tp, as, delivered);
    else if (in_order && delivered && !as->ece && as->prior_ca_state != CA_RECOVERY && !answered)
        raise_cwnd(tp, delivered);
    tcp_update_pacing_rate(tp);
}

static void process(struct tcb *tp, const struct tcp_seg *seg, struct tcp_ack_state *as)
{
    bool sampled;

    clean_rtx_queue(tp, as);
    tcp_mtup_ack_done(tp);
    release_bytes(tp);
    sampled = tcp_ack_update_rtt(tp, as);
    if (as->acked_packets)
        after_cleaning(tp, as);
    tcp_ecn_ack(tp, seg, as);
    decide_timer(tp, as, sampled);
    tcp_rack_update_reo_wnd(tp, as);
    if (tp->tlp_out)
        tcp_tlp_ack(tp, as);
    if (is_dubious(tp, as))
        tcp_fastretrans_alert(tp, as);
    if (as->rearm && !as->timer_kept && !as->renege)
        tcp_rearm_xmit_timer(tp);
    cong_control(tp, as);
}

static void note_options(const struct tcb *tp, const struct tcp_seg *seg, struct tcp_ack_state *as)
{
    as->data = seg->len || (seg->flags & TH_FIN);
    as->has_tsecr = tp->ts_ok && seg->opt.has_ts && seg->opt.tsecr;
    as->tsecr = seg->opt.tsecr;
}

/* Below snd_una: the blocks may still tell something, the rest is old. */
static void old_ack(struct tcb *tp, const struct tcp_seg *seg, struct tcp_ack_state *as)
{
    as->old = true;
    if (!seg->opt.n_sack || !tp->packets_out)
        return;
    tcp_sack_input(tp, seg, as);
    if (as->new_sack || as->dsack)
        tcp_fastretrans_alert(tp, as);
}

static enum trace_why ack_says(const struct tcp_ack_state *as)
{
    if (as->una_advanced)
        return TRACE_WHY_advances;
    if (as->window_changed)
        return TRACE_WHY_window;
    return tcp_ack_is_dup(as) ? TRACE_WHY_duplicate : TRACE_WHY_nothing_new;
}

bool tcp_ack(struct tcb *tp, const struct tcp_seg *seg)
{
    struct tcp_ack_state as = tcp_ack_begin(tp);

    if (!ack_in_range(tp, seg))
        return false;
    as.newer = tp->ts_ok && seg->opt.has_ts && seq_gt(seg->opt.tsval, tp->ts_recent);
    tcp_replace_ts_recent(tp, seg);
    note_options(tp, seg, &as);
    if (seq_lt(seg->ack, tp->snd_una)) {
        old_ack(tp, seg, &as);
        return true;
    }
    tp->last_ack_received = tp->st->now;
    tp->soft_error = 0;
    tp->probes_out = 0;
    as.window_changed = update_window(tp, seg);
    if (seq_gt(seg->ack, tp->snd_una))
        advance(tp, seg, &as);
    tcp_sack_input(tp, seg, &as);
    if (tcp_ack_is_dup(&as) && tp->packets_out)
        COUNT(tp->st, tcp_in_dup_acks);
    if (tp->packets_out) {
        process(tp, seg, &as);
    } else {
        tcp_ecn_ack(tp, seg, &as);
        if (as.dsack)
            tcp_fastretrans_alert(tp, &as);
        if (tp->tlp_out) /* the probe's D-SACK comes when all is acknowledged */
            tcp_tlp_ack(tp, &as);
    }
    if (!tp->packets_out)
        tcp_ack_probe(tp);
    if (__builtin_expect(tp->traced, 0))
        tcp_trace_ack(tp, seg, ack_says(&as), as.acked_bytes);
    tcp_touch(tp, TCP_PEND_OUTPUT);
    return true;
}
