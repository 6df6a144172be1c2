/* SPDX-License-Identifier: MIT */
/*
 * Addresses, neutral of the family.
 *
 * An address is sixteen bytes. IPv4 lives in it as the v4-mapped form ::ffff:a.b.c.d (RFC 4291
 * §2.5.5.2), so every table, key and comparison in the core has one shape, and IPv6 is only more
 * code.
 */
#ifndef TS_PROTO_IP_ADDR_H
#define TS_PROTO_IP_ADDR_H

#include <arpa/inet.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct ip_addr {
    union {
        uint8_t b[16];
        uint32_t w[4];
    };
};

/** An address and a port; the port is in host byte order. */
struct ip_endpoint {
    struct ip_addr addr;
    uint16_t port;
};

/** A network: `len` counts from the first bit of the sixteen bytes (IPv4's /24 is 96 + 24 = 120).
 */
struct ip_prefix {
    struct ip_addr addr;
    uint8_t len;
};

#define IP_V4_PREFIX_BASE 96

/** Room for ip_addr_format (an IPv6 address, its terminating NUL included). */
#define IP_ADDR_TEXT 46
/** Room for ip_endpoint_format: "[v6]:65535" and NUL. */
#define IP_ENDPOINT_TEXT (IP_ADDR_TEXT + 8)

/** Make an address from four bytes in network order. */
static inline struct ip_addr ip_addr_v4(const uint8_t bytes[4])
{
    struct ip_addr a = {.b = {[10] = 0xff, [11] = 0xff}};

    memcpy(a.b + 12, bytes, 4);
    return a;
}

/** The unspecified address of IPv4 (::ffff:0.0.0.0) or, for v6 true, of IPv6 (::). */
struct ip_addr ip_addr_any(bool v6);

/** True when the address is v4-mapped: it travels in IPv4 packets. */
static inline bool ip_addr_is_v4(const struct ip_addr *a)
{
    return !memcmp(a->b, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
}

/** The four bytes of a v4-mapped address, in network order, inside `a`. */
static inline const uint8_t *ip_addr_v4_bytes(const struct ip_addr *a)
{
    return a->b + 12;
}

static inline bool ip_addr_equal(const struct ip_addr *a, const struct ip_addr *b)
{
    return !memcmp(a->b, b->b, sizeof(a->b));
}

/* The kinds are asked for with each packet. */

/** 0.0.0.0 or ::. */
static inline bool ip_addr_is_any(const struct ip_addr *a)
{
    if (ip_addr_is_v4(a))
        return a->w[3] == 0;
    return !(a->w[0] | a->w[1] | a->w[2] | a->w[3]);
}

/** 224.0.0.0/4 or ff00::/8. */
static inline bool ip_addr_is_multicast(const struct ip_addr *a)
{
    if (ip_addr_is_v4(a))
        return (a->b[12] & 0xf0) == 0xe0;
    return a->b[0] == 0xff;
}

/** 127.0.0.0/8 or ::1. */
static inline bool ip_addr_is_loopback(const struct ip_addr *a)
{
    static const struct ip_addr one = {.b = {[15] = 1}};

    if (ip_addr_is_v4(a))
        return a->b[12] == 127;
    return ip_addr_equal(a, &one);
}

/** 255.255.255.255. */
static inline bool ip_addr_is_limited_broadcast(const struct ip_addr *a)
{
    return ip_addr_is_v4(a) && a->w[3] == UINT32_MAX;
}

/** True when `a` lies in `p`. */
bool ip_prefix_contains(const struct ip_prefix *p, const struct ip_addr *a);
/** The subnet-directed broadcast address of an IPv4 prefix shorter than /31; false when there is
 * none. */
static inline bool ip_prefix_broadcast(const struct ip_prefix *p, struct ip_addr *out)
{
    /* A /31 has two hosts and no broadcast address (RFC 3021 §2.1), a /32 has one. */
    if (!ip_addr_is_v4(&p->addr) || p->len < IP_V4_PREFIX_BASE || p->len >= 127)
        return false;
    *out = p->addr;
    out->w[3] |= htonl(UINT32_MAX >> (p->len - IP_V4_PREFIX_BASE));
    return true;
}

/** Write the address as text (RFC 5952 for IPv6, dotted quad for v4-mapped) into buf; returns buf.
 */
char *ip_addr_format(const struct ip_addr *a, char buf[IP_ADDR_TEXT]);
/** Write "1.2.3.4:80" or "[::1]:80" into buf; returns buf. */
char *ip_endpoint_format(const struct ip_endpoint *e, char buf[IP_ENDPOINT_TEXT]);
/** Parse dotted quad or IPv6 text. Returns 0 or -EINVAL. */
int ip_addr_parse(const char *text, struct ip_addr *out);
/** Parse "10.0.0.1/24" (no "/": host prefix). `addr` keeps the host bits. Returns 0 or -EINVAL. */
int ip_prefix_parse(const char *text, struct ip_prefix *out);

#endif
