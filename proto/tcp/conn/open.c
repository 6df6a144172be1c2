/* SPDX-License-Identifier: MIT */
/*
 * Active open (RFC 9293 §3.10.1, §3.5): the SYN is the first segment of the write queue and is
 * retransmitted like any other; its schedule is Linux's (four linear time-outs, then doubling).
 */
#include "proto/sock/sock_internal.h"

#include <errno.h>

static int choose_source(struct tcb *tp, const struct ip_endpoint *remote)
{
    struct stack *st = tp->st;
    struct route rt;
    int err = route_lookup(st, &remote->addr, &rt);

    if (err)
        return err;
    tcp_rto_min_learn(tp);
    if (ip_addr_is_any(&tp->conn.local.addr))
        tp->conn.local.addr = rt.source;
    tp->pmtu = (uint16_t)rt.mtu;
    tp->pmtu_until = 0;
    return 0;
}

/* An explicit bind() fixes the port; the tuple must still be free, or a TIME-WAIT that may be taken
 * over. */
static int claim_tuple(struct tcb *tp, uint32_t *tw_isn)
{
    struct stack *st = tp->st;
    struct tcp_conn *old;
    int err;

    *tw_isn = 0;
    if (!tp->bind.bucket) {
        err = port_connect(st, &tp->bind, &tp->conn.local.addr, &tp->conn.remote);
        if (err)
            return err;
        tp->conn.local.port = port_of(&tp->bind);
        return 0;
    }
    tp->bind.addr = tp->conn.local.addr;
    tp->conn.local.port = port_of(&tp->bind);
    old = demux_find(st, &tp->conn.local, &tp->conn.remote);
    if (!old)
        return 0;
    if (old->kind == TCP_KIND_TIMEWAIT && tcp_timewait_reuse(st, old, tw_isn, &tp->ts_recent))
        return 0;
    return -EADDRNOTAVAIL;
}

static int queue_syn(struct tcb *tp)
{
    struct segment *seg = segment_new(tp);

    if (!seg)
        return -ENOMEM;
    seg->seq = tp->iss;
    seg->end_seq = tp->iss + 1;
    seg->flags = SEG_SYN;
    seg->pcount = 1;
    list_add_tail(&tp->sendq, &seg->link);
    return 0;
}

/* A SYN that the device refused was no attempt: again as soon as the device may take it. */
void tcp_retry_syn(struct tcb *tp)
{
    struct segment *syn = scoreboard_first(tp);
    int err;

    if (!syn || syn->sent_at)
        return;
    err = tcp_transmit_segment(tp, syn, tp->mss_cache);
    if (err == -EAGAIN || err == -ENOBUFS)
        tcp_timer_set(tp, TCP_TIMER_retry, tp->st->now + 1000);
    tcp_timer_set(tp, TCP_TIMER_rexmt, tp->st->now + tp->rto);
}

/* Send the SYN that heads the send queue. */
static void send_syn(struct tcb *tp)
{
    struct segment *seg = wqueue_send_head(tp);

    scoreboard_add(tp, seg);
    tp->snd_nxt = tp->iss + 1;
    tcp_retry_syn(tp);
}

static void init_sequence(struct tcb *tp, uint32_t tw_isn)
{
    struct stack *st = tp->st;

    tp->iss = tw_isn ? tw_isn : isn_generate(st, &tp->conn.local, &tp->conn.remote);
    tp->ts_offset = isn_ts_offset(st, &tp->conn.local, &tp->conn.remote);
    tp->snd_una = tp->snd_nxt = tp->snd_sml = tp->snd_up = tp->iss;
    tp->write_seq = tp->pushed_seq = tp->iss + 1;
    tp->snd_offset = 0;
    tp->ts_ok = st->tcp.tunables.timestamps;
    tp->wscale_ok = st->tcp.tunables.window_scaling;
    tp->sack_ok = st->tcp.tunables.sack;
    tp->advmss = (uint16_t)tcp_advertise_mss(st, &tp->conn.remote.addr, tp->user_mss);
    tp->mss_clamp = UINT16_MAX;
    tcp_sync_mss(tp, tp->pmtu);
    tp->window_clamp = tcp_initial_clamp(tp);
    tcp_window_initial(st, tp->rcvbuf, tp->advmss, tp->wscale_ok, &tp->rcv_wnd, &tp->rcv_wscale,
                       &tp->window_clamp);
    tp->rcv_ssthresh = tp->rcv_wnd;
    tp->rcv_nxt = tp->rcv_wup = 0;
    tcp_rtt_init(tp);
    tcp_ecn_open(tp);
    tp->cwnd = 1;
    tp->syn_sent_at = st->now;
}

/* A socket whose last attempt failed starts anew. */
static void forget_attempt(struct tcb *tp)
{
    tp->retransmits = tp->backoff = tp->probes_out = 0;
    tp->total_retrans = tp->total_rto = 0;
    tp->retrans_stamp = 0;
    tp->soft_error = 0;
    tp->uto_adopted_ms = 0;
    tp->ts_recent = 0;
    tp->ts_recent_valid = false;
    tp->send_shutdown = tp->rcv_shutdown = false;
    tp->ca_state = CA_OPEN;
}

int tcp_connect(struct tcb *tp, const struct ip_endpoint *remote)
{
    struct stack *st = tp->st;
    bool was_bound = tp->bind.bucket != NULL;
    uint32_t tw_isn;
    int err;

    if (ip_addr_is_bad_peer(st, &remote->addr))
        return -ENETUNREACH;
    forget_attempt(tp);
    tp->conn.remote = *remote;
    err = choose_source(tp, remote);
    if (!err)
        err = claim_tuple(tp, &tw_isn);
    if (err)
        return err;
    init_sequence(tp, tw_isn);
    err = queue_syn(tp);
    if (err) {
        if (!was_bound)
            port_release(st, &tp->bind);
        return err;
    }
    demux_insert(st, &tp->conn);
    if (st->traces.waiting)
        tcp_trace_born(tp);
    tcp_set_state(tp, TCPS_SYN_SENT);
    COUNT(st, tcp_active_opens);
    send_syn(tp);
    return 0;
}

void tcp_finish_connect(struct tcb *tp)
{
    tcp_set_state(tp, TCPS_ESTABLISHED);
    tcp_init_transfer(tp);
    if (tp->sock)
        sock_event(tp->sock, SOCK_EV_CONNECTED | SOCK_EV_WRITABLE);
}
