/* SPDX-License-Identifier: MIT */
/* See sim.h. */
#include "tests/sim/sim.h"

#include "proto/base/checksum.h"
#include "proto/ip/wire.h"
#include "proto/stack_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIVELOCK 200000u

enum event_kind { EVENT_PACKET, EVENT_SENT, EVENT_READY, EVENT_CALL };

struct sim_event {
    uint64_t at, order;
    enum event_kind kind;
    struct sim_host *host;
    union {
        struct sim_packet *packet;
        struct {
            uint64_t owner;
            uint32_t payload, bytes;
        } sent;
        struct {
            void (*fn)(void *arg);
            void *arg;
        } call;
    };
};

void sim_fail(struct sim *sim, const char *format, ...)
{
    va_list ap;

    if (sim->failure[0])
        return;
    va_start(ap, format);
    vsnprintf(sim->failure, sizeof(sim->failure), format, ap);
    va_end(ap);
}

/* --- the queue of events
 * ----------------------------------------------------------------------------------- */

static bool earlier(const struct sim_event *a, const struct sim_event *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void heap_push(struct sim *sim, struct sim_event e)
{
    size_t i = sim->n_events;

    if (i == sim->heap_room) {
        sim->heap_room = sim->heap_room ? 2 * sim->heap_room : 64;
        sim->heap = realloc(sim->heap, sim->heap_room * sizeof(*sim->heap));
        if (!sim->heap)
            abort();
    }
    e.order = sim->order++;
    sim->n_events++;
    while (i > 0 && earlier(&e, &sim->heap[(i - 1) / 2])) {
        sim->heap[i] = sim->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    sim->heap[i] = e;
}

static struct sim_event heap_pop(struct sim *sim)
{
    struct sim_event top = sim->heap[0], last = sim->heap[--sim->n_events];
    size_t i = 0, n = sim->n_events;

    for (;;) {
        size_t c = 2 * i + 1;

        if (c >= n)
            break;
        if (c + 1 < n && earlier(&sim->heap[c + 1], &sim->heap[c]))
            c++;
        if (!earlier(&sim->heap[c], &last))
            break;
        sim->heap[i] = sim->heap[c];
        i = c;
    }
    if (n)
        sim->heap[i] = last;
    return top;
}

void sim_at(struct sim *sim, uint64_t at, void (*fn)(void *arg), void *arg)
{
    heap_push(sim, (struct sim_event){.at = at, .kind = EVENT_CALL, .call = {fn, arg}});
}

/* --- a host's device
 * ---------------------------------------------------------------------------------------- */

static void note_trace(struct sim *sim, const uint8_t *data, uint32_t len)
{
    uint64_t h = sim->trace ^ sim->now ^ (uint64_t)len << 48;
    uint32_t n = len < 80 ? len : 80;

    for (uint32_t i = 0; i < n; i++)
        h = (h ^ data[i]) * 0x100000001b3ull;
    sim->trace = h;
}

static bool is_broadcast(const uint8_t *mac)
{
    return mac[0] & 1;
}

static void deliver_later(struct sim_host *from, const struct sim_packet *p, uint64_t at,
                          bool corrupt)
{
    struct sim *sim = from->sim;

    for (unsigned i = 0; i < sim->n_hosts; i++) {
        struct sim_host *to = &sim->host[i];
        struct sim_packet *copy;

        if (to == from || (!is_broadcast(p->data) && memcmp(p->data, to->mac, 6) != 0))
            continue;
        copy = malloc(sizeof(*copy) + p->len);
        if (!copy)
            abort();
        memcpy(copy, p, sizeof(*p) + p->len);
        /* ARP has no checksum: only IP can be damaged and noticed */
        if (corrupt && p->csum == FRAME_CSUM_NONE &&
            wire_get16(p->data + ETH_TYPE) == ETH_TYPE_IPV4) {
            uint64_t bit = prng_below(&from->out.prng, 8ull * (p->len - ETH_HEADER));

            copy->data[ETH_HEADER + bit / 8] ^= (uint8_t)(1u << bit % 8);
            copy->corrupt = true;
        }
        heap_push(sim,
                  (struct sim_event){.at = at, .kind = EVENT_PACKET, .host = to, .packet = copy});
    }
}

static void put_checksum(uint8_t *field, const uint8_t *from, uint32_t len)
{
    uint16_t sum;

    memset(field, 0, 2);
    sum = csum_fold(csum_partial(from, len, 0));
    memcpy(field, &sum, 2);
}

/* RFC 792, RFC 1191 §4: destination unreachable, fragmentation needed, with the next hop's MTU and
 * the packet's first bytes. */
static void tell_too_big(struct sim_host *h, const struct sim_packet *p)
{
    uint8_t f[ETH_HEADER + IPV4_HEADER + ICMP_HEADER + 28] = {0};
    uint8_t *ip = f + ETH_HEADER, *icmp = ip + IPV4_HEADER;

    memcpy(f, h->mac, 6);
    memcpy(f + ETH_SOURCE, (uint8_t[6]){2, 0, 0, 0, 0, 0xfe}, 6);
    wire_put16(f + ETH_TYPE, ETH_TYPE_IPV4);
    ip[0] = 0x45;
    wire_put16(ip + IPV4_TOTAL, sizeof(f) - ETH_HEADER);
    ip[IPV4_TTL] = 64;
    ip[IPV4_PROTO] = 1;
    wire_put32(ip + IPV4_SRC, 0x0a0000fe);
    memcpy(ip + IPV4_DST, p->data + ETH_HEADER + IPV4_SRC, 4);
    put_checksum(ip + IPV4_CHECKSUM, ip, IPV4_HEADER);
    icmp[0] = 3;
    icmp[1] = 4;
    wire_put16(icmp + 6, h->out.config.mtu);
    memcpy(icmp + ICMP_HEADER, p->data + ETH_HEADER, 28);
    put_checksum(icmp + 2, icmp, ICMP_HEADER + 28);
    sim_inject(h, f, sizeof(f));
}

/* One packet, as it will travel, onto the link. Returns when it has left the device. */
static uint64_t onto_link(struct sim_host *h, const struct sim_packet *p,
                          const struct wire_packet *w)
{
    struct sim *sim = h->sim;
    struct link_fate fate;

    sim->packets++;
    if (h->filter && !h->filter(h, w))
        return sim->now;
    if (h->config.too_big_is_told && p->len > h->out.config.mtu + ETH_HEADER)
        tell_too_big(h, p);
    /* three lost ARP requests end a connection with EHOSTUNREACH: a test that wants that has a
     * filter */
    fate = link_offer(&h->out, p->len, w->type == ETH_TYPE_ARP, sim->now);
    for (unsigned i = 0; i < fate.copies; i++)
        deliver_later(h, p, fate.arrives[i], i == 0 && fate.corrupt);
    return fate.departs;
}

struct cut {
    struct sim_host *host;
    uint64_t departs;
};

/* A complete packet of at most MTU bytes. */
static int emit_piece(void *ctx, struct frame *f)
{
    struct cut *c = ctx;
    struct sim *sim = c->host->sim;
    uint64_t room[(sizeof(struct sim_packet) + 66000) / 8];
    struct sim_packet *p = (struct sim_packet *)room;
    struct wire_packet w;
    const char *why;

    memset(p, 0, sizeof(*p));
    p->len = frame_total(f);
    p->csum = FRAME_CSUM_NONE;
    frame_flatten(f, p->data);
    why = wire_parse(p->data, p->len, c->host->config.mtu, true, &w);
    if (why)
        sim_fail(sim, "host %u sent a bad packet: %s", c->host->index, why);
    c->departs = onto_link(c->host, p, &w);
    return 0;
}

static uint64_t send_whole(struct sim_host *h, const struct frame *f, uint8_t *flat,
                           const struct wire_packet *w)
{
    struct sim_packet *p = malloc(sizeof(*p) + frame_total(f));
    uint64_t departs;

    if (!p)
        abort();
    *p = (struct sim_packet){.len = frame_total(f),
                             .gso = f->gso,
                             .csum = f->csum,
                             .gso_size = f->gso_size,
                             .csum_start = f->csum_start,
                             .csum_offset = f->csum_offset};
    memcpy(p->data, flat, p->len);
    departs = onto_link(h, p, w);
    free(p);
    return departs;
}

static uint64_t send_cut(struct sim_host *h, const struct frame *f, uint8_t *flat)
{
    struct cut c = {.host = h, .departs = h->sim->now};
    struct frame whole;

    frame_init(&whole);
    whole.data = flat;
    whole.len = frame_total(f);
    whole.csum = f->csum;
    whole.csum_start = f->csum_start;
    whole.csum_offset = f->csum_offset;
    whole.gso = f->gso;
    whole.gso_size = f->gso_size;
    if (f->gso == FRAME_GSO_NONE) {
        frame_complete_csum(&whole);
        emit_piece(&c, &whole);
    } else if (frame_segment(&whole, emit_piece, &c) < 0) {
        sim_fail(h->sim, "host %u sent an offloaded frame that cannot be cut", h->index);
    }
    return c.departs;
}

/* Does the device take it? */
static bool refuses(struct sim_host *h, uint32_t bytes)
{
    struct sim *sim = h->sim;

    if (sim->now < h->refuse_until)
        return true;
    if (h->config.device_bytes && h->queued && h->queued + bytes > h->config.device_bytes) {
        h->waiting = true;
        return true;
    }
    if (!prng_chance(&sim->prng, h->config.refuse_ppm))
        return false;
    h->refuse_until = sim->now + prng_below(&sim->prng, h->config.refuse_us + 1);
    if (prng_next(&sim->prng) & 1)
        heap_push(sim, (struct sim_event){.at = h->refuse_until, .kind = EVENT_READY, .host = h});
    return true;
}

static int transmit(void *ctx, const struct frame *f)
{
    struct sim_host *h = ctx;
    struct sim *sim = h->sim;
    uint64_t room[66000 / 8];
    uint8_t *flat = (uint8_t *)room;
    struct wire_packet w;
    const char *why;
    uint64_t departs;

    if (frame_total(f) > 65535 + ETH_HEADER) {
        sim_fail(sim, "host %u sent a frame of %u bytes", h->index, frame_total(f));
        return -EMSGSIZE;
    }
    frame_flatten(f, flat);
    if (wire_get16(flat + ETH_TYPE) != ETH_TYPE_ARP && refuses(h, frame_total(f)))
        return -EAGAIN;
    why = wire_parse(flat, frame_total(f), f->gso ? 0 : h->config.mtu, f->csum == FRAME_CSUM_NONE,
                     &w);
    if (!why)
        why = wire_offload(f, flat, h->config.features, h->config.mtu);
    if (!why && memcmp(flat + ETH_SOURCE, h->mac, 6) != 0)
        why = "foreign source address";
    if (!why)
        why = wirecheck_sent(&sim->wire, &w);
    if (why)
        sim_fail(sim, "host %u: %s (seq %u len %u ack %u flags %02x)", h->index, why, w.seq, w.len,
                 w.ack, w.flags);
    note_trace(sim, flat, frame_total(f));
    if (sim->capture)
        capture_add(sim->capture, h->index, true, sim->now, flat, frame_total(f));
    departs = h->config.large_frames ? send_whole(h, f, flat, &w) : send_cut(h, f, flat);
    if (!h->config.device_queue)
        return 0;
    h->queued += frame_total(f);
    heap_push(sim, (struct sim_event){.at = departs,
                                      .kind = EVENT_SENT,
                                      .host = h,
                                      .sent = {f->owner, f->span_len, frame_total(f)}});
    return 1;
}

static void packet_arrives(struct sim *sim, struct sim_host *h, struct sim_packet *p)
{
    struct wire_packet w;
    struct frame f;

    if (h->unplugged || !h->st) {
        free(p);
        return;
    }
    if (sim->capture)
        capture_add(sim->capture, h->index, false, sim->now, p->data, p->len);
    if (!p->corrupt && !wire_parse(p->data, p->len, 0, false, &w))
        wirecheck_arrived(&sim->wire, &w);
    frame_init(&f);
    f.data = p->data;
    f.len = p->len;
    f.gso = p->gso;
    f.csum = p->csum;
    f.gso_size = p->gso_size;
    f.csum_start = p->csum_start;
    f.csum_offset = p->csum_offset;
    stack_input(h->st, &f, sim->now);
    h->touched = true;
    free(p);
}

static void frame_left(struct sim *sim, struct sim_host *h, const struct sim_event *e)
{
    h->queued -= e->sent.bytes;
    if (!h->st)
        return;
    if (e->sent.owner)
        stack_transmitted(h->st, e->sent.owner, e->sent.payload, sim->now);
    if (h->waiting && h->queued <= h->config.device_bytes / 2) {
        h->waiting = false;
        stack_device_ready(h->st, sim->now);
    }
    h->touched = true;
}

/* --- life
 * ----------------------------------------------------------------------------------------------------
 */

void sim_init(struct sim *sim, uint64_t seed, bool capture)
{
    memset(sim, 0, sizeof(*sim));
    sim->seed = seed;
    sim->prng.state = seed * 0x9e3779b97f4a7c15ull + 1;
    sim->now = SIM_START;
    sim->check_every = 1;
    sim->trace = 0xcbf29ce484222325ull;
    if (capture)
        sim->capture = capture_new(SIM_HOSTS);
}

void sim_destroy(struct sim *sim)
{
    for (unsigned i = 0; i < sim->n_hosts; i++)
        stack_free(sim->host[i].st);
    while (sim->n_events) {
        struct sim_event e = heap_pop(sim);

        if (e.kind == EVENT_PACKET)
            free(e.packet);
    }
    free(sim->heap);
    wirecheck_destroy(&sim->wire);
    capture_free(sim->capture);
    memset(sim, 0, sizeof(*sim));
}

struct sim_host *sim_add_host(struct sim *sim, const struct sim_host_config *config)
{
    static const struct stack_ops ops = {.transmit = transmit};
    struct sim_host *h = &sim->host[sim->n_hosts];
    uint8_t v4[4] = {10, 0, 0, (uint8_t)(1 + sim->n_hosts)};
    struct stack_config c = {0};
    int err;

    h->sim = sim;
    h->index = sim->n_hosts++;
    h->config = *config;
    if (!h->config.mtu)
        h->config.mtu = 1500;
    h->addr = ip_addr_v4(v4);
    memcpy(h->mac, (uint8_t[6]){2, 0, 0, 0, 0, (uint8_t)(1 + h->index)}, 6);
    link_init(&h->out, &config->out, prng_next(&sim->prng));
    memcpy(c.mac, h->mac, 6);
    c.mtu = h->config.mtu;
    c.address = (struct ip_prefix){h->addr, IP_V4_PREFIX_BASE + 24};
    c.features = config->features;
    c.memory_limit = config->memory_limit;
    for (unsigned i = 0; i < sizeof(c.seed); i++)
        c.seed[i] = (uint8_t)prng_next(&sim->prng);
    err = stack_new(&c, &ops, h, sim->now, &h->st);
    if (err)
        sim_fail(sim, "stack_new: %s", strerror(-err));
    return h;
}

struct ip_endpoint sim_endpoint(const struct sim_host *h, uint16_t port)
{
    return (struct ip_endpoint){h->addr, port};
}

void sim_touch(struct sim_host *h)
{
    h->touched = true;
}

void sim_inject(struct sim_host *h, const uint8_t *data, uint32_t len)
{
    struct sim_packet *p = calloc(1, sizeof(*p) + len);

    if (!p)
        abort();
    p->len = len;
    memcpy(p->data, data, len);
    heap_push(h->sim,
              (struct sim_event){.at = h->sim->now, .kind = EVENT_PACKET, .host = h, .packet = p});
}

/* --- time
 * ----------------------------------------------------------------------------------------------------
 */

static uint64_t next_time(const struct sim *sim)
{
    uint64_t at = sim->n_events ? sim->heap[0].at : UINT64_MAX;

    for (unsigned i = 0; i < sim->n_hosts; i++) {
        uint64_t d = sim->host[i].touched ? sim->now : stack_next_deadline(sim->host[i].st);

        if (d < at)
            at = d;
    }
    return at < sim->now ? sim->now : at;
}

static void happen(struct sim *sim, struct sim_event *e)
{
    switch (e->kind) {
    case EVENT_PACKET:
        packet_arrives(sim, e->host, e->packet);
        break;
    case EVENT_SENT:
        frame_left(sim, e->host, e);
        break;
    case EVENT_READY:
        stack_device_ready(e->host->st, sim->now);
        e->host->touched = true;
        break;
    case EVENT_CALL:
        e->call.fn(e->call.arg);
        break;
    }
}

static void run_host(struct sim_host *h)
{
    struct sim *sim = h->sim;
    struct sock *s;
    uint32_t events;
    const char *why;

    h->touched = false;
    stack_run(h->st, sim->now);
    while ((s = stack_next_event(h->st, &events))) {
        struct sim_user *u = sock_user(s);

        if (u && u->event)
            u->event(u, s, events);
    }
    if (sim->steps % sim->check_every)
        return;
    why = stack_check(h->st);
    if (why)
        sim_fail(sim, "host %u: stack_check: %s", h->index, why);
}

bool sim_step(struct sim *sim)
{
    uint64_t at = next_time(sim);

    if (sim->failure[0] || at == UINT64_MAX)
        return false;
    sim->still = at > sim->now ? 0 : sim->still + 1;
    if (sim->still > LIVELOCK)
        sim_fail(sim, "the stacks run and run, and time stands still");
    sim->now = at;
    sim->steps++;
    while (sim->n_events && sim->heap[0].at <= at) {
        struct sim_event e = heap_pop(sim);

        happen(sim, &e);
    }
    for (unsigned i = 0; i < sim->n_hosts; i++) {
        struct sim_host *h = &sim->host[i];

        if (h->touched || stack_next_deadline(h->st) <= at)
            run_host(h);
    }
    return !sim->failure[0];
}

bool sim_run_until(struct sim *sim, bool (*done)(void *arg), void *arg, uint64_t until)
{
    for (;;) {
        if (done && done(arg))
            return true;
        if (sim->failure[0])
            return false;
        if (next_time(sim) > until) {
            if (until != UINT64_MAX && until > sim->now)
                sim->now = until;
            return false;
        }
        if (!sim_step(sim))
            return done && !sim->failure[0] && done(arg);
    }
}

void sim_run_for(struct sim *sim, uint64_t us)
{
    sim_run_until(sim, NULL, NULL, sim->now + us);
}

/* --- the end
 * -------------------------------------------------------------------------------------------------
 */

const char *sim_leftovers(struct sim_host *h)
{
    struct tcp_table *t = &h->st->tcp;
    struct stack_usage u;

    stack_usage(h->st, &u);
    if (u.sockets)
        return "sockets";
    if (u.orphans)
        return "orphans";
    if (u.connections)
        return "connections";
    if (u.requests)
        return "half-open requests";
    if (u.time_wait)
        return "TIME-WAIT records";
    if (t->tcb_pool.in_use || t->sock_pool.in_use || t->request_pool.in_use ||
        t->timewait_pool.in_use)
        return "connection records in the pools";
    if (t->segment_pool.in_use)
        return "segments";
    if (t->range_pool.in_use)
        return "out-of-order ranges";
    if (t->listener_pool.in_use || t->call_pool.in_use)
        return "listeners or blocked calls";
    if (t->bind_pool.in_use)
        return "bound ports";
    if (h->st->extents.in_use)
        return "stream memory";
    return "";
}

const char *sim_write_capture(struct sim *sim, const char *path)
{
    static char name[128];
    const char *build = getenv("BUILD");

    if (!sim->capture)
        return NULL;
    if (!path) {
        snprintf(name, sizeof(name), "%s/sim-%llu-%d.pcapng", build ? build : "/tmp",
                 (unsigned long long)sim->seed, (int)getpid());
        path = name;
    }
    return capture_write(sim->capture, path) == 0 ? path : NULL;
}
