/* SPDX-License-Identifier: MIT */
/*
 * The end of a connection: our FIN, the peer's FIN, close and abort (RFC 9293 §3.6, §3.10.4,
 * §3.10.5).
 */
#include "proto/sock/sock_internal.h"

/* A FIN rides on the unsent tail when there is one, else it is a segment of its own; Nagle and cork
 * do not hold it. */
void tcp_send_fin(struct tcb *tp)
{
    struct segment *seg = list_empty(&tp->sendq) ? NULL : wqueue_tail(tp);

    if (tp->fin_queued)
        return;
    if (!seg) {
        seg = segment_new(tp);
        if (!seg) {
            /* no memory for one segment: try again soon rather than lose the FIN */
            tcp_timer_set(tp, TCP_TIMER_retry, tp->st->now + TCP_PROBE_RETRY);
            return;
        }
        seg->seq = seg->end_seq = tp->write_seq;
        list_add_tail(&tp->sendq, &seg->link);
    }
    seg->flags |= SEG_FIN;
    seg->end_seq++;
    tp->write_seq++;
    tp->fin_queued = true;
    tcp_chrono_start(tp, TCP_CHRONO_app);
    wqueue_set_pcount(seg, tp->mss_cache);
    tp->nonagle |= TCP_NAGLE_PUSH;
    tcp_push_pending_frames(tp);
}

void tcp_shutdown_write(struct tcb *tp)
{
    tp->send_shutdown = true;
    switch (tp->conn.state) {
    case TCPS_ESTABLISHED:
        tcp_set_state(tp, TCPS_FIN_WAIT1);
        break;
    case TCPS_CLOSE_WAIT:
        tcp_set_state(tp, TCPS_LAST_ACK);
        break;
    default:
        return; /* SYN-RECEIVED: after the handshake (RFC 9293 §3.10.4) */
    }
    tcp_send_fin(tp);
}

static uint64_t fin_wait2_time(const struct tcb *tp)
{
    uint64_t t =
        (uint64_t)(tp->linger2_s > 0 ? tp->linger2_s : tp->st->tcp.tunables.fin_timeout) * 1000000;
    uint64_t floor = (uint64_t)tp->rto * 7 / 2;

    return t > floor ? t : floor;
}

/* SYN-RECEIVED: nothing can be queued, so the FIN goes at once, behind our SYN-ACK (RFC 9293
 * §3.10.4). */
static void close_before_handshake(struct tcb *tp)
{
    tcp_init_transfer(tp);
    tp->send_shutdown = true;
    tcp_set_state(tp, TCPS_FIN_WAIT1);
    tcp_send_fin(tp);
}

/* Our FIN goes out behind what is queued, whatever else the program still waits for. */
void tcp_close_write(struct tcb *tp)
{
    if (tp->conn.state == TCPS_SYN_RECV)
        close_before_handshake(tp);
    else
        tcp_shutdown_write(tp);
}

static void abort_connection(struct tcb *tp, bool reset)
{
    COUNT(tp->st, tcp_aborts);
    if (reset)
        tcp_send_active_reset(tp);
    tcp_done(tp);
    tcp_orphan(tp);
}

/* The program has closed: what is unread will never be read (RFC 1122 §4.2.2.13, RFC 2525 §2.17:
 * reset then). */
void tcp_close(struct tcb *tp, bool linger_zero)
{
    bool unread = tcp_unread(tp) > 0;

    tp->rcv_shutdown = true;
    switch (tp->conn.state) {
    case TCPS_CLOSED:
        tcp_orphan(tp);
        return;
    case TCPS_SYN_SENT:
        tcp_done(tp);
        tcp_orphan(tp);
        return;
    default:
        break;
    }
    if (unread) {
        abort_connection(tp, true);
        return;
    }
    if (linger_zero) {
        tcp_abort(tp);
        return;
    }
    tcp_close_write(tp);
    if (tp->conn.state == TCPS_FIN_WAIT2) {
        tcp_fin_wait2_orphan(tp);
        return;
    }
    if (tp->conn.state == TCPS_CLOSED) {
        tcp_orphan(tp);
        return;
    }
    bytestream_give_back(&tp->rcv);
    tcp_orphan(tp);
}

/* Only the peer's FIN is still wanted: a small record waits for it, or nobody does (TCP_LINGER2
 * below 0). */
void tcp_fin_wait2_orphan(struct tcb *tp)
{
    if (tp->linger2_s < 0) {
        tcp_send_active_reset(tp);
        tcp_finish(tp, 0);
        return;
    }
    tcp_time_wait(tp, TCPS_FIN_WAIT2, fin_wait2_time(tp));
}

/* In CLOSING and LAST-ACK the peer has all of it and its FIN is here: nothing is left to reset (RFC
 * 9293 §3.10.5). */
static bool owes_reset(const struct tcb *tp)
{
    return (tp->conn.state != TCPS_CLOSING && tp->conn.state != TCPS_LAST_ACK) ||
           tp->snd_nxt != tp->write_seq;
}

void tcp_abort(struct tcb *tp)
{
    abort_connection(tp, owes_reset(tp));
}

static void enter_time_wait(struct tcb *tp)
{
    tcp_time_wait(tp, TCPS_TIME_WAIT, (uint64_t)tp->st->tcp.tunables.time_wait * 1000000);
}

void tcp_fin_acked(struct tcb *tp)
{
    switch (tp->conn.state) {
    case TCPS_FIN_WAIT1:
        tcp_set_state(tp, TCPS_FIN_WAIT2);
        if (tp->sock)
            sock_calls_wake(tp->sock); /* a lingering close(2) ends here */
        break;
    case TCPS_CLOSING:
        enter_time_wait(tp);
        break;
    case TCPS_LAST_ACK:
        tcp_finish(tp, 0);
        break;
    default:
        break;
    }
}

void tcp_fin(struct tcb *tp)
{
    tp->rcv_nxt++;
    tp->peer_fin = true;
    tp->rcv_fin_pending = false;
    tp->rcv_shutdown = true;
    tcp_ooo_purge(tp);
    tcp_ack_schedule(tp);
    if (tp->sock)
        sock_event(tp->sock, SOCK_EV_READABLE);
    switch (tp->conn.state) {
    case TCPS_SYN_RECV:
    case TCPS_ESTABLISHED:
        tcp_set_state(tp, TCPS_CLOSE_WAIT);
        tp->pingpong = 1;
        break;
    case TCPS_FIN_WAIT1:
        /* simultaneous close: our FIN is not acknowledged yet */
        tcp_set_state(tp, TCPS_CLOSING);
        tcp_send_ack(tp);
        break;
    case TCPS_FIN_WAIT2:
        tcp_send_ack(tp);
        enter_time_wait(tp);
        break;
    default:
        break;
    }
}
