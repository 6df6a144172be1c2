/* SPDX-License-Identifier: MIT */
/* Which stack a frame belongs to; see steer.h. */
#include "proto/steer.h"

#include "proto/ip/wire.h"

#define PROTO_OFFSET        9
#define PROTO_ICMP          1
#define PROTO_TCP           6
#define ICMP_IS_UNREACHABLE 3
#define ICMP_IS_EXCEEDED    11
#define ICMP_IS_PARAMETER   12

/* The lower end first: the same for both directions. */
uint32_t steer_tuple(const struct steer *s, const struct ip_endpoint *a,
                     const struct ip_endpoint *b)
{
    struct {
        struct ip_addr low, high;
        uint16_t low_port, high_port;
        uint32_t zero;
    } t = {.zero = 0};
    int order = memcmp(&a->addr, &b->addr, sizeof(a->addr));

    if (order > 0 || (order == 0 && a->port > b->port)) {
        const struct ip_endpoint *swap = a;

        a = b;
        b = swap;
    }
    t.low = a->addr;
    t.high = b->addr;
    t.low_port = a->port;
    t.high_port = b->port;
    return (uint32_t)(siphash13(&s->key, &t, sizeof(t)) % s->count);
}

/* An IPv4 packet of which `len` bytes are there, with the start of a TCP header. */
static bool read_tuple(const uint8_t *h, uint32_t len, struct ip_endpoint *a, struct ip_endpoint *b)
{
    uint32_t header = (h[0] & 15u) * 4;

    if (h[0] >> 4 != 4 || header < IPV4_HEADER || len < header + 4 || h[PROTO_OFFSET] != PROTO_TCP)
        return false;
    *a = (struct ip_endpoint){ip_addr_v4(h + IPV4_SRC), wire_get16(h + header)};
    *b = (struct ip_endpoint){ip_addr_v4(h + IPV4_DST), wire_get16(h + header + 2)};
    return true;
}

/* The packet that an ICMP error quotes; NULL: it is none, or too short. */
static const uint8_t *quoted(const uint8_t *h, uint32_t len, uint32_t *left)
{
    uint32_t header = (h[0] & 15u) * 4;
    uint8_t type;

    if (h[PROTO_OFFSET] != PROTO_ICMP || len < header + ICMP_HEADER + IPV4_HEADER)
        return NULL;
    type = h[header];
    if (type != ICMP_IS_UNREACHABLE && type != ICMP_IS_EXCEEDED && type != ICMP_IS_PARAMETER)
        return NULL;
    *left = len - header - ICMP_HEADER;
    return h + header + ICMP_HEADER;
}

uint32_t steer_frame(const struct steer *s, const struct frame *f)
{
    const uint8_t *h = f->data + ETH_HEADER, *q;
    uint32_t len, left;
    struct ip_endpoint a, b;

    if (f->len < ETH_HEADER)
        return 0;
    if (wire_get16(f->data + ETH_TYPE) == ETH_TYPE_ARP)
        return STEER_ALL;
    len = f->len - ETH_HEADER;
    if (wire_get16(f->data + ETH_TYPE) != ETH_TYPE_IPV4 || len < IPV4_HEADER)
        return 0;
    if (wire_get16(h + IPV4_FRAGMENT) & (IPV4_MF | IPV4_OFFSET))
        return STEER_ALL;
    if (read_tuple(h, len, &a, &b))
        return steer_tuple(s, &a, &b);
    q = quoted(h, len, &left);
    return q && read_tuple(q, left, &a, &b) ? steer_tuple(s, &a, &b) : 0;
}
