/* SPDX-License-Identifier: MIT */
/*
 * TCP input: from a packet to the connection that it belongs to, then the checks of RFC 9293
 * §3.10.7 in their order.
 *
 * Each step is a room of its own under input/: parse, validate (PAWS, sequence, RST, SYN), ack,
 * data, window, delack. Input only changes state; what has to be sent waits on the dirty list until
 * stack_run() (output.c).
 */
#include "proto/sock/sock_internal.h"

#include <errno.h>

static void established_by_ack(struct tcb *tp, const struct tcp_seg *seg)
{
    tcp_set_state(tp, TCPS_ESTABLISHED);
    tp->snd_wl1 = seg->seq;
    tcp_init_transfer(tp);
    if (tp->sock)
        sock_event(tp->sock, SOCK_EV_CONNECTED | SOCK_EV_WRITABLE);
    if (tp->send_shutdown)
        tcp_shutdown_write(tp);
}

/* SYN-RECEIVED of a simultaneous open: only an ACK of our SYN makes the connection (RFC 9293
 * §3.10.7.4, fifth). */
static bool synrecv_ack(struct tcb *tp, const struct tcp_seg *seg)
{
    if (!seq_gt(seg->ack, tp->snd_una) || seq_gt(seg->ack, tp->snd_nxt)) {
        COUNT(tp->st, tcp_in_ack_unsent);
        tcp_send_reset(tp->st, seg);
        tp->ack_flags = 0; /* what a crossing SYN-ACK asked for: the reset was the answer */
        return false;
    }
    return true;
}

/* Text behind the peer's FIN cannot be: it is ignored (RFC 9293 §3.10.7.4, seventh). */
static bool is_behind_fin(const struct tcb *tp, const struct tcp_seg *seg)
{
    return tp->peer_fin && seq_geq(seg->seq, tp->rcv_nxt);
}

/* New data for a program that will never read it: a reset tells the peer (RFC 1122 §4.2.2.13). */
static bool is_after_close(const struct tcb *tp, const struct tcp_seg *seg)
{
    uint32_t data_end = seg->end_seq - !!(seg->flags & TH_FIN);

    if (!seg->len || !seq_gt(data_end, tp->rcv_nxt))
        return false;
    switch (tp->conn.state) {
    case TCPS_CLOSE_WAIT:
    case TCPS_CLOSING:
    case TCPS_LAST_ACK:
    case TCPS_FIN_WAIT1:
    case TCPS_FIN_WAIT2:
        return tp->rcv_shutdown;
    default:
        return !tp->sock && tp->rcv_shutdown;
    }
}

void tcp_established_input(struct tcb *tp, const struct tcp_seg *seg)
{
    struct stack *st = tp->st;

    tcp_accecn_received(tp, seg);
    if (is_behind_fin(tp, seg)) {
        tcp_touch(tp, TCP_PEND_OUTPUT | TCP_PEND_ACK);
        return;
    }
    if (is_after_close(tp, seg)) {
        COUNT(st, tcp_in_after_close);
        tcp_send_reset(st, seg);
        tcp_finish(tp, ECONNRESET);
        return;
    }
    tcp_touch(tp, TCP_PEND_OUTPUT | TCP_PEND_ACK);
    tcp_urgent_input(tp, seg);
    /* last: the FIN may end the connection */
    tcp_data_queue(tp, seg);
}

static bool our_fin_is_acked(const struct tcb *tp)
{
    return tp->fin_queued && tp->snd_una == tp->write_seq;
}

/* Fifth: the ACK field. False: the segment is dealt with, or the connection is gone. */
static bool ack_step(struct tcb *tp, const struct tcp_seg *seg)
{
    struct stack *st = tp->st;
    uint64_t id = tcb_id(tp);
    bool opening = tp->conn.state == TCPS_SYN_RECV;

    if (!(seg->flags & TH_ACK)) {
        COUNT(st, tcp_in_no_flags);
        return false;
    }
    if (opening && !synrecv_ack(tp, seg))
        return false;
    if (!tcp_ack(tp, seg))
        return false;
    if (opening)
        established_by_ack(tp, seg);
    if (our_fin_is_acked(tp)) {
        bool last = tp->conn.state == TCPS_LAST_ACK || tp->conn.state == TCPS_CLOSING;

        tcp_fin_acked(tp);
        if (last || !hash_first(&st->tcp.by_id, id) || tp->conn.state == TCPS_CLOSED)
            return false;
    }
    return true;
}

static void conn_input(struct tcb *tp, const struct tcp_seg *seg)
{
    struct stack *st = tp->st;
    uint64_t id = tcb_id(tp);
    /* only these may be in FIN-WAIT-2 at the end */
    bool closing = tp->conn.state == TCPS_FIN_WAIT1 || tp->conn.state == TCPS_FIN_WAIT2;

    tp->segs_in += seg->n_segs;
    if (__builtin_expect(tp->traced, 0))
        tcp_trace_input(tp, seg);
    if (tp->conn.state == TCPS_SYN_SENT) {
        tcp_synsent_input(tp, seg);
        return;
    }
    if (!tcp_validate(tp, seg)) {
        /* a reset that is taken may have ended it */
        if (hash_first(&st->tcp.by_id, id))
            TCP_TRACE(tp, tcp_validate, TRACE_WHY_none, seg->seq, seg->len, tp->rcv_nxt,
                      tcp_receive_window(tp));
        return;
    }
    neigh_confirm(tp->st, &tp->conn.remote.addr);
    if (seg->opt.uto)
        uto_received(tp, seg->opt.uto);
    if (!ack_step(tp, seg))
        return;
    /* text and FIN of a crossing SYN-ACK come again, as those of every SYN that we took */
    if (seg->flags & TH_SYN)
        tcp_touch(tp, TCP_PEND_OUTPUT | TCP_PEND_ACK);
    else
        tcp_established_input(tp, seg);
    /* last, so that a FIN in the very segment that acknowledges ours is not lost */
    if (closing && hash_first(&st->tcp.by_id, id) && tp->conn.state == TCPS_FIN_WAIT2 && !tp->sock)
        tcp_fin_wait2_orphan(tp);
}

/* RFC 5082 §3: the peer is near, so nothing of its can have passed so many routers. */
static bool is_from_afar(struct stack *st, const struct tcp_seg *seg, uint8_t min_ttl)
{
    if (seg->packet->ttl >= min_ttl)
        return false;
    COUNT(st, tcp_in_min_ttl);
    return true;
}

static void no_connection(struct stack *st, const struct tcp_seg *seg,
                          const struct ip_endpoint *local, uint32_t isn)
{
    struct ip_endpoint remote = {seg->packet->src, seg->src_port};
    struct sock *listener;

    /* of a fragmented segment, which all of several stacks put together, one takes care */
    if (!steer_is_ours(&st->config.steer, local, &remote)) {
        COUNT(st, tcp_in_elsewhere);
        return;
    }
    listener = listener_find(st, local, &remote);
    if (listener) {
        if (!is_from_afar(st, seg, listener->tcb->min_ttl))
            tcp_listen_input(st, listener, seg, isn);
        return;
    }
    COUNT(st, tcp_in_no_socket);
    tcp_send_reset(st, seg);
}

static bool parse(struct stack *st, const struct packet *p, struct tcp_seg *seg)
{
    int err;

    COUNT(st, tcp_in_frames);
    err = tcp_parse(st, p, seg);
    if (err == -EBADMSG)
        COUNT(st, tcp_in_bad_checksum);
    else if (err)
        COUNT(st, tcp_in_bad_header);
    if (err)
        return false;
    COUNT_ADD(st, tcp_in, seg->n_segs);
    COUNT_ADD(st, tcp_in_bytes, seg->len);
    /* RFC 9293 §3.9.2.3 (MUST-57): nothing to or from a group of hosts */
    if (p->broadcast || ip_addr_is_bad_peer(st, &p->src)) {
        COUNT(st, tcp_in_bad_address);
        return false;
    }
    return true;
}

void tcp_input(struct stack *st, const struct packet *p)
{
    struct ip_endpoint local, remote;
    struct tcp_seg seg;
    struct tcp_conn *c;
    uint32_t isn = 0;

    if (!parse(st, p, &seg))
        return;
    local = (struct ip_endpoint){p->dst, seg.dst_port};
    remote = (struct ip_endpoint){p->src, seg.src_port};
    c = demux_find(st, &local, &remote);
    if (!c) {
        no_connection(st, &seg, &local, 0);
        return;
    }
    switch (c->kind) {
    case TCP_KIND_FULL:
        if (!is_from_afar(st, &seg, tcb_of_conn(c)->min_ttl))
            conn_input(tcb_of_conn(c), &seg);
        break;
    case TCP_KIND_REQUEST:
        if (!is_from_afar(st, &seg, tcp_request_min_ttl(c)))
            tcp_request_input(st, c, &seg);
        break;
    default:
        if (tcp_timewait_input(st, c, &seg, &isn))
            no_connection(st, &seg, &local, isn);
        break;
    }
}
