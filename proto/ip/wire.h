/* SPDX-License-Identifier: MIT */
/*
 * Bytes on the wire: big-endian loads and stores at any alignment, and the field offsets of
 * Ethernet, ARP and IPv4 headers. Nothing here checks bounds: the callers do, once, before the
 * first load.
 */
#ifndef TS_PROTO_IP_WIRE_H
#define TS_PROTO_IP_WIRE_H

#include <stdint.h>

#define ETH_HEADER    14
#define ETH_SOURCE    6
#define ETH_TYPE      12
#define ETH_TYPE_IPV4 0x0800
#define ETH_TYPE_ARP  0x0806
#define ETH_TYPE_IPV6 0x86dd

#define IPV4_HEADER   20
#define IPV4_TOS      1
#define IPV4_TOTAL    2
#define IPV4_ID       4
#define IPV4_FRAGMENT 6
#define IPV4_TTL      8
#define IPV4_PROTO    9
#define IPV4_CHECKSUM 10
#define IPV4_SRC      12
#define IPV4_DST      16
#define IPV4_DF       0x4000
#define IPV4_MF       0x2000
#define IPV4_OFFSET   0x1fff

#define IPV6_HEADER 40
#define IPV6_LENGTH 4
#define IPV6_NEXT   6
#define IPV6_SRC    8
#define IPV6_DST    24

#define ICMP_HEADER 8

/** The 16-bit number at p. */
static inline uint16_t wire_get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

/** The 32-bit number at p. */
static inline uint32_t wire_get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/** Store a 16-bit number at p. */
static inline void wire_put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

/** Store a 32-bit number at p. */
static inline void wire_put32(uint8_t *p, uint32_t v)
{
    wire_put16(p, v >> 16);
    wire_put16(p + 2, v);
}

#endif
