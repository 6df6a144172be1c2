/* SPDX-License-Identifier: MIT */
/* The world's life, clock, memory and device; see world.h. Its peers are in peer.c. */
#include "tests/fuzz/world.h"

#include "proto/base/checksum.h"
#include "proto/ip/ip_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define STEP_LIMIT 2000u   /* runs at one moment: more means that the core spins */
#define END_LIMIT  200000u /* deadlines until everything is over */
#define LONGEST_MS 600000u /* a user's time-out, then */

struct world world;

static const uint8_t our_mac[6] = {2, 0, 0, 0, 0, 1}, peer_mac[6] = {2, 0, 0, 0, 0, 2};

_Noreturn void world_fail(const char *why)
{
    fprintf(stderr, "fuzz: %s\n", why);
    abort();
}

/* --- FUZZ_TRACE ------------------------------------------------------------------------------ */

void world_trace_line(const char *format, ...)
{
    va_list args;

    fprintf(stderr, "%14.6f ", (double)world.now / 1e6);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

void world_trace_frame(const char *way, const uint8_t *b, size_t len)
{
    const uint8_t *tcp = b + 34;

    if (!world.trace)
        return;
    if (len < 54 || wire_get16(b + ETH_TYPE) != ETH_TYPE_IPV4 || b[23] != IP_PROTO_TCP) {
        world_trace_line("%s frame type %04x protocol %u, %zu bytes", way,
                         len < 24 ? 0u : wire_get16(b + ETH_TYPE), len < 24 ? 0u : b[23], len);
        return;
    }
    world_trace_line("%s %u:%u flags %02x seq %u ack %u win %u len %zu", way, wire_get16(tcp),
                     wire_get16(tcp + 2), tcp[13], wire_get32(tcp + 4), wire_get32(tcp + 8),
                     wire_get16(tcp + 14), len - 34 - (tcp[12] >> 4) * 4u);
}

/* --- memory ---------------------------------------------------------------------------------- */

static void *counted_alloc(void *ctx, size_t size)
{
    void *p;

    (void)ctx;
    if (++world.allocs >= world.fail_at && world.allocs < world.fail_to) {
        world_trace("no memory for %zu bytes", size);
        return NULL;
    }
    p = size % MEM_PAGE ? malloc(size) : aligned_alloc(MEM_PAGE, size);
    if (!p)
        world_fail("the machine is out of memory");
    world.live += (int64_t)size;
    return p;
}

static void counted_release(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    world.live -= (int64_t)size;
    free(ptr);
}

/* --- the device ------------------------------------------------------------------------------ */

static void answer_arp(const uint8_t *ask)
{
    static const uint8_t fixed[8] = {0, 1, 0x08, 0x00, 6, 4, 0, 2};
    uint8_t *a;

    /* announcements and probes ask for nobody else */
    if (world.deaf || wire_get16(ask + 20) != 1 || memcmp(ask + 28, ask + 38, 4) == 0 ||
        world.n_arps == WORLD_ARPS)
        return;
    a = world.arps[world.n_arps++];
    memcpy(a, our_mac, 6);
    memcpy(a + 6, peer_mac, 6);
    wire_put16(a + 12, ETH_TYPE_ARP);
    memcpy(a + 14, fixed, sizeof(fixed));
    memcpy(a + 22, peer_mac, 6);
    memcpy(a + 28, ask + 38, 4);
    memcpy(a + 32, our_mac, 6);
    memcpy(a + 38, ask + 28, 4);
}

static void learn_options(struct flow *fl, const uint8_t *o, uint32_t n, bool syn)
{
    bool ts = false, sack = false;

    for (uint32_t i = 0; i < n && o[i]; i += o[i] == 1 ? 1 : o[i + 1]) {
        if (o[i] == 1)
            continue;
        if (i + 1 >= n || o[i + 1] < 2 || i + o[i + 1] > n)
            world_fail("the stack sent malformed options");
        if (o[i] == 8) {
            ts = true;
            fl->tsval = wire_get32(o + i + 2);
        }
        sack |= o[i] == 4;
    }
    if (syn) {
        fl->ts = ts;
        fl->sack = sack;
    }
}

static void learn(const uint8_t *tcp, uint32_t len, uint32_t mss)
{
    uint32_t header = (tcp[12] >> 4) * 4u, seq = wire_get32(tcp + 4), end;
    unsigned i = (unsigned)wire_get16(tcp + 2) - WORLD_PEER;
    struct flow *fl;

    if (header < 20 || header > len)
        world_fail("the stack sent a wrong data offset");
    end = seq + len - header + !!(tcp[13] & TH_SYN) + !!(tcp[13] & TH_FIN);
    for (uint32_t n = header; n < len && !world.raw; n++) {
        if (tcp[n] != world_pattern(seq + !!(tcp[13] & TH_SYN) + n - header))
            world_fail("the stack sent a wrong byte");
    }
    if (i >= WORLD_FLOWS || (tcp[13] & TH_RST))
        return;
    fl = &world.flows[i];
    if (!fl->seen || (tcp[13] & TH_SYN)) {
        fl->una = fl->end = seq;
        fl->our_port = wire_get16(tcp);
        fl->seen = true;
    }
    learn_options(fl, tcp + 20, header - 20, tcp[13] & TH_SYN);
    if (tcp[13] & TH_SYN)
        receiver_begin(fl, end);
    else
        receiver_sent(fl, seq, end, mss);
    if (seq_gt(end, fl->end))
        fl->end = end;
    if (tcp[13] & TH_ACK)
        fl->acked = wire_get32(tcp + 8);
    fl->window = wire_get16(tcp + 14);
}

static void check_sum(const struct frame *f, const uint8_t *ip, uint32_t len)
{
    uint32_t sum = csum_pseudo(ip + IPV4_SRC, ip + IPV4_DST, 4, ip[IPV4_PROTO], len - IPV4_HEADER);

    if (csum_fold(csum_partial(ip, IPV4_HEADER, 0)) != 0)
        world_fail("the stack sent a wrong IP checksum");
    if (f->csum == FRAME_CSUM_NONE && ip[IPV4_PROTO] == IP_PROTO_TCP &&
        csum_fold(csum_partial(ip + IPV4_HEADER, len - IPV4_HEADER, sum)) != 0)
        world_fail("the stack sent a wrong TCP checksum");
}

static int transmit(void *ctx, const struct frame *f)
{
    static uint8_t bytes[WORLD_FRAME];
    uint32_t n = frame_total(f);

    (void)ctx;
    if (n < 42 || n > sizeof(bytes))
        world_fail("the stack sent a frame of a wrong size");
    if (world.device_for && --world.device_for == 0)
        world.device = 0;
    if (world.device < 0)
        return world.device;
    frame_flatten(f, bytes);
    world_trace_frame(">", bytes, n);
    if (wire_get16(bytes + ETH_TYPE) == ETH_TYPE_ARP) {
        answer_arp(bytes);
        return 0;
    }
    if (wire_get16(bytes + 16) + 14u != n || bytes[14] != 0x45)
        world_fail("the stack sent a wrong IP header");
    if (f->gso == FRAME_GSO_NONE && n > world.st->config.mtu + 14)
        world_fail("the stack sent a frame above the MTU");
    check_sum(f, bytes + 14, n - 14);
    world.last_len = n - 14 < sizeof(world.last) ? n - 14 : sizeof(world.last);
    memcpy(world.last, bytes + 14, world.last_len);
    if (bytes[14 + IPV4_PROTO] == IP_PROTO_TCP && n >= 54)
        learn(bytes + 34, n - 34, f->gso == FRAME_GSO_NONE ? 0 : f->gso_size);
    if (world.device == 1) {
        world.queued_owner = f->owner;
        world.queued_bytes = f->span_len;
    }
    return world.device;
}

/* --- the clock ------------------------------------------------------------------------------- */

void world_check(void)
{
    const char *why = stack_check(world.st);

    if (why)
        world_fail(why);
}

/* Calls that have ended are over for their thread, which takes what accept gave it. */
void world_reap_calls(void)
{
    for (int i = 0; i < WORLD_CALLS; i++) {
        struct sock *s;
        ssize_t result;

        if (!world.calls[i] || !sock_call_done(world.calls[i], &result))
            continue;
        world_waited(&world.waits[i], result);
        world.waits[i].s = NULL;
        s = sock_call_accepted(world.calls[i]);
        sock_call_free(world.calls[i]);
        world.calls[i] = NULL;
        if (!s)
            continue;
        sock_set_user(s, &world);
        for (int j = 0; j < WORLD_SOCKS; j++) {
            if (world.socks[j])
                continue;
            world.socks[j] = s;
            s = NULL;
            break;
        }
        if (s)
            sock_close(s, world.now);
    }
}

void world_run(void)
{
    unsigned limit = STEP_LIMIT;
    uint32_t events;

    do {
        stack_run(world.st, world.now);
        world_check();
        for (unsigned i = 0; i < world.n_arps; i++)
            world_input(world.arps[i], sizeof(world.arps[i]), (struct world_offload){0});
        world.n_arps = 0;
        while (stack_next_event(world.st, &events)) {
            if (!events || events >= SOCK_EV_URGENT << 1)
                world_fail("an event that says nothing, or something unknown");
        }
        world_check();
        world_reap_calls();
    } while (stack_next_deadline(world.st) <= world.now && --limit);
    if (!limit)
        world_fail("the stack never rests at one moment");
}

void world_advance(uint64_t us, unsigned deadlines)
{
    uint64_t until = world.now + us, next;

    while (deadlines-- && (next = stack_next_deadline(world.st)) <= until) {
        if (next > world.now)
            world.now = next;
        world_run();
    }
    if (until > world.now && stack_next_deadline(world.st) > until) {
        world.now = until;
        world_run();
    }
}

/* --- life ------------------------------------------------------------------------------------ */

void world_begin(const struct world_config *c)
{
    static const struct stack_ops ops = {.transmit = transmit};
    static const uint8_t ip[4] = {10, 0, 0, 1}, gateway[4] = {10, 0, 0, 2};
    struct stack_config config = {
        .mtu = c->mtu,
        .address = {ip_addr_v4(ip), IP_V4_PREFIX_BASE + 24},
        .has_gateway = true,
        .gateway = ip_addr_v4(gateway),
        .features = c->features,
        .seed = "the same for every run",
        .memory_limit = c->memory_limit,
        .window_budget = c->window_budget,
        .max_sockets = c->max_sockets,
    };

    memset(&world, 0, sizeof(world));
    memcpy(config.mac, our_mac, 6);
    world.now = 1000000000;
    world.trace = getenv("FUZZ_TRACE");
    for (uint32_t i = 0; i < WORLD_FLOWS; i++) {
        uint32_t isn = i * 0x20000000u - 200u; /* some wrap soon */

        world.flows[i] =
            (struct flow){.isn = isn, .next = isn, .acked = isn, .our_port = WORLD_PORT};
    }
    if (stack_new(&config, &ops, NULL, world.now, &world.st) != 0)
        world_fail("no stack");
    world.live = (int64_t)world.st->mem.used;
    world.st->mem.alloc = counted_alloc;
    world.st->mem.release = counted_release;
}

/* Nobody has 22 days for what is left of a user's time-out. */
static void shorten(struct hash_node *n, void *ctx)
{
    struct tcb *tp = container_of(n, struct tcb, id_node);
    uint32_t most = *(const uint32_t *)ctx;

    if (tp->user_timeout_ms > most)
        tp->user_timeout_ms = most;
    if (tp->uto_adopted_ms > most)
        tp->uto_adopted_ms = most;
}

static void close_all(void)
{
    uint32_t most = LONGEST_MS;

    hash_each(&world.st->tcp.by_id, shorten, &most);
    for (int i = 0; i < WORLD_CALLS; i++) {
        if (!world.calls[i])
            continue;
        sock_call_interrupt(world.calls[i], world.now);
    }
    world_reap_calls();
    for (int i = 0; i < WORLD_SOCKS; i++) {
        if (world.socks[i])
            sock_close(world.socks[i], world.now);
        world.socks[i] = NULL;
        world_check();
    }
}

static const char *left_over(void)
{
    const struct tcp_table *t = &world.st->tcp;

    if (world.st->n_sockets || t->sock_pool.in_use || t->listener_pool.in_use)
        return "sockets are left";
    if (t->n_requests || t->request_pool.in_use)
        return "half-open requests are left";
    if (t->n_timewait || t->timewait_pool.in_use)
        return "TIME-WAIT records are left";
    if (t->n_tcbs || t->n_orphans || t->tcb_pool.in_use || hash_count(&t->conns))
        return "connections are left";
    if (t->segment_pool.in_use || t->range_pool.in_use || t->bbr_pool.in_use)
        return "segments, ranges or models of bbr are left";
    if (t->bind_pool.in_use || hash_count(&t->binds) || hash_count(&t->listeners))
        return "ports are left";
    if (t->call_pool.in_use)
        return "calls are left";
    if (world.st->extents.in_use)
        return "buffers are left";
    if (!list_empty(&world.st->dirty) || !list_empty(&world.st->news) ||
        !list_empty(&world.st->room) || world.st->ip.local_queued)
        return "work is left";
    return NULL;
}

void world_end(void)
{
    unsigned limit = END_LIMIT;
    uint64_t next;

    world.fail_to = 0;
    world.device = 0;
    world.device_for = 0;
    stack_device_ready(world.st, world.now);
    /* an input may have asked for 255 retransmissions: eight hours, and more deadlines than the
     * limit */
    stack_tunable_set(world.st, "tcp_orphan_retries", "8");
    stack_tunable_set(world.st, "tcp_retries2", "15");
    close_all();
    world_run();
    while (left_over() && (next = stack_next_deadline(world.st)) != UINT64_MAX && --limit) {
        if (next > world.now)
            world.now = next;
        world_run();
    }
    if (left_over())
        world_fail(left_over());
    stack_free(world.st);
    if (world.live != 0)
        world_fail("memory is left");
}
