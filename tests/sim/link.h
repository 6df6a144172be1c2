/* SPDX-License-Identifier: MIT */
/*
 * One direction of a simulated wire: a rate, a queue with tail drop or ECN marks, a policer, a
 * delay, and everything that can go wrong.
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
    uint32_t mark_bytes;  /**< with more than so much waiting, ECT packets leave as CE; 0: never */
    uint32_t mtu;         /**< largest IP packet, 0: endless */
    uint32_t loss_ppm, dup_ppm, corrupt_ppm;
    uint32_t reorder_ppm; /**< these are held back … */
    uint64_t reorder_us;  /**< … for up to so long, and others overtake them */

    /* Of packets without data only: */
    uint32_t ack_loss_ppm;
    uint64_t ack_hold_us; /**< they leave in bunches, so far apart (ACK compression) */

    /* Gilbert's channel: from time to time it turns bad, and loses most of what comes. */
    struct {
        uint32_t begin_ppm, end_ppm; /**< a packet turns it bad, good again */
        uint32_t loss_ppm;           /**< while it is bad */
        uint64_t most_us;            /**< silence also ends it */
    } burst;

    /* A policer in front of the queue: what finds no token is dropped. */
    uint64_t police_bps;   /**< 0: none */
    uint32_t police_bytes; /**< depth of the bucket; not less than the largest frame */
};

struct link {
    struct link_config config;
    struct prng prng;
    uint64_t busy_until_ns; /**< when what is queued now has left */
    uint64_t busy_ns;       /**< all transmission times added up */
    uint64_t last_arrival;  /**< jitter must not reorder */
    uint64_t bad_until;     /**< of Gilbert's channel; 0: it is good */
    int64_t tokens;         /**< of the policer, in millionths of a bit */
    uint64_t tokens_at;
    uint64_t sent, lost, dropped, policed, marked, duplicated, corrupted, reordered;
};

/** What link_offer() wants to know of a packet. */
struct link_packet {
    uint32_t bytes; /**< of the Ethernet frame */
    bool safe;      /**< it is only delayed (address resolution) */
    bool empty;     /**< TCP without data, SYN, FIN or RST */
    bool ect;       /**< it may be marked instead of dropped (RFC 3168 §5) */
};

struct link_fate {
    unsigned copies;  /**< 0: gone */
    uint64_t departs; /**< when the device is done with it, also when it is lost on the way */
    uint64_t arrives[2];
    bool corrupt; /**< one bit of the first copy is to be flipped */
    bool ce;      /**< congestion experienced: to be written into the IP header */
};

void link_init(struct link *l, const struct link_config *config, uint64_t seed);

/** A packet is given to the link at `now`. */
struct link_fate link_offer(struct link *l, const struct link_packet *p, uint64_t now);

/** Bytes that wait in the link's queue at `now`. */
uint64_t link_backlog(const struct link *l, uint64_t now);

#endif
