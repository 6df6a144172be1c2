/* SPDX-License-Identifier: MIT */
/*
 * The way to a destination (RFC 1122 §3.3.1): ourselves, a host of our own network, or the one
 * gateway. There is one link and one address, so the source is always that address.
 */
#include "proto/ip/ip_internal.h"

#include <errno.h>

/** Loopback never leaves the host, 0.0.0.0/8 names nobody (RFC 1122 §3.2.1.3 (a), (g)). */
static bool route_is_possible(const struct stack *st, const struct ip_addr *dst)
{
    return ip_addr_is_v4(dst) && !ip_addr_is_bad_peer(st, dst) && !ip_addr_is_loopback(dst) &&
           ip_addr_v4_bytes(dst)[0] != 0;
}

int route_lookup(struct stack *st, const struct ip_addr *dst, struct route *out)
{
    out->source = st->config.address.addr;
    out->next_hop = *dst;
    out->mtu = st->config.mtu;
    out->local = false;
    if (ip_is_ours(st, dst)) {
        out->local = true;
        out->mtu = FRAME_MAX_PACKET;
        return 0;
    }
    if (!route_is_possible(st, dst))
        return -ENETUNREACH;
    if (ip_prefix_contains(&st->config.address, dst))
        return 0;
    if (!st->config.has_gateway)
        return -ENETUNREACH;
    out->next_hop = st->config.gateway;
    return 0;
}

uint32_t route_rto_min(const struct stack *st, const struct ip_addr *dst)
{
    const struct metrics_rule *rule = metrics_find(&st->ip.metrics, dst);

    return rule && !ip_is_ours(st, dst) ? rule->rto_min_us : 0;
}

int route_lookup_path(struct stack *st, const struct ip_addr *dst, struct route *out,
                      struct path_mtu *path)
{
    int err = route_lookup(st, dst, out);

    if (err)
        return err;
    if (out->local)
        *path = (struct path_mtu){.mtu = out->mtu};
    else
        pmtu_of(st, dst, path);
    return 0;
}
