/* SPDX-License-Identifier: MIT */
/* OP_SEGMENT: a segment whose numbers are near what the connection expects, unless the input says
 * otherwise. */
#include "tests/fuzz/ops.h"
#include "tests/fuzz/world.h"

#include "proto/ip/wire.h"

static uint32_t amount(struct input *in, uint8_t kind)
{
    switch (kind & 3) {
    case 0:
        return (uint32_t)(int8_t)input_u8(in);
    case 1:
        return (uint32_t)(int16_t)input_u16(in);
    case 2:
        return (uint32_t)(int8_t)input_u8(in) * 1460u;
    default:
        return input_u32(in);
    }
}

static uint32_t number(struct input *in, uint32_t next, uint32_t acked, uint32_t edge)
{
    uint8_t kind = input_u8(in);
    uint32_t delta = amount(in, kind >> 4);

    switch ((enum from)(kind & 3)) {
    case FROM_NEXT:
        return next + delta;
    case FROM_ACKED:
        return acked + delta;
    case FROM_EDGE:
        return edge + delta;
    default:
        return delta;
    }
}

static uint8_t put_syn(uint8_t *o, struct flow *fl, uint8_t which)
{
    static const uint8_t head[8] = {2, 4, 5, 180, 1, 3, 3, 7};

    memcpy(o, head, sizeof(head));
    if (which & 1)
        wire_put16(o + 2, which & 2 ? 88 : 536);
    if (which & 4)
        o[7] = which >> 4;
    fl->sack &= !(which & 40);
    fl->ts &= !(which & 72);
    if (which & 8)
        return 4;
    world_timestamps(o + 8, 0, fl->tsval);
    if (!(which & 32)) { /* SACK permitted */
        o[8] = 4;
        o[9] = 2;
    }
    if (!(which & 64))
        return 20;
    o[10] = o[11] = 1;
    return which & 32 ? 8 : 12;
}

static uint8_t put_sack(uint8_t *o, const struct flow *fl, struct input *in)
{
    uint8_t n = (uint8_t)(1 + (input_u8(in) & 3));

    o[0] = o[1] = 1;
    o[2] = 5;
    o[3] = (uint8_t)(2 + 8 * n);
    for (uint8_t i = 0; i < n; i++) {
        uint32_t start = fl->una + (uint32_t)(int8_t)input_u8(in) * 536u;

        wire_put32(o + 4 + 8 * i, start);
        wire_put32(o + 8 + 8 * i, start + (uint32_t)(int8_t)input_u8(in) * 536u);
    }
    return (uint8_t)(4 + 8 * n);
}

static uint8_t options(struct input *in, uint8_t *o, struct flow *fl)
{
    uint8_t kind = input_u8(in);

    switch ((enum opts)(kind % OPTS_COUNT)) {
    case OPTS_SYN:
        return put_syn(o, fl, input_u8(in));
    case OPTS_TS_OLD: {
        uint16_t age = input_u16(in);

        return world_timestamps(o, age, fl->tsval - (uint32_t)(int8_t)input_u8(in));
    }
    case OPTS_SACK:
        return put_sack(o, fl, in);
    case OPTS_BYTES:
        return (uint8_t)input_bytes(in, o, (kind >> 3) + 1u);
    default:
        return 0;
    }
}

static void more(struct input *in, struct world_segment *s)
{
    uint8_t b = input_u8(in);

    s->window = input_u16(in);
    if (b & 1)
        s->urgent = input_u16(in);
    if ((b & 32) && s->urgent)
        s->flags |= TH_URG;
    if (b & 2)
        s->tos = input_u8(in);
    s->bad_csum = b & 4;
    s->ae = b & 64;
    s->offload.csum = b & 8 ? FRAME_CSUM_VALID : FRAME_CSUM_NONE;
    if (b & 16) {
        s->offload.gso = FRAME_GSO_TCP4;
        s->offload.gso_size = input_u16(in);
    }
}

void op_segment(struct input *in)
{
    uint8_t bits = input_u8(in), opt[40];
    struct flow *fl = &world.flows[bits % WORLD_FLOWS];
    struct world_segment s = {
        .flow = bits % WORLD_FLOWS,
        .flags = input_u8(in),
        .seq = fl->next,
        .ack = fl->end,
        .window = 65535,
        .opt = opt,
    };

    /* A new incarnation starts at the peer's first number, moved on. */
    if ((s.flags & (TH_SYN | TH_RST)) == TH_SYN)
        s.seq = s.flags & TH_ACK ? fl->isn : (fl->isn += fl->seen ? 100000 : 0);
    if (bits & SEG_BIT_SEQ)
        s.seq = number(in, fl->next, fl->acked, fl->acked + fl->window);
    if (bits & SEG_BIT_ACK)
        s.ack = number(in, fl->end, fl->una, fl->una + 65535);
    if (bits & SEG_BIT_LEN)
        s.len = input_u16(in) % 60000;
    if (bits & SEG_BIT_OPTIONS)
        s.opt_len = options(in, opt, fl);
    else if (s.flags & TH_SYN)
        s.opt_len = put_syn(opt, fl, 0);
    else if (fl->ts)
        s.opt_len = world_timestamps(opt, 0, fl->tsval);
    if (bits & SEG_BIT_MORE)
        more(in, &s);
    world_segment(&s);
}
