/* SPDX-License-Identifier: MIT */
/* Demultiplexing: a keyed hash over both endpoints, so that no peer can aim for one bucket. */
#include "proto/tcp/tcp.h"

struct demux_tuple {
    struct ip_addr local, remote;
    uint16_t local_port, remote_port;
    uint32_t zero;
};

/* What differs between two IPv4 tuples: less to hash for each packet. */
struct demux_tuple4 {
    uint32_t local, remote;
    uint16_t local_port, remote_port;
};

uint64_t demux_hash(const struct stack *st, const struct ip_endpoint *local,
                    const struct ip_endpoint *remote)
{
    struct demux_tuple t;

    /* 0 marks "not in the table" */
    if (ip_addr_is_v4(&local->addr) && ip_addr_is_v4(&remote->addr)) {
        struct demux_tuple4 t4 = {local->addr.w[3], remote->addr.w[3], local->port, remote->port};

        return siphash13(&st->tcp.demux_key, &t4, sizeof(t4)) | 1;
    }
    t = (struct demux_tuple){local->addr, remote->addr, local->port, remote->port, 0};
    return siphash13(&st->tcp.demux_key, &t, sizeof(t)) | 1;
}

void demux_insert(struct stack *st, struct tcp_conn *c)
{
    hash_insert(&st->tcp.conns, &c->node, demux_hash(st, &c->local, &c->remote));
}

void demux_remove(struct stack *st, struct tcp_conn *c)
{
    hash_remove(&st->tcp.conns, &c->node);
    c->node.hash = 0;
}

static bool same(const struct ip_endpoint *a, const struct ip_endpoint *b)
{
    return a->port == b->port && ip_addr_equal(&a->addr, &b->addr);
}

struct tcp_conn *demux_find(const struct stack *st, const struct ip_endpoint *local,
                            const struct ip_endpoint *remote)
{
    struct hash_node *n = hash_first(&st->tcp.conns, demux_hash(st, local, remote));

    for (; n; n = hash_next_same(n)) {
        struct tcp_conn *c = container_of(n, struct tcp_conn, node);

        if (same(&c->local, local) && same(&c->remote, remote))
            return c;
    }
    return NULL;
}
