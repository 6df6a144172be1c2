/* SPDX-License-Identifier: MIT */
/*
 * SYN cookies (RFC 4987 §3.6) in Linux's layout (linux-receiver §10):
 *
 *     ISN = h1(tuple) + the peer's ISN + minutes * 2^24 + ((h2(tuple, minutes) + i) mod 2^24)
 *
 * i says which of four MSS values is the largest not above the peer's. The other options of the SYN
 * ride in the low six bits of the SYN-ACK's timestamp, which the peer echoes. The hashes are keyed:
 * who did not see our SYN-ACK cannot make its answer.
 */
#include "proto/tcp/conn/cookie.h"

#define MINUTE     60000000u
#define COUNT_BITS 24
#define MASK       ((1u << COUNT_BITS) - 1)
#define MAX_AGE    2 /**< minute steps */

#define TS_BITS   6
#define TS_MASK   ((1u << TS_BITS) - 1)
#define TS_WSCALE 15u /**< as value: none */
#define TS_SACK   (1u << 4)
#define TS_ECN    (1u << 5)

static const uint16_t mss_v4[4] = {536, 1300, 1440, 1460};
static const uint16_t mss_v6[4] = {1220, 1420, 1440, 8940};

static const uint16_t *mss_table(const struct ip_endpoint *remote)
{
    return ip_addr_is_v4(&remote->addr) ? mss_v4 : mss_v6;
}

static uint32_t hash(const struct stack *st, const struct ip_endpoint *local,
                     const struct ip_endpoint *remote, uint32_t count, int which)
{
    struct {
        struct ip_addr a, b;
        uint16_t ap, bp;
        uint32_t count;
    } t = {local->addr, remote->addr, local->port, remote->port, count};

    return (uint32_t)siphash24(&st->tcp.cookie_key[which], &t, sizeof(t));
}

static uint32_t minutes(const struct stack *st)
{
    return (uint32_t)(st->now / MINUTE);
}

uint32_t cookie_isn(struct stack *st, const struct ip_endpoint *local,
                    const struct ip_endpoint *remote, uint32_t irs, uint16_t *mss)
{
    const uint16_t *table = mss_table(remote);
    uint32_t i = 3, count = minutes(st);

    while (i && *mss < table[i])
        i--;
    *mss = table[i];
    return hash(st, local, remote, 0, 0) + irs + (count << COUNT_BITS) +
           ((hash(st, local, remote, count, 1) + i) & MASK);
}

uint16_t cookie_check(struct stack *st, const struct ip_endpoint *local,
                      const struct ip_endpoint *remote, uint32_t irs, uint32_t isn)
{
    uint32_t count = minutes(st), age, i;

    isn -= hash(st, local, remote, 0, 0) + irs;
    age = (count - (isn >> COUNT_BITS)) & (UINT32_MAX >> COUNT_BITS);
    if (age >= MAX_AGE)
        return 0;
    i = (isn - hash(st, local, remote, count - age, 1)) & MASK;
    return i < 4 ? mss_table(remote)[i] : 0;
}

uint32_t cookie_timestamp(uint32_t now, const struct cookie_options *o)
{
    uint32_t bits = o->wscale_ok ? o->wscale : TS_WSCALE;
    uint32_t ts;

    if (o->sack_ok)
        bits |= TS_SACK;
    if (o->ecn_ok)
        bits |= TS_ECN;
    ts = (now & ~TS_MASK) | bits;
    /* a stamp from the future would make the next one look old (RFC 7323 §5) */
    return seq_gt(ts, now) ? ts - (1u << TS_BITS) : ts;
}

void cookie_read_timestamp(uint32_t ts, struct cookie_options *o)
{
    o->wscale = ts & TS_WSCALE;
    o->wscale_ok = o->wscale != TS_WSCALE;
    if (!o->wscale_ok || o->wscale > TCP_MAX_WSCALE)
        o->wscale = o->wscale_ok ? TCP_MAX_WSCALE : 0;
    o->sack_ok = ts & TS_SACK;
    o->ecn_ok = ts & TS_ECN;
}
