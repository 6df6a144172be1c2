/* SPDX-License-Identifier: MIT */
/* See flows.h. */
#include "tests/sim/flows.h"

#include "tests/sim/program.h"

#include <stdlib.h>
#include <string.h>

#define ENDLESS (1ull << 40)

struct flow {
    struct program a, b;
    struct program *waiting[1];
    struct program_server server;
    uint16_t port;
};

struct run {
    struct sim sim;
    struct flow flow[FLOWS_MAX];
};

/* What has been counted so far. */
struct reading {
    uint64_t bytes[FLOWS_MAX], busy_ns, sent, again;
};

uint32_t flows_jain(const uint64_t *x, unsigned n)
{
    uint64_t sum = 0, most = 1;
    uint64_t squares = 0;

    for (unsigned i = 0; i < n; i++)
        most = x[i] > most ? x[i] : most;
    /* scaled to 24 bits, so that the squares of all fit */
    for (unsigned i = 0; i < n; i++) {
        uint64_t v = (uint64_t)((__uint128_t)x[i] * 0xffffff / most);

        sum += v;
        squares += v * v;
    }
    return squares ? (uint32_t)((__uint128_t)sum * sum * 1000 / ((__uint128_t)squares * n)) : 0;
}

/* Windows are not what is measured here: the buffers hold the path twice. */
static void open_buffers(struct sim_host *h)
{
    if (stack_tunable_set(h->st, "tcp_rmem_max", "16777216") ||
        stack_tunable_set(h->st, "tcp_wmem_max", "16777216"))
        sim_fail(h->sim, "the buffers cannot be set");
}

static struct sim_host *add_host(struct sim *sim, const struct link_config *out)
{
    struct sim_host_config hc = {
        .features = STACK_TX_CSUM | STACK_TX_TSO4, .memory_limit = 1ull << 30, .out = *out};
    struct sim_host *h = sim_add_host(sim, &hc);

    open_buffers(h);
    return h;
}

static void connect_flow(void *arg)
{
    struct flow *f = arg;
    struct sim *sim = f->a.host->sim;
    struct ip_endpoint to = sim_endpoint(f->b.host, f->port);

    if (program_connect(&f->a, &to))
        sim_fail(sim, "connect failed");
}

static void prepare(struct run *r, const struct flows_config *c)
{
    struct program_plan send = {.send = ENDLESS, .write_min = 65536, .write_max = 65536};
    struct program_plan none = {0};

    for (unsigned i = 0; i < c->n; i++) {
        struct flow *f = &r->flow[i];
        struct sim_host *to = &r->sim.host[c->far_us && i % 2 ? 2 : 1];

        send.congestion = c->algorithm[i];
        program_init(&f->a, &r->sim.host[0], &send, 2 * i);
        program_init(&f->b, to, &none, 2 * i + 1);
        program_pair(&f->a, &f->b, i);
        f->waiting[0] = &f->b;
        f->port = (uint16_t)(5000 + i);
        if (program_listen(&f->server, to, f->port, 4, f->waiting, 1))
            sim_fail(&r->sim, "listen failed");
        sim_at(&r->sim, SIM_START + i * c->stagger_us, connect_flow, f);
    }
}

static struct reading look(const struct run *r, unsigned n)
{
    const struct link *l = &r->sim.host[0].out;
    const struct counters *k = stack_counters(r->sim.host[0].st);
    uint64_t now_ns = 1000 * r->sim.now;
    struct reading out = {.busy_ns = l->busy_ns,
                          .sent = k->v[CNT_tcp_out_bytes],
                          .again = k->v[CNT_tcp_out_retrans_bytes]};

    /* what waits in the queue has been counted, but not been sent */
    if (l->busy_until_ns > now_ns)
        out.busy_ns -= l->busy_until_ns - now_ns;
    for (unsigned i = 0; i < n; i++)
        out.bytes[i] = r->flow[i].b.received;
    return out;
}

static void evaluate(const struct flows_config *c, const struct reading *from,
                     const struct reading *to, struct flows_result *out)
{
    uint64_t sent = to->sent - from->sent;

    for (unsigned i = 0; i < c->n; i++) {
        out->bytes[i] = to->bytes[i] - from->bytes[i];
        out->all_bytes += out->bytes[i];
    }
    out->goodput_bps = out->all_bytes * 8 * SIM_SECOND / c->measure_us;
    out->utilisation_permille = (uint32_t)((to->busy_ns - from->busy_ns) / c->measure_us);
    out->retrans_ppm = sent ? (uint32_t)((to->again - from->again) * 1000000 / sent) : 0;
    out->jain_permille = flows_jain(out->bytes, c->n);
}

void flows_run(const struct flows_config *config, struct flows_result *out)
{
    struct run *r = calloc(1, sizeof(*r));
    struct link_config far = config->back;
    struct reading from, to;

    if (!r)
        abort();
    memset(out, 0, sizeof(*out));
    sim_init(&r->sim, config->seed, false);
    r->sim.check_every = 256;
    add_host(&r->sim, &config->forward);
    add_host(&r->sim, &config->back);
    far.delay_us += config->far_us;
    if (config->far_us)
        add_host(&r->sim, &far);
    prepare(r, config);
    sim_run_for(&r->sim, config->n * config->stagger_us + config->warm_us);
    from = look(r, config->n);
    sim_run_for(&r->sim, config->measure_us);
    to = look(r, config->n);
    evaluate(config, &from, &to, out);
    out->steps = r->sim.steps;
    out->packets = r->sim.packets;
    snprintf(out->failure, sizeof(out->failure), "%s", r->sim.failure);
    sim_destroy(&r->sim);
    free(r);
}
