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

    /* only an unsent segment that took a whole grant can be so long: it is cut before it leaves */
    seg->pcount = packets < UINT16_MAX ? (uint16_t)packets : UINT16_MAX;
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

struct segment *wqueue_entail(struct tcb *tp)
{
    return entail(tp, pool_get(&tp->st->tcp.segment_pool));
}

bool wqueue_have_spare(struct tcb *tp)
{
    if (!tp->spare)
        tp->spare = pool_get(&tp->st->tcp.segment_pool);
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
    pool_put(&tp->st->tcp.segment_pool, seg);
}

static bool in_flight(const struct tcb *tp, const struct segment *seg)
{
    return seq_lt(seg->seq, tp->snd_nxt) && tp->packets_out;
}

/* The two parts may make one packet more than the whole did. */
static void recount(struct tcb *tp, const struct segment *a, const struct segment *b,
                    uint16_t before)
{
    uint32_t more = (uint32_t)a->pcount + b->pcount - before;

    tp->packets_out += more;
    if (a->marks & SEG_LOST)
        tp->lost_out += more;
    if (a->marks & SEG_RETRANS)
        tp->retrans_out += more;
}

int tso_fragment(struct tcb *tp, struct segment *seg, uint32_t len, uint32_t mss)
{
    struct segment *rest = pool_get(&tp->st->tcp.segment_pool);
    uint16_t before = seg->pcount;
    bool flying = in_flight(tp, seg);

    if (!rest)
        return -ENOMEM;
    COUNT(tp->st, tcp_out_split);
    rest->seq = seg->seq + len;
    rest->end_seq = seg->end_seq;
    rest->marks = seg->marks;
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
        recount(tp, seg, rest, before);
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
