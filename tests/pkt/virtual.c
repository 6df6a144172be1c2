/* SPDX-License-Identifier: MIT */
/* The wire and the clock of a core in virtual time; see virtual.h. */
#include "tests/pkt/virtual.h"
#include "tests/pkt/tunables.h"

#include "proto/ip/wire.h"
#include "proto/stack_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX_LEN 24
#define STEP_LIMIT 100000 /* runs at one moment: more means that the core spins */

static const uint8_t local_mac[6] = {2, 0, 0, 0, 0, 1}, gateway_mac[6] = {2, 0, 0, 0, 0, 2};

static struct virtual *of(struct target *t)
{
    return (struct virtual *)t;
}

/* --- the wire
 * ---------------------------------------------------------------------------------------------- */

static void answer_arp(struct virtual *v, const uint8_t *ask)
{
    static const uint8_t fixed[8] = {0, 1, 0x08, 0x00, 6, 4, 0, 2};
    uint8_t *a;

    /* only requests for somebody else; the core announces itself by asking for its own address */
    if (wire_get16(ask + 20) != 1 || memcmp(ask + 28, ask + 38, 4) == 0 || v->n_arp == VIRTUAL_ARPS)
        return;
    a = v->arp[v->n_arp++];
    memcpy(a, local_mac, 6);
    memcpy(a + 6, gateway_mac, 6);
    wire_put16(a + 12, ETH_TYPE_ARP);
    memcpy(a + 14, fixed, sizeof(fixed));
    memcpy(a + 22, gateway_mac, 6);
    memcpy(a + 28, ask + 38, 4);
    memcpy(a + 32, local_mac, 6);
    memcpy(a + 38, ask + 28, 4);
}

static int transmit(void *ctx, const struct frame *f)
{
    struct virtual *v = ctx;
    static _Thread_local uint8_t bytes[FRAME_MAX_PACKET + ETH_HEADER];
    uint32_t n = frame_total(f);

    if (n < 42 || n > sizeof(bytes))
        return 0;
    frame_flatten(f, bytes);
    if (wire_get16(bytes + ETH_TYPE) == ETH_TYPE_ARP) {
        answer_arp(v, bytes);
    } else if (wire_get16(bytes + ETH_TYPE) == ETH_TYPE_IPV4) {
        capture_add(&v->target, v->now, true, bytes + ETH_HEADER, n - ETH_HEADER);
        v->emitted = true;
    }
    return 0;
}

static void input(struct virtual *v, uint8_t *bytes, uint32_t n)
{
    struct frame f;

    frame_init(&f);
    f.data = bytes;
    f.len = n;
    stack_input(v->st, &f, virtual_core_time(v->now));
}

static void virtual_inject(struct target *t, const uint8_t *ip, uint32_t len)
{
    struct virtual *v = of(t);
    uint8_t *bytes = arena_alloc(t->arena, len + ETH_HEADER);

    memcpy(bytes, local_mac, 6);
    memcpy(bytes + 6, gateway_mac, 6);
    wire_put16(bytes + ETH_TYPE, ETH_TYPE_IPV4);
    memcpy(bytes + ETH_HEADER, ip, len);
    capture_add(t, v->now, false, ip, len);
    input(v, bytes, len + ETH_HEADER);
    virtual_step(v);
}

/* --- the clock
 * --------------------------------------------------------------------------------------------- */

void virtual_step(struct virtual *v)
{
    uint32_t events;
    struct sock *s;
    int limit = STEP_LIMIT;

    do {
        stack_run(v->st, virtual_core_time(v->now));
        if (v->memory.watched && !v->memory.complaint)
            v->memory.complaint = stack_check(v->st);
        for (int i = 0; i < v->n_arp; i++)
            input(v, v->arp[i], sizeof(v->arp[i]));
        v->n_arp = 0;
        while ((s = stack_next_event(v->st, &events)))
            virtual_epoll_event(v, s);
        virtual_check_pending(v);
    } while (stack_next_deadline(v->st) <= virtual_core_time(v->now) && --limit);
    if (!limit) {
        fprintf(stderr, "pkt: the core never rests at one moment\n");
        abort();
    }
}

/* The next moment at which anything can happen by itself, in script time. */
static uint64_t next_moment(const struct virtual *v)
{
    uint64_t core = stack_next_deadline(v->st), next = UINT64_MAX;

    if (core != UINT64_MAX)
        next = core <= virtual_core_time(v->now) ? v->now : core - virtual_core_time(0);
    for (int i = 0; i < v->n_pending; i++)
        if (v->pending[i].deadline < next)
            next = v->pending[i].deadline;
    return next;
}

static void virtual_advance(struct target *t, uint64_t until, bool stop_on_packet,
                            const struct call *call)
{
    struct virtual *v = of(t);
    uint64_t next;

    v->emitted = false;
    while ((next = next_moment(v)) <= until) {
        if (next > v->now)
            v->now = next;
        virtual_step(v);
        if ((stop_on_packet && v->emitted) || (call && call->done))
            return;
    }
    if (until > v->now)
        v->now = until;
}

static uint64_t virtual_now(struct target *t)
{
    return of(t)->now;
}

/* --- memory that can fail
 * ---------------------------------------------------------------------------------- */

static void *watched_alloc(void *ctx, size_t size)
{
    struct virtual_memory *m = ctx;
    void *p;

    if (++m->allocs == m->fail_at)
        return NULL;
    p = size % MEM_PAGE ? malloc(size) : aligned_alloc(MEM_PAGE, size);
    if (!p)
        abort();
    m->live += (int64_t)size;
    return p;
}

static void watched_release(void *ctx, void *ptr, size_t size)
{
    struct virtual_memory *m = ctx;

    m->live -= (int64_t)size;
    free(ptr);
}

/* Without pools and caches every object is an allocation of its own, which can fail. */
static void make_every_object_an_allocation(struct stack *st)
{
    struct tcp_table *t = &st->tcp;
    struct pool *pools[] = {&t->tcb_pool,     &t->sock_pool,     &t->segment_pool,  &t->range_pool,
                            &t->request_pool, &t->timewait_pool, &t->listener_pool, &t->bind_pool,
                            &t->call_pool,    &t->bbr_pool};

    for (size_t i = 0; i < sizeof(pools) / sizeof(pools[0]); i++)
        pools[i]->per_slab = 1;
    st->extents.cache_limit = 0;
}

static void watch(struct virtual *v)
{
    make_every_object_an_allocation(v->st);
    v->memory.live = (int64_t)v->st->mem.used;
    v->st->mem.alloc = watched_alloc;
    v->st->mem.release = watched_release;
    v->st->mem.ctx = &v->memory;
}

static const char *left_over(const struct stack *st)
{
    const struct tcp_table *t = &st->tcp;

    if (t->sock_pool.in_use || t->listener_pool.in_use)
        return "sockets are left";
    if (t->tcb_pool.in_use || t->request_pool.in_use || t->timewait_pool.in_use)
        return "connections, half-open ones or TIME-WAIT records are left";
    if (t->segment_pool.in_use || t->range_pool.in_use || t->bind_pool.in_use || st->extents.in_use)
        return "segments, ranges, ports or buffers are left";
    return NULL;
}

/* The programs are gone: let time run until everything is over. */
static void run_out(struct virtual *v)
{
    int limit = STEP_LIMIT;
    uint64_t next;

    for (int i = 0; i < VIRTUAL_FDS; i++) {
        if (v->fd[i].kind == VFD_SOCK)
            sock_close(v->fd[i].sock, virtual_core_time(v->now));
        v->fd[i].kind = VFD_FREE;
    }
    virtual_step(v);
    while (left_over(v->st) && (next = stack_next_deadline(v->st)) != UINT64_MAX && --limit) {
        v->now = next - virtual_core_time(0);
        virtual_step(v);
    }
    if (!v->memory.complaint)
        v->memory.complaint = left_over(v->st);
}

/* --- life
 * --------------------------------------------------------------------------------------------------
 */

static struct ip_addr address(uint32_t ip)
{
    uint8_t b[4];

    wire_put32(b, ip);
    return ip_addr_v4(b);
}

static const char *virtual_open(struct target *t, const struct script *s)
{
    static const struct stack_ops ops = {.transmit = transmit};
    struct virtual *v = of(t);
    struct stack_config config = {
        .mtu = s->mtu,
        .address = {address(s->local_ip), IP_V4_PREFIX_BASE + PREFIX_LEN},
        .has_gateway = true,
        .gateway = address(s->gateway_ip),
        .seed = "the same for every run",
    };
    int err;

    memcpy(config.mac, local_mac, 6);
    memset(&t->capture, 0, sizeof(t->capture));
    memset(v->fd, 0, sizeof(v->fd));
    v->now = 0;
    v->n_pending = v->n_arp = 0;
    v->local_ip = s->local_ip;
    err = stack_new(&config, &ops, v, virtual_core_time(0), &v->st);
    if (!err) /* as the kernel's side does */
        err = stack_tunable_set(v->st, "tcp_congestion_control", "reno");
    if (!err && v->memory.watched)
        watch(v);
    return err ? arena_printf(t->arena, "stack_new: %s", strerror(-err)) : NULL;
}

static void virtual_close(struct target *t)
{
    struct virtual *v = of(t);

    virtual_close_all(v);
    if (v->memory.watched)
        run_out(v);
    stack_free(v->st);
    v->st = NULL;
    if (v->memory.watched && v->memory.live != 0 && !v->memory.complaint)
        v->memory.complaint = "memory is left";
}

static const char *virtual_sysctl(struct target *t, const char *name, const char *value)
{
    return tunable_set(of(t)->st, t->arena, name, value);
}

static const struct target_ops virtual_ops = {
    .name = "tapstack",
    .open = virtual_open,
    .close = virtual_close,
    .now = virtual_now,
    .advance = virtual_advance,
    .inject = virtual_inject,
    .start = virtual_start,
    .interrupt = virtual_interrupt,
    .sysctl = virtual_sysctl,
    .tcp_info = virtual_tcp_info,
};

struct target *virtual_new(struct arena *a)
{
    struct virtual *v = calloc(1, sizeof(*v));

    if (!v)
        abort();
    v->target.ops = &virtual_ops;
    v->target.arena = a;
    return &v->target;
}

void virtual_free(struct target *t)
{
    free(t);
}
