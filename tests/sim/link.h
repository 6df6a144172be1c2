/* SPDX-License-Identifier: MIT */
/*
 * One direction of a simulated wire: a rate, a queue with tail drop, a delay, and everything that
 * can go wrong.
 *
 * link_offer() decides at once what becomes of a packet; nothing is stored here. A loss mask can be
 * laid over it by a filter of the test (sim.h), for "the third packet is lost".
 */
#ifndef TS_TESTS_SIM_LINK_H
#define TS_TESTS_SIM_LINK_H

#include "tests/sim/prng.h"

struct link_config {
    uint64_t rate_bps;    /**< bits per second, 0: endless */
    uint64_t delay_us;    /**< one way */
    uint64_t jitter_us;   /**< added at random; keeps the order */
    uint32_t queue_bytes; /**< waiting behind the packet that is being sent; 0: endless */
    uint32_t mtu;         /**< largest IP packet, 0: endless */
    uint32_t loss_ppm, dup_ppm, corrupt_ppm;
    uint32_t reorder_ppm; /**< these are held back … */
    uint64_t reorder_us;  /**< … for up to so long, and others overtake them */
};

struct link {
    struct link_config config;
    struct prng prng;
    uint64_t busy_until_ns; /**< when what is queued now has left */
    uint64_t last_arrival;  /**< jitter must not reorder */
    uint64_t sent, lost, dropped, duplicated, corrupted, reordered;
};

struct link_fate {
    unsigned copies;  /**< 0: gone */
    uint64_t departs; /**< when the device is done with it, also when it is lost on the way */
    uint64_t arrives[2];
    bool corrupt; /**< one bit of the first copy is to be flipped */
};

void link_init(struct link *l, const struct link_config *config, uint64_t seed);

/** A packet of `bytes` (Ethernet frame) is given to the link at `now`. safe: it is only delayed
 * (address resolution). */
struct link_fate link_offer(struct link *l, uint32_t bytes, bool safe, uint64_t now);

/** Bytes that wait in the link's queue at `now`. */
uint64_t link_backlog(const struct link *l, uint64_t now);

#endif
