/* SPDX-License-Identifier: MIT */
/*
 * The write queue: unsent segments (sendq) and those in flight (rtxq), each a range of the stream
 * in sequence order. Cutting and joining segments moves no byte.
 */
#include "proto/tcp/tcp.h"

#include <errno.h>

static struct segment *seg_of(struct list *l)
{
    return l ? container_of(l, struct segment, link) : NULL;
}

struct segment *wqueue_send_head(struct tcb *tp)
{
    return seg_of(list_first(&tp->sendq));
}

struct segment *wqueue_tail(struct tcb *tp)
{
    return seg_of(list_last(&tp->sendq));
}

void wqueue_set_pcount(struct segment *seg, uint32_t mss)
{
    uint32_t len = seg_len(seg);

    uint32_t packets = len > mss ? (len + mss - 1) / mss : 1;

    seg->pcount = packets;
    seg->mss = (uint16_t)mss;
}

static struct segment *entail(struct tcb *tp, struct segment *seg)
{
    if (!seg)
        return NULL;
    seg->seq = seg->end_seq = tp->write_seq;
    seg->pcount = 1;
    list_add_tail(&tp->sendq, &seg->link);
    tp->nonagle &= (uint8_t)~TCP_NAGLE_PUSH;
    return seg;
}

/* The first one is never refused by the owner's account. */
static bool may_queue(const struct tcb *tp)
{
    return list_empty(&tp->sendq) || account_has_room(tcp_account(tp), sizeof(struct segment));
}

struct segment *wqueue_entail(struct tcb *tp)
{
    return may_queue(tp) ? entail(tp, segment_new(tp)) : NULL;
}

bool wqueue_have_spare(struct tcb *tp)
{
    if (!tp->spare && may_queue(tp))
        tp->spare = segment_new(tp);
    return tp->spare != NULL;
}

struct segment *wqueue_entail_spare(struct tcb *tp)
{
    struct segment *seg = tp->spare;

    tp->spare = NULL;
    return entail(tp, seg);
}

void wqueue_unlink(struct tcb *tp, struct segment *seg)
{
    list_del(&seg->link);
    segment_free(tp, seg);
}

void wqueue_drop_empty_tail(struct tcb *tp)
{
    struct segment *tail = wqueue_tail(tp);

    if (tail && tail->seq == tail->end_seq)
        wqueue_unlink(tp, tail);
}

static bool in_flight(const struct tcb *tp, const struct segment *seg)
{
    return seq_lt(seg->seq, tp->snd_nxt) && tp->packets_out;
}

int tso_fragment(struct tcb *tp, struct segment *seg, uint32_t len, uint32_t mss)
{
    struct segment *rest = segment_new(tp);
    uint32_t before = seg->pcount;
    bool flying = in_flight(tp, seg);

    if (!rest)
        return -ENOMEM;
    COUNT(tp->st, tcp_out_split);
    TCP_TRACE(tp, tso_fragment, TRACE_WHY_none, seg->seq, len, seg_len(seg) - len);
    rest->seq = seg->seq + len;
    rest->end_seq = seg->end_seq;
    rest->sent_at = seg->sent_at;
    rest->rate = seg->rate;
    /* the end's flags stay with the end */
    rest->flags = seg->flags & (SEG_FIN | SEG_PSH | SEG_EOR);
    seg->flags &= (uint8_t) ~(SEG_FIN | SEG_PSH | SEG_EOR);
    seg->end_seq = rest->seq;
    wqueue_set_pcount(seg, mss);
    wqueue_set_pcount(rest, mss);
    list_add_after(&seg->link, &rest->link);
    if (flying)
        scoreboard_split(tp, seg, rest, before);
    return 0;
}

void wqueue_pull(struct tcb *tp, struct segment *seg, uint32_t want, uint32_t mss)
{
    struct segment *next;

    while (seg_len(seg) < want && !(seg->flags & (SEG_EOR | SEG_FIN)) &&
           (next = seg_of(list_next(&tp->sendq, &seg->link)))) {
        uint32_t n = want - seg_len(seg);

        if (n < seg_len(next)) {
            seg->end_seq += n;
            next->seq += n;
            wqueue_set_pcount(next, mss);
            return;
        }
        seg->end_seq = next->end_seq;
        seg->flags |= next->flags;
        wqueue_unlink(tp, next);
    }
}
