/* SPDX-License-Identifier: MIT */
/* See sim.h. */
#include "tests/sim/sim_internal.h"

#include "proto/stack_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIVELOCK 200000u

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

void sim_push(struct sim *sim, struct sim_event e)
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
    sim_push(sim, (struct sim_event){.at = at, .kind = EVENT_CALL, .call = {fn, arg}});
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

/* The wire's end of a host: addresses and the link. */
static struct sim_host *plug_in(struct sim *sim, const struct sim_host_config *config)
{
    struct sim_host *h = &sim->host[sim->n_hosts];
    uint8_t v4[4] = {10, 0, 0, (uint8_t)(1 + sim->n_hosts)};

    h->sim = sim;
    h->index = sim->n_hosts++;
    h->config = *config;
    if (!h->config.mtu)
        h->config.mtu = 1500;
    h->addr = ip_addr_v4(v4);
    memcpy(h->mac, (uint8_t[6]){2, 0, 0, 0, 0, (uint8_t)(1 + h->index)}, 6);
    link_init(&h->out, &config->out, prng_next(&sim->prng));
    return h;
}

/* stack_ops.deliver */
static size_t deliver(void *ctx, struct sock *s, const struct iovec *iov, int n_iov, size_t *held)
{
    struct sim_user *u = sock_user(s);

    (void)ctx;
    return u && u->deliver ? u->deliver(u, iov, n_iov, held) : 0;
}

struct sim_host *sim_add_host(struct sim *sim, const struct sim_host_config *config)
{
    static const struct stack_ops ops = {
        .transmit = device_transmit, .deliver = deliver, .deliver_min = 1};
    struct sim_host *h = plug_in(sim, config);
    struct stack_config c = {0};
    int err;

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

struct sim_host *sim_add_peer(struct sim *sim, const struct sim_host_config *config,
                              void (*receive)(struct sim_host *h, const struct sim_packet *p),
                              void *ctx)
{
    struct sim_host *h = plug_in(sim, config);

    h->receive = receive;
    h->receive_ctx = ctx;
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
    sim_push(h->sim,
             (struct sim_event){.at = h->sim->now, .kind = EVENT_PACKET, .host = h, .packet = p});
}

/* --- time
 * ----------------------------------------------------------------------------------------------------
 */

static uint64_t next_time(const struct sim *sim)
{
    uint64_t at = sim->n_events ? sim->heap[0].at : UINT64_MAX;

    for (unsigned i = 0; i < sim->n_hosts; i++) {
        const struct sim_host *h = &sim->host[i];
        uint64_t d = UINT64_MAX;

        if (h->st)
            d = h->touched ? sim->now : stack_next_deadline(h->st);
        if (d < at)
            at = d;
    }
    return at < sim->now ? sim->now : at;
}

static void happen(struct sim *sim, struct sim_event *e)
{
    switch (e->kind) {
    case EVENT_PACKET:
        device_arrives(sim, e->host, e->packet);
        break;
    case EVENT_SENT:
        device_sent(sim, e->host, e);
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

        if (h->st && (h->touched || stack_next_deadline(h->st) <= at))
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
    struct tcp_table *t;
    struct stack_usage u;

    if (!h->st)
        return "";
    t = &h->st->tcp;
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
    if (t->common.used || t->common.members || hash_count(&t->accounts))
        return "memory on an account";
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
