/* SPDX-License-Identifier: MIT */
/*
 * The destination cache (RFC 4861 §5.1): the way to each host that we have lately sent to, and the
 * IPv4 header of what goes there, of which a packet changes only what is its own.
 *
 * All connections to a host share one entry, so that a connection holds nothing. A place for each
 * hash, and no more: who comes later takes it, and what was there costs another lookup. Routes hold
 * as long as the stack (stack_config); what may change is the neighbour, which is looked up again
 * after any was removed. Its state and its link address stay with it (neigh.c), and what is a
 * socket's choice or the path's (TOS, TTL, DF) with the flow: nothing here can be older than they.
 */
#include "proto/ip/ip_internal.h"

/* What no packet changes; the other words, 0 in a new entry, are added by ip_output(). */
static void prepare_header(struct dst_entry *d)
{
    d->header[0] = 0x45;
    memcpy(d->header + IPV4_SRC, ip_addr_v4_bytes(&d->route.source), 4);
    memcpy(d->header + IPV4_DST, ip_addr_v4_bytes(&d->addr), 4);
    d->sum = 0;
    for (int i = 0; i < IPV4_HEADER; i += 2)
        d->sum += wire_get16(d->header + i);
}

struct dst_entry *dst_find_route(struct stack *st, const struct ip_addr *addr)
{
    struct dst_entry *d = dst_place(st, addr);
    struct route r;

    if (route_lookup(st, addr, &r) != 0)
        return NULL;
    *d = (struct dst_entry){.addr = *addr, .route = r, .known = true};
    prepare_header(d);
    return d;
}

struct neigh_entry *dst_find_neighbour(struct stack *st, struct dst_entry *d)
{
    d->neigh = neigh_find(st, &d->route.next_hop);
    d->neigh_removals = st->ip.neigh_removals;
    return d->neigh;
}
