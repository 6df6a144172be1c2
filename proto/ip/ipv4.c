/* SPDX-License-Identifier: MIT */
/*
 * IPv4 input: the header is checked once, in the order of RFC 791 and RFC 1122 §3.2.1, and becomes
 * a struct packet that the protocols read. We are a host: nothing is forwarded, and what is not for
 * us is dropped in silence. Fragments go to reass.c; source routes are refused (RFC 7126 §4.3,
 * §4.4), other options ignored.
 */
#include "proto/base/checksum.h"
#include "proto/ip/ip_internal.h"

#define IPV4_OPTION_END         0
#define IPV4_OPTION_NOP         1
#define IPV4_OPTION_LOOSE_ROUTE 131
#define IPV4_OPTION_STRICT      137

#define TCP_CHECKSUM_OFFSET 16

/** Take the fixed header apart; len is what the link brought, padding included (RFC 894). */
static bool ipv4_parse(struct stack *st, const uint8_t *h, uint32_t len, struct packet *p)
{
    uint32_t header_len, total, sum;

    if (len < IPV4_HEADER || h[0] >> 4 != 4) {
        COUNT(st, ip_in_bad_header);
        return false;
    }
    header_len = (h[0] & 15u) * 4;
    total = wire_get16(h + IPV4_TOTAL);
    if (header_len < IPV4_HEADER || total < header_len || total > len) {
        COUNT(st, ip_in_bad_header);
        return false;
    }
    /* No device checks this sum for us: offload speaks of the transport's. */
    sum = header_len == IPV4_HEADER ? csum_ipv4_header(h) : csum_partial(h, header_len, 0);
    if (csum_fold(sum) != 0) {
        COUNT(st, ip_in_bad_checksum);
        return false;
    }
    p->src = ip_addr_v4(h + IPV4_SRC);
    p->dst = ip_addr_v4(h + IPV4_DST);
    p->proto = h[IPV4_PROTO];
    p->ttl = h[IPV4_TTL];
    p->tos = h[IPV4_TOS];
    p->header = h;
    p->header_len = header_len;
    p->payload = h + header_len;
    p->len = total - header_len;
    return true;
}

/** A source that no packet from outside may have (RFC 1122 §3.2.1.3); our own address is a LAND
 * attack. */
static bool ipv4_bad_source(const struct stack *st, const struct ip_addr *a)
{
    return ip_addr_is_bad_peer(st, a) || ip_addr_is_loopback(a) || ip_addr_v4_bytes(a)[0] == 0 ||
           ip_is_ours(st, a);
}

/** For us, by unicast or broadcast; unicast inside a link broadcast is not (RFC 1122 §3.3.6). */
static bool ipv4_for_us(const struct stack *st, struct packet *p, bool link_broadcast)
{
    struct ip_addr broadcast;

    if (ip_is_ours(st, &p->dst))
        return !link_broadcast;
    p->broadcast = ip_addr_is_limited_broadcast(&p->dst) ||
                   (ip_prefix_broadcast(&st->config.address, &broadcast) &&
                    ip_addr_equal(&broadcast, &p->dst));
    return p->broadcast;
}

/** Walk the options (RFC 1122 §3.2.1.8): only their shape and source routes matter. */
static bool ipv4_options_ok(struct stack *st, const struct packet *p)
{
    const uint8_t *o = p->header + IPV4_HEADER, *end = p->header + p->header_len;

    while (o < end && *o != IPV4_OPTION_END) {
        if (*o == IPV4_OPTION_NOP) {
            o++;
            continue;
        }
        if (end - o < 2 || o[1] < 2 || o[1] > end - o) {
            COUNT(st, ip_in_bad_header);
            return false;
        }
        if (*o == IPV4_OPTION_LOOSE_ROUTE || *o == IPV4_OPTION_STRICT) {
            COUNT(st, ip_in_source_route);
            return false;
        }
        o += o[1];
    }
    return true;
}

/** The device's claims must fit the packet: nothing behind this line checks them again. */
static bool ipv4_offload_ok(const struct frame *f, const struct packet *p)
{
    if (f->gso != FRAME_GSO_NONE &&
        (f->gso != FRAME_GSO_TCP4 || p->proto != IP_PROTO_TCP || f->gso_size == 0))
        return false;
    if (f->csum != FRAME_CSUM_PARTIAL)
        return true;
    if (f->data + f->csum_start != p->payload || f->csum_offset + 2u > p->len)
        return false;
    return p->proto != IP_PROTO_TCP || f->csum_offset == TCP_CHECKSUM_OFFSET;
}

void ipv4_deliver(struct stack *st, const struct packet *p)
{
    switch (p->proto) {
    case IP_PROTO_TCP:
        COUNT(st, ip_in_delivered);
        tcp_input(st, p);
        break;
    case IP_PROTO_ICMP:
        COUNT(st, ip_in_delivered);
        icmp_input(st, p);
        break;
    default:
        COUNT(st, ip_in_unknown_proto);
        icmp_unreachable(st, p, ICMP_UNREACH_PROTOCOL);
    }
}

void ipv4_input(struct stack *st, const struct frame *f, bool link_broadcast)
{
    struct packet p = {.csum = f->csum, .gso = f->gso, .gso_size = f->gso_size};
    bool fragment;

    COUNT(st, ip_in);
    if (!ipv4_parse(st, f->data + ETH_HEADER, f->len - ETH_HEADER, &p))
        return;
    if (ipv4_bad_source(st, &p.src)) {
        COUNT(st, ip_in_bad_source);
        return;
    }
    if (!ipv4_for_us(st, &p, link_broadcast)) {
        COUNT(st, ip_in_not_ours);
        return;
    }
    if (!ipv4_options_ok(st, &p))
        return;
    fragment = wire_get16(p.header + IPV4_FRAGMENT) & (IPV4_MF | IPV4_OFFSET);
    if (!ipv4_offload_ok(f, &p) || (fragment && (p.gso || p.csum == FRAME_CSUM_PARTIAL))) {
        COUNT(st, eth_in_bad_offload);
        return;
    }
    if (fragment)
        reass_input(st, &p);
    else
        ipv4_deliver(st, &p);
}

void ipv4_input_local(struct stack *st, const struct held_packet *h)
{
    struct packet p = {
        .csum = FRAME_CSUM_VALID, .gso = h->gso, .gso_size = h->gso_size, .local = true};

    COUNT(st, ip_in);
    if (ipv4_parse(st, h->data, h->len, &p))
        ipv4_deliver(st, &p);
}
