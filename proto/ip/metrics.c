/* SPDX-License-Identifier: MIT */
/* Metrics of destinations; see metrics.h. The rules are few and looked through in turn: a
 * connection does so at its birth and after a change of the table. */
#include "proto/ip/metrics.h"

#include <errno.h>

static bool same_family(const struct ip_addr *a, const struct ip_addr *b)
{
    return ip_addr_is_v4(a) == ip_addr_is_v4(b);
}

/* ::/0 has the mapped addresses of IPv4 in it, but means none of them. */
static bool holds(const struct ip_prefix *p, const struct ip_addr *a)
{
    return same_family(&p->addr, a) && ip_prefix_contains(p, a);
}

static bool is_network(const struct ip_prefix *p)
{
    unsigned least = ip_addr_is_v4(&p->addr) ? IP_V4_PREFIX_BASE : 0;

    if (p->len > 128 || p->len < least)
        return false;
    for (unsigned bit = p->len; bit < 128; bit++)
        if (p->addr.b[bit / 8] & (0x80u >> bit % 8))
            return false;
    return true;
}

static bool came_before(const struct metrics_rule *rules, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (rules[k].to.len == rules[i].to.len && holds(&rules[k].to, &rules[i].to.addr))
            return true;
    return false;
}

int metrics_check(const struct metrics_rule *rules, size_t n, size_t *bad)
{
    for (size_t i = 0; i < n; i++) {
        *bad = i;
        if (i >= METRICS_MAX_RULES)
            return -E2BIG;
        if (!is_network(&rules[i].to))
            return -EINVAL;
        if (rules[i].rto_min_us < METRICS_RTO_LEAST_US || rules[i].rto_min_us > METRICS_RTO_MOST_US)
            return -ERANGE;
        if (came_before(rules, i))
            return -EEXIST;
    }
    return 0;
}

static bool same(const struct metrics *a, const struct metrics *b)
{
    bool equal = a->n == b->n;

    for (uint32_t i = 0; equal && i < a->n; i++)
        equal = a->rules[i].to.len == b->rules[i].to.len &&
                ip_addr_equal(&a->rules[i].to.addr, &b->rules[i].to.addr) &&
                a->rules[i].rto_min_us == b->rules[i].rto_min_us;
    return equal;
}

bool metrics_replace(struct metrics *m, const struct metrics_rule *rules, size_t n)
{
    struct metrics next = {0};

    for (size_t i = 0; i < n; i++) {
        size_t at = next.n++;

        for (; at > 0 && next.rules[at - 1].to.len < rules[i].to.len; at--)
            next.rules[at] = next.rules[at - 1];
        next.rules[at] = rules[i];
    }
    if (same(m, &next))
        return false;
    *m = next;
    return true;
}

const struct metrics_rule *metrics_find(const struct metrics *m, const struct ip_addr *dst)
{
    for (uint32_t i = 0; i < m->n; i++)
        if (holds(&m->rules[i].to, dst))
            return &m->rules[i];
    return NULL;
}
