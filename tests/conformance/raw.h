/* SPDX-License-Identifier: MIT */
/* A frame with any header fields at all, beside the peer of the TCP fixture: other addresses, IP
 * options, reserved bits. */
#ifndef TS_TESTS_CONFORMANCE_RAW_H
#define TS_TESTS_CONFORMANCE_RAW_H

#include "tests/unit/tcp/fixture.h"

struct raw_seg {
    const char *src, *dst; /**< NULL: the peer, us */
    bool link_broadcast;   /**< Ethernet destination ff:ff:ff:ff:ff:ff */
    const uint8_t *ip_opt;
    uint32_t ip_opt_len; /**< a multiple of four */
    uint8_t tos, reserved;
    uint8_t flags;
    uint32_t seq, ack; /**< relative, as in peer() */
    uint16_t urgent;
    uint32_t len; /**< of the pattern */
};

/** Send it from the present connection of the peer, and let the stack run. */
void raw_send(const struct raw_seg *s);

#endif
