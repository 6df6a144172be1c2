/* SPDX-License-Identifier: MIT */
/* From a packet as written to its bytes: IPv4 (RFC 791), TCP (RFC 9293 §3.1), ICMP errors (RFC
 * 792). */
#include "tests/pkt/packet.h"

#include "proto/ip/wire.h"

#include <string.h>

#define TTL_DEFAULT 255
#define PROTO_ICMP  1
#define PROTO_TCP   6

void pkt_fill(uint8_t *out, uint64_t off, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        out[i] = pkt_pattern(off + i);
}

int64_t pkt_verify(const uint8_t *p, uint64_t off, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (p[i] != pkt_pattern(off + i))
            return i;
    return -1;
}

uint16_t pkt_checksum(const uint8_t *p, uint32_t n, uint32_t sum)
{
    uint64_t total = sum;

    for (uint32_t i = 0; i + 1 < n; i += 2)
        total += wire_get16(p + i);
    if (n % 2)
        total += (uint32_t)p[n - 1] << 8;
    while (total >> 16)
        total = (total & 0xffff) + (total >> 16);
    return (uint16_t)~total;
}

static uint32_t pseudo(uint32_t src, uint32_t dst, uint32_t len)
{
    return (src >> 16) + (src & 0xffff) + (dst >> 16) + (dst & 0xffff) + PROTO_TCP + len;
}

static void put_ip(uint8_t *ip, const struct pkt_packet *p, uint32_t src, uint32_t dst,
                   uint32_t len, uint8_t proto)
{
    memset(ip, 0, IPV4_HEADER);
    ip[0] = 0x45;
    ip[IPV4_TOS] = (uint8_t)((p->has_tos ? p->tos : 0) | p->ecn);
    wire_put16(ip + IPV4_TOTAL, len);
    wire_put16(ip + IPV4_FRAGMENT, p->has_df && !p->df ? 0 : IPV4_DF);
    ip[IPV4_TTL] = p->has_ttl ? p->ttl : TTL_DEFAULT;
    ip[IPV4_PROTO] = proto;
    wire_put32(ip + IPV4_SRC, src);
    wire_put32(ip + IPV4_DST, dst);
    wire_put16(ip + IPV4_CHECKSUM, pkt_checksum(ip, IPV4_HEADER, 0));
}

/* --- options
 * -----------------------------------------------------------------------------------------------
 */

static void put_value(uint8_t *v, const struct pkt_option *o, const struct pkt_offsets *off)
{
    switch (o->kind) {
    case OPT_MSS:
        wire_put16(v, o->a);
        break;
    case OPT_WSCALE:
        v[0] = (uint8_t)o->a;
        break;
    case OPT_TS:
        wire_put32(v, o->a);
        wire_put32(v + 4, o->b);
        break;
    case OPT_SACK:
        /* the blocks name the other side's bytes */
        for (int i = 0; i < o->n_blocks; i++) {
            wire_put32(v + 8 * i, o->block[i].start + off->ack);
            wire_put32(v + 8 * i + 4, o->block[i].end + off->ack);
        }
        break;
    default:
        memcpy(v, o->raw, o->len - 2u);
        break;
    }
}

/* Returns the length, a multiple of four: what is missing is filled with zero, the end of the list.
 */
static uint32_t put_options(uint8_t *at, const struct pkt_packet *p, const struct pkt_offsets *off)
{
    uint32_t n = 0;

    memset(at, 0, 40);
    for (int i = 0; i < p->n_options; i++) {
        const struct pkt_option *o = &p->option[i];

        if (n + o->len > 40)
            break;
        at[n] = o->kind;
        if (o->kind != OPT_EOL && o->kind != OPT_NOP) {
            at[n + 1] = o->len;
            put_value(at + n + 2, o, off);
        }
        n += o->len;
    }
    return (n + 3) & ~3u;
}

/* --- packets
 * -----------------------------------------------------------------------------------------------
 */

static uint32_t build_tcp(const struct pkt_packet *p, const struct pkt_addresses *a,
                          const struct pkt_offsets *off, uint8_t *ip)
{
    uint8_t *tcp = ip + IPV4_HEADER;
    uint32_t header = 20 + put_options(tcp + 20, p, off), len = header + p->len;
    uint16_t sum;

    memset(tcp, 0, 20);
    wire_put16(tcp, p->remote_port);
    wire_put16(tcp + 2, p->local_port);
    wire_put32(tcp + 4, p->seq + off->seq);
    wire_put32(tcp + 8, p->flags & PKT_ACK ? p->ack + off->ack : 0);
    tcp[12] = (uint8_t)(header / 4 << 4 | p->flags >> 8);
    tcp[13] = (uint8_t)p->flags;
    wire_put16(tcp + 14, p->win);
    wire_put16(tcp + 18, p->urg);
    pkt_fill(tcp + header, (uint64_t)(int64_t)(int32_t)(p->seq + !!(p->flags & PKT_SYN) - 1),
             p->len);
    sum = pkt_checksum(tcp, len, pseudo(a->remote, a->local, len));
    wire_put16(tcp + 16, p->bad_csum ? sum ^ 0x5555u : sum);
    put_ip(ip, p, a->remote, a->local, IPV4_HEADER + len, PROTO_TCP);
    return IPV4_HEADER + len;
}

/* An error quotes the header and eight bytes of what we sent (RFC 792), here with the whole TCP
 * header (RFC 1812). */
static uint32_t build_icmp(const struct pkt_packet *p, const struct pkt_addresses *a,
                           const struct pkt_offsets *off, uint8_t *ip)
{
    uint8_t *icmp = ip + IPV4_HEADER, *inner = icmp + ICMP_HEADER, *tcp = inner + IPV4_HEADER;
    uint32_t len = ICMP_HEADER + IPV4_HEADER + 20;

    memset(icmp, 0, len);
    icmp[0] = p->ic.type;
    icmp[1] = p->ic.code;
    wire_put16(icmp + 6, p->ic.mtu);
    put_ip(inner, p, a->local, a->remote, IPV4_HEADER + 20 + p->ic.inner_len, PROTO_TCP);
    wire_put16(tcp, p->local_port);
    wire_put16(tcp + 2, p->remote_port);
    wire_put32(tcp + 4, p->ic.inner_seq + off->ack);
    tcp[12] = 5 << 4;
    tcp[13] = PKT_ACK;
    wire_put16(icmp + 2, pkt_checksum(icmp, len, 0));
    if (p->bad_csum)
        icmp[2] ^= 0x55;
    put_ip(ip, p, a->remote, a->local, IPV4_HEADER + len, PROTO_ICMP);
    return IPV4_HEADER + len;
}

uint32_t pkt_build(const struct pkt_packet *p, const struct pkt_addresses *a,
                   const struct pkt_offsets *o, uint8_t *out)
{
    return p->icmp ? build_icmp(p, a, o, out) : build_tcp(p, a, o, out);
}
