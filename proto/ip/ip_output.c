/* SPDX-License-Identifier: MIT */
/*
 * The last step of the network layer: route, source address, size, IPv4 header, and on to the
 * neighbour or to ourselves (send path, step 16). Route and header are those of the destination
 * (dst.c). Nothing is fragmented: what does not fit is refused, unless the device or frame_segment
 * cuts it. RFC 791, RFC 1122 §3.2.1, RFC 6864 (the caller chooses the identification).
 */
#include "proto/base/checksum.h"
#include "proto/ip/ip_internal.h"

#include <errno.h>
#include <string.h>

#define IP_DEFAULT_TTL 64

/** Prepend the IPv4 header: the destination's, and what is this packet's own. */
static void ip_push_header(struct frame *f, const struct ip_flow *flow, const struct dst_entry *dst)
{
    uint8_t *h = frame_push(f, IPV4_HEADER);
    uint32_t total = frame_total(f);
    uint32_t fragment = flow->dont_fragment ? IPV4_DF : 0;
    uint32_t ttl = flow->ttl ? flow->ttl : IP_DEFAULT_TTL;

    if (total > FRAME_MAX_PACKET)
        total = 0; /* does not fit: the device's to find out (FRAME_MAX_BURST) */
    memcpy(h, dst->header, IPV4_HEADER);
    h[IPV4_TOS] = flow->tos;
    wire_put16(h + IPV4_TOTAL, total);
    wire_put16(h + IPV4_ID, flow->id);
    wire_put16(h + IPV4_FRAGMENT, fragment);
    h[IPV4_TTL] = (uint8_t)ttl;
    h[IPV4_PROTO] = flow->proto;
    /* the sum of the words (RFC 1071), as numbers of the host */
    wire_put16(h + IPV4_CHECKSUM, csum_fold(dst->sum + flow->tos + total + flow->id + fragment +
                                            (ttl << 8) + flow->proto));
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
    struct dst_entry *dst = dst_lookup(st, &flow->dst);
    int err;

    /* RFC 1122 §3.2.1.3: the source of every datagram is an address of ours. */
    if (!dst || (!ip_is_ours(st, &flow->src) && !ip_addr_is_any(&flow->src))) {
        COUNT(st, ip_out_no_route);
        return -ENETUNREACH;
    }
    if (!ip_fits(st, f, &dst->route))
        return -EMSGSIZE;
    ip_push_header(f, flow, dst);
    COUNT(st, ip_out);
    TRACE_BELOW(st->tracing, ip_output, dst->route.local ? TRACE_WHY_local : TRACE_WHY_none,
                frame_total(f), flow->ttl ? flow->ttl : IP_DEFAULT_TTL, flow->tos, flow->id);
    if (!dst->route.local)
        return neigh_output(st, f, dst, sent);
    err = local_output(st, f, &flow->dst);
    if (err == 0 && sent)
        *sent = f->span_len;
    return err;
}
