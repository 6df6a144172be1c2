/* SPDX-License-Identifier: MIT */
/* See choose.h. */
#include "tests/sim/choose.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#define KBIT 1000ull
#define GBIT 1000000000ull
#define MIB  (1u << 20)

static const uint32_t losses[] = {0, 0, 100, 1000, 10000, 30000, 100000, 200000};

static uint32_t rarely(struct prng *r, unsigned one_in, uint32_t most)
{
    return prng_below(r, one_in) ? 0 : (uint32_t)prng_log(r, 100, most);
}

/* --- the wire ----------------------------------------------------------------------------------
 */

struct path choose_path(struct prng *r)
{
    struct path p;

    p.rate_bps = prng_log(r, 64 * KBIT, 10 * GBIT);
    p.rtt_us = prng_log(r, 50, 1000000);
    p.clean = !prng_below(r, 5);
    return p;
}

/* Down to a few packets, up to seconds of waiting (bufferbloat). */
static void choose_queue(struct prng *r, struct link_config *c, const struct path *path)
{
    uint64_t second = path->rate_bps / 8, bdp = second * path->rtt_us / 1000000;
    uint64_t most = bdp + 2 * second;

    if (prng_below(r, 3))
        c->queue_bytes = (uint32_t)prng_log(r, 20000, 20000 + (bdp < 4 * MIB ? bdp : 4 * MIB));
    else if (prng_below(r, 2))
        c->queue_bytes = (uint32_t)prng_log(r, 20000, 20000 + (most < 64 * MIB ? most : 64 * MIB));
    if (c->queue_bytes && !prng_below(r, 4))
        c->mark_bytes = (uint32_t)prng_log(r, 5000, c->queue_bytes);
}

/* Of order and time: jitter, packets that are overtaken, ACKs in bunches. */
static void choose_disorder(struct prng *r, struct link_config *c, uint64_t rtt)
{
    c->jitter_us = prng_below(r, 3) ? 0 : prng_below(r, rtt / 4 + 2);
    c->reorder_ppm = rarely(r, 3, 100000);
    c->reorder_us = prng_log(r, 10, rtt + 20);
    if (!prng_below(r, 16))
        c->reorder_ppm = 1000000;
    if (!prng_below(r, 5))
        c->ack_hold_us = prng_log(r, 50, rtt / 4 + 10000);
}

static void choose_losses(struct prng *r, struct link_config *c, uint32_t largest_frame)
{
    c->loss_ppm = losses[prng_below(r, sizeof(losses) / sizeof(losses[0]))];
    c->dup_ppm = rarely(r, 4, 50000);
    c->corrupt_ppm = rarely(r, 4, 20000);
    if (!prng_below(r, 6))
        c->ack_loss_ppm = (uint32_t)prng_log(r, 10000, 300000);
    if (!prng_below(r, 6)) {
        c->burst.begin_ppm = (uint32_t)prng_log(r, 100, 20000);
        c->burst.end_ppm = (uint32_t)prng_log(r, 50000, 500000);
        c->burst.loss_ppm = (uint32_t)prng_between(r, 300000, 1000000);
        c->burst.most_us = prng_log(r, 1000, 2000000);
    }
    if (!prng_below(r, 8)) {
        c->police_bps = prng_between(r, c->rate_bps / 10, c->rate_bps);
        c->police_bytes = largest_frame + (uint32_t)prng_log(r, 3000, 200000);
    }
}

void choose_link(struct prng *r, struct sim_host_config *c, const struct path *path)
{
    uint32_t largest = c->large_frames ? 66000 : 9100;

    c->out.rate_bps = path->rate_bps;
    c->out.delay_us = path->rtt_us / 2;
    choose_queue(r, &c->out, path);
    if (path->clean)
        return;
    choose_disorder(r, &c->out, path->rtt_us);
    choose_losses(r, &c->out, largest);
}

/* --- hosts -------------------------------------------------------------------------------------
 */

void choose_host(struct prng *r, struct sim_host_config *c)
{
    static const uint32_t features[] = {0, STACK_TX_CSUM, STACK_TX_CSUM | STACK_TX_TSO4,
                                        STACK_TX_CSUM | STACK_TX_TSO4};

    c->mtu = prng_below(r, 2) ? 1500 : (uint32_t)prng_between(r, 576, 9000);
    c->features = features[prng_below(r, 4)];
    c->large_frames = prng_below(r, 2);
    c->device_queue = prng_below(r, 2);
    if (c->device_queue && !prng_below(r, 3))
        c->device_bytes = (uint32_t)prng_log(r, 16384, 300000);
    if (!prng_below(r, 4)) {
        c->refuse_ppm = (uint32_t)prng_log(r, 100, 100000);
        c->refuse_us = prng_log(r, 100, 50000);
    }
}

struct setting {
    const char *name;
    unsigned one_in;
    const char *value;
};

static const struct setting settings[] = {
#define SETTING(name, one_in, value) {name, one_in, #value},
#include "tests/sim/settings.def"
#undef SETTING
};

#define N_SETTINGS (sizeof(settings) / sizeof(settings[0]))

/* A fifth of all packets may be lost, both ways: at Linux's numbers one in thousands would give up.
 */
static void be_patient(struct sim_host *h)
{
    static const char *const names[] = {"tcp_syn_retries", "tcp_synack_retries",
                                        "tcp_orphan_retries", "tcp_retries2"};

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (stack_tunable_set(h->st, names[i], "40"))
            sim_fail(h->sim, "%s cannot be set", names[i]);
    }
}

void choose_settings(struct prng *r, struct sim_host *h)
{
    struct stack_tunable t;

    be_patient(h);
    for (unsigned i = 0; i < N_SETTINGS; i++) {
        bool wanted = !prng_below(r, settings[i].one_in);

        if (wanted && stack_tunable_find(settings[i].name, &t) &&
            stack_tunable_set(h->st, settings[i].name, settings[i].value))
            sim_fail(h->sim, "%s does not take %s", settings[i].name, settings[i].value);
    }
}

/* --- congestion control ------------------------------------------------------------------------
 */

static const char *const algorithms[] = {
#define ALGORITHM(name) #name,
#include "tests/sim/algorithms.def"
#undef ALGORITHM
};

#define N_ALGORITHMS (sizeof(algorithms) / sizeof(algorithms[0]))

const char *algorithm_name(unsigned i)
{
    return i < N_ALGORITHMS ? algorithms[i] : NULL;
}

bool algorithm_exists(const char *name)
{
    struct sim_host_config config = {0};
    struct sim *sim = malloc(sizeof(*sim));
    struct sock *s = NULL;
    bool well;

    if (!sim)
        abort();
    sim_init(sim, 1, false);
    sim_add_host(sim, &config);
    well = sock_create(sim->host[0].st, false, &s) == 0 &&
           sock_setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, name, strlen(name), sim->now) == 0;
    sim_destroy(sim);
    free(sim);
    return well;
}

const char *choose_algorithm(struct prng *r)
{
    static int8_t there[N_ALGORITHMS]; /* 0: not asked yet */
    uint64_t n = prng_below(r, N_ALGORITHMS);

    for (unsigned i = 0; i < N_ALGORITHMS; i++, n++) {
        unsigned k = (unsigned)(n % N_ALGORITHMS);

        if (!there[k])
            there[k] = algorithm_exists(algorithms[k]) ? 1 : -1;
        if (there[k] > 0)
            return algorithms[k];
    }
    return NULL;
}

void choose_print_missing(FILE *f)
{
    struct stack_tunable t;

    for (unsigned i = 0; i < N_ALGORITHMS; i++) {
        if (!algorithm_exists(algorithms[i]))
            fprintf(f, "# the core has no %s: not tested\n", algorithms[i]);
    }
    for (unsigned i = 0; i < N_SETTINGS; i++) {
        if (!stack_tunable_find(settings[i].name, &t))
            fprintf(f, "# the core has no %s: not tested\n", settings[i].name);
    }
}

/* --- programs ----------------------------------------------------------------------------------
 */

void choose_plan(struct prng *r, struct program_plan *p, uint64_t send)
{
    p->send = send;
    p->write_max = (uint32_t)prng_log(r, 1 + send / 3000, 100000 + send / 3000);
    p->write_min = prng_below(r, 2) ? p->write_max : 1 + (uint32_t)prng_below(r, p->write_max);
    if (!prng_below(r, 4))
        p->write_gap_us = prng_log(r, 10, 20000);
    p->more_ppm = prng_below(r, 3) ? 0 : 300000;
    p->eor_ppm = prng_below(r, 5) ? 0 : 100000;
    p->spans_ppm = prng_below(r, 2) ? 0 : 500000;
    p->read_max = (uint32_t)prng_log(r, 16 + send / 2000, 200000 + send / 2000);
    if (!prng_below(r, 3))
        p->read_gap_us = prng_log(r, 10, 50000);
    if (!prng_below(r, 6))
        p->read_delay_us = prng_log(r, 1000, 5000000);
    p->pair = prng_below(r, 2);
    p->pair_bytes = (uint32_t)prng_log(r, 4096, 262144);
    p->nodelay = prng_below(r, 2);
    p->cork = !prng_below(r, 4);
    p->congestion = choose_algorithm(r);
    if (!prng_below(r, 3))
        p->sndbuf = (int)prng_log(r, 2048, 2000000);
    if (!prng_below(r, 3))
        p->rcvbuf = (int)prng_log(r, 1024, 2000000);
}

void choose_ends(struct prng *r, struct program_plan *a, struct program_plan *b)
{
    switch (prng_below(r, 5)) {
    case 0:
        a->close = CLOSE_AFTER;
        break;
    case 1:
        b->close = CLOSE_AFTER;
        break;
    case 2:
        if (!b->send)
            a->close = CLOSE_AT_ONCE;
        break;
    case 3:
        if (!a->send)
            b->close = CLOSE_AT_ONCE;
        break;
    default:
        break;
    }
}

/* --- peers -------------------------------------------------------------------------------------
 */

static void choose_lies(struct prng *r, struct peer_plan *p)
{
    uint64_t n = 1 + prng_below(r, 4);

    while (n--)
        p->lie_ppm[prng_below(r, PEER_LIE_COUNT)] = (uint32_t)prng_log(r, 1000, 500000);
}

/* With three more, even the smallest window can still be said. */
static uint8_t smallest_scale(uint32_t window)
{
    uint8_t scale = 0;

    while (window >> scale > 65535)
        scale++;
    return scale;
}

void choose_peer(struct prng *r, struct peer_plan *p)
{
    unsigned kind = (unsigned)prng_below(r, 4);

    p->window = (uint32_t)prng_log(r, 2000, 2 * MIB);
    p->mss = prng_below(r, 2) ? 1460 : (uint16_t)prng_between(r, 100, 8960);
    p->sack = prng_below(r, 5) != 0;
    p->timestamps = prng_below(r, 2);
    p->wscale = smallest_scale(p->window);
    if (!prng_below(r, 4))
        p->wscale = (uint8_t)(p->wscale + prng_below(r, 4));
    p->ack_every = prng_below(r, 3) ? 2 : 1 + (uint32_t)prng_below(r, 16);
    p->ack_delay_us = prng_log(r, 100, 200000);
    if (kind == 0 || kind == 3)
        p->renege_ppm = (uint32_t)prng_log(r, 1000, 300000);
    if (kind == 1 || kind == 3) {
        p->shrink_ppm = (uint32_t)prng_log(r, 100, 50000);
        p->shrink_us = prng_log(r, 1000, 3000000);
    }
    if (kind >= 2)
        choose_lies(r, p);
}
