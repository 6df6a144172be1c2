/* SPDX-License-Identifier: MIT */
/*
 * What must hold for every frame that a core emits, whatever the wire does with it:
 *
 * - Ethernet, IPv4 and TCP headers parse, lengths agree, checksums are right, the MTU is kept (RFC
 * 791, RFC 9293 §3.1);
 * - acknowledgements never go back and never cover what was not sent (RFC 9293 §3.10.7.4);
 * - the right edge of the window never moves left (RFC 9293 §3.8.6, SHLD-14);
 * - no payload byte lies beyond the window that has arrived at its sender (RFC 9293 §3.8.6).
 */
#ifndef TS_TESTS_SIM_WIRECHECK_H
#define TS_TESTS_SIM_WIRECHECK_H

#include "proto/frame.h"

#include <stdbool.h>
#include <stdint.h>

/** A TCP packet taken apart (of other packets only `tcp`, false, and `type` are set). */
struct wire_packet {
    bool tcp;
    uint16_t type; /**< EtherType */
    uint32_t src, dst;
    uint16_t sport, dport;
    uint32_t seq, ack, window, len;
    uint8_t flags;
    int wscale; /**< -1: no such option */
    bool sack_ok, has_ts;
    uint16_t mss; /**< 0: no such option */
    uint32_t tsval, tsecr;
    const uint8_t *frame;
    const uint8_t *payload;
};

/** One direction of a connection as the wire sees it. */
struct wire_flow {
    uint32_t src, dst;
    uint16_t sport, dport;
    bool used, syn, acked, edge_known, edge_arrived_known;
    int wscale;
    uint32_t isn, seq_end; /**< the furthest sequence number sent */
    uint32_t ack, edge, edge_arrived;
};

struct wirecheck {
    struct wire_flow *flows;
    uint32_t n, room;
};

void wirecheck_destroy(struct wirecheck *w);

/** Take a frame apart; NULL, or what is malformed. `mtu`: 0 for an offloaded frame. full: verify
 * the TCP checksum. */
const char *wire_parse(const uint8_t *data, uint32_t len, uint32_t mtu, bool full,
                       struct wire_packet *out);

/** The offload fields of an outgoing frame agree with its bytes; NULL, or what is wrong. */
const char *wire_offload(const struct frame *f, const uint8_t *flat, uint32_t features,
                         uint32_t mtu);

/** A host sends p. NULL, or which rule it breaks. */
const char *wirecheck_sent(struct wirecheck *w, const struct wire_packet *p);

/** p has arrived undamaged. */
void wirecheck_arrived(struct wirecheck *w, const struct wire_packet *p);

#endif
