/* SPDX-License-Identifier: MIT */
/*
 * HyStart++ (RFC 9406): leave the first slow start before the queue overflows.
 *
 * A round lasts from one SND.NXT until it is acknowledged. When the smallest round trip of a round
 * (eight samples at least) is clearly above the last round's, the queue has begun to fill: from
 * then on the window grows by a quarter (conservative slow start). If the round trip falls below
 * what it was then, it was noise, and slow start resumes; after five such rounds ssthresh becomes
 * cwnd.
 *
 * A fast ramp has filled more than the pipe when the first round shows it: five rounds more would
 * overflow the queue that was to be spared. So, unless tcp_hystart is 1 (the RFC's letter), a round
 * that is all slower than the fastest packet by twice the threshold ends slow start at once (Linux
 * does so at once the threshold); and so does a round whose ACKs, one close upon the other, last so
 * long that what they let out fills the round trip (the ACK train of HyStart, Ha and Rhee 2011, as
 * in Linux).
 */
#include "proto/tcp/cc/hystart.h"

static void start_round(struct hystart *h, const struct tcb *tp)
{
    h->window_end = tp->snd_nxt;
    h->last_min_us = h->cur_min_us;
    h->cur_min_us = UINT32_MAX;
    h->samples = 0;
    h->in_train = false;
}

void hystart_init(struct hystart *h, const struct tcb *tp)
{
    *h = (struct hystart){.cur_min_us = UINT32_MAX, .css_base_us = UINT32_MAX};
    if (!tp->st->tcp.tunables.hystart || tp->ssthresh != TCP_INIT_SSTHRESH)
        return;
    h->phase = HYSTART_SLOW_START;
}

void hystart_stop(struct hystart *h)
{
    h->phase = HYSTART_OFF;
}

void hystart_resume(struct hystart *h, const struct tcb *tp)
{
    if (!tp->st->tcp.tunables.hystart)
        return;
    h->phase = HYSTART_SLOW_START;
    h->css_base_us = UINT32_MAX;
    start_round(h, tp);
}

/* RFC 9406 §4.2: RttThresh. */
static uint32_t threshold(uint32_t last_min_us)
{
    uint32_t t = last_min_us / HYSTART_DIVISOR;

    if (t > HYSTART_MAX_THRESH)
        t = HYSTART_MAX_THRESH;
    return t > HYSTART_MIN_THRESH ? t : HYSTART_MIN_THRESH;
}

static bool delay_has_grown(const struct hystart *h)
{
    return h->last_min_us != UINT32_MAX &&
           h->cur_min_us >= (uint64_t)h->last_min_us + threshold(h->last_min_us);
}

static bool queue_stands(const struct hystart *h, const struct tcb *tp)
{
    return tp->st->tcp.tunables.hystart > 1 &&
           h->cur_min_us >= tp->min_rtt_us + 2ull * threshold(tp->min_rtt_us);
}

static bool is_paced(const struct tcb *tp)
{
    return tp->cc->paced || tp->max_pacing_rate != UINT64_MAX;
}

/* Half a round trip is enough when each ACK lets out two packets at once. */
static bool pipe_is_full(struct hystart *h, const struct tcb *tp)
{
    uint32_t now = (uint32_t)tp->st->now;
    uint32_t most = is_paced(tp) ? tp->min_rtt_us : tp->min_rtt_us / 2;

    /* the ACK that ended the round before was that one's last: the pause behind it is no gap */
    if (!h->in_train) {
        h->in_train = true;
        h->round_at = h->train_at = now;
    }
    if (tp->st->tcp.tunables.hystart < 2 || now - h->train_at > HYSTART_TRAIN_GAP)
        return false;
    h->train_at = now;
    return tp->cwnd >= HYSTART_LEAST_WINDOW && now - h->round_at > most;
}

static void leave_slow_start(struct hystart *h, struct tcb *tp)
{
    tp->ssthresh = tp->cwnd;
    hystart_stop(h);
}

static void decide(struct hystart *h, struct tcb *tp)
{
    if (h->samples < HYSTART_SAMPLES)
        return;
    if (queue_stands(h, tp))
        leave_slow_start(h, tp);
    else if (h->phase == HYSTART_SLOW_START && delay_has_grown(h)) {
        h->phase = HYSTART_CSS;
        h->css_base_us = h->cur_min_us;
        h->css_rounds = 0;
        h->css_leftover = 0;
    } else if (h->phase == HYSTART_CSS && h->cur_min_us < h->css_base_us) {
        h->phase = HYSTART_SLOW_START;
        h->css_base_us = UINT32_MAX;
    }
}

/* The round in whose middle conservative slow start began counts as one (RFC 9406 §4.2). */
static void end_round(struct hystart *h, struct tcb *tp)
{
    if (h->phase == HYSTART_CSS && ++h->css_rounds >= HYSTART_CSS_ROUNDS) {
        leave_slow_start(h, tp);
        return;
    }
    start_round(h, tp);
}

void hystart_acked(struct hystart *h, struct tcb *tp, int64_t rtt_us)
{
    if (h->phase == HYSTART_OFF)
        return;
    if (!tcp_in_slow_start(tp)) {
        hystart_stop(h);
        return;
    }
    /* the first round is the initial window: all of it is out when its first ACK comes */
    if (!h->begun) {
        h->begun = true;
        start_round(h, tp);
    }
    if (pipe_is_full(h, tp)) {
        leave_slow_start(h, tp);
        return;
    }
    if (rtt_us >= 0) {
        if (rtt_us < h->cur_min_us)
            h->cur_min_us = (uint32_t)rtt_us;
        if (h->samples < HYSTART_SAMPLES)
            h->samples++;
        decide(h, tp);
    }
    if (h->phase != HYSTART_OFF && seq_geq(tp->snd_una, h->window_end))
        end_round(h, tp);
}

/* A burst of ACKs must not become a burst of data, unless pacing spreads it (RFC 9406 §4.3: L). */
static uint32_t limited(const struct tcb *tp, uint32_t acked)
{
    uint64_t most = (uint64_t)tp->st->tcp.tunables.hystart_limit;

    return most && !is_paced(tp) && acked > most ? (uint32_t)most : acked;
}

uint32_t hystart_growth(struct hystart *h, const struct tcb *tp, uint32_t acked)
{
    uint64_t divisor = (uint64_t)tp->st->tcp.tunables.hystart_css_divisor;
    uint64_t sum;

    if (h->phase == HYSTART_OFF)
        return acked;
    acked = limited(tp, acked);
    if (h->phase == HYSTART_SLOW_START)
        return acked;
    sum = (uint64_t)h->css_leftover + acked;
    h->css_leftover = (uint16_t)(sum % divisor);
    return (uint32_t)(sum / divisor);
}
