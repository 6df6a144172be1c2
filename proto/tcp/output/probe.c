/* SPDX-License-Identifier: MIT */
/*
 * The persist timer (RFC 9293 §3.8.6.1): data waits, nothing is in flight, and only the peer's
 * window could move it. The same timer is the 200 ms ceiling of corked data (linux-sender §4, §6).
 */
#include "proto/sock/sock_internal.h"

#include <errno.h>

#define PROBE_MIN 200000u

static uint64_t probe_base(const struct tcb *tp)
{
    return tp->rto > PROBE_MIN ? tp->rto : PROBE_MIN;
}

static uint64_t probe_delay(const struct tcb *tp)
{
    uint32_t shift = tp->backoff < 10 ? tp->backoff : 10;
    uint64_t delay = probe_base(tp) << shift;
    uint64_t most = (uint64_t)tp->st->tcp.tunables.rto_max_ms * 1000;

    return delay < most ? delay : most;
}

void tcp_check_probe_timer(struct tcb *tp)
{
    if (tp->packets_out || tcp_timer_pending(tp, TCP_TIMER_persist) ||
        tcp_timer_pending(tp, TCP_TIMER_retry) || tcp_timer_pending(tp, TCP_TIMER_pacing))
        return;
    COUNT(tp->st, tcp_persist);
    tp->stalled_since = 0;
    tcp_timer_set(tp, TCP_TIMER_persist, tp->st->now + probe_base(tp));
}

/* An ACK came while nothing is in flight: did the window open enough? */
void tcp_ack_probe(struct tcb *tp)
{
    struct segment *head = wqueue_send_head(tp);

    if (!head)
        return;
    if (seq_leq(head->end_seq, tcp_wnd_end(tp))) {
        tp->backoff = 0;
        tp->stalled_since = 0;
        tcp_timer_clear(tp, TCP_TIMER_persist);
    } else if (tcp_timer_pending(tp, TCP_TIMER_persist)) {
        tcp_timer_set(tp, TCP_TIMER_persist, tp->st->now + probe_delay(tp));
    }
}

/* Send what fits into a small window, real data with PSH; else an empty probe. */
int tcp_write_wakeup(struct tcb *tp)
{
    struct segment *seg = wqueue_send_head(tp);
    uint32_t window, mss = tcp_current_mss(tp);
    int err;

    if (!seg || !seq_lt(seg->seq, tcp_wnd_end(tp))) {
        /* a closed window does not hold the urgent pointer back (RFC 9293 §3.8.6.1) */
        if (tcp_urg_mode(tp) && tp->snd_up - tp->snd_una <= UINT16_MAX)
            tcp_xmit_probe(tp, true);
        err = tcp_xmit_probe(tp, false);
        if (!err)
            COUNT(tp->st, tcp_out_probes);
        return err;
    }
    tp->ecn.hold = false;
    window = tcp_wnd_end(tp) - seg->seq;
    if (window > mss)
        window = mss;
    if (seg_len(seg) > window && (err = tso_fragment(tp, seg, window, mss)) != 0)
        return err;
    seg->flags |= SEG_PSH;
    wqueue_set_pcount(seg, mss);
    err = tcp_transmit_segment(tp, seg, mss);
    if (err)
        return err;
    scoreboard_add(tp, seg);
    tp->snd_nxt = seg->end_seq;
    if (seg_len(seg) % mss)
        tp->snd_sml = seg->end_seq;
    tcp_rearm_rto(tp);
    return 0;
}

static bool given_up(const struct tcb *tp)
{
    const struct tcp_tunables *tun = &tp->st->tcp.tunables;
    uint32_t most = (uint32_t)tun->retries2;

    if (!tp->sock)
        most = tun->orphan_retries ? (uint32_t)tun->orphan_retries : 8;
    if (uto_effective_ms(tp) && tp->stalled_since)
        return uto_elapsed(tp, tp->stalled_since) >= (uint64_t)uto_effective_ms(tp) * 1000;
    return tp->probes_out >= most;
}

void tcp_probe_timer(struct tcb *tp)
{
    int err;

    if (tp->packets_out || !wqueue_send_head(tp)) {
        tp->probes_out = 0;
        return;
    }
    if (given_up(tp)) {
        COUNT(tp->st, tcp_timeouts);
        tcp_finish(tp, tp->soft_error ? tp->soft_error : ETIMEDOUT);
        return;
    }
    if (!tp->stalled_since)
        tp->stalled_since = tp->st->now;
    err = tcp_write_wakeup(tp);
    if (tp->packets_out)
        return;
    if (err == -EAGAIN || err == -ENOBUFS) {
        tcp_timer_set(tp, TCP_TIMER_persist, tp->st->now + TCP_PROBE_RETRY);
        return;
    }
    /* any other failure (no neighbour, no route, no memory) is an unanswered probe: it counts
     * towards giving up */
    if (tp->backoff < tp->st->tcp.tunables.retries2)
        tp->backoff++;
    tp->probes_out++;
    tcp_timer_set(tp, TCP_TIMER_persist, tp->st->now + probe_delay(tp));
}
