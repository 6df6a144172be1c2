/* SPDX-License-Identifier: MIT */
/*
 * Address resolution for IPv4 over Ethernet (RFC 826) with the conflict rules of RFC 5227.
 * What the sender says of itself is merged into an entry that exists; a new entry comes only from a
 * request for our own address, never from a reply that nobody asked for. Our address is defended by
 * at most one announcement in ten seconds (RFC 5227 §2.4, choice (c): we never give it up).
 */
#include "proto/ip/ip_internal.h"

#include <string.h>

#define ARP_LENGTH    28
#define ARP_OP        6
#define ARP_SHA       8
#define ARP_SPA       14
#define ARP_THA       18
#define ARP_TPA       24
#define ARP_REQUEST   1
#define ARP_REPLY     2
#define ARP_DEFEND_US 10000000u

struct arp_packet {
    uint16_t op;
    const uint8_t *sha;
    struct ip_addr spa, tpa;
};

static int arp_output(struct stack *st, uint16_t op, const uint8_t *eth_dst, const uint8_t *tha,
                      const struct ip_addr *tpa)
{
    static const uint8_t fixed[6] = {0, 1, 0x08, 0x00, 6, 4};
    uint8_t link[ETH_HEADER];
    struct frame f;
    uint8_t *h;

    frame_init(&f);
    h = frame_push(&f, ARP_LENGTH);
    memcpy(h, fixed, sizeof(fixed));
    wire_put16(h + ARP_OP, op);
    memcpy(h + ARP_SHA, st->config.mac, 6);
    memcpy(h + ARP_SPA, ip_addr_v4_bytes(&st->config.address.addr), 4);
    if (tha)
        memcpy(h + ARP_THA, tha, 6);
    else
        memset(h + ARP_THA, 0, 6);
    memcpy(h + ARP_TPA, ip_addr_v4_bytes(tpa), 4);
    eth_header(st, eth_dst, ETH_TYPE_ARP, link);
    return eth_output(st, &f, link, NULL);
}

int arp_request(struct stack *st, const struct ip_addr *addr, const uint8_t *mac)
{
    int r = arp_output(st, ARP_REQUEST, mac ? mac : eth_broadcast, mac, addr);

    if (r >= 0)
        COUNT(st, arp_out_requests);
    return r;
}

void arp_announce(struct stack *st)
{
    /* RFC 5227 §3: an announcement is a request, not a reply. */
    (void)arp_request(st, &st->config.address.addr, NULL);
}

/** Check the packet against the one kind that is spoken here and take it apart. */
static bool arp_parse(const struct stack *st, const uint8_t *h, uint32_t len, struct arp_packet *a)
{
    static const uint8_t zero[6];

    if (len < ARP_LENGTH || wire_get16(h) != 1 || wire_get16(h + 2) != ETH_TYPE_IPV4 || h[4] != 6 ||
        h[5] != 4)
        return false;
    a->op = wire_get16(h + ARP_OP);
    a->sha = h + ARP_SHA;
    a->spa = ip_addr_v4(h + ARP_SPA);
    a->tpa = ip_addr_v4(h + ARP_TPA);
    if (a->op != ARP_REQUEST && a->op != ARP_REPLY)
        return false;
    /* Neither a group nor nobody can have sent it (RFC 1812 §3.3.2 for groups). */
    if ((a->sha[0] & 1) != 0 || memcmp(a->sha, zero, 6) == 0)
        return false;
    /* 0.0.0.0 is the sender of a probe (RFC 5227 §1.1). */
    return ip_addr_is_any(&a->spa) ||
           (!ip_addr_is_bad_peer(st, &a->spa) && !ip_addr_is_loopback(&a->spa));
}

static void arp_conflict(struct stack *st)
{
    COUNT(st, arp_in_conflict);
    if (!ip_speaks(st))
        return;
    if (st->now < st->ip.arp_defend_after)
        return;
    st->ip.arp_defend_after = st->now + ARP_DEFEND_US;
    arp_announce(st);
}

/** Only an address that can be a next hop is worth remembering. */
static bool arp_is_next_hop(const struct stack *st, const struct ip_addr *a)
{
    return ip_prefix_contains(&st->config.address, a) ||
           (st->config.has_gateway && ip_addr_equal(&st->config.gateway, a));
}

void arp_input(struct stack *st, const uint8_t *frame, uint32_t len, bool link_broadcast)
{
    struct arp_packet a;
    bool for_us;

    COUNT(st, arp_in);
    if (!arp_parse(st, frame + ETH_HEADER, len - ETH_HEADER, &a)) {
        COUNT(st, arp_in_bad);
        return;
    }
    if (memcmp(a.sha, st->config.mac, 6) == 0)
        return; /* our own, reflected by the link: no conflict (RFC 5227 §2.4) */
    if (ip_is_ours(st, &a.spa)) {
        arp_conflict(st);
        return;
    }
    for_us = ip_is_ours(st, &a.tpa);
    if (!ip_addr_is_any(&a.spa) && arp_is_next_hop(st, &a.spa))
        neigh_update(st, &(struct neigh_news){
                             .addr = a.spa,
                             .mac = a.sha,
                             .solicited = a.op == ARP_REPLY && for_us && !link_broadcast,
                             .gratuitous = ip_addr_equal(&a.spa, &a.tpa),
                             .create = a.op == ARP_REQUEST && for_us,
                         });
    if (for_us && a.op == ARP_REQUEST && ip_speaks(st) &&
        arp_output(st, ARP_REPLY, a.sha, a.sha, &a.spa) >= 0)
        COUNT(st, arp_out_replies);
}
