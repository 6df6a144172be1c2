/* SPDX-License-Identifier: MIT */
/*
 * Initial sequence numbers (RFC 6528 §3): M + F(local, remote, secret), with M a clock of 64 ns as
 * in Linux (RFC 9293 §3.4.1 asks for about 4 us, which tcp_isn_tick_ns gives; a faster clock stays
 * ahead of faster connections), and the timestamp offsets of RFC 7323 §7.1's footnote, keyed by the
 * whole tuple.
 */
#include "proto/tcp/tcp.h"

static uint64_t keyed(const struct siphash_key *key, const struct ip_endpoint *local,
                      const struct ip_endpoint *remote)
{
    struct {
        struct ip_addr a, b;
        uint16_t ap, bp;
        uint32_t zero;
    } t = {local->addr, remote->addr, local->port, remote->port, 0};

    return siphash24(key, &t, sizeof(t));
}

uint32_t isn_generate(struct stack *st, const struct ip_endpoint *local,
                      const struct ip_endpoint *remote)
{
    return (uint32_t)keyed(&st->tcp.isn_key, local, remote) +
           (uint32_t)(st->now * 1000 / (uint64_t)st->tcp.tunables.isn_tick_ns);
}

uint32_t isn_ts_offset(struct stack *st, const struct ip_endpoint *local,
                       const struct ip_endpoint *remote)
{
    return (uint32_t)keyed(&st->tcp.ts_key, local, remote);
}
