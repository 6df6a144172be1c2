/* SPDX-License-Identifier: MIT */
/*
 * Birth, life and death of a connection's control block.
 *
 * A tcb is born with its socket (or at the end of a passive handshake), enters the demultiplexing
 * table when it gets a peer, and leaves all tables in tcp_done(). It is freed when it is done and
 * no socket holds it.
 */
#include "proto/sock/sock_internal.h"

#include <errno.h>
#include <netinet/in.h>

struct tcb *tcb_new(struct stack *st, struct account *account)
{
    struct tcp_tunables *tun = &st->tcp.tunables;
    struct tcb *tp = pool_get(&st->tcp.tcb_pool);

    if (!tp)
        return NULL;
    tp->st = st;
    if (!quota_join(tp, account)) {
        pool_put(&st->tcp.tcb_pool, tp);
        return NULL;
    }
    tp->conn.kind = TCP_KIND_FULL;
    tp->conn.state = TCPS_CLOSED;
    tp->timer.node.kind = STACK_TIMER_TCP;
    list_init(&tp->dirty);
    list_init(&tp->sendq);
    list_init(&tp->rtxq);
    list_init(&tp->sent_order);
    tp->rcvbuf = (uint32_t)tun->rmem_default;
    tp->sndbuf = (uint32_t)tun->wmem_default;
    tp->reordering = (uint16_t)tun->reordering;
    tp->ssthresh = TCP_INIT_SSTHRESH;
    tp->cwnd = (uint32_t)tun->initial_cwnd;
    tp->cc = tcp_cc_at((unsigned)tun->congestion_control);
    tp->rack.reo_wnd_steps = 1;
    tp->pacing_rate = UINT64_MAX;
    tp->max_pacing_rate = UINT64_MAX;
    tp->mss_clamp = UINT16_MAX;
    tp->mtup.search_high = UINT16_MAX;
    tp->pmtudisc = tun->no_pmtu_disc ? IP_PMTUDISC_DONT : IP_PMTUDISC_WANT;
    tp->ip_id = (uint16_t)rng_u32(&st->rng);
    tcp_rtt_init(tp);
    hash_insert(&st->tcp.by_id, &tp->id_node, st->next_id);
    st->next_id += st->config.steer.count > 1 ? st->config.steer.count : 1;
    st->tcp.n_tcbs++;
    return tp;
}

void tcp_set_state(struct tcb *tp, enum tcp_state state)
{
    TCP_TRACE(tp, tcp_set_state, TRACE_WHY_none, tp->conn.state, state);
    tp->conn.state = (uint8_t)state;
    if (state == TCPS_ESTABLISHED)
        tp->opened_at = tp->st->now;
}

void tcp_touch(struct tcb *tp, uint8_t pending)
{
    tp->pending |= pending;
    if (!list_linked(&tp->dirty))
        list_add_tail(&tp->st->dirty, &tp->dirty);
}

static void free_segments(struct tcb *tp, struct list *queue)
{
    struct list *l;

    while ((l = list_pop(queue)))
        segment_free(tp, container_of(l, struct segment, link));
}

/* The bytes that are still to be read stay: a reset keeps the receive queue (linux-receiver §14).
 */
void tcp_done(struct tcb *tp)
{
    if (tp->conn.kind == TCP_KIND_FULL && tp->conn.state != TCPS_CLOSED && tp->conn.node.hash)
        demux_remove(tp->st, &tp->conn);
    tcp_set_state(tp, TCPS_CLOSED);
    tcp_timers_stop(tp);
    tcp_cc_stop(tp);
    list_del(&tp->dirty);
    tp->pending = 0;
    free_segments(tp, &tp->sendq);
    scoreboard_clear(tp);
    segment_free(tp, tp->spare);
    tp->spare = NULL;
    tcp_chrono_stop(tp, TCP_CHRONO_app);
    tp->snd_una = tp->snd_nxt = tp->write_seq;
    bytestream_destroy(&tp->snd);
    tcp_ooo_purge(tp);
    tcp_window_give_back(tp);
    if (!tp->sock || !tp->bind.fixed)
        port_release(tp->st, &tp->bind);
    tp->send_shutdown = true;
    tp->rcv_shutdown = true;
}

void tcp_finish(struct tcb *tp, int error)
{
    struct sock *s = tp->sock;

    tcp_done(tp);
    if (s)
        sock_dead(s, error);
    else
        tcb_free(tp);
}

void tcb_free(struct tcb *tp)
{
    struct stack *st = tp->st;

    if (tp->orphan)
        st->tcp.n_orphans--;
    if (tp->traced)
        tcp_trace_gone(tp);
    tcp_timers_stop(tp);
    tcp_cc_stop(tp);
    tcp_accecn_free(tp);
    tcp_chrono_free(tp);
    list_del(&tp->dirty);
    tcp_unshare(tp);
    bytestream_destroy(&tp->rcv);
    bytestream_destroy(&tp->snd);
    tcp_ooo_purge(tp);
    tcp_window_give_back(tp);
    port_release(st, &tp->bind);
    hash_remove(&st->tcp.by_id, &tp->id_node);
    st->tcp.n_tcbs--;
    quota_leave(tp);
    pool_put(&st->tcp.tcb_pool, tp);
}

void tcp_orphan(struct tcb *tp)
{
    struct stack *st = tp->st;

    tp->sock = NULL;
    tp->held = 0;
    if (tp->conn.state == TCPS_CLOSED) {
        tcb_free(tp);
        return;
    }
    tp->orphan = true;
    st->tcp.n_orphans++;
    COUNT(st, tcp_orphans);
    if (st->tcp.n_orphans > stack_share_of(st, st->tcp.tunables.max_orphans)) {
        COUNT(st, tcp_orphans_killed);
        tcp_send_active_reset(tp);
        tcp_finish(tp, 0);
    }
}

void tcp_init_transfer(struct tcb *tp)
{
    struct stack *st = tp->st;

    tp->stalled_since = 0;
    tp->last_received = st->now;
    tp->last_ack_received = st->now;
    tp->pushed_seq = tp->write_seq;
    tp->snd_sml = tp->snd_una;
    tp->cwnd_usage_seq = tp->snd_nxt;
    tcp_mtup_init(tp);
    tcp_check_pmtu(tp);
    tcp_sync_mss(tp, tp->pmtu);
    if (tp->ts_ok)
        tp->advmss -= TCP_TIMESTAMP_SPACE;
    tcp_window_init(tp);
    /* RFC 6928: ten segments; one after a lost SYN (RFC 5681 §3.1) or a marked one (RFC 5562 §3.2).
     */
    tp->cwnd = tp->total_retrans > 1 || tp->ecn.syn_ce ? 1 : tcp_init_cwnd(tp);
    tcp_cwnd_init(tp);
    tcp_cc_start(tp);
    tcp_sndbuf_expand(tp);
    tcp_update_pacing_rate(tp);
    if (tp->keepalive)
        tcp_keepalive_start(tp);
}

static struct tcb *by_id(struct stack *st, uint64_t id)
{
    struct hash_node *n = hash_first(&st->tcp.by_id, id);

    return n ? container_of(n, struct tcb, id_node) : NULL;
}

void tcp_device_queued(struct stack *st, uint64_t owner, uint32_t bytes)
{
    struct tcb *tp = by_id(st, owner);

    if (tp)
        tp->device_queued += bytes;
}

/* Transmit completion: pending losses first, then new data (linux-sender §5, small queues). */
void tcp_transmitted(struct stack *st, uint64_t owner, uint32_t bytes)
{
    struct tcb *tp = by_id(st, owner);

    if (!tp)
        return;
    tp->device_queued -= bytes < tp->device_queued ? bytes : tp->device_queued;
    /* the connection may be over, and its socket listen */
    if (tp->conn.state != TCPS_CLOSED && tp->conn.state != TCPS_LISTEN)
        tcp_touch(tp, TCP_PEND_OUTPUT | TCP_PEND_RETRANS);
}
