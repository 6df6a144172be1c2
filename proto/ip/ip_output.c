/* SPDX-License-Identifier: MIT */
/*
 * The last step of the network layer: route, source address, size, IPv4 header, and on to the
 * neighbour or to ourselves (send path, step 16). Nothing is fragmented: what does not fit is
 * refused, unless the device or frame_segment cuts it. RFC 791, RFC 1122 §3.2.1, RFC 6864 (the
 * caller chooses the identification).
 */
#include "proto/base/checksum.h"
#include "proto/ip/ip_internal.h"

#include <errno.h>
#include <string.h>

#define IP_DEFAULT_TTL 64

/** Prepend the IPv4 header. */
static void ip_push_header(struct frame *f, const struct ip_flow *flow, const struct ip_addr *src)
{
    uint8_t *h = frame_push(f, IPV4_HEADER);
    uint16_t sum;

    h[0] = 0x45;
    h[IPV4_TOS] = flow->tos;
    /* what does not fit into the field is the device's to find out (FRAME_MAX_BURST) */
    wire_put16(h + IPV4_TOTAL, frame_total(f) > FRAME_MAX_PACKET ? 0 : frame_total(f));
    wire_put16(h + IPV4_ID, flow->id);
    wire_put16(h + IPV4_FRAGMENT, flow->dont_fragment ? IPV4_DF : 0);
    h[IPV4_TTL] = flow->ttl ? flow->ttl : IP_DEFAULT_TTL;
    h[IPV4_PROTO] = flow->proto;
    memset(h + IPV4_CHECKSUM, 0, 2);
    memcpy(h + IPV4_SRC, ip_addr_v4_bytes(src), 4);
    memcpy(h + IPV4_DST, ip_addr_v4_bytes(&flow->dst), 4);
    sum = csum_fold(csum_partial(h, IPV4_HEADER, 0));
    memcpy(h + IPV4_CHECKSUM, &sum, 2);
}

/** Whether each packet that leaves the host fits the link: the frame, or the segments it is cut
 * into. */
static bool ip_fits(const struct stack *st, const struct frame *f, const struct route *r)
{
    uint32_t total = IPV4_HEADER + frame_total(f), mtu = r->mtu, most = FRAME_MAX_PACKET;
    bool big = (st->config.features & STACK_TX_BIG4) && !r->local && !f->cwr_all;

    if (f->gso == FRAME_GSO_NONE)
        return total <= mtu;
    if (big)
        most = FRAME_MAX_BURST;
    return f->gso_size > 0 && total <= most && IPV4_HEADER + f->len + f->gso_size <= mtu;
}

int ip_output(struct stack *st, struct frame *f, const struct ip_flow *flow, uint32_t *sent)
{
    struct route r;
    int err = route_lookup(st, &flow->dst, &r);

    /* RFC 1122 §3.2.1.3: the source of every datagram is an address of ours. */
    if (err == 0 && !ip_addr_is_any(&flow->src) && !ip_is_ours(st, &flow->src))
        err = -ENETUNREACH;
    if (err != 0) {
        COUNT(st, ip_out_no_route);
        return err;
    }
    if (!ip_fits(st, f, &r))
        return -EMSGSIZE;
    ip_push_header(f, flow, &r.source);
    COUNT(st, ip_out);
    TRACE_BELOW(st->tracing, ip_output, r.local ? TRACE_WHY_local : TRACE_WHY_none, frame_total(f),
                flow->ttl ? flow->ttl : IP_DEFAULT_TTL, flow->tos, flow->id);
    if (!r.local)
        return neigh_output(st, f, &r.next_hop, &flow->dst, sent);
    err = local_output(st, f, &flow->dst);
    if (err == 0 && sent)
        *sent = f->span_len;
    return err;
}
