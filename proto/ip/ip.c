/* SPDX-License-Identifier: MIT */
/*
 * The network layer as a whole: its life, and which addresses are ours or nobody's (RFC 1122
 * §3.2.1.3).
 */
#include "proto/ip/ip_internal.h"

int ip_init(struct stack *st)
{
    int err;

    memset(st->ip.dsts, 0, sizeof(st->ip.dsts));
    list_init(&st->ip.local_queue);
    st->ip.local_queued = 0;
    st->ip.local_bytes = 0;
    st->ip.arp_defend_after = 0;
    icmp_init(st);
    reass_init(st);
    err = neigh_init(st);
    if (err)
        return err;
    err = pmtu_init(st);
    if (err)
        neigh_destroy(st);
    return err;
}

void ip_destroy(struct stack *st)
{
    local_destroy(st);
    reass_destroy(st);
    pmtu_destroy(st);
    neigh_destroy(st);
}

bool ip_is_ours(const struct stack *st, const struct ip_addr *a)
{
    return ip_addr_equal(&st->config.address.addr, a);
}

bool ip_addr_is_bad_peer(const struct stack *st, const struct ip_addr *a)
{
    struct ip_addr broadcast;

    if (ip_addr_is_any(a) || ip_addr_is_multicast(a) || ip_addr_is_limited_broadcast(a))
        return true;
    /* mostly it differs in the last word */
    return ip_prefix_broadcast(&st->config.address, &broadcast) && broadcast.w[3] == a->w[3] &&
           ip_addr_equal(&broadcast, a);
}
