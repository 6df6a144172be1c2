/* SPDX-License-Identifier: MIT */
/*
 * Passive open: from a SYN at a listener to an established connection (RFC 9293 §3.10.7.2,
 * §3.10.7.4; linux-receiver §10).
 *
 * The order of the checks is Linux's. The SYN-ACK is resent after 1, 3, 7, 15 and 31 s; the record
 * dies at 63 s. The final ACK makes the full connection and is then processed by it, data included.
 * When the SYN queue is full the record travels in the SYN-ACK instead (cookie.c), and the ACK that
 * brings it back takes the same way.
 */
#include "proto/tcp/conn/request.h"
#include "proto/sock/sock_internal.h"
#include "proto/tcp/conn/cookie.h"

#include <errno.h>

#define COOKIE_LIFE 120000000u /**< after the last overflow (linux-receiver §10) */

void tcp_request_pool_init(struct stack *st)
{
    pool_init(&st->tcp.request_pool, &st->mem, sizeof(struct tcp_request));
}

static struct tcp_request *request_of(struct tcp_conn *c)
{
    return container_of(c, struct tcp_request, conn);
}

void tcp_request_free(struct stack *st, struct tcp_conn *c)
{
    struct tcp_request *req = request_of(c);

    stack_timer_stop(st, &req->timer);
    list_del(&req->link);
    req->listener->listener->n_requests--;
    st->tcp.n_requests--;
    demux_remove(st, c);
    pool_put(&st->tcp.request_pool, req);
}

void tcp_request_free_link(struct stack *st, struct list *link)
{
    tcp_request_free(st, &container_of(link, struct tcp_request, link)->conn);
}

/* --- the SYN-ACK
 * ------------------------------------------------------------------------------------------- */

static uint64_t synack_timeout(const struct stack *st, const struct tcp_request *req)
{
    uint64_t most = (uint64_t)st->tcp.tunables.rto_max_ms * 1000;
    uint64_t us = req->timeouts < 20 ? (uint64_t)TCP_RTO_INIT << req->timeouts : most;

    return us < most ? us : most;
}

static void answer_syn(struct stack *st, struct tcp_request *req)
{
    int err = tcp_send_synack(st, req);

    req->refused = err == -EAGAIN || err == -ENOBUFS;
    stack_timer_arm(st, &req->timer, st->now + (req->refused ? 1000 : synack_timeout(st, req)));
}

/* The peer has answered and its data is awaited: silence, but for one last SYN-ACK at the end
 * (Linux: syn_ack_recalc). */
static bool waits_for_data(const struct tcp_request *req)
{
    return req->acked && req->timeouts + 1 < req->listener->tcb->defer_accept;
}

static bool has_expired(const struct stack *st, const struct tcp_request *req)
{
    if (req->timeouts < st->tcp.tunables.synack_retries)
        return false;
    return !req->acked || req->timeouts >= req->listener->tcb->defer_accept;
}

void tcp_request_timer(struct stack *st, struct stack_timer *t)
{
    struct tcp_request *req = container_of(t, struct tcp_request, timer);

    if (req->refused) {
        answer_syn(st, req);
        return;
    }
    if (has_expired(st, req)) {
        COUNT(st, tcp_requests_expired);
        tcp_request_free(st, &req->conn);
        return;
    }
    if (waits_for_data(req)) {
        req->timeouts++;
        stack_timer_arm(st, &req->timer, st->now + synack_timeout(st, req));
        return;
    }
    req->timeouts++;
    req->retries++;
    COUNT(st, tcp_out_retrans);
    answer_syn(st, req);
}

/* --- a segment for a listener
 * ------------------------------------------------------------------------------ */

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

static bool accept_queue_is_full(struct stack *st, const struct listener *l)
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

static void store(struct stack *st, struct tcp_request *req)
{
    struct listener *l = req->listener->listener;

    req->stored = true;
    list_add_tail(&l->requests, &req->link);
    l->n_requests++;
    st->tcp.n_requests++;
    demux_insert(st, &req->conn);
}

static void listen_syn(struct stack *st, struct sock *s, const struct tcp_seg *seg, uint32_t isn)
{
    struct listener *l = s->listener;
    bool cookie = !isn && (syn_queue_full(st, l) || st->tcp.tunables.syncookies == 2);
    struct tcp_request *req;

    if (st->traces.waiting)
        tcp_trace_half_open(st, seg, s->tcb->bind.owner);
    if (cookie && !st->tcp.tunables.syncookies)
        return;
    if (accept_queue_is_full(st, l))
        return;
    if (cookie) {
        answer_with_cookie(st, s, seg);
        return;
    }
    if (!isn && last_quarter(st, l)) {
        COUNT(st, tcp_syn_queue_full);
        return;
    }
    req = request_new(st, s, seg, isn);
    if (!req) {
        COUNT(st, sock_no_memory);
        return;
    }
    store(st, req);
    answer_syn(st, req);
}

/* --- a segment for a request
 * ------------------------------------------------------------------------------- */

void tcp_inherit_options(struct tcb *tp, const struct tcb *from)
{
    tp->nonagle = from->nonagle;
    tp->rcvbuf = from->rcvbuf;
    tp->sndbuf = from->sndbuf;
    tp->rcvbuf_locked = from->rcvbuf_locked;
    tp->sndbuf_locked = from->sndbuf_locked;
    tp->keepalive = from->keepalive;
    tp->keep_idle_s = from->keep_idle_s;
    tp->keep_intvl_s = from->keep_intvl_s;
    tp->keep_cnt = from->keep_cnt;
    tp->linger2_s = from->linger2_s;
    tp->user_timeout_ms = from->user_timeout_ms;
    tp->notsent_lowat = from->notsent_lowat;
    tp->user_mss = from->user_mss;
    tp->user_clamp = from->user_clamp;
    tp->max_pacing_rate = from->max_pacing_rate;
    tp->tos = from->tos;
    tp->pmtudisc = from->pmtudisc;
    tp->ttl = from->ttl;
    tp->min_ttl = from->min_ttl;
    tp->rto_min_ms = from->rto_min_ms;
    tp->syn_cnt = from->syn_cnt;
    tp->cc = from->cc;
}

static void fill_from_request(struct tcb *tp, const struct tcp_request *req,
                              const struct tcp_seg *seg)
{
    tp->conn.local = req->conn.local;
    tp->conn.remote = req->conn.remote;
    tp->passive = true;
    tp->iss = req->iss;
    tp->irs = req->irs;
    tp->snd_una = tp->snd_nxt = tp->write_seq = tp->pushed_seq = tp->snd_sml = tp->snd_up =
        req->iss + 1;
    tp->rcv_nxt = tp->rcv_wup = req->irs + 1;
    tp->rcv_wnd = req->rcv_wnd;
    tp->rcv_ssthresh = req->rcv_wnd;
    tp->window_clamp = req->window_clamp;
    tp->wscale_ok = req->wscale_ok;
    tp->snd_wscale = req->snd_wscale;
    tp->rcv_wscale = req->rcv_wscale;
    tp->snd_wnd = (uint32_t)seg->window << req->snd_wscale;
    tp->max_window = tp->snd_wnd;
    tp->snd_wl1 = seg->seq;
    tp->sack_ok = req->sack_ok;
    tp->ts_ok = req->ts_ok;
    tp->ts_offset = req->ts_offset;
    tp->ts_recent = req->ts_recent;
    tp->ts_recent_valid = req->ts_ok;
    tp->ts_recent_stamp_s = (uint32_t)(tp->st->now / 1000000);
    tp->advmss = req->advmss;
    tp->mss_clamp = req->peer_mss ? req->peer_mss : TCP_DEFAULT_MSS_V4;
    tp->pmtu = req->pmtu;
    uto_schedule(tp);
    if (req->uto)
        uto_received(tp, req->uto);
    if (seg->opt.uto)
        uto_received(tp, seg->opt.uto);
    tcp_ecn_child(tp, req, seg);
    tp->total_retrans = req->retries;
    tp->segs_in = 1 + seg->n_segs; /* the SYN and this one */
    tp->delivered = 1;             /* the SYN-ACK */
}

/* Established by the final ACK (the fifth check of RFC 9293 §3.10.7.4 in SYN-RECEIVED). NULL: no
 * memory, the record stays. */
static struct tcb *make_child(struct stack *st, struct tcp_request *req, const struct tcp_seg *seg)
{
    struct sock *parent = req->listener;
    struct tcb *tp = tcb_new(st, tcp_account(parent->tcb));
    struct sock *child;

    if (!tp)
        return NULL;
    child = sock_wrap(st, tp);
    if (!child) {
        tcb_free(tp);
        return NULL;
    }
    child->v6 = parent->v6;
    child->linger = parent->linger;
    child->linger_s = parent->linger_s;
    child->rcv_timeout_us = parent->rcv_timeout_us;
    child->snd_timeout_us = parent->snd_timeout_us;
    child->rcvlowat = parent->rcvlowat;
    child->oob_inline = parent->oob_inline;
    child->no_port = parent->no_port;
    child->tclass = parent->tclass;
    child->reuse_addr = parent->reuse_addr;
    child->reuse_port = parent->reuse_port;
    child->was_connected = true;
    tcp_inherit_options(tp, parent->tcb);
    fill_from_request(tp, req, seg);
    port_inherit(&tp->bind, &parent->tcb->bind);
    tp->bind.addr = tp->conn.local.addr;
    if (req->retries)
        tp->rto = TCP_RTO_FALLBACK;
    else if (!req->cookie)
        tcp_rtt_handshake(tp, (uint32_t)(st->now - req->sent_at));
    if (req->cookie)
        COUNT(st, tcp_cookies_taken);
    if (req->stored)
        tcp_request_free(st, &req->conn);
    demux_insert(st, &tp->conn);
    if (st->traces.waiting)
        tcp_trace_born(tp);
    tcp_set_state(tp, TCPS_ESTABLISHED);
    tcp_init_transfer(tp);
    COUNT(st, tcp_passive_opens);
    child->parent = parent;
    list_add_tail(&parent->listener->accepted, &child->accept_link);
    listener_count(parent->listener, 1);
    sock_event(parent, SOCK_EV_ACCEPT);
    return tp;
}

/* One answer to a repeated or invalid segment in tcp_invalid_ratelimit; the SYN-ACK itself does not
 * count (Linux: last_oow_ack_time). */
static bool may_answer(const struct stack *st, struct tcp_request *req)
{
    if (req->answered_at &&
        st->now - req->answered_at < (uint64_t)st->tcp.tunables.invalid_ratelimit * 1000)
        return false;
    req->answered_at = st->now;
    return true;
}

static void limited_ack(struct stack *st, struct tcp_request *req)
{
    struct tcp_reply r = {.local = req->conn.local,
                          .remote = req->conn.remote,
                          .seq = req->iss + 1,
                          .ack = req->irs + 1,
                          .window =
                              (req->rcv_wnd < 65535 ? req->rcv_wnd : 65535) >> req->rcv_wscale,
                          .flags = (uint16_t)(TH_ACK | tcp_ecn_request_ack_flags(req)),
                          .has_ts = req->ts_ok,
                          .tsval = tcp_ts_now(st) + req->ts_offset,
                          .tsecr = req->ts_recent};

    if (!may_answer(st, req)) {
        COUNT(st, tcp_challenge_limited);
        return;
    }
    COUNT(st, tcp_challenge_acks);
    tcp_send_reply(st, &r);
}

static bool in_window(const struct tcp_request *req, const struct tcp_seg *seg)
{
    uint32_t left = req->irs + 1;
    uint32_t right = left + (req->rcv_wnd < 65535 ? req->rcv_wnd : 65535);

    return seq_geq(seg->end_seq, left) && seq_leq(seg->seq, right);
}

static bool is_old_stamp(const struct stack *st, const struct tcp_request *req,
                         const struct tcp_seg *seg)
{
    return req->ts_ok && seg->opt.has_ts &&
           tcp_paws_reject(req->ts_recent, (uint32_t)(req->sent_at / 1000000), true,
                           (uint32_t)(st->now / 1000000), seg->opt.tsval, 0);
}

/* RST, SYN and flagless segments inside the window. False: the segment is dealt with. */
static bool check_flags(struct stack *st, struct tcp_request *req, const struct tcp_seg *seg)
{
    if (seg->flags & TH_RST) {
        if (seg->seq == req->irs + 1) {
            COUNT(st, tcp_in_rst);
            tcp_request_free(st, &req->conn);
        } else {
            COUNT(st, tcp_in_rst_ignored);
            limited_ack(st, req);
        }
        return false;
    }
    if (seg->flags & TH_SYN) {
        COUNT(st, tcp_in_syn_in_window);
        tcp_send_reset(st, seg);
        tcp_request_free(st, &req->conn);
        return false;
    }
    if (!(seg->flags & TH_ACK)) {
        COUNT(st, tcp_in_no_flags);
        return false;
    }
    return true;
}

static bool accept_queue_full(struct stack *st, struct tcp_request *req, const struct tcp_seg *seg)
{
    if (!accept_queue_is_full(st, req->listener->listener))
        return false;
    req->acked = true;
    if (st->tcp.tunables.abort_on_overflow) {
        tcp_send_reset(st, seg);
        tcp_request_free(st, &req->conn);
    }
    return true;
}

/* TCP_DEFER_ACCEPT: the program wants to hear of a connection when there is something to read. */
static bool deferred(struct stack *st, struct tcp_request *req, const struct tcp_seg *seg)
{
    if (req->timeouts >= req->listener->tcb->defer_accept || seg->end_seq != req->irs + 1)
        return false;
    req->acked = true;
    COUNT(st, tcp_defer_accept_dropped);
    return true;
}

/* Understood by a client that has our SYN-ACK, and by one that waits for it. */
static void reset_request(struct stack *st, struct tcp_request *req)
{
    struct tcp_reply r = {.local = req->conn.local,
                          .remote = req->conn.remote,
                          .seq = req->iss + 1,
                          .ack = req->irs + 1,
                          .flags = TH_RST | TH_ACK};

    COUNT(st, tcp_out_rst);
    tcp_send_reply(st, &r);
    tcp_request_free(st, &req->conn);
}

uint8_t tcp_request_min_ttl(struct tcp_conn *c)
{
    return request_of(c)->listener->tcb->min_ttl;
}

void tcp_request_input(struct stack *st, struct tcp_conn *c, const struct tcp_seg *seg)
{
    struct tcp_request *req = request_of(c);
    struct tcb *tp;

    if (st->traces.waiting)
        tcp_trace_half_open(st, seg, req->listener->tcb->bind.owner);
    if ((seg->flags & (TH_SYN | TH_ACK | TH_RST)) == TH_SYN && seg->seq == req->irs &&
        !is_old_stamp(st, req, seg)) {
        /* the SYN again: our answer was lost */
        if (!tcp_ecn_syn_again(req, seg)) {
            reset_request(st, req);
            return;
        }
        if (may_answer(st, req)) {
            tcp_send_synack(st, req);
            stack_timer_arm(st, &req->timer, st->now + synack_timeout(st, req));
        }
        return;
    }
    if ((seg->flags & TH_ACK) && !(seg->flags & TH_RST) && seg->ack != req->iss + 1) {
        COUNT(st, tcp_in_ack_unsent);
        tcp_send_reset(st, seg);
        return;
    }
    if (is_old_stamp(st, req, seg) || !in_window(req, seg)) {
        COUNT(st, tcp_in_outside_window);
        if (!(seg->flags & TH_RST))
            limited_ack(st, req);
        return;
    }
    if (tcp_lacks_timestamp(st, req->ts_ok, seg))
        return;
    if (!check_flags(st, req, seg) || deferred(st, req, seg) || accept_queue_full(st, req, seg))
        return;
    if (req->ts_ok && seg->opt.has_ts && seq_leq(seg->seq, req->irs + 1))
        req->ts_recent = seg->opt.tsval;
    tp = make_child(st, req, seg);
    if (!tp) {
        COUNT(st, sock_no_memory);
        return;
    }
    tcp_established_input(tp, seg);
}

/* --- a segment for a listener, again: an ACK may bring a cookie back
 * ---------------------------------------- */

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
    store(st, req);
    stack_timer_arm(st, &req->timer, st->now + synack_timeout(st, req));
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
    if (accept_queue_is_full(st, s->listener)) {
        keep_cookie(st, &req);
        return true;
    }
    tp = make_child(st, &req, seg);
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
    listen_syn(st, s, seg, isn);
}

/* ICMP removes a request only when it quotes our SYN-ACK (RFC 5927 §4.1) and for errors that Linux
 * lets through. */
void tcp_request_icmp(struct stack *st, struct tcp_conn *c, const struct icmp_error *e,
                      uint32_t seq)
{
    struct tcp_request *req = request_of(c);

    if (seq != req->iss || e->error == EMSGSIZE || !tcp_icmp_ends_syn(st, e))
        return;
    COUNT(st, tcp_open_failed);
    tcp_request_free(st, c);
}

void tcp_request_info(const struct stack *st, const struct tcp_conn *c, struct sock_info *info)
{
    const struct tcp_request *req = container_of(c, struct tcp_request, conn);
    uint64_t at = req->timer.node.deadline;

    info->state = TCPS_SYN_RECV;
    info->local = c->local;
    info->remote = c->remote;
    info->timer = "on";
    info->timer_us = at > st->now ? at - st->now : 0;
    info->tcp.retransmits = req->retries;
    info->tcp.state = TCPS_SYN_RECV;
}
