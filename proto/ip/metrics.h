/* SPDX-License-Identifier: MIT */
/*
 * What is told of destinations by whoever runs the stack, as by the attributes of Linux's routes
 * (ip-route(8): rto_min): a small table of prefixes, the longest that holds counts. Replaced as a
 * whole.
 */
#ifndef TS_PROTO_IP_METRICS_H
#define TS_PROTO_IP_METRICS_H

#include "proto/ip/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define METRICS_MAX_RULES    64u
#define METRICS_RTO_LEAST_US 1u /**< least and most of rto_min_us: as tcp_rto_min_us */
#define METRICS_RTO_MOST_US  1000000u

struct metrics_rule {
    struct ip_prefix to; /**< without host bits */
    uint32_t rto_min_us; /**< floor of the RTO's variance term */
};

/** Belongs to struct stack; zeroed: empty. */
struct metrics {
    struct metrics_rule rules[METRICS_MAX_RULES]; /**< longest prefix first */
    uint32_t n;
};

/**
 * May these n rules be a table? 0; or -E2BIG (more than METRICS_MAX_RULES), -EINVAL (a prefix
 * longer than its address, or with host bits), -ERANGE (rto_min_us), -EEXIST (a prefix that came
 * before), then *bad is the index of the first rule that may not stand there.
 */
int metrics_check(const struct metrics_rule *rules, size_t n, size_t *bad);

/** Make them the table, unless they are it already: then false. They have passed metrics_check().
 */
bool metrics_replace(struct metrics *m, const struct metrics_rule *rules, size_t n);

/** The longest prefix with dst in it; NULL: none. */
const struct metrics_rule *metrics_find(const struct metrics *m, const struct ip_addr *dst);

#endif
