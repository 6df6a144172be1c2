/* SPDX-License-Identifier: MIT */
/* A peer that receives truly: it knows which of the stack's packets are on their way, takes those
 * that the input lets arrive, and acknowledges with SACK (RFC 2018), D-SACK (RFC 2883) and
 * timestamps (RFC 7323 §4.3). Which of its ACKs are lies is acks.c's. */
#include "tests/fuzz/world.h"

#include "proto/ip/wire.h"

#include <string.h>

void receiver_begin(struct flow *fl, uint32_t seq)
{
    fl->rx = (struct receiver){.next = seq, .window = 65535};
}

void receiver_sent(struct flow *fl, uint32_t seq, uint32_t end, uint32_t mss)
{
    while (seq_lt(seq, end)) {
        uint32_t stop = mss && end - seq > mss ? seq + mss : end;

        fl->rx.packets[fl->rx.n++ % WORLD_PACKETS] =
            (struct world_packet){.seq = seq, .end = stop, .tsval = fl->tsval};
        seq = stop;
    }
}

const struct world_packet *receiver_packet(const struct flow *fl, unsigned i)
{
    return &fl->rx.packets[(fl->rx.n - 1 - i) % WORLD_PACKETS];
}

static void forget(struct receiver *rx, uint8_t i)
{
    rx->n_have--;
    memmove(rx->have + i, rx->have + i + 1, (rx->n_have - i) * sizeof(rx->have[0]));
}

void receiver_skip(struct flow *fl, uint32_t seq)
{
    struct receiver *rx = &fl->rx;

    if (seq_gt(seq, rx->next))
        rx->next = seq;
    for (uint8_t i = 0; i < rx->n_have;) {
        if (seq_gt(rx->have[i].start, rx->next)) {
            i++;
            continue;
        }
        rx->next = seq_max(rx->next, rx->have[i].end);
        forget(rx, i);
        i = 0;
    }
}

/* Beyond a hole. */
static void hold(struct receiver *rx, struct sack_block b)
{
    for (uint8_t i = 0; i < rx->n_have;) {
        const struct sack_block *h = &rx->have[i];

        if (seq_gt(b.start, h->end) || seq_gt(h->start, b.end)) {
            i++;
            continue;
        }
        if (seq_leq(h->start, b.start) && seq_leq(b.end, h->end)) {
            rx->dup = b;
            rx->has_dup = true;
        }
        b.start = seq_min(b.start, h->start);
        b.end = seq_max(b.end, h->end);
        forget(rx, i);
    }
    if (rx->n_have == WORLD_RANGES)
        rx->n_have--;
    memmove(rx->have + 1, rx->have, rx->n_have * sizeof(rx->have[0]));
    rx->have[0] = b;
    rx->n_have++;
}

void receiver_arrive(struct flow *fl, const struct world_packet *p)
{
    struct receiver *rx = &fl->rx;

    if (seq_gt(p->seq, rx->next)) {
        hold(rx, (struct sack_block){p->seq, p->end});
        return;
    }
    rx->ts_recent = p->tsval;
    if (seq_leq(p->end, rx->next)) {
        rx->dup = (struct sack_block){p->seq, p->end};
        rx->has_dup = true;
    }
    receiver_skip(fl, p->end);
}

uint8_t receiver_blocks(struct flow *fl, struct sack_block *b, uint8_t most)
{
    uint8_t n = 0;

    if (fl->rx.has_dup && n < most)
        b[n++] = fl->rx.dup;
    fl->rx.has_dup = false;
    for (uint8_t i = 0; i < fl->rx.n_have && n < most; i++)
        b[n++] = fl->rx.have[i];
    return n;
}

uint8_t receiver_put_sack(uint8_t *o, const struct sack_block *b, uint8_t n)
{
    if (!n)
        return 0;
    o[0] = o[1] = 1;
    o[2] = 5;
    o[3] = (uint8_t)(2 + 8 * n);
    for (uint8_t i = 0; i < n; i++) {
        wire_put32(o + 4 + 8 * i, b[i].start);
        wire_put32(o + 8 + 8 * i, b[i].end);
    }
    return (uint8_t)(4 + 8 * n);
}

void receiver_ack(unsigned flow)
{
    struct flow *fl = &world.flows[flow];
    struct sack_block b[4];
    uint8_t o[40], n = 0;

    if (fl->ts)
        n = world_timestamps(o, 0, fl->rx.ts_recent);
    if (fl->sack)
        n = (uint8_t)(n + receiver_put_sack(o + n, b, receiver_blocks(fl, b, fl->ts ? 3 : 4)));
    world_segment(&(struct world_segment){.flow = flow,
                                          .flags = TH_ACK,
                                          .seq = fl->next,
                                          .ack = fl->rx.next,
                                          .window = fl->rx.window,
                                          .opt = o,
                                          .opt_len = n});
}
