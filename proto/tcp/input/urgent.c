/* SPDX-License-Identifier: MIT */
/*
 * Urgent data, receiving (RFC 9293 §3.8.5 and §3.10.7.4, sixth; RFC 6093; linux-receiver §12).
 *
 * The pointer names the byte behind the urgent one, as everybody implements it (RFC 6093 §2.2;
 * tcp_stdurg makes it the byte itself). Only the newest mark is remembered. The byte stays in the
 * stream, where reads stop at the mark; a copy of it is kept for MSG_OOB, because the segment may
 * bring it before what precedes it.
 */
#include "proto/sock/sock_internal.h"

static void arrived(struct tcb *tp, uint8_t byte)
{
    tp->urg_state = TCP_URG_VALID;
    tp->urg_byte = byte;
    if (tp->sock)
        sock_event(tp->sock, SOCK_EV_URGENT);
}

static void check_pointer(struct tcb *tp, const struct tcp_seg *seg)
{
    uint32_t ptr = seg->urgent;
    uint32_t seq;

    if (ptr && !tp->st->tcp.tunables.stdurg)
        ptr--;
    seq = seg->seq + ptr;
    /* what was passed already cannot become urgent, and a pointer never moves back */
    if (seq_lt(seq, tp->rcv_nxt) || (tp->urg_state && tcp_rcv_offset(tp, seq) <= tp->urg_offset))
        return;
    COUNT(tp->st, tcp_in_urgent);
    /* the reader stands at the old mark and has the byte: it must not come again as data */
    if (tp->urg_state == TCP_URG_READ && tp->urg_offset == tp->read_offset &&
        tp->read_offset < tp->rcv_offset && tp->sock && !tp->sock->oob_inline)
        sock_recv_consume(tp->sock, 1, tp->held, tp->st->now);
    tp->urg_state = TCP_URG_NOTYET;
    tp->urg_offset = tcp_rcv_offset(tp, seq);
}

/* The byte may lie in this very segment, also when that is out of order. */
static void look_inside(struct tcb *tp, const struct tcp_seg *seg)
{
    uint32_t seq = tp->rcv_nxt + (uint32_t)(tp->urg_offset - tp->rcv_offset);

    if (seq - seg->seq < seg->len && seq - tp->rcv_nxt < tcp_receive_window(tp))
        arrived(tp, seg->data[seq - seg->seq]);
}

void tcp_urgent_input(struct tcb *tp, const struct tcp_seg *seg)
{
    if (seg->flags & TH_URG)
        check_pointer(tp, seg);
    if (tp->urg_state == TCP_URG_NOTYET)
        look_inside(tp, seg);
}

void tcp_urgent_passed(struct tcb *tp)
{
    uint8_t byte;

    if (tp->urg_state != TCP_URG_NOTYET || tp->urg_offset >= tp->rcv_offset)
        return;
    bytestream_read(&tp->rcv, tp->urg_offset, &byte, 1);
    arrived(tp, byte);
}
