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
        tp->retrans_stamp = tp->retransmits = 0;
    tp->snd_wnd = wnd;
    if (wnd > tp->max_window) {
        tp->max_window = wnd;
        tcp_sync_mss(tp, tp->pmtu);
    }
    return true;
}

static void forget_counts(struct tcb *tp, const struct segment *seg)
{
    tp->packets_out -= seg->pcount;
    if (seg->marks & SEG_LOST)
        tp->lost_out -= seg->pcount;
    if (seg->marks & SEG_RETRANS)
        tp->retrans_out -= seg->pcount;
}

/* The head is acknowledged in part: an offloaded segment shrinks from its left. */
static void trim_head(struct tcb *tp, struct segment *seg, struct tcp_ack_state *as)
{
    uint32_t left = tp->snd_una - seg->seq;
    uint16_t before = seg->pcount;

    forget_counts(tp, seg);
    seg->seq += left;
    wqueue_set_pcount(seg, tp->mss_cache);
    if (seg->pcount > before)
        seg->pcount = before;
    tp->packets_out += seg->pcount;
    if (seg->marks & SEG_LOST)
        tp->lost_out += seg->pcount;
    if (seg->marks & SEG_RETRANS)
        tp->retrans_out += seg->pcount;
    as->acked_packets += before - seg->pcount;
}

static void note_times(struct tcb *tp, const struct segment *seg, struct tcp_ack_state *as)
{
    tcp_rate_acked(tp, seg, as);
    if (seg->marks & SEG_EVER_RETRANS)
        as->retrans_acked = true;
    else if (!as->oldest_sent)
        as->oldest_sent = seg->sent_at;
}

/* RFC 5927 §7.2: so much in one packet has reached the peer. */
static void note_size(struct tcb *tp, const struct segment *seg)
{
    uint32_t len = seg_len(seg) < tp->mss_cache ? seg_len(seg) : tp->mss_cache;

    if (len > tp->size_acked)
        tp->size_acked = (uint16_t)len;
}

/* Drop what is acknowledged from the head of the retransmission queue (Linux: tcp_clean_rtx_queue).
 */
static void clean_rtx_queue(struct tcb *tp, struct tcp_ack_state *as)
{
    struct list *l;

    while ((l = list_first(&tp->rtxq))) {
        struct segment *seg = container_of(l, struct segment, link);

        if (seq_gt(seg->end_seq, tp->snd_una)) {
            if (seq_lt(seg->seq, tp->snd_una)) {
                note_times(tp, seg, as);
                trim_head(tp, seg, as);
            }
            break;
        }
        note_times(tp, seg, as);
        note_size(tp, seg);
        as->acked_packets += seg->pcount;
        forget_counts(tp, seg);
        list_del(l);
        pool_put(&tp->st->tcp.segment_pool, seg);
    }
    if (list_empty(&tp->rtxq))
        tcp_chrono_stop(tp, TCP_CHRONO_BUSY);
}

/* Duplicates have told of some of these packets already: this ACK tells of the hole, and of the
 * rest (Linux: tcp_remove_reno_sacks). */
static uint32_t newly_delivered(const struct tcb *tp, const struct tcp_ack_state *as)
{
    if (!as->acked_packets)
        return 0;
    return as->acked_packets > tp->sacked_out ? as->acked_packets - tp->sacked_out : 1;
}

/* The bytes are the peer's now: give their room back. */
static void release_bytes(struct tcb *tp)
{
    uint32_t data_end = tp->write_seq - tp->fin_queued;
    uint32_t upto = seq_lt(tp->snd_una, data_end) ? tp->snd_una : data_end;

    bytestream_release(&tp->snd, tcp_snd_offset(tp, upto));
    if (upto == data_end)
        bytestream_give_back(&tp->snd);
}

/* RFC 6298 §3 (Karn) and RFC 7323 §4: a sample from what was sent once, else from the echoed
 * timestamp. */
static void sample_rtt(struct tcb *tp, const struct tcp_seg *seg, const struct tcp_ack_state *as)
{
    struct stack *st = tp->st;

    if (as->oldest_sent && !as->retrans_acked) {
        tcp_rtt_sample(tp, (uint32_t)(st->now - as->oldest_sent));
        return;
    }
    if (as->una_advanced && tp->ts_ok && seg->opt.has_ts && seg->opt.tsecr) {
        uint32_t delta = tcp_ts_now(st) + tp->ts_offset - seg->opt.tsecr;

        if (delta < TCP_RTO_INIT / 1000 * 120)
            tcp_rtt_sample(tp, delta ? delta * 1000 : 1000);
    }
}

static void advance(struct tcb *tp, const struct tcp_seg *seg, struct tcp_ack_state *as)
{
    as->una_advanced = true;
    as->acked_bytes = seg->ack - tp->snd_una;
    tp->bytes_acked += as->acked_bytes;
    tp->snd_una = seg->ack;
    if (!tcp_urg_mode(tp))
        tp->snd_up = tp->snd_una; /* or it would look new again half a sequence space on */
    if (tp->ptb_mtu && seq_gt(tp->snd_una, tp->ptb_seq))
        tp->ptb_mtu = 0; /* what a "too big" named has arrived after all (RFC 5927 §7.2) */
    clean_rtx_queue(tp, as);
    tp->delivered += newly_delivered(tp, as);
    release_bytes(tp);
    tp->retransmits = 0;
    sample_rtt(tp, seg, as);
    if (as->oldest_sent && !as->retrans_acked)
        tp->backoff = 0;
    tcp_rearm_rto(tp);
}

/* Space appeared: the program hears of it once a third is free (Linux: sk_stream_write_space). */
void tcp_tell_writer(struct tcb *tp)
{
    struct sock *s = tp->sock;

    tcp_sndbuf_expand(tp);
    if (!s || !s->want_write || !tcp_is_writable(tp))
        return;
    s->want_write = false;
    tp->nospace = false;
    tcp_chrono_stop(tp, TCP_CHRONO_SNDBUF);
    sock_event(s, SOCK_EV_WRITABLE);
}

static bool ack_in_range(struct tcb *tp, const struct tcp_seg *seg)
{
    /* at the start nothing below the ISN was ever sent (linux-receiver §7, 6) */
    uint32_t oldest = tp->bytes_acked < tp->max_window ? (uint32_t)tp->bytes_acked : tp->max_window;

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

bool tcp_ack(struct tcb *tp, const struct tcp_seg *seg)
{
    struct tcp_ack_state as = {.prior_una = tp->snd_una,
                               .prior_in_flight = tcp_in_flight(tp),
                               .prior_ca_state = tp->ca_state};
    uint32_t prior_delivered = tp->delivered;
    bool window_changed;

    if (!ack_in_range(tp, seg))
        return false;
    tcp_replace_ts_recent(tp, seg);
    if (seq_lt(seg->ack, tp->snd_una))
        return true; /* an old ACK: only its data is of use */
    tp->last_ack_received = tp->st->now;
    tp->soft_error = 0;
    tp->probes_out = 0;
    window_changed = update_window(tp, seg);
    if (seq_gt(seg->ack, tp->snd_una))
        advance(tp, seg, &as);
    if (!tp->packets_out)
        tcp_ack_probe(tp);
    as.dup = !as.una_advanced && !seg->len && !window_changed && tp->packets_out &&
             !(seg->flags & TH_FIN);
    if (as.dup)
        COUNT(tp->st, tcp_in_dup_acks);
    if (as.una_advanced || as.dup || tp->ca_state != CA_OPEN) {
        tcp_fastretrans_alert(tp, &as);
        tcp_rate_sample(tp, &as, prior_delivered);
        tcp_cong_control(tp, &as);
    }
    tcp_touch(tp, TCP_PEND_OUTPUT);
    return true;
}
