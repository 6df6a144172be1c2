/* SPDX-License-Identifier: MIT */
/* See wirecheck.h. The parsing is the test's own: nothing of the core's input path is used. */
#include "tests/sim/wirecheck.h"

#include "proto/base/checksum.h"
#include "proto/base/seq.h"
#include "proto/ip/wire.h"
#include "proto/stack.h"

#include <stdlib.h>
#include <string.h>

#define FIN 0x01
#define SYN 0x02
#define RST 0x04
#define ACK 0x10

/* --- parsing
 * -----------------------------------------------------------------------------------------------
 */

static void parse_option(const uint8_t *p, struct wire_packet *out)
{
    if (p[0] == 2 && p[1] == 4)
        out->mss = wire_get16(p + 2);
    if (p[0] == 3 && p[1] == 3)
        out->wscale = p[2];
    if (p[0] == 4)
        out->sack_ok = true;
    if (p[0] == 8 && p[1] == 10) {
        out->has_ts = true;
        out->tsval = wire_get32(p + 2);
        out->tsecr = wire_get32(p + 6);
    }
}

static const char *parse_options(const uint8_t *p, const uint8_t *end, struct wire_packet *out)
{
    while (p < end && *p != 0) {
        if (*p == 1) {
            p++;
            continue;
        }
        if (end - p < 2 || p[1] < 2 || p[1] > end - p)
            return "malformed TCP option";
        parse_option(p, out);
        p += p[1];
    }
    return NULL;
}

static const char *parse_tcp(const uint8_t *ip, uint32_t ip_len, uint32_t total, bool full,
                             struct wire_packet *out)
{
    const uint8_t *t = ip + ip_len;
    uint32_t len = total - ip_len, header;

    if (len < 20)
        return "TCP header cut off";
    header = (uint32_t)(t[12] >> 4) * 4;
    if (header < 20 || header > len)
        return "TCP data offset out of range";
    if (full && csum_fold(csum_partial(t, len, csum_pseudo(ip + 12, ip + 16, 4, 6, len))) != 0)
        return "wrong TCP checksum";
    out->tcp = true;
    out->src = wire_get32(ip + IPV4_SRC);
    out->dst = wire_get32(ip + IPV4_DST);
    out->sport = wire_get16(t);
    out->dport = wire_get16(t + 2);
    out->seq = wire_get32(t + 4);
    out->ack = wire_get32(t + 8);
    out->flags = t[13];
    out->window = wire_get16(t + 14);
    out->len = len - header;
    out->payload = t + header;
    if (t[12] & 0x0e) /* the fourth is AE (RFC 9768 §3.1) */
        return "reserved bits of the TCP header are set";
    if (!(out->flags & 0x20) && wire_get16(t + 18) != 0)
        return "urgent pointer without URG";
    return parse_options(t + 20, t + header, out);
}

static const char *parse_ipv4(const uint8_t *ip, uint32_t len, uint32_t mtu, bool full,
                              struct wire_packet *out)
{
    uint32_t total, header;

    if (len < IPV4_HEADER || ip[0] >> 4 != 4)
        return "IPv4 header cut off";
    header = (ip[0] & 15u) * 4;
    total = wire_get16(ip + IPV4_TOTAL);
    if (header < IPV4_HEADER || header > len || total != len)
        return "IPv4 total length differs from the frame";
    if (mtu && total > mtu)
        return "packet larger than the MTU";
    if (csum_fold(csum_partial(ip, header, 0)) != 0)
        return "wrong IPv4 header checksum";
    if (ip[8] == 0)
        return "time to live of 0";
    if (ip[IPV4_PROTO] == 6)
        return parse_tcp(ip, header, total, full, out);
    if (ip[IPV4_PROTO] == 1 && csum_fold(csum_partial(ip + header, total - header, 0)) != 0)
        return "wrong ICMP checksum";
    return NULL;
}

const char *wire_parse(const uint8_t *data, uint32_t len, uint32_t mtu, bool full,
                       struct wire_packet *out)
{
    memset(out, 0, sizeof(*out));
    out->wscale = -1;
    out->frame = data;
    if (len < ETH_HEADER)
        return "Ethernet header cut off";
    out->type = wire_get16(data + ETH_TYPE);
    if (out->type == ETH_TYPE_IPV4)
        return parse_ipv4(data + ETH_HEADER, len - ETH_HEADER, mtu, full, out);
    if (out->type == ETH_TYPE_ARP)
        return len < ETH_HEADER + 28 ? "ARP packet cut off" : NULL;
    return "unknown EtherType";
}

/* --- offload
 * -----------------------------------------------------------------------------------------------
 */

static const char *check_partial(const struct frame *f, const uint8_t *flat)
{
    const uint8_t *ip = flat + ETH_HEADER;
    uint32_t len = frame_total(f) - f->csum_start;
    uint16_t field, want;

    if (f->csum_start != ETH_HEADER + IPV4_HEADER || f->csum_offset != 16)
        return "partial checksum in a strange place";
    memcpy(&field, flat + f->csum_start + f->csum_offset, 2);
    want = (uint16_t)~csum_fold(csum_pseudo(ip + IPV4_SRC, ip + IPV4_DST, 4, 6, len));
    return field == want ? NULL : "the field of a partial checksum is not the pseudo-header sum";
}

const char *wire_offload(const struct frame *f, const uint8_t *flat, uint32_t features,
                         uint32_t mtu)
{
    uint32_t headers, sum = 0;

    for (unsigned i = 0; i < f->n_spans; i++)
        sum += (uint32_t)f->spans[i].iov_len;
    if (sum != f->span_len)
        return "span_len differs from the spans";
    if (f->csum == FRAME_CSUM_PARTIAL && !(features & STACK_TX_CSUM))
        return "partial checksum for a device without checksum offload";
    if (f->csum == FRAME_CSUM_PARTIAL && check_partial(f, flat))
        return check_partial(f, flat);
    if (f->gso == FRAME_GSO_NONE)
        return NULL;
    if (f->gso != FRAME_GSO_TCP4 || !(features & STACK_TX_TSO4))
        return "offloaded frame for a device without segmentation";
    if (f->csum != FRAME_CSUM_PARTIAL)
        return "offloaded frame with a complete checksum";
    headers = ETH_HEADER + IPV4_HEADER + (uint32_t)(flat[ETH_HEADER + IPV4_HEADER + 12] >> 4) * 4;
    if (!f->gso_size || headers - ETH_HEADER + f->gso_size > mtu)
        return "segments of an offloaded frame are larger than the MTU";
    if (frame_total(f) - headers <= f->gso_size)
        return "offloaded frame of one segment";
    return NULL;
}

/* --- flows
 * -------------------------------------------------------------------------------------------------
 */

void wirecheck_destroy(struct wirecheck *w)
{
    free(w->flows);
    memset(w, 0, sizeof(*w));
}

static bool same(const struct wire_flow *f, uint32_t src, uint16_t sport, uint32_t dst,
                 uint16_t dport)
{
    return f->src == src && f->sport == sport && f->dst == dst && f->dport == dport;
}

static uint32_t slot_of(const struct wirecheck *w, uint32_t src, uint16_t sport, uint32_t dst,
                        uint16_t dport)
{
    uint64_t h = ((uint64_t)src << 32 | dst) * 0x9e3779b97f4a7c15ull ^
                 ((uint64_t)sport << 16 | dport) * 0xc2b2ae3d27d4eb4full;
    uint32_t i = (uint32_t)(h >> 33) & (w->room - 1);

    while (w->flows[i].used && !same(&w->flows[i], src, sport, dst, dport))
        i = (i + 1) & (w->room - 1);
    return i;
}

static void grow(struct wirecheck *w)
{
    struct wirecheck bigger = {.room = w->room ? 2 * w->room : 16};

    bigger.flows = calloc(bigger.room, sizeof(*bigger.flows));
    if (!bigger.flows)
        abort();
    for (uint32_t i = 0; i < w->room; i++) {
        struct wire_flow *f = &w->flows[i];

        if (f->used)
            bigger.flows[slot_of(&bigger, f->src, f->sport, f->dst, f->dport)] = *f;
    }
    bigger.n = w->n;
    free(w->flows);
    *w = bigger;
}

static struct wire_flow *flow(struct wirecheck *w, uint32_t src, uint16_t sport, uint32_t dst,
                              uint16_t dport)
{
    struct wire_flow *f;

    if (2 * (w->n + 2) > w->room)
        grow(w);
    f = &w->flows[slot_of(w, src, sport, dst, dport)];
    if (!f->used) {
        *f = (struct wire_flow){
            .used = true, .src = src, .sport = sport, .dst = dst, .dport = dport, .wscale = -1};
        w->n++;
    }
    return f;
}

static void pair(struct wirecheck *w, const struct wire_packet *p, struct wire_flow **own,
                 struct wire_flow **other)
{
    flow(w, p->src, p->sport, p->dst, p->dport);
    *other = flow(w, p->dst, p->dport, p->src, p->sport);
    *own = flow(w, p->src, p->sport, p->dst, p->dport);
}

static uint32_t edge_of(const struct wire_packet *p, const struct wire_flow *own,
                        const struct wire_flow *other)
{
    bool scaled = !(p->flags & SYN) && own->wscale >= 0 && other->wscale >= 0;

    return p->ack + (p->window << (scaled ? own->wscale : 0));
}

static void note_syn(struct wire_flow *f, const struct wire_packet *p)
{
    if (!f->syn || f->isn != p->seq)
        *f = (struct wire_flow){.used = true,
                                .src = f->src,
                                .sport = f->sport,
                                .dst = f->dst,
                                .dport = f->dport,
                                .syn = true,
                                .isn = p->seq,
                                .seq_end = p->seq + 1};
    f->wscale = p->wscale;
}

static const char *check_ack(struct wire_flow *own, const struct wire_flow *other,
                             const struct wire_packet *p)
{
    uint32_t edge = edge_of(p, own, other);
    uint32_t unit = own->wscale > 0 && other->wscale >= 0 ? 1u << own->wscale : 1;

    if (own->acked && seq_lt(p->ack, own->ack))
        return "an acknowledgement went back";
    if (other->syn && seq_gt(p->ack, other->seq_end))
        return "an acknowledgement covers what was never sent";
    /* with a scale, by less than its unit: RFC 7323 §2.4 */
    if (own->edge_known && seq_leq(edge + unit, own->edge))
        return "the right edge of the window moved left";
    if (!own->edge_known || seq_gt(edge, own->edge))
        own->edge = edge;
    own->acked = own->edge_known = true;
    own->ack = p->ack;
    return NULL;
}

const char *wirecheck_sent(struct wirecheck *w, const struct wire_packet *p)
{
    struct wire_flow *own, *other;
    uint32_t end = p->seq + p->len + !!(p->flags & FIN) + !!(p->flags & SYN);
    const char *why = NULL;

    if (!p->tcp || (p->flags & RST))
        return NULL;
    pair(w, p, &own, &other);
    if (p->flags & SYN)
        note_syn(own, p);
    if (p->flags & ACK)
        why = check_ack(own, other, p);
    if (!why && p->len && !(p->flags & SYN) && other->edge_arrived_known &&
        seq_gt(p->seq + p->len, other->edge_arrived))
        why = "payload beyond the advertised window";
    if (own->syn && seq_gt(end, own->seq_end))
        own->seq_end = end;
    return why;
}

void wirecheck_arrived(struct wirecheck *w, const struct wire_packet *p)
{
    struct wire_flow *own, *other;
    uint32_t edge;

    if (!p->tcp || (p->flags & RST) || !(p->flags & ACK))
        return;
    pair(w, p, &own, &other);
    edge = edge_of(p, own, other);
    if (!own->edge_arrived_known || seq_gt(edge, own->edge_arrived))
        own->edge_arrived = edge;
    own->edge_arrived_known = true;
}
