/* SPDX-License-Identifier: MIT */
/* From bytes to a packet; checks lengths and checksums as a receiver would. */
#include "tests/pkt/packet.h"

#include "proto/ip/wire.h"

#include <string.h>

static void decode_value(struct pkt_option *o, const uint8_t *v)
{
    switch (o->kind) {
    case OPT_MSS:
        o->a = wire_get16(v);
        break;
    case OPT_WSCALE:
        o->a = v[0];
        break;
    case OPT_TS:
        o->a = wire_get32(v);
        o->b = wire_get32(v + 4);
        break;
    case OPT_SACK:
        o->n_blocks = (uint8_t)((o->len - 2) / 8);
        for (int i = 0; i < o->n_blocks; i++) {
            o->block[i].start = wire_get32(v + 8 * i);
            o->block[i].end = wire_get32(v + 8 * i + 4);
        }
        break;
    default:
        memcpy(o->raw, v, o->len - 2u);
        break;
    }
}

static bool right_length(uint8_t kind, uint8_t len)
{
    switch (kind) {
    case OPT_MSS:
        return len == 4;
    case OPT_WSCALE:
        return len == 3;
    case OPT_SACK_OK:
        return len == 2;
    case OPT_TS:
        return len == 10;
    case OPT_SACK:
        return len >= 10 && len <= 34 && (len - 2) % 8 == 0;
    default:
        return len >= 2;
    }
}

/* Behind the end-of-list option there is only padding. */
static const char *decode_options(const uint8_t *at, uint32_t n, struct pkt_packet *p)
{
    while (n) {
        struct pkt_option *o = &p->option[p->n_options];

        if (p->n_options == PKT_MAX_OPTIONS)
            return "more TCP options than fit";
        o->kind = at[0];
        o->len = 1;
        if (o->kind != OPT_NOP && o->kind != OPT_EOL) {
            if (n < 2 || at[1] > n || !right_length(at[0], at[1]))
                return "malformed TCP option";
            o->len = at[1];
            decode_value(o, at + 2);
        }
        p->n_options++;
        if (o->kind == OPT_EOL)
            return NULL;
        at += o->len;
        n -= o->len;
    }
    return NULL;
}

static const char *decode_tcp(const uint8_t *tcp, uint32_t len, struct pkt_packet *p)
{
    uint32_t header, pseudo;

    if (len < 20)
        return "TCP header cut off";
    header = (tcp[12] >> 4) * 4u;
    if (header < 20 || header > len)
        return "bad TCP data offset";
    p->local_port = wire_get16(tcp + (p->out ? 0 : 2));
    p->remote_port = wire_get16(tcp + (p->out ? 2 : 0));
    p->seq = wire_get32(tcp + 4);
    p->ack = wire_get32(tcp + 8);
    p->reserved = tcp[12] >> 1 & 7;
    p->flags = (uint16_t)(tcp[13] | (tcp[12] & 1) << 8);
    p->win = wire_get16(tcp + 14);
    p->urg = wire_get16(tcp + 18);
    p->has_win = true;
    p->has_urg = p->flags & PKT_URG;
    p->len = len - header;
    p->payload = tcp + header;
    pseudo = (p->src >> 16) + (p->src & 0xffff) + (p->dst >> 16) + (p->dst & 0xffff) + 6 + len;
    p->csum_wrong |= pkt_checksum(tcp, len, pseudo) != 0;
    return decode_options(tcp + 20, header - 20, p);
}

static const char *decode_icmp(const uint8_t *icmp, uint32_t len, struct pkt_packet *p)
{
    const uint8_t *inner = icmp + ICMP_HEADER;

    if (len < ICMP_HEADER)
        return "ICMP header cut off";
    p->icmp = true;
    p->ic.type = icmp[0];
    p->ic.code = icmp[1];
    p->ic.mtu = wire_get16(icmp + 6);
    p->csum_wrong |= pkt_checksum(icmp, len, 0) != 0;
    if (len >= ICMP_HEADER + IPV4_HEADER + 8 && inner[0] == 0x45) {
        p->ic.has_inner = true;
        p->local_port = wire_get16(inner + IPV4_HEADER + (p->out ? 2 : 0));
        p->remote_port = wire_get16(inner + IPV4_HEADER + (p->out ? 0 : 2));
        p->ic.inner_seq = wire_get32(inner + IPV4_HEADER + 4);
        p->ic.inner_len = wire_get16(inner + IPV4_TOTAL) - 40u;
    }
    return NULL;
}

const char *pkt_decode(const uint8_t *ip, uint32_t len, uint32_t local, struct pkt_packet *p)
{
    uint32_t header, total;

    memset(p, 0, sizeof(*p));
    if (len < IPV4_HEADER || ip[0] >> 4 != 4)
        return "not an IPv4 packet";
    header = (ip[0] & 15) * 4u;
    total = wire_get16(ip + IPV4_TOTAL);
    if (header < IPV4_HEADER || total < header || total > len)
        return "bad IPv4 length";
    p->src = wire_get32(ip + IPV4_SRC);
    p->dst = wire_get32(ip + IPV4_DST);
    p->out = p->src == local;
    p->tos = ip[IPV4_TOS];
    p->ecn = p->tos & 3;
    p->ttl = ip[IPV4_TTL];
    p->df = wire_get16(ip + IPV4_FRAGMENT) & IPV4_DF;
    p->csum_wrong = pkt_checksum(ip, header, 0) != 0;
    if (wire_get16(ip + IPV4_FRAGMENT) & (IPV4_MF | IPV4_OFFSET))
        return "a fragment";
    if (ip[IPV4_PROTO] == 6)
        return decode_tcp(ip + header, total - header, p);
    if (ip[IPV4_PROTO] == 1)
        return decode_icmp(ip + header, total - header, p);
    return "neither TCP nor ICMP";
}

void pkt_to_script(struct pkt_packet *p, const struct pkt_offsets *o)
{
    p->seq -= o->seq;
    if (p->flags & PKT_ACK)
        p->ack -= o->ack;
    if (p->icmp)
        p->ic.inner_seq -= o->ack;
    for (int i = 0; i < p->n_options; i++) {
        struct pkt_option *x = &p->option[i];

        if (x->kind != OPT_SACK)
            continue;
        for (int k = 0; k < x->n_blocks; k++) {
            x->block[k].start -= o->ack;
            x->block[k].end -= o->ack;
        }
    }
}
