/* SPDX-License-Identifier: MIT */
/*
 * Round-trip estimation and the retransmission time-out (RFC 6298), in Linux's form (linux-sender
 * §7): the variance term already holds the factor of four, has a floor of 200 ms and decays once
 * per round.
 */
#include "proto/tcp/tcp.h"

void tcp_rtt_init(struct tcb *tp)
{
    tp->srtt_us = 0;
    tp->mdev_us = TCP_RTO_INIT;
    tp->min_rtt_us = UINT32_MAX;
    minmax_reset(&tp->min_rtt, tcp_ts_now(tp->st), UINT32_MAX);
    tp->rto = TCP_RTO_INIT;
    tp->backoff = 0;
}

uint32_t tcp_rto_min_of_socket(const struct tcb *tp)
{
    return tp->rto_min_ms ? tp->rto_min_ms * 1000u : (uint32_t)tp->st->tcp.tunables.rto_min_us;
}

void tcp_rto_min_learn(struct tcb *tp)
{
    tp->route_rto_min_us = route_rto_min(tp->st, &tp->conn.remote.addr);
}

static void learn_again(struct hash_node *n, void *ctx)
{
    (void)ctx;
    tcp_rto_min_learn(container_of(n, struct tcb, id_node));
}

void tcp_rto_min_learn_all(struct stack *st)
{
    hash_each(&st->tcp.by_id, learn_again, NULL);
}

uint32_t tcp_rto_min_us(const struct tcb *tp)
{
    return tp->route_rto_min_us ? tp->route_rto_min_us : tcp_rto_min_of_socket(tp);
}

uint32_t tcp_rto_of(const struct tcb *tp)
{
    uint64_t rto = (uint64_t)(tp->srtt_us >> 3) + tp->rttvar_us;
    uint64_t most = (uint64_t)tp->st->tcp.tunables.rto_max_ms * 1000;

    return (uint32_t)(rto < most ? rto : most);
}

static void first_sample(struct tcb *tp, uint32_t m, uint32_t floor)
{
    tp->srtt_us = m << 3;
    tp->mdev_us = m << 1;
    tp->rttvar_us = tp->mdev_us > floor ? tp->mdev_us : floor;
    tp->mdev_max_us = tp->rttvar_us;
    tp->rtt_seq = tp->snd_nxt;
}

static void next_sample(struct tcb *tp, uint32_t sample, uint32_t floor)
{
    int64_t m = (int64_t)sample - (tp->srtt_us >> 3);

    tp->srtt_us = (uint32_t)(tp->srtt_us + m);
    if (m < 0) {
        m = -m - (tp->mdev_us >> 2);
        /* a falling round trip must not look like a growing variance */
        if (m > 0)
            m >>= 3;
    } else {
        m -= tp->mdev_us >> 2;
    }
    tp->mdev_us = (uint32_t)(tp->mdev_us + m);
    if (tp->mdev_us > tp->mdev_max_us) {
        tp->mdev_max_us = tp->mdev_us;
        if (tp->mdev_max_us > tp->rttvar_us)
            tp->rttvar_us = tp->mdev_max_us;
    }
    if (seq_gt(tp->snd_una, tp->rtt_seq)) {
        if (tp->mdev_max_us < tp->rttvar_us)
            tp->rttvar_us -= (tp->rttvar_us - tp->mdev_max_us) >> 2;
        tp->rtt_seq = tp->snd_nxt;
        tp->mdev_max_us = floor;
    }
}

/* The smallest of the last minutes; an ACK that may have been delayed says nothing about a longer
 * path (RFC 8985 §6.2, step 1). */
static void update_min_rtt(struct tcb *tp, uint32_t rtt_us, bool delayed)
{
    uint32_t window = (uint32_t)tp->st->tcp.tunables.min_rtt_wlen * 1000;

    if (delayed && rtt_us > tp->min_rtt_us)
        return;
    tp->min_rtt_us =
        minmax_running_min(&tp->min_rtt, window, tcp_ts_now(tp->st), rtt_us ? rtt_us : 1);
}

/* RFC 4015 §3.2, step 9: after a spurious time-out the estimate must not forget the long round
 * trip. */
static void adapt_after_spurious(struct tcb *tp, uint32_t rtt_us)
{
    if (!tp->eifel_adapt || !seq_gt(tp->snd_una, tp->eifel.until))
        return;
    tp->eifel_adapt = false;
    tp->srtt_us = tp->eifel.srtt_us > rtt_us << 3 ? tp->eifel.srtt_us : rtt_us << 3;
    tp->mdev_us = rtt_us << 1; /* four times the half of it */
    if (tp->mdev_us > tp->rttvar_us)
        tp->rttvar_us = tp->mdev_us;
    if (tp->eifel.rttvar_us > tp->rttvar_us)
        tp->rttvar_us = tp->eifel.rttvar_us;
}

void tcp_rtt_sample(struct tcb *tp, uint32_t rtt_us)
{
    uint32_t floor = tcp_rto_min_us(tp);

    if (rtt_us == 0)
        rtt_us = 1;
    /* beyond two minutes the products above would leave 32 bits, and no RTO follows it anyway */
    if (rtt_us > 120000000)
        rtt_us = 120000000;
    COUNT(tp->st, tcp_rtt_samples);
    tp->tlp_sampled = true;
    if (tp->srtt_us)
        next_sample(tp, rtt_us, floor);
    else
        first_sample(tp, rtt_us, floor);
    if (!tp->srtt_us)
        tp->srtt_us = 1;
    adapt_after_spurious(tp, rtt_us);
    tp->rto = tcp_rto_of(tp);
    tp->backoff = 0;
}

void tcp_rtt_handshake(struct tcb *tp, uint32_t rtt_us)
{
    update_min_rtt(tp, rtt_us, false);
    tcp_rtt_sample(tp, rtt_us);
}

static int64_t since(const struct tcb *tp, uint64_t at)
{
    return at ? (int64_t)(tp->st->now - at) : -1;
}

/* The echoed timestamp, when nothing else may be measured (RFC 7323 §4). */
static int64_t echoed(const struct tcb *tp, const struct tcp_ack_state *as)
{
    uint32_t delta;

    if (!as->has_tsecr || !as->tsecr || !as->acked_packets)
        return -1;
    delta = tcp_ts_now(tp->st) + tp->ts_offset - as->tsecr;
    if (delta >= TCP_RTO_INIT / 1000 * 120)
        return -1;
    return delta ? (int64_t)delta * 1000 : 1000;
}

/* A lone packet, nothing else in the air: the peer may have held its ACK back. */
static bool may_be_delayed(const struct tcb *tp, const struct tcp_ack_state *as)
{
    return as->acked_packets == 1 && !as->prior_sacked_out && as->acked_bytes < tp->mss_cache &&
           as->rate.prior_delivered + 1 == tp->delivered && !as->new_sack && !as->ece && !as->dsack;
}

bool tcp_ack_update_rtt(struct tcb *tp, struct tcp_ack_state *as)
{
    int64_t rtt = -1, cc_rtt = -1;

    if (as->oldest_sent && !as->retrans_acked) {
        rtt = since(tp, as->oldest_sent);
        cc_rtt = since(tp, as->newest_sent);
        as->rate.ack_delayed = may_be_delayed(tp, as);
    }
    if (as->oldest_sack_sent) {
        if (rtt < 0)
            rtt = since(tp, as->oldest_sack_sent);
        cc_rtt = since(tp, as->newest_sack_sent);
    }
    if (rtt < 0)
        rtt = cc_rtt = echoed(tp, as);
    as->rtt_us = cc_rtt;
    if (rtt < 0)
        return false;
    if (cc_rtt >= 0)
        update_min_rtt(tp, (uint32_t)cc_rtt, as->rate.ack_delayed);
    tcp_rtt_sample(tp, rtt > UINT32_MAX ? UINT32_MAX : (uint32_t)rtt);
    return true;
}
