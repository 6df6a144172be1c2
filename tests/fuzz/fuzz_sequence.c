/* SPDX-License-Identifier: MIT */
/*
 * Frames, socket calls and time, decoded from the input (ops.h), against a world whose peers know
 * what the stack expects (world.h). After each step the invariants hold; at the end everything is
 * closed, time runs out, and all memory is back.
 */
#include "tests/fuzz/ops.h"
#include "tests/fuzz/world.h"

#include "proto/ip/ip_internal.h"

#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void begin_tunables(struct input *in, unsigned n)
{
    if (n == 15) {
        for (unsigned i = 0; i < TUNABLE_COUNT; i++)
            op_tunable(in, i);
        return;
    }
    while (n--)
        op_tunable(in, TUNABLE_COUNT);
}

/* What a flight and its losses are made of. */
static void begin_sender(uint8_t mtu, uint8_t features)
{
    struct tcp_tunables *t = &world.st->tcp.tunables;
    unsigned cc = mtu >> 2 & 3;

    t->congestion_control = cc < 3 ? cc : 2;
    t->bbr_ecn = cc == 3;
    t->recovery = (mtu & HEADER_NO_RACK ? 0 : 1) | (features & HEADER_STATIC ? 2 : 0);
    if (mtu & HEADER_NO_PROBE)
        t->early_retrans = 0;
    if (mtu & HEADER_NO_FRTO)
        t->frto = 0;
    if (mtu & HEADER_NO_JOIN)
        t->retrans_collapse = 0;
    if (features & HEADER_NO_SACK)
        t->sack = 0;
    if (features & HEADER_NO_DSACK)
        t->dsack = 0;
    if (features & HEADER_NO_HYSTART)
        t->hystart = 0;
}

static void begin(struct input *in)
{
    static const uint32_t mtus[] = {1500, 576, 9000, 65535},
                          rooms[] = {0, 1 << 20, 1 << 19, 1 << 22};
    uint8_t mtu = input_u8(in), features = input_u8(in), tunables = input_u8(in),
            room = input_u8(in);
    struct world_config c = {
        .mtu = mtus[mtu & 3],
        .features = features & 7u,
        .memory_limit = rooms[room & 3],
        .window_budget = features & 8 ? 100000 : 0,
        .max_sockets = room & 4 ? 6 : 0,
    };
    struct tcp_tunables *t;

    world_begin(&c);
    t = &world.st->tcp.tunables;
    t->timestamps = !(tunables & 1);
    begin_sender(mtu, features);
    t->window_scaling = !(tunables & 2);
    t->rfc1337 = !!(tunables & 4);
    t->abort_on_overflow = !!(tunables & 8);
    if (room & 8) { /* every object is an allocation of its own, which can fail */
        struct tcp_table *p = &world.st->tcp;

        p->tcb_pool.per_slab = p->sock_pool.per_slab = p->segment_pool.per_slab = 1;
        p->range_pool.per_slab = p->request_pool.per_slab = p->timewait_pool.per_slab = 1;
        p->listener_pool.per_slab = p->bind_pool.per_slab = p->call_pool.per_slab = 1;
        p->bbr_pool.per_slab = 1;
        world.st->extents.cache_limit = 0;
    }
    if (tunables & 16)
        t->max_orphans = t->max_tw_buckets = 2;
    if (tunables & 32)
        t->max_syn_backlog = 8;
    if (tunables & 64)
        t->rmem_default = t->rmem_max = t->wmem_default = t->wmem_max = 4096;
    if (tunables & 128)
        t->slow_start_after_idle = t->autocorking = t->moderate_rcvbuf = 0;
    begin_tunables(in, room >> 4);
    stack_announce(world.st, world.now);
    world_run();
}

static void op_answer(struct input *in)
{
    uint8_t b = input_u8(in), opt[12];
    struct flow *fl = &world.flows[b % WORLD_FLOWS];
    struct world_segment s = {
        .flow = b % WORLD_FLOWS,
        .flags = b & 8 ? TH_ACK | TH_FIN : TH_ACK,
        .seq = fl->next,
        .ack = fl->end,
        .window = b & 16 ? 0 : 65535,
        .opt = opt,
        .opt_len = fl->ts ? world_timestamps(opt, 0, fl->tsval) : 0,
    };

    world_segment(&s);
}

static void op_data(struct input *in)
{
    uint8_t b = input_u8(in), opt[12];
    struct flow *fl = &world.flows[b % WORLD_FLOWS];
    struct world_segment s = {
        .flow = b % WORLD_FLOWS,
        .flags = b & 8 ? TH_ACK | TH_PSH : TH_ACK,
        .seq = fl->next,
        .ack = fl->end,
        .window = 65535,
        .len = b & 16 ? 1460u : 1u + input_u8(in),
        .opt = opt,
        .opt_len = fl->ts ? world_timestamps(opt, 0, fl->tsval) : 0,
    };

    if (b & 64)
        s.tos = 3; /* congestion was experienced */
    if (b & 128)
        s.flags |= TH_CWR;
    if (b & 32) {
        s.len = s.len * 8;
        s.offload.gso = FRAME_GSO_TCP4;
        s.offload.gso_size = (uint16_t)(s.len / 8);
    }
    world_segment(&s);
}

static void op_device(struct input *in)
{
    static const int answers[] = {0, 1, -EAGAIN, -ENOBUFS, -EIO, 0, 1, 0};
    uint8_t b = input_u8(in);

    world.device = answers[b & 7];
    world.device_for = b >> 5;
    if (b & 8)
        stack_device_ready(world.st, world.now);
    if ((b & 16) && world.queued_owner) {
        stack_transmitted(world.st, world.queued_owner, world.queued_bytes, world.now);
        world.queued_owner = 0;
    }
}

static void op_raw(struct input *in)
{
    uint8_t bytes[512], b = input_u8(in);
    size_t n = input_bytes(in, bytes, b & 0xf0 ? b : 60);
    struct world_offload offload = {.csum = b & 1 ? FRAME_CSUM_VALID : FRAME_CSUM_NONE};

    if (b & 2)
        world_fix_sums(bytes, n);
    if (b & 4) {
        offload.gso = FRAME_GSO_TCP4;
        offload.gso_size = input_u16(in);
    }
    world.raw = true;
    world_input(bytes, n, offload);
}

static void op_packet(struct input *in)
{
    static const uint8_t protocols[] = {IP_PROTO_ICMP, IP_PROTO_TCP, 17, IP_PROTO_ICMP};
    uint8_t bytes[34 + 256], b = input_u8(in);
    struct world_segment empty = {.flow = b >> 5};
    size_t n;

    world_build(bytes, &empty);
    if (b & 16)
        wire_put16(bytes + 14 + IPV4_FRAGMENT, input_u16(in));
    n = input_bytes(in, bytes + 34, input_u8(in));
    bytes[14 + IPV4_PROTO] = protocols[b & 3];
    wire_put16(bytes + 14 + IPV4_TOTAL, (uint32_t)(20 + n));
    if (b & 4)
        wire_put32(bytes + 14 + IPV4_DST, b & 8 ? 0x0a0000ff : 0xffffffff);
    world_fix_sums(bytes, 34 + n);
    world.raw = true;
    world_input(bytes, 34 + n, (struct world_offload){0});
}

static void ignore_info(void *ctx, const struct sock_info *info)
{
    (void)ctx;
    (void)info;
}

static void op_world(struct input *in)
{
    uint8_t b = input_u8(in);

    world.deaf = b & 1;
    if (b & 2)
        stack_announce(world.st, world.now);
    if (b & 4)
        stack_each(world.st, ignore_info, NULL, world.now);
    if (b & 8) {
        /* what nobody has marked as his own is closed by this */
        world_reap_calls();
        stack_shutdown(world.st, world.now);
    }
    if (b & 16)
        op_tunable(in, TUNABLE_COUNT);
}

static void step(struct input *in, enum op op)
{
    uint8_t b;

    world_trace("op %d", op);
    switch (op) {
    case OP_SEGMENT:
        op_segment(in);
        break;
    case OP_ANSWER:
        op_answer(in);
        break;
    case OP_DATA:
        op_data(in);
        break;
    case OP_CALL:
        op_call(in);
        break;
    case OP_OPTION:
        op_option(in);
        break;
    case OP_TIME:
        b = input_u8(in);
        world_advance((uint64_t)input_u8(in) << b % 29, 200);
        break;
    case OP_DEADLINE:
        world_advance(UINT64_C(1) << 45, 1u + input_u8(in) % 32);
        break;
    case OP_DEVICE:
        op_device(in);
        break;
    case OP_ICMP:
        b = input_u8(in);
        world_icmp(b & 15, b >> 4, input_u16(in));
        break;
    case OP_RAW:
        op_raw(in);
        break;
    case OP_PACKET:
        op_packet(in);
        break;
    case OP_MEMORY:
        b = input_u8(in);
        world.fail_at = world.allocs + (b & 63);
        world.fail_to = world.fail_at + (b & 64 ? 8 : 1);
        if (b & 128)
            world.fail_to = UINT64_MAX;
        if (!b)
            world.fail_to = 0;
        break;
    case OP_BLOCKING:
        op_blocking(in);
        break;
    case OP_DELIVER:
        op_deliver(in);
        break;
    case OP_SACK:
        op_sack(in);
        break;
    default:
        op_world(in);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, data + size};

    if (size > 4096)
        return 0;
    begin(&in);
    while (input_left(&in)) {
        uint8_t b = input_u8(&in);

        step(&in, (enum op)((b & 15) % OP_COUNT));
        world_check();
        world_reap_calls();
        if (b >> 4 != 15)
            world_run();
    }
    world_end();
    return 0;
}
