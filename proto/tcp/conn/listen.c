/* SPDX-License-Identifier: MIT */
/*
 * A segment for a listener (RFC 9293 §3.10.7.2; linux-receiver §10): a SYN leaves a small record
 * (request.c). When the SYN queue is full the record travels in the SYN-ACK instead (cookie.c), and
 * the ACK that brings it back makes the connection at once.
 */
#include "proto/sock/sock_internal.h"
#include "proto/tcp/conn/cookie.h"
#include "proto/tcp/conn/request.h"

#define COOKIE_LIFE 120000000u /**< after the last overflow (linux-receiver §10) */

static bool syn_queue_full(struct stack *st, const struct listener *l)
{
    uint32_t limit = l->backlog;

    if (limit > (uint32_t)st->tcp.tunables.max_syn_backlog)
        limit = (uint32_t)st->tcp.tunables.max_syn_backlog;
    if (l->n_requests <= limit)
        return false;
    COUNT(st, tcp_syn_queue_full);
    return true;
}

bool tcp_accept_queue_is_full(struct stack *st, const struct listener *l)
{
    if (listener_waiting(l) <= l->backlog)
        return false;
    COUNT(st, tcp_accept_queue_full);
    return true;
}

/* Without cookies the last quarter is for peers that have proved themselves, and we remember none.
 */
static bool last_quarter(struct stack *st, const struct listener *l)
{
    uint32_t most = (uint32_t)st->tcp.tunables.max_syn_backlog;

    return !st->tcp.tunables.syncookies && l->n_requests + most / 4 > most;
}

static void take_options(struct stack *st, struct tcp_request *req, const struct tcp_seg *seg)
{
    const struct tcp_options *o = &seg->opt;
    const struct tcp_tunables *tun = &st->tcp.tunables;

    req->peer_mss = o->has_mss ? o->mss : 0;
    req->uto = o->uto;
    req->sack_ok = o->sack_ok && tun->sack;
    req->ts_ok = o->has_ts && tun->timestamps;
    req->ts_recent = o->tsval;
    tcp_ecn_syn_received(st, req, seg);
    req->wscale_ok = o->has_wscale && tun->window_scaling;
    req->snd_wscale = req->wscale_ok ? o->wscale : 0;
}

static void choose_window(struct stack *st, struct tcp_request *req, const struct tcb *parent)
{
    uint32_t mss = req->advmss - (req->ts_ok ? TCP_TIMESTAMP_SPACE : 0);

    req->window_clamp = tcp_initial_clamp(parent);
    tcp_window_initial(st, parent->rcvbuf, mss, req->wscale_ok, &req->rcv_wnd, &req->rcv_wscale,
                       &req->window_clamp);
}

/* What a SYN says, but for the choice of our own ISN. 0, or a negative errno value: no way back to
 * the peer. */
static int request_fill(struct stack *st, struct tcp_request *req, struct sock *s,
                        const struct tcp_seg *seg)
{
    struct route rt;
    int err;

    req->conn.kind = TCP_KIND_REQUEST;
    req->conn.state = TCPS_SYN_RECV;
    req->conn.local = (struct ip_endpoint){seg->packet->dst, seg->dst_port};
    req->conn.remote = (struct ip_endpoint){seg->packet->src, seg->src_port};
    err = route_lookup(st, &req->conn.remote.addr, &rt);
    if (err)
        return err;
    req->pmtu = (uint16_t)rt.mtu;
    req->listener = s;
    req->timer.node.kind = STACK_TIMER_REQUEST;
    req->irs = seg->seq;
    req->ts_offset = isn_ts_offset(st, &req->conn.local, &req->conn.remote);
    req->tos = s->tcb->tos;
    req->ttl = s->tcb->ttl;
    req->sent_at = st->now;
    req->advmss = (uint16_t)tcp_advertise_mss(st, &req->conn.remote.addr, s->tcb->user_mss);
    return 0;
}

static struct tcp_request *request_new(struct stack *st, struct sock *s, const struct tcp_seg *seg,
                                       uint32_t isn)
{
    struct tcp_request *req = pool_get(&st->tcp.request_pool);

    if (!req)
        return NULL;
    if (request_fill(st, req, s, seg) != 0) {
        pool_put(&st->tcp.request_pool, req);
        return NULL;
    }
    req->iss = isn ? isn : isn_generate(st, &req->conn.local, &req->conn.remote);
    take_options(st, req, seg);
    choose_window(st, req, s->tcb);
    return req;
}

/* The SYN queue is full: answer, and keep nothing. Without timestamps there is no room for the
 * other options. */
static void answer_with_cookie(struct stack *st, struct sock *s, const struct tcp_seg *seg)
{
    struct tcp_request req = {.cookie = true};
    uint16_t mss;

    if (request_fill(st, &req, s, seg) != 0)
        return;
    take_options(st, &req, seg);
    if (!req.ts_ok) {
        req.wscale_ok = req.sack_ok = false;
        if (req.ecn == TCP_ECN_CLASSIC)
            req.ecn = TCP_ECN_OFF; /* AccECN is remembered by the peer's next segment */
    }
    choose_window(st, &req, s->tcb);
    mss = req.peer_mss ? req.peer_mss : TCP_DEFAULT_MSS_V4;
    req.iss = cookie_isn(st, &req.conn.local, &req.conn.remote, req.irs, &mss);
    s->listener->overflow_at = st->now;
    COUNT(st, tcp_cookies_sent);
    tcp_send_synack(st, &req);
}

/* True: it is kept, and answered. */
static bool listen_syn(struct stack *st, struct sock *s, const struct tcp_seg *seg, uint32_t isn)
{
    struct listener *l = s->listener;
    bool cookie = !isn && (syn_queue_full(st, l) || st->tcp.tunables.syncookies == 2);
    struct tcp_request *req;

    if (st->traces.waiting)
        tcp_trace_half_open(st, seg, s->tcb->bind.owner);
    if (cookie && !st->tcp.tunables.syncookies)
        return false;
    if (tcp_accept_queue_is_full(st, l))
        return false;
    if (cookie) {
        answer_with_cookie(st, s, seg);
        return false;
    }
    if (!isn && last_quarter(st, l)) {
        COUNT(st, tcp_syn_queue_full);
        return false;
    }
    req = request_new(st, s, seg, isn);
    if (!req) {
        COUNT(st, sock_no_memory);
        return false;
    }
    tcp_request_store(st, req);
    tcp_request_answer(st, req);
    return true;
}

/* --- an ACK may bring a cookie back
 */

static bool cookie_is_welcome(const struct stack *st, const struct listener *l)
{
    return st->tcp.tunables.syncookies && l->overflow_at && st->now - l->overflow_at <= COOKIE_LIFE;
}

/* The request that a cookie stands for, as if it had been kept. False: it is none of ours. */
static bool request_from_cookie(struct stack *st, struct tcp_request *req, struct sock *s,
                                const struct tcp_seg *seg)
{
    const struct tcp_tunables *tun = &st->tcp.tunables;
    struct cookie_options o = {0};

    if (request_fill(st, req, s, seg) != 0)
        return false;
    req->irs = seg->seq - 1;
    req->iss = seg->ack - 1;
    req->peer_mss = cookie_check(st, &req->conn.local, &req->conn.remote, req->irs, req->iss);
    if (!req->peer_mss || (seg->opt.has_ts && !tun->timestamps))
        return false;
    if (seg->opt.has_ts) {
        cookie_read_timestamp(seg->opt.tsecr - req->ts_offset, &o);
        if ((o.wscale_ok && !tun->window_scaling) || (o.sack_ok && !tun->sack))
            return false;
        req->sack_ok = o.sack_ok;
        req->ts_ok = true;
        req->ts_recent = seg->opt.tsval;
        req->wscale_ok = o.wscale_ok;
        req->snd_wscale = o.wscale;
    }
    tcp_ecn_from_cookie(st, req, seg->opt.has_ts && o.ecn_ok, seg);
    choose_window(st, req, s->tcb);
    return true;
}

/*
 * The accept queue is full when a cookie comes back. Linux forgets it; but of what the client sends
 * next, only the first segment has the sequence number that a cookie is checked with, and the
 * others would be reset. The client has shown its address, so it is kept as one that is half open,
 * beyond the listener's backlog if need be.
 */
static void keep_cookie(struct stack *st, const struct tcp_request *from)
{
    struct tcp_request *req;

    if (from->listener->listener->n_requests >= (uint32_t)st->tcp.tunables.max_syn_backlog)
        return;
    req = pool_get(&st->tcp.request_pool);
    if (!req) {
        COUNT(st, sock_no_memory);
        return;
    }
    *req = *from;
    req->acked = true;
    tcp_request_store(st, req);
    tcp_request_wait(st, req);
}

/* True: the segment is dealt with. */
static bool take_cookie(struct stack *st, struct sock *s, const struct tcp_seg *seg)
{
    struct tcp_request req = {.cookie = true};
    struct tcb *tp;

    if ((seg->flags & TH_SYN) || !cookie_is_welcome(st, s->listener))
        return false;
    if (!request_from_cookie(st, &req, s, seg)) {
        COUNT(st, tcp_cookies_failed);
        return false;
    }
    if (tcp_accept_queue_is_full(st, s->listener)) {
        keep_cookie(st, &req);
        return true;
    }
    tp = tcp_child_new(st, &req, seg);
    if (!tp) {
        COUNT(st, sock_no_memory);
        return true;
    }
    tcp_established_input(tp, seg);
    return true;
}

void tcp_listen_input(struct stack *st, struct sock *s, const struct tcp_seg *seg, uint32_t isn)
{
    if (seg->flags & TH_RST)
        return;
    if (seg->flags & TH_ACK) {
        if (!take_cookie(st, s, seg))
            tcp_send_reset(st, seg);
        return;
    }
    if (!(seg->flags & TH_SYN) || (seg->flags & TH_FIN)) {
        COUNT(st, tcp_in_no_flags);
        return;
    }
    if (!listen_syn(st, s, seg, isn) && st->traces.waiting)
        tcp_trace_refused(st, seg);
}
