/* SPDX-License-Identifier: MIT */
/* The peer's half of the fixture: segments, ICMP and ARP made by hand. See fixture.h. */
#include "tests/unit/tcp/fixture.h"

#include "proto/base/checksum.h"
#include "proto/ip/wire.h"

#include <stdio.h>

static const uint8_t peer_mac[6] = {2, 0, 0, 0, 0, 2};

static void input(const uint8_t *bytes, uint32_t len, uint16_t gso)
{
    uint8_t *copy = malloc(len ? len : 1u);
    struct frame f;

    assert_non_null(copy);
    memcpy(copy, bytes, len);
    frame_init(&f);
    f.data = copy;
    f.len = len;
    f.gso = gso ? FRAME_GSO_TCP4 : FRAME_GSO_NONE;
    f.gso_size = gso;
    stack_input(fx.st, &f, fx.now);
    free(copy);
}

void fx_input_bytes(const uint8_t *bytes, uint32_t len)
{
    input(bytes, len, 0);
}

static uint32_t put_ip(uint8_t *b, uint8_t proto, uint8_t tos, uint32_t payload)
{
    uint16_t sum;

    memset(b, 0, 34);
    memcpy(b, fx_our_mac, 6);
    memcpy(b + 6, peer_mac, 6);
    wire_put16(b + 12, ETH_TYPE_IPV4);
    b[14] = 0x45;
    b[15] = tos;
    wire_put16(b + 16, 20 + payload);
    wire_put16(b + 20, 0x4000);
    b[22] = 64;
    b[23] = proto;
    memcpy(b + 26, fx_peer_ip, 4);
    memcpy(b + 30, fx_our_ip, 4);
    sum = csum_fold(csum_partial(b + 14, 20, 0));
    memcpy(b + 24, &sum, 2);
    return 34 + payload;
}

uint32_t peer_tsval(void)
{
    return (uint32_t)(fx.now / 1000) + 500000000u;
}

static uint32_t put_timestamps(uint8_t *o, const struct peer_seg *p)
{
    o[0] = o[1] = 1;
    o[2] = 8;
    o[3] = 10;
    wire_put32(o + 4, p->tsval ? p->tsval : peer_tsval());
    wire_put32(o + 8, p->tsecr ? p->tsecr : fx.c->tsval_seen);
    if ((p->flags & (SYN | ACK)) == SYN)
        wire_put32(o + 8, p->tsecr);
    return 12;
}

/* "1449:2897 4345:5793", relative to our first sequence number. */
static uint32_t put_sack(uint8_t *o, const char *text)
{
    uint32_t n = 0;
    unsigned start, end;
    int used;

    while (sscanf(text, " %u:%u%n", &start, &end, &used) == 2) {
        assert_true(n < TCP_MAX_SACKS);
        wire_put32(o + 4 + 8 * n, fx.c->iss + start);
        wire_put32(o + 8 + 8 * n, fx.c->iss + end);
        n++;
        text += used;
    }
    assert_true(n && !*text);
    o[0] = o[1] = 1;
    o[2] = 5;
    o[3] = (uint8_t)(2 + 8 * n);
    return 4 + 8 * n;
}

static uint32_t put_options(uint8_t *o, const struct peer_seg *p)
{
    uint32_t n = 0;

    if (p->opt) {
        memcpy(o, p->opt, p->opt_len);
        return p->opt_len;
    }
    if ((p->flags & SYN) && fx.c->mss) {
        o[n++] = 2;
        o[n++] = 4;
        wire_put16(o + n, (uint32_t)fx.c->mss);
        n += 2;
    }
    if ((p->flags & SYN) && fx.c->sack) {
        o[n++] = 1;
        o[n++] = 1;
        o[n++] = 4;
        o[n++] = 2;
    }
    if (fx.c->ts && !p->no_ts)
        n += put_timestamps(o + n, p);
    if ((p->flags & SYN) && fx.c->wscale >= 0) {
        uint8_t ws[4] = {1, 3, 3, (uint8_t)fx.c->wscale};

        memcpy(o + n, ws, 4);
        n += 4;
    }
    if (p->sack)
        n += put_sack(o + n, p->sack);
    return n;
}

void fx_peer(struct peer_seg p)
{
    struct fx_conn *c = fx.c;
    uint8_t *b = calloc(1, 34 + 60 + p.len + 1u), *tcp = b + 34;
    uint32_t opt, len, first = p.seq + !!(p.flags & SYN) - 1;
    uint16_t sum;

    assert_non_null(b);
    opt = put_options(tcp + 20, &p);
    wire_put16(tcp, c->port);
    wire_put16(tcp + 2, c->our_port);
    wire_put32(tcp + 4, c->irs + p.seq);
    wire_put32(tcp + 8, p.flags & ACK ? c->iss + p.ack : 0);
    tcp[12] = (uint8_t)((p.doff ? (uint32_t)p.doff : (20 + opt) / 4) << 4);
    tcp[12] |= (uint8_t)(p.flags >> 8 | p.reserved << 1);
    tcp[13] = (uint8_t)p.flags;
    wire_put16(tcp + 18, p.urg);
    wire_put16(tcp + 14, p.win < 0 ? 0 : p.win ? (uint32_t)p.win : c->window);
    for (uint32_t i = 0; i < p.len; i++)
        tcp[20 + opt + i] = p.fill > 0 ? (uint8_t)p.fill : fx_pattern(first + i);
    len = 20 + opt + p.len;
    sum =
        csum_fold(csum_partial(tcp, len, csum_pseudo(fx_peer_ip, fx_our_ip, 4, IP_PROTO_TCP, len)));
    if (p.bad_csum)
        sum ^= 0x0100;
    memcpy(tcp + 16, &sum, 2);
    input(b, put_ip(b, IP_PROTO_TCP, p.tos, len), p.gso);
    free(b);
    if (!p.later)
        run();
}

void peer_use(unsigned n)
{
    assert_true(n < FX_CONNS);
    fx.c = &fx.conns[n];
}

void peer_icmp(uint8_t type, uint8_t code, uint16_t mtu, uint32_t seq)
{
    uint8_t b[34 + 8 + 28] = {0}, *icmp = b + 34, *q = icmp + 8;
    uint16_t sum;

    icmp[0] = type;
    icmp[1] = code;
    wire_put16(icmp + 6, mtu);
    q[0] = 0x45;
    wire_put16(q + 2, 1500);
    q[8] = 64;
    q[9] = IP_PROTO_TCP;
    memcpy(q + 12, fx_our_ip, 4);
    memcpy(q + 16, fx_peer_ip, 4);
    wire_put16(q + 20, fx.c->our_port);
    wire_put16(q + 22, fx.c->port);
    wire_put32(q + 24, fx.c->iss + seq);
    sum = csum_fold(csum_partial(icmp, 36, 0));
    memcpy(icmp + 2, &sum, 2);
    fx_input_bytes(b, put_ip(b, IP_PROTO_ICMP, 0, 36));
    run();
}

/* The peer says who it is; solicited or not does not matter here. */
void fx_answer_arp(void)
{
    uint8_t b[60] = {0};
    static const uint8_t fixed[8] = {0, 1, 8, 0, 6, 4, 0, 2};

    memcpy(b, fx_our_mac, 6);
    memcpy(b + 6, peer_mac, 6);
    wire_put16(b + 12, ETH_TYPE_ARP);
    memcpy(b + 14, fixed, 8);
    memcpy(b + 22, peer_mac, 6);
    memcpy(b + 28, fx_peer_ip, 4);
    memcpy(b + 32, fx_our_mac, 6);
    memcpy(b + 38, fx_our_ip, 4);
    fx_input_bytes(b, sizeof(b));
}
