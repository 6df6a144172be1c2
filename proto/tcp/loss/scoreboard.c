/* SPDX-License-Identifier: MIT */
/*
 * The scoreboard: what is in flight, and what is known of it (RFC 2018, RFC 6675 §3; the marks are
 * Linux's).
 *
 * A segment that was sent is in three orders at once: by sequence number (rtxq, and rtx_tree to
 * find one in logarithmic time), by its last transmission (sent_order, for RACK; only while it may
 * be in the network), and among the lost ones that wait for their retransmission (lost). The counts
 * packets_out, sacked_out, lost_out and retrans_out change here and nowhere else. Runs of SACKed
 * segments are joined into one, so that an ACK's blocks cost what is new in them.
 */
#include "proto/tcp/tcp.h"

static struct segment *seg_of(struct list *l)
{
    return l ? container_of(l, struct segment, link) : NULL;
}

struct segment *scoreboard_first(const struct tcb *tp)
{
    return seg_of(list_first(&tp->rtxq));
}

struct segment *scoreboard_last(const struct tcb *tp)
{
    return seg_of(list_last(&tp->rtxq));
}

struct segment *scoreboard_next(const struct tcb *tp, const struct segment *seg)
{
    return seg_of(list_next(&tp->rtxq, &seg->link));
}

static struct segment *by_seq(struct rb_node *n)
{
    return container_of(n, struct segment, seq_node);
}

struct segment *scoreboard_find(const struct tcb *tp, uint32_t seq)
{
    struct rb_node *n = tp->rtx_tree.node;

    while (n) {
        struct segment *seg = by_seq(n);

        if (seq_lt(seq, seg->seq))
            n = n->left;
        else if (seq_geq(seq, seg->end_seq))
            n = n->right;
        else
            return seg;
    }
    return NULL;
}

struct segment *scoreboard_first_lost(const struct tcb *tp)
{
    struct rb_node *n = rb_first(&tp->lost);

    return n ? container_of(n, struct segment, lost_node) : NULL;
}

static bool seq_less(const struct rb_node *a, const struct rb_node *b)
{
    return seq_lt(container_of(a, const struct segment, seq_node)->seq,
                  container_of(b, const struct segment, seq_node)->seq);
}

static bool lost_less(const struct rb_node *a, const struct rb_node *b)
{
    return seq_lt(container_of(a, const struct segment, lost_node)->seq,
                  container_of(b, const struct segment, lost_node)->seq);
}

/* Lost and not sent again since. */
static bool is_waiting(const struct segment *seg)
{
    return (seg->marks & (SEG_LOST | SEG_RETRANS)) == SEG_LOST;
}

static void stop_waiting(struct tcb *tp, struct segment *seg)
{
    if (is_waiting(seg))
        rb_erase(&tp->lost, &seg->lost_node);
}

/* Add packets (modulo 2^32: or take them away) to the counts that a segment's marks name. */
static void count(struct tcb *tp, const struct segment *seg, uint32_t packets)
{
    tp->packets_out += packets;
    if (seg->marks & SEG_SACKED)
        tp->sacked_out += packets;
    if (seg->marks & SEG_LOST)
        tp->lost_out += packets;
    if (seg->marks & SEG_RETRANS)
        tp->retrans_out += packets;
}

void scoreboard_sent(struct tcb *tp, struct segment *seg)
{
    list_del(&seg->sent_link);
    list_add_tail(&tp->sent_order, &seg->sent_link);
}

void scoreboard_add(struct tcb *tp, struct segment *seg)
{
    struct rb_node *last = rb_last(&tp->rtx_tree);

    list_del(&seg->link);
    list_add_tail(&tp->rtxq, &seg->link);
    rb_link(&tp->rtx_tree, &seg->seq_node, last, false);
    tp->packets_out += seg->pcount;
    scoreboard_sent(tp, seg);
}

static void unlink_segment(struct tcb *tp, struct segment *seg)
{
    stop_waiting(tp, seg);
    rb_erase(&tp->rtx_tree, &seg->seq_node);
    list_del(&seg->sent_link);
    list_del(&seg->link);
    segment_free(tp, seg);
}

void scoreboard_remove(struct tcb *tp, struct segment *seg)
{
    count(tp, seg, 0u - seg->pcount);
    unlink_segment(tp, seg);
}

void scoreboard_split(struct tcb *tp, struct segment *seg, struct segment *rest, uint32_t before)
{
    rest->marks = seg->marks;
    rb_insert(&tp->rtx_tree, &rest->seq_node, seq_less);
    if (is_waiting(rest))
        rb_insert(&tp->lost, &rest->lost_node, lost_less);
    if (list_linked(&seg->sent_link))
        list_add_after(&seg->sent_link, &rest->sent_link);
    /* the two parts may make one packet more than the whole did */
    count(tp, seg, seg->pcount + rest->pcount - before);
}

void scoreboard_repack(struct tcb *tp, struct segment *seg, uint32_t mss)
{
    uint32_t before = seg->pcount;

    wqueue_set_pcount(seg, mss);
    count(tp, seg, seg->pcount - before);
}

uint32_t scoreboard_trim_head(struct tcb *tp, struct segment *seg)
{
    uint32_t before = seg->pcount;

    count(tp, seg, 0u - before);
    seg->seq = tp->snd_una;
    wqueue_set_pcount(seg, seg->mss);
    if (seg->pcount > before)
        seg->pcount = before;
    count(tp, seg, seg->pcount);
    return before - seg->pcount;
}

void scoreboard_mark_sacked(struct tcb *tp, struct segment *seg)
{
    stop_waiting(tp, seg);
    list_del(&seg->sent_link);
    if (seg->marks & SEG_LOST)
        tp->lost_out -= seg->pcount;
    if (seg->marks & SEG_RETRANS)
        tp->retrans_out -= seg->pcount;
    seg->marks = (uint8_t)((seg->marks & ~(SEG_LOST | SEG_RETRANS)) | SEG_SACKED);
    tp->sacked_out += seg->pcount;
    tcp_mtup_arrived(tp, seg);
}

bool scoreboard_mark_lost(struct tcb *tp, struct segment *seg)
{
    if ((seg->marks & SEG_SACKED) || is_waiting(seg))
        return false;
    if (seg->marks & SEG_RETRANS) {
        if (seg->marks & SEG_LOST) {
            COUNT(tp->st, tcp_lost_retransmits);
            tp->prr.lost_again |= seg->sent_at >= tp->prr.began;
        }
        tp->retrans_out -= seg->pcount;
    }
    if (!(seg->marks & SEG_LOST))
        tp->lost_out += seg->pcount;
    seg->marks = (uint8_t)((seg->marks & ~SEG_RETRANS) | SEG_LOST);
    rb_insert(&tp->lost, &seg->lost_node, lost_less);
    list_del(&seg->sent_link);
    tp->lost_total += seg->pcount;
    tcp_mtup_lost(tp, seg);
    if (tp->cc->packet_lost && tp->cc_started)
        tp->cc->packet_lost(tp, seg);
    return true;
}

void scoreboard_mark_retransmitted(struct tcb *tp, struct segment *seg)
{
    stop_waiting(tp, seg);
    if (!(seg->marks & SEG_RETRANS))
        tp->retrans_out += seg->pcount;
    seg->marks |= SEG_RETRANS | SEG_EVER_RETRANS;
    scoreboard_sent(tp, seg);
}

/* Back among those in the network, at the place of its transmission; `from`: where the last one was
 * put. */
static struct list *insert_by_time(struct tcb *tp, struct segment *seg, struct list *from)
{
    struct list *pos = from;

    while (pos != &tp->sent_order &&
           container_of(pos, struct segment, sent_link)->sent_at <= seg->sent_at)
        pos = pos->next;
    while (pos->prev != &tp->sent_order &&
           container_of(pos->prev, struct segment, sent_link)->sent_at > seg->sent_at)
        pos = pos->prev;
    list_add_before(pos, &seg->sent_link);
    return &seg->sent_link;
}

void scoreboard_unmark_lost(struct tcb *tp)
{
    struct list *l, *from = tp->sent_order.next;

    tp->sack_count.lost_below = tp->snd_una;
    list_for_each (l, &tp->rtxq) {
        struct segment *seg = seg_of(l);

        if (!(seg->marks & SEG_LOST))
            continue;
        if (is_waiting(seg)) {
            stop_waiting(tp, seg);
            from = insert_by_time(tp, seg, from);
        }
        seg->marks = (uint8_t)(seg->marks & ~SEG_LOST);
        tp->lost_out -= seg->pcount;
    }
}

void scoreboard_renege(struct tcb *tp)
{
    struct list *l;

    list_for_each (l, &tp->rtxq) {
        struct segment *seg = seg_of(l);

        if (seg->marks & SEG_SACKED) {
            seg->marks = (uint8_t)(seg->marks & ~SEG_SACKED);
            tp->sacked_out -= seg->pcount;
        }
        scoreboard_mark_lost(tp, seg);
    }
}

/* Two SACKed neighbours of which neither says anything that the other does not. */
static bool may_join(const struct segment *a, const struct segment *b)
{
    return (a->marks & SEG_SACKED) && a->marks == b->marks && !(b->flags & SEG_FIN);
}

static void join(struct tcb *tp, struct segment *into, struct segment *seg)
{
    into->end_seq = seg->end_seq;
    into->flags |= seg->flags;
    into->pcount += seg->pcount;
    if (seg->sent_at > into->sent_at)
        into->sent_at = seg->sent_at;
    unlink_segment(tp, seg);
}

struct segment *scoreboard_merge_sacked(struct tcb *tp, struct segment *seg)
{
    struct list *prev = list_prev(&tp->rtxq, &seg->link);
    struct segment *next = scoreboard_next(tp, seg);

    if (next && may_join(seg, next))
        join(tp, seg, next);
    if (prev && may_join(seg_of(prev), seg)) {
        struct segment *into = seg_of(prev);

        join(tp, into, seg);
        return into;
    }
    return seg;
}

void scoreboard_clear(struct tcb *tp)
{
    struct segment *seg;

    while ((seg = scoreboard_first(tp)))
        scoreboard_remove(tp, seg);
}
