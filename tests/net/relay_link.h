/* SPDX-License-Identifier: MIT */
/*
 * One direction of an emulated link, as arithmetic in virtual time: a frame is offered, the answer
 * is when it arrives at the other end, twice, or why never. In this order: outage, policer (a token
 * bucket without a queue), drop-tail queue and transmission at the link's rate, random loss,
 * duplication, delay with jitter (which keeps the order) and reordering (some frames are late by a
 * fixed time). Chance depends on nothing but the seed, the flow's number and the frame's number in
 * the flow, so that two senders in turn meet the same mask of losses. Time is in nanoseconds here:
 * at 100 Mbit/s rounding to microseconds would cost 0.1 % of the rate.
 */
#ifndef TS_TESTS_NET_RELAY_LINK_H
#define TS_TESTS_NET_RELAY_LINK_H

#include <stdbool.h>
#include <stdint.h>

#define RELAY_MS 1000000ull
#define RELAY_S  1000000000ull

enum relay_drop {
#define RELAY_DROP(name, meaning) RELAY_DROP_##name,
#include "tests/net/relay_drops.def"
#undef RELAY_DROP
    RELAY_DROPS
};

extern const char *const relay_drop_names[RELAY_DROPS];

struct relay_config {
    uint64_t rate; /* bits a second; 0: no limit */
    uint64_t delay, jitter;
    uint64_t queue; /* bytes that may wait, the frame in transmission among them; 0: any */
    unsigned loss, reorder, dup; /* per mille */
    uint64_t reorder_by;
    uint64_t police_rate, police_burst; /* bits a second, bytes; 0: none */
    uint64_t outage_from, outage_to;    /* from relay_link_start on */
    uint64_t seed;
};

struct relay_link {
    struct relay_config config;
    bool started;
    uint64_t epoch;
    uint64_t busy_until;   /* the transmitter */
    uint64_t police_until; /* GCRA's theoretical arrival time */
    uint64_t last;         /* latest arrival of frames that keep their order */
    uint64_t queue_max;    /* bytes */
};

struct relay_fate {
    unsigned copies; /* 0: dropped, and why */
    enum relay_drop drop;
    bool reordered;
    uint64_t at[2];
};

/** "rate=50M,delay=10ms,queue=200ms,loss=10,reorder=20:5ms,dup=1,jitter=1ms,police=20M:64K,
 * outage=2s:3s,seed=1". Returns 0, or -EINVAL and the offending word in *wrong. */
int relay_config_parse(struct relay_config *c, const char *text, const char **wrong);

void relay_link_init(struct relay_link *l, const struct relay_config *c);
/** The outage's clock starts, unless it did before. */
void relay_link_start(struct relay_link *l, uint64_t now);
/** Offer the nth frame of a flow; exempt ones (ARP) meet no random loss, reordering, duplication.
 */
struct relay_fate relay_link_offer(struct relay_link *l, uint64_t now, uint32_t len, bool exempt,
                                   uint32_t flow, uint32_t nth);
/** Bytes that wait for the transmitter or are in it. */
uint64_t relay_link_backlog(const struct relay_link *l, uint64_t now);

#endif
