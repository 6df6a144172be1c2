/* SPDX-License-Identifier: MIT */
/* SYN cookies (RFC 4987 §3.6): a half-open connection that lies in the ISN and the timestamp of its
 * SYN-ACK, and nowhere else. */
#ifndef TS_PROTO_TCP_CONN_COOKIE_H
#define TS_PROTO_TCP_CONN_COOKIE_H

#include "proto/tcp/tcp.h"

/** The ISN that says all about a request; the MSS of the peer is rounded down to one that fits in,
 * in *mss too. */
uint32_t cookie_isn(struct stack *st, const struct ip_endpoint *local,
                    const struct ip_endpoint *remote, uint32_t irs, uint16_t *mss);

/** The MSS in a cookie that came back; 0: none of ours, or too old. */
uint16_t cookie_check(struct stack *st, const struct ip_endpoint *local,
                      const struct ip_endpoint *remote, uint32_t irs, uint32_t isn);

/** What the low bits of the SYN-ACK's timestamp carry. */
struct cookie_options {
    bool wscale_ok, sack_ok, ecn_ok;
    uint8_t wscale; /**< the peer's */
};

/** The timestamp (before the connection's offset) that carries the options: not later than `now`,
 * at most 64 ms earlier. */
uint32_t cookie_timestamp(uint32_t now, const struct cookie_options *o);
void cookie_read_timestamp(uint32_t ts, struct cookie_options *o);

#endif
