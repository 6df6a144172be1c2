/* SPDX-License-Identifier: MIT */
/*
 * Text (RFC 9293 §3.10.7.4, seventh and eighth): in order, old, and out of order.
 *
 * Data is written at its final offset of the receive stream as soon as it arrives; a tree of ranges
 * says which bytes beyond the first hole are there. Filling the hole only moves rcv_nxt over them:
 * nothing is copied twice. Bytes that are already held are never overwritten, so an overlapping
 * retransmission with other content changes nothing (hostile 14).
 */
#include "proto/sock/sock_internal.h"

#include <errno.h>

static struct ooo_range *range_of(struct rb_node *n)
{
    return n ? container_of(n, struct ooo_range, node) : NULL;
}

static void free_range(struct tcb *tp, struct ooo_range *r)
{
    rb_erase(&tp->ooo, &r->node);
    tp->ooo_bytes -= r->end_seq - r->seq;
    tp->n_ooo--;
    range_free(tp, r);
}

void tcp_ooo_purge(struct tcb *tp)
{
    struct rb_node *n;

    while ((n = rb_first(&tp->ooo)))
        free_range(tp, range_of(n));
    sack_blocks_clear(tp);
}

/* The end of what is held, holes included. */
static uint32_t occupied_end(const struct tcb *tp)
{
    struct rb_node *n = rb_last(&tp->ooo);

    return n ? range_of(n)->end_seq : tp->rcv_nxt;
}

/* Growing while bytes are live adds the second and last extent: it must then hold all that was and
 * can be promised. */
static uint64_t growth_end(const struct tcb *tp, uint64_t end_off)
{
    uint64_t most = tp->read_offset + tp->rcvbuf / 2;
    uint64_t edge = tp->rcv_offset + tcp_receive_window(tp);

    if (bytestream_footprint(&tp->rcv) == 0)
        return end_off;
    if (most > end_off)
        end_off = most;
    return edge > end_off ? edge : end_off;
}

static uint32_t min32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Drop `most` bytes at the end of what is held, none below `floor`. Returns how many. */
static uint32_t prune_last(struct tcb *tp, uint32_t floor, uint32_t most)
{
    struct ooo_range *r = range_of(rb_last(&tp->ooo));
    uint32_t n;

    if (!r || !seq_gt(r->end_seq, floor))
        return 0;
    n = min32(most, r->end_seq - seq_max(r->seq, floor));
    if (n == r->end_seq - r->seq) {
        free_range(tp, r);
    } else {
        r->end_seq -= n;
        tp->ooo_bytes -= n;
    }
    return n;
}

/* Give up an eighth of the buffer from the top (Linux: tcp_prune_ofo_queue), but nothing below the
 * segment that needs the room: low data fills holes. What was SACKed is then no longer held, which
 * RFC 2018 §8 allows; nothing is said of the rest until it grows. */
static bool prune(struct tcb *tp, uint32_t floor)
{
    uint32_t goal = tp->rcvbuf / 8, dropped = 0, n;

    while (dropped < goal && (n = prune_last(tp, floor, goal - dropped)))
        dropped += n;
    COUNT_ADD(tp->st, tcp_in_ooo_pruned, dropped);
    if (dropped)
        sack_blocks_clear(tp);
    return dropped;
}

uint64_t tcp_rcv_occupied(const struct tcb *tp)
{
    return tcp_rcv_offset(tp, occupied_end(tp));
}

static bool reserve(struct tcb *tp, uint64_t end_off)
{
    uint64_t occupied = tcp_rcv_occupied(tp);

    if (bytestream_capacity_end(&tp->rcv) >= end_off)
        return true;
    return bytestream_reserve(&tp->rcv, occupied, growth_end(tp, end_off)) == 0 ||
           bytestream_reserve(&tp->rcv, occupied, end_off) == 0;
}

/* Room for [seq, end). Under memory pressure out-of-order data goes first, never what is in order.
 */
static bool make_room(struct tcb *tp, uint32_t seq, uint32_t end)
{
    while (!reserve(tp, tcp_rcv_offset(tp, end)))
        if (!prune(tp, seq))
            return false;
    return true;
}

/* What of `len` bytes in order there is room for: when memory is used up, what is there, or the
 * smallest extent, which the owner's account never refuses. */
static uint32_t make_room_in_order(struct tcb *tp, uint32_t len)
{
    uint64_t left;

    if (make_room(tp, tp->rcv_nxt, tp->rcv_nxt + len))
        return len;
    if (len > EXTENT_MIN)
        (void)reserve(tp, tp->rcv_offset + EXTENT_MIN);
    left = bytestream_capacity_end(&tp->rcv) - tp->rcv_offset;
    return left < len ? (uint32_t)left : len;
}

static void refuse(struct tcb *tp)
{
    COUNT(tp->st, tcp_in_no_memory);
    tp->ack_flags |= TCP_ACK_SCHED | TCP_ACK_NOW;
}

/* --- in order
 * ---------------------------------------------------------------------------------------------- */

static void move_rcv_nxt(struct tcb *tp, uint32_t upto)
{
    uint32_t n = upto - tp->rcv_nxt;

    tp->rcv_nxt = upto;
    tp->rcv_offset += n;
}

/* rcv_nxt may have reached ranges that were waiting. */
static void absorb_ranges(struct tcb *tp)
{
    uint32_t arrived = tp->rcv_nxt;
    struct ooo_range *r;

    while ((r = range_of(rb_first(&tp->ooo))) && seq_leq(r->seq, tp->rcv_nxt)) {
        if (seq_lt(r->seq, arrived))
            sack_blocks_duplicate(tp, r->seq, seq_min(r->end_seq, arrived));
        if (seq_gt(r->end_seq, tp->rcv_nxt))
            move_rcv_nxt(tp, r->end_seq);
        free_range(tp, r);
        if (rb_empty(&tp->ooo))
            tp->ack_flags |= TCP_ACK_NOW; /* the hole is filled (RFC 5681 §4.2) */
    }
    sack_blocks_advance(tp);
}

/* Write the parts of [seq, seq+len) that no held range covers. */
static void write_uncovered(struct tcb *tp, uint32_t seq, const uint8_t *data, uint32_t len)
{
    uint32_t end = seq + len;
    struct rb_node *n = rb_first(&tp->ooo);

    for (; n && seq_lt(seq, end); n = rb_next(n)) {
        struct ooo_range *r = range_of(n);

        if (seq_leq(r->end_seq, seq))
            continue;
        if (seq_lt(seq, r->seq)) {
            uint32_t stop = seq_min(r->seq, end);

            bytestream_write(&tp->rcv, tcp_rcv_offset(tp, seq), data, stop - seq);
            data += stop - seq;
            seq = stop;
        }
        if (seq_geq(seq, end))
            return;
        if (seq_lt(seq, r->end_seq)) {
            uint32_t skip = seq_min(r->end_seq, end) - seq;

            data += skip;
            seq += skip;
        }
    }
    if (seq_lt(seq, end))
        bytestream_write(&tp->rcv, tcp_rcv_offset(tp, seq), data, end - seq);
}

/* Is half of what may be unread unread? */
static bool reads_slowly(const struct tcb *tp)
{
    return 4 * tcp_unread(tp) > tp->rcvbuf;
}

/* Into the stream, as far as there is memory. Returns how many. */
static uint32_t store_in_order(struct tcb *tp, const uint8_t *data, uint32_t len)
{
    uint32_t fits = make_room_in_order(tp, len);

    if (fits < len)
        refuse(tp);
    if (!fits)
        return 0;
    if (rb_empty(&tp->ooo))
        bytestream_write(&tp->rcv, tp->rcv_offset, data, fits);
    else
        write_uncovered(tp, tp->rcv_nxt, data, fits);
    move_rcv_nxt(tp, tp->rcv_nxt + fits);
    return fits;
}

static void in_order(struct tcb *tp, const struct tcp_seg *seg, uint32_t skip, uint32_t len)
{
    const uint8_t *data = seg->data + skip;
    uint64_t unread = tcp_unread(tp) + len;
    struct delivered given = {0};
    uint32_t stored = 0;

    if (tcp_may_deliver(tp, len)) {
        given = tcp_deliver(tp, data, len);
        move_rcv_nxt(tp, tp->rcv_nxt + given.fresh);
    }
    if (given.fresh < len)
        stored = store_in_order(tp, data + given.fresh, len - given.fresh);
    if (!given.taken && !stored)
        return;
    COUNT(tp->st, tcp_in_in_order);
    absorb_ranges(tp);
    if (reads_slowly(tp) != tp->reader_slow)
        tcp_chrono_reader(tp, !tp->reader_slow);
    tcp_urgent_passed(tp);
    tcp_ack_data_received(tp);
    tcp_ecn_check_ce(tp, seg);
    if (given.taken)
        tcp_reader_moved(tp, unread);
    if (tp->sock && (given.taken || sock_readable(tp->sock)))
        sock_event(tp->sock, SOCK_EV_READABLE);
}

/* --- out of order
 * ------------------------------------------------------------------------------------------ */

static bool range_less(const struct rb_node *a, const struct rb_node *b)
{
    return seq_lt(container_of(a, const struct ooo_range, node)->seq,
                  container_of(b, const struct ooo_range, node)->seq);
}

/* The last range that starts at or before seq; NULL when there is none. */
static struct ooo_range *range_before(const struct tcb *tp, uint32_t seq)
{
    struct rb_node *n = tp->ooo.node;
    struct ooo_range *best = NULL;

    while (n) {
        struct ooo_range *r = range_of(n);

        if (seq_leq(r->seq, seq)) {
            best = r;
            n = n->right;
        } else {
            n = n->left;
        }
    }
    return best;
}

static void swallow_following(struct tcb *tp, struct ooo_range *r)
{
    struct ooo_range *next;

    while ((next = range_of(rb_next(&r->node))) && seq_leq(next->seq, r->end_seq)) {
        if (seq_gt(next->end_seq, r->end_seq)) {
            tp->ooo_bytes += next->end_seq - r->end_seq;
            r->end_seq = next->end_seq;
        }
        free_range(tp, next);
    }
}

/* Note [seq, end) as held. Returns the range that it is part of now; NULL: no memory for the
 * record. */
static struct ooo_range *add_range(struct tcb *tp, uint32_t seq, uint32_t end)
{
    struct ooo_range *r = range_before(tp, seq);

    if (r && seq_leq(seq, r->end_seq)) {
        if (seq_gt(end, r->end_seq)) {
            tp->ooo_bytes += end - r->end_seq;
            r->end_seq = end;
            swallow_following(tp, r);
        }
        return r;
    }
    r = range_new(tp);
    if (!r)
        return NULL;
    r->seq = seq;
    r->end_seq = end;
    rb_insert(&tp->ooo, &r->node, range_less);
    tp->ooo_bytes += end - seq;
    tp->n_ooo++;
    swallow_following(tp, r);
    return r;
}

/* What of [seq, end) is held already (RFC 2883 §4, cases 2 and 3 of its examples). */
static void note_duplicates(struct tcb *tp, uint32_t seq, uint32_t end)
{
    struct ooo_range *r = range_before(tp, seq);

    if (!r)
        r = range_of(rb_first(&tp->ooo));
    for (; r && seq_lt(r->seq, end); r = range_of(rb_next(&r->node)))
        if (seq_gt(r->end_seq, seq))
            sack_blocks_duplicate(tp, seq_max(seq, r->seq), seq_min(end, r->end_seq));
}

static void write_held(struct tcb *tp, uint32_t seq, const uint8_t *data, uint32_t len)
{
    struct ooo_range *r = range_before(tp, seq);

    /* the common case: behind everything held, or exactly behind one range */
    if ((!r || seq_leq(r->end_seq, seq)) && !(r ? rb_next(&r->node) : rb_first(&tp->ooo)))
        bytestream_write(&tp->rcv, tcp_rcv_offset(tp, seq), data, len);
    else
        write_uncovered(tp, seq, data, len);
}

/* The FIN behind what is held up to `end` has come too: it counts as the byte that it is. */
static bool ends_with_fin(const struct tcb *tp, const struct tcp_seg *seg, uint32_t end)
{
    if (tp->rcv_fin_pending)
        return tp->rcv_fin_seq == end;
    return (seg->flags & TH_FIN) && seg->seq + seg->len == end;
}

static void hold(struct tcb *tp, const struct tcp_seg *seg, uint32_t end)
{
    struct ooo_range *r;

    note_duplicates(tp, seg->seq, end);
    write_held(tp, seg->seq, seg->data, end - seg->seq);
    r = add_range(tp, seg->seq, end);
    if (!r) {
        COUNT(tp->st, tcp_in_no_memory);
        return;
    }
    sack_blocks_add(tp, r->seq, r->end_seq + ends_with_fin(tp, seg, r->end_seq));
    /* without SACK a window that moves would hide the duplicate ACK (RFC 5681 §2) */
    if (tp->sack_ok)
        tcp_window_grow(tp, end - seg->seq);
    tcp_rcvbuf_grow_ooo(tp);
}

static void out_of_order(struct tcb *tp, const struct tcp_seg *seg, uint32_t len)
{
    uint32_t end = seg->seq + len;

    COUNT(tp->st, tcp_in_out_of_order);
    tp->rcv_ooopack += seg->n_segs;
    tcp_ecn_check_ce(tp, seg);
    tcp_ack_schedule(tp);
    if (!make_room(tp, seg->seq, seq_max(end, occupied_end(tp)))) {
        refuse(tp);
        return;
    }
    hold(tp, seg, end);
    /* RFC 5681 §4.2: a duplicate ACK for each segment */
    tcp_ack_out_of_order(tp, seg->n_segs);
}

/* --- the segment
 * ------------------------------------------------------------------------------------------- */

/* Bytes beyond the advertised window are cut off; a FIN behind them goes too. */
static uint32_t trim_right(struct tcb *tp, const struct tcp_seg *seg, bool *fin)
{
    uint32_t edge = tp->rcv_nxt + tcp_receive_window(tp);
    uint32_t end = seg->seq + seg->len;

    if (seq_leq(end, edge))
        return seg->len;
    *fin = false;
    COUNT_ADD(tp->st, tcp_in_after_window, seq_gt(edge, seg->seq) ? end - edge : seg->len);
    return seq_gt(edge, seg->seq) ? edge - seg->seq : 0;
}

static void take_fin(struct tcb *tp, const struct tcp_seg *seg, uint32_t fin_seq)
{
    if (fin_seq == tp->rcv_nxt) {
        tcp_fin(tp);
        return;
    }
    tp->rcv_fin_pending = true;
    tp->rcv_fin_seq = fin_seq;
    if (seg->len) /* with text it has had its duplicate ACK */
        return;
    sack_blocks_add(tp, fin_seq, fin_seq + 1);
    tcp_send_ack(tp);
}

static void closed_window(struct tcb *tp, const struct tcp_seg *seg)
{
    COUNT(tp->st, tcp_in_zero_window);
    /* a probe has the exact number: its marks count (RFC 3168 §6.1.6) */
    if (seg->seq == tp->rcv_nxt)
        tcp_ecn_check_ce(tp, seg);
    tcp_ack_enter_quick(tp, TCP_MAX_QUICKACKS);
    tp->ack_flags |= TCP_ACK_SCHED | TCP_ACK_NOW;
}

static void old_data(struct tcb *tp)
{
    COUNT(tp->st, tcp_in_duplicate);
    tcp_ack_enter_quick(tp, TCP_MAX_QUICKACKS);
    tp->ack_flags |= TCP_ACK_SCHED | TCP_ACK_NOW;
}

static void take_data(struct tcb *tp, const struct tcp_seg *seg, uint32_t len)
{
    tp->data_segs_in += seg->n_segs;
    tcp_ecn_accept_cwr(tp, seg);
    tcp_measure_rcv_mss(tp, seg);
    tcp_rcv_rtt_measure(tp);
    tcp_rcv_rtt_sample_ts(tp, seg);
    if (seq_gt(seg->seq, tp->rcv_nxt)) {
        out_of_order(tp, seg, len);
    } else {
        uint32_t skip = tp->rcv_nxt - seg->seq;

        if (skip)
            COUNT(tp->st, tcp_in_partial_duplicate);
        in_order(tp, seg, skip, len - skip);
        if (len - skip >= 128)
            tcp_window_grow(tp, len - skip);
    }
}

/* Before it is done: the bytes may end the connection. */
static __attribute__((cold, noinline)) void trace_data(const struct tcb *tp,
                                                       const struct tcp_seg *seg, uint32_t len)
{
    const uint32_t v[TRACE_VALUES] = {seg->seq, seg->len, tp->rcv_nxt, (uint32_t)tcp_unread(tp),
                                      tp->ooo_bytes};
    enum trace_why why = TRACE_WHY_in_order;

    if (seg->len && seq_leq(seg->seq + seg->len, tp->rcv_nxt))
        why = TRACE_WHY_old;
    else if (seg->len && (!len || tcp_receive_window(tp) == 0))
        why = TRACE_WHY_shut;
    else if (seq_gt(seg->seq, tp->rcv_nxt))
        why = TRACE_WHY_out_of_order;
    tcp_trace_values(tp, TRACE_tcp_data_queue, why, v);
}

void tcp_data_queue(struct tcb *tp, const struct tcp_seg *seg)
{
    bool fin = seg->flags & TH_FIN;
    uint32_t len = trim_right(tp, seg, &fin);
    uint32_t fin_seq = seg->seq + seg->len;

    if (!seg->len && !fin)
        return;
    if (tp->rcv_sack.has_dup)
        tcp_send_ack(tp); /* its turn to be told: this segment has news of its own */
    tp->rcv_sack.has_dup = false;
    if (seq_lt(seg->seq, tp->rcv_nxt))
        sack_blocks_duplicate(tp, seg->seq, seq_min(seg->end_seq, tp->rcv_nxt));
    if (__builtin_expect(tp->traced, 0))
        trace_data(tp, seg, len);
    if (seg->len) {
        if (seq_leq(seg->seq + seg->len, tp->rcv_nxt))
            old_data(tp);
        else if (!len || tcp_receive_window(tp) == 0)
            closed_window(tp, seg);
        else
            take_data(tp, seg, len);
    }
    if (fin && seq_geq(fin_seq, tp->rcv_nxt) && !tp->peer_fin)
        take_fin(tp, seg, fin_seq);
    else if (fin)
        old_data(tp);
    else if (tp->rcv_fin_pending && tp->rcv_fin_seq == tp->rcv_nxt) {
        tp->ack_flags |= TCP_ACK_NOW; /* the hole before it is filled (RFC 5681 §4.2) */
        tcp_fin(tp);
    }
}
