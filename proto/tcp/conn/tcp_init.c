/* SPDX-License-Identifier: MIT */
/* TCP's part of the stack: birth with keys, tables and default tunables, and death. */
#include "proto/sock/sock_internal.h"

#include <errno.h>

static void init_pools(struct stack *st)
{
    struct tcp_table *t = &st->tcp;

    pool_init(&t->tcb_pool, &st->mem, sizeof(struct tcb));
    pool_init(&t->sock_pool, &st->mem, sizeof(struct sock));
    pool_init(&t->segment_pool, &st->mem, sizeof(struct segment));
    pool_init(&t->range_pool, &st->mem, sizeof(struct ooo_range));
    pool_init(&t->listener_pool, &st->mem, sizeof(struct listener));
    pool_init(&t->bind_pool, &st->mem, sizeof(struct bind_bucket));
    bbr_pool_init(st);
    tcp_accecn_pool_init(st);
    tcp_chrono_pool_init(st);
    tcp_request_pool_init(st);
    tcp_timewait_pool_init(st);
    sock_call_pool_init(st);
}

static void destroy_pools(struct tcp_table *t)
{
    pool_destroy(&t->tcb_pool);
    pool_destroy(&t->sock_pool);
    pool_destroy(&t->segment_pool);
    pool_destroy(&t->range_pool);
    pool_destroy(&t->listener_pool);
    pool_destroy(&t->bind_pool);
    pool_destroy(&t->request_pool);
    pool_destroy(&t->timewait_pool);
    pool_destroy(&t->call_pool);
    pool_destroy(&t->bbr_pool);
    pool_destroy(&t->accecn_pool);
    pool_destroy(&t->chrono_pool);
}

static void draw_key(struct rng *rng, struct siphash_key *key)
{
    key->k[0] = rng_u64(rng);
    key->k[1] = rng_u64(rng);
}

/* The second half of the seed is mixed in by drawing every key from a generator of its own. */
static void draw_keys(struct stack *st)
{
    struct tcp_table *t = &st->tcp;
    struct rng rng;

    rng_init(&rng, st->config.seed + 16);
    draw_key(&rng, &t->demux_key);
    draw_key(&rng, &t->isn_key);
    draw_key(&rng, &t->ts_key);
    draw_key(&rng, &t->port_key);
    for (int i = 0; i < TCP_PORT_TABLE; i++)
        t->port_offsets[i] = rng_u32(&rng);
    draw_key(&rng, &t->cookie_key[0]);
    draw_key(&rng, &t->cookie_key[1]);
}

int tcp_init(struct stack *st)
{
    struct tcp_table *t = &st->tcp;
    struct hash_table *tables[] = {&t->conns, &t->listeners, &t->binds, &t->by_id};

    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        if (hash_init(tables[i], &st->mem, 64) != 0) {
            while (i--)
                hash_destroy(tables[i]);
            return -ENOMEM;
        }
    }
    if (quota_init(st) != 0) {
        for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
            hash_destroy(tables[i]);
        return -ENOMEM;
    }
    init_pools(st);
    draw_keys(st);
    list_init(&t->timewaits);
#define TCP_TUNABLE(name, sysctl, def, min, max, unit, help) t->tunables.name = def;
#include "proto/tcp/tunables.def"
#undef TCP_TUNABLE
    return 0;
}

static void destroy_buffers(struct hash_node *n, void *ctx)
{
    struct tcb *tp = container_of(n, struct tcb, id_node);

    (void)ctx;
    tcp_unshare(tp);
    bytestream_destroy(&tp->snd);
    bytestream_destroy(&tp->rcv);
}

void tcp_destroy(struct stack *st)
{
    struct tcp_table *t = &st->tcp;

    hash_each(&t->by_id, destroy_buffers, NULL);
    hash_destroy(&t->conns);
    hash_destroy(&t->listeners);
    hash_destroy(&t->binds);
    hash_destroy(&t->by_id);
    destroy_pools(t);
    quota_destroy(st);
}
