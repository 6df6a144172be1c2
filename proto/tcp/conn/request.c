/* SPDX-License-Identifier: MIT */
/*
 * A half-open connection: from the SYN that left it (listen.c) to the ACK that makes a connection
 * of it (child.c), in a small record (RFC 9293 §3.10.7.4 in SYN-RECEIVED; linux-receiver §10).
 *
 * The order of the checks is Linux's. The SYN-ACK is resent after 1, 3, 7, 15 and 31 s; the record
 * dies at 63 s. The final ACK is processed by the connection that it makes, data included.
 */
#include "proto/tcp/conn/request.h"
#include "proto/sock/sock_internal.h"

#include <errno.h>

void tcp_request_pool_init(struct stack *st)
{
    pool_init(&st->tcp.request_pool, &st->mem, sizeof(struct tcp_request));
}

static struct tcp_request *request_of(struct tcp_conn *c)
{
    return container_of(c, struct tcp_request, conn);
}

void tcp_request_store(struct stack *st, struct tcp_request *req)
{
    struct listener *l = req->listener->listener;

    req->stored = true;
    list_add_tail(&l->requests, &req->link);
    l->n_requests++;
    st->tcp.n_requests++;
    demux_insert(st, &req->conn);
}

void tcp_request_free(struct stack *st, struct tcp_conn *c)
{
    struct tcp_request *req = request_of(c);

    if (st->traces.waiting)
        tcp_trace_let_go(st, &c->local, &c->remote);
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

void tcp_request_wait(struct stack *st, struct tcp_request *req)
{
    stack_timer_arm(st, &req->timer, st->now + synack_timeout(st, req));
}

void tcp_request_answer(struct stack *st, struct tcp_request *req)
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
        tcp_request_answer(st, req);
        return;
    }
    if (has_expired(st, req)) {
        COUNT(st, tcp_requests_expired);
        tcp_request_free(st, &req->conn);
        return;
    }
    if (waits_for_data(req)) {
        req->timeouts++;
        tcp_request_wait(st, req);
    } else {
        req->timeouts++;
        req->retries++;
        COUNT(st, tcp_out_retrans);
        tcp_request_answer(st, req);
    }
    if (st->traces.waiting)
        tcp_trace_let_go(st, &req->conn.local, &req->conn.remote);
}

/* --- a segment for a request
 * ------------------------------------------------------------------------------- */

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
    if (!tcp_accept_queue_is_full(st, req->listener->listener))
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
            tcp_request_wait(st, req);
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
    tp = tcp_child_new(st, req, seg);
    if (!tp) {
        COUNT(st, sock_no_memory);
        return;
    }
    tcp_established_input(tp, seg);
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
