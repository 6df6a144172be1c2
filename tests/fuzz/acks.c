/* SPDX-License-Identifier: MIT */
/* OP_DELIVER and OP_SACK: what a receiver answers to data, and what it might answer if it lied,
 * forgot, came late, or was somebody else. */
#include "tests/fuzz/ops.h"
#include "tests/fuzz/world.h"

#include "proto/ip/wire.h"

/* Some of the packets on their way arrive, and are acknowledged, or not. */
void op_deliver(struct input *in)
{
    uint8_t bits = input_u8(in), mask = bits & DELIVER_MASK ? input_u8(in) : 0;
    enum deliver_acks acks = bits >> 5 & 3;
    unsigned flow = bits % WORLD_FLOWS, n = 0;
    struct flow *fl = &world.flows[flow];
    struct world_packet p[WORLD_PACKETS];

    for (unsigned i = fl->rx.n < WORLD_PACKETS ? 0 : fl->rx.n - WORLD_PACKETS; i < fl->rx.n; i++) {
        struct world_packet *at = &fl->rx.packets[i % WORLD_PACKETS];
        bool arrives = !(mask >> (i % 8) & 1);

        if (!at->there && arrives)
            p[n++] = *at;
        at->there |= arrives || !(bits & DELIVER_LATER);
    }
    world_trace("flow %u: %u packets arrive, acknowledged %d", flow, n, acks);
    for (unsigned i = 0; i < n; i++) {
        receiver_arrive(fl, &p[bits & DELIVER_NEWEST ? n - 1 - i : i]);
        if (acks == DELIVER_EACH || acks == DELIVER_BATCH)
            receiver_ack(flow);
        if (acks == DELIVER_EACH)
            world_run();
    }
    if (acks == DELIVER_ONE)
        receiver_ack(flow);
}

/* An acknowledgement number: at a packet's edge, in a packet, or anywhere. */
static uint32_t number(struct input *in, const struct flow *fl)
{
    uint8_t k = input_u8(in);

    if (k < 64)
        return receiver_packet(fl, k)->seq;
    if (k < 128)
        return receiver_packet(fl, k - 64)->end;
    if (k < 192)
        return fl->una + (uint32_t)(k - 160) * 536u;
    return fl->end + (uint32_t)(int32_t)(int8_t)input_u8(in) * (k & 1 ? 1u : 1460u);
}

static uint32_t echo(struct input *in, const struct flow *fl)
{
    uint8_t k = input_u8(in);

    if (k < 64)
        return receiver_packet(fl, k)->tsval;
    if (k < 128)
        return fl->tsval - (uint32_t)(k - 64) * 10u;
    return k == 255 ? 0 : fl->tsval + (uint32_t)(k - 128);
}

static struct sack_block block(struct input *in, const struct flow *fl)
{
    uint8_t k = input_u8(in), count;
    struct sack_block b;

    switch (k >> 6) {
    case 2:
        b.start = fl->una + (uint32_t)((k & 63) - 16) * 536u;
        b.end = b.start + (uint32_t)(int32_t)(int8_t)input_u8(in) * 536u;
        return b;
    case 3:
        b.start = fl->end + input_u32(in);
        b.end = b.start + (k & 1 ? input_u32(in) : input_u8(in));
        return b;
    default:
        count = input_u8(in) % WORLD_PACKETS;
        b.start = receiver_packet(fl, k & 63)->seq;
        b.end = receiver_packet(fl, count < (k & 63) ? (k & 63) - count : 0)->end;
        if (k >> 6) {
            b.start += (uint32_t)(int32_t)(int8_t)input_u8(in);
            b.end += (uint32_t)(int32_t)(int8_t)input_u8(in);
        }
        return b;
    }
}

/* The peer's three counters of bytes, in either order. */
static void put_accecn(struct input *in, struct world_segment *s)
{
    uint8_t *o = (uint8_t *)(uintptr_t)s->opt + s->opt_len, kind = input_u8(in);

    o[0] = 1;
    o[1] = kind & 1 ? 174 : 172;
    o[2] = (uint8_t)(2 + 3 * (kind >> 1 & 3));
    for (uint8_t i = 3; i < 12; i++)
        o[i] = 1;
    for (uint8_t i = 3; i < o[2] + 1; i += 3) {
        o[i] = 0;
        wire_put16(o + i + 1, input_u16(in));
    }
    s->opt_len += 12;
}

static uint8_t blocks(struct input *in, struct flow *fl, struct world_segment *s,
                      struct sack_block b[4])
{
    uint8_t how = input_u8(in), most = fl->ts ? 3 : 4, n = 0;

    if (how & SACK_ACCECN) {
        put_accecn(in, s);
        most = 1;
    }
    if (how & SACK_FORGET)
        fl->rx.n_have = 0;
    if (how & SACK_TRUE)
        n = receiver_blocks(fl, b, most);
    for (uint8_t i = how & SACK_COUNT; i > 0; i--) {
        struct sack_block one = block(in, fl);

        if (n < most)
            b[n++] = one;
    }
    if (n > 1 && (how & SACK_TURN)) {
        struct sack_block first = b[0];

        b[0] = b[n - 1];
        b[n - 1] = first;
    }
    return n;
}

static void other_flags(struct input *in, struct world_segment *s)
{
    uint8_t b = input_u8(in);

    s->flags |= b & (TH_ECE | TH_CWR | TH_URG | TH_PSH | TH_FIN);
    if (b & TH_SYN)
        s->len = input_u8(in);
    if (b & TH_RST)
        s->tos = 3; /* congestion was experienced */
    s->ae = b & TH_ACK;
}

/* An ACK that may say anything; what it leaves unsaid is true. */
void op_sack(struct input *in)
{
    uint8_t bits = input_u8(in), o[40], times;
    struct flow *fl = &world.flows[bits % WORLD_FLOWS];
    struct world_segment s = {.flow = bits % WORLD_FLOWS, .flags = TH_ACK, .opt = o};
    struct sack_block b[4];
    uint8_t n;

    s.ack = bits & SACK_BIT_ACK ? number(in, fl) : fl->rx.next;
    if (bits & SACK_BIT_WINDOW)
        fl->rx.window = input_u16(in);
    if (fl->ts)
        s.opt_len = world_timestamps(o, 0, bits & SACK_BIT_ECHO ? echo(in, fl) : fl->rx.ts_recent);
    if (bits & SACK_BIT_FLAGS)
        other_flags(in, &s);
    times = bits & SACK_BIT_TIMES ? 1 + input_u8(in) % 16 : 1;
    n = blocks(in, fl, &s, b);
    s.opt_len = (uint8_t)(s.opt_len + receiver_put_sack(o + s.opt_len, b, n));
    while (times--) {
        s.seq = fl->next;
        s.window = fl->rx.window;
        world_segment(&s);
    }
}
