/* SPDX-License-Identifier: MIT */
/* CALL_SHARED: a host that shares a connection's storage with its program (sock/share.c). */
#include "tests/fuzz/ops.h"
#include "tests/fuzz/world.h"

#include <sys/socket.h>

/* What was granted last, to whom. */
static struct grant {
    uint64_t sock, upto;
} grants[WORLD_SOCKS];

/* The stack's own allocator, which may fail and whose account must come to zero. */
static void *get(void *ctx, enum sock_way way, uint32_t size)
{
    struct mem *m = &world.st->mem;

    (void)ctx;
    (void)way;
    return m->alloc(m->ctx, size);
}

static void put(void *ctx, enum sock_way way, void *base, uint32_t size)
{
    struct mem *m = &world.st->mem;

    (void)ctx;
    (void)way;
    m->release(m->ctx, base, size);
}

static void done(void *ctx)
{
    (void)ctx;
}

/* The byte at this offset, where a program looks for it. */
static uint8_t *place(const struct sock *s, enum sock_way way, uint64_t off)
{
    const struct bytestream *b = way == SOCK_SENDS ? &s->tcb->snd : &s->tcb->rcv;
    struct sock_extents e;
    int which;

    sock_extents(s, way, &e);
    which = off >= e.boundary;
    if (!e.size[which] || e.size[which] != b->ext[which].size)
        world_fail("a shared byte has no place");
    return b->ext[which].base + (off & (e.size[which] - 1));
}

static void share(struct sock *s, struct grant *g, struct input *in)
{
    const struct sock_storage storage = {get, put, done, NULL};
    const uint32_t least[2] = {(uint32_t)input_u8(in) << 10, (uint32_t)input_u8(in) << 10};

    if (sock_share(s, &storage, least) == 0)
        *g = (struct grant){sock_id(s), sock_position(s, SOCK_SENDS)};
}

static void write_and_commit(struct sock *s, struct grant *g, struct input *in)
{
    uint64_t at = sock_position(s, SOCK_SENDS), before, n = (uint64_t)input_u8(in) << 7;
    uint8_t bits = input_u8(in);

    if (g->upto < at) /* the program has written in other ways as well */
        g->upto = at;
    before = g->upto;
    g->upto = sock_send_grant(s, before);
    if (g->upto < before)
        world_fail("a grant was taken back");
    if (!sock_send_ready(s))
        return;
    n = n < g->upto - at ? n : g->upto - at;
    if (bits & 0x80) /* all that there is, and it arrives in one piece */
        n = g->upto - at;
    world_sends(s);
    for (uint64_t i = 0; i < n; i++)
        world_fill(place(s, SOCK_SENDS, at + i), s->tcb->write_seq + (uint32_t)i, 1);
    if (sock_send_commit(s, (size_t)n, bits & 1 ? MSG_MORE : 0, world.now) != (ssize_t)n)
        world_fail("bytes below the grant were refused");
}

static void look_and_consume(struct sock *s, struct input *in)
{
    uint64_t at = sock_position(s, SOCK_RECEIVES), n = sock_arrived(s) - at, take = input_u8(in);
    uint32_t seq = s->tcb->irs + 1 + (uint32_t)at;

    world_reads(s);
    for (uint64_t i = 0; i < n && !world.raw; i++)
        if (*place(s, SOCK_RECEIVES, at + i) != world_pattern(seq + (uint32_t)i))
            world_fail("a shared byte is wrong");
    take = take == 255 ? n : take << 4;
    sock_recv_consume(s, (size_t)(take < n ? take : n), 0, world.now);
}

static void give_back(struct sock *s, struct grant *g)
{
    bool idle = sock_idle(s);

    sock_give_back(s);
    if (idle && sock_holds_storage(s))
        world_fail("an idle connection keeps its storage");
    if (idle)
        g->upto = sock_position(s, SOCK_SENDS);
}

void op_shared(struct sock *s, uint8_t slot, struct input *in)
{
    struct grant *g = &grants[slot % WORLD_SOCKS];
    uint8_t what = input_u8(in) % 4;

    if (s->listener)
        return;
    if (what == 0 || !s->tcb->shared) {
        share(s, g, in);
        return;
    }
    if (g->sock != sock_id(s)) /* it came to this place later */
        *g = (struct grant){sock_id(s), bytestream_capacity_end(&s->tcb->snd)};
    if (what == 1)
        write_and_commit(s, g, in);
    else if (what == 2)
        look_and_consume(s, in);
    else
        give_back(s, g);
}
