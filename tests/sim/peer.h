/* SPDX-License-Identifier: MIT */
/*
 * A receiver without a core: it accepts one connection, checks every byte, and acknowledges as its
 * plan says, also in ways that no core of ours would.
 *
 * It may throw away what it has acknowledged selectively (RFC 2018 §8), take back window that it
 * had offered (RFC 9293 §3.8.6: "shrinking the window" is discouraged, a sender must be ready), and
 * lie (lies.def). The sender must bring every byte all the same, and its invariants must hold.
 */
#ifndef TS_TESTS_SIM_PEER_H
#define TS_TESTS_SIM_PEER_H

#include "tests/sim/sim.h"

#define PEER_RANGES 256 /**< out-of-order ranges; what does not fit is dropped */

enum peer_lie {
#define PEER_LIE(name, help) PEER_LIE_##name,
#include "tests/sim/lies.def"
#undef PEER_LIE
    PEER_LIE_COUNT
};
const char *peer_lie_name(unsigned lie);

struct peer_plan {
    uint32_t window; /**< bytes that it takes beyond what is in order */
    uint16_t mss;
    bool sack, timestamps;
    uint8_t wscale;
    uint32_t ack_every;               /**< segments in order for one ACK … */
    uint64_t ack_delay_us;            /**< … or so late */
    uint32_t renege_ppm;              /**< at a segment: all that is out of order is thrown away */
    uint32_t shrink_ppm;              /**< at a segment: the right edge moves left … */
    uint64_t shrink_us;               /**< … for up to so long */
    uint32_t lie_ppm[PEER_LIE_COUNT]; /**< at an ACK */
};

/** Stream offsets [from, to). */
struct peer_range {
    uint64_t from, to;
};

struct peer {
    struct sim_host *host;
    struct peer_plan plan;
    struct prng prng;
    uint64_t stream; /**< what must come (program_bytes) */

    bool syn, established, fin_known, fin_sent, fin_acked, reset;
    uint8_t mac[6];
    uint32_t addr;
    uint16_t sport, dport;
    uint32_t irs, iss;
    bool sack_on, ts_on, wscale_on;
    uint32_t ts_recent;

    uint64_t next;   /**< stream offset that is awaited */
    uint64_t newest; /**< end of the furthest bytes seen */
    uint64_t fin_at; /**< offset of the FIN */
    uint64_t given;  /**< bytes that it acknowledged without having them */
    uint32_t window; /**< at present */
    struct peer_range held[PEER_RANGES];
    unsigned n_held;
    struct peer_range recent; /**< the newest segment: first in the SACK option (RFC 2018 §4) */
    uint32_t acked;           /**< the last acknowledgement said */
    unsigned unacked;         /**< segments since then */
    bool ack_timer, fin_timer;
    uint64_t reneged, shrunk, lies[PEER_LIE_COUNT];
};

/** Add the peer to the sim as its next host. It accepts a connection to any port. */
void peer_init(struct peer *p, struct sim *sim, const struct sim_host_config *config,
               const struct peer_plan *plan, uint64_t seed);

/** All bytes and the FIN are here, and its own FIN is acknowledged. */
bool peer_done(const struct peer *p);

/* peer_send.c */

/** Acknowledge, with whatever the plan adds; end the stream when everything is here. */
void peer_ack(struct peer *p);
void peer_synack(struct peer *p);
void peer_arp_reply(struct peer *p, const struct sim_packet *request);

#endif
