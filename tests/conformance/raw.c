/* SPDX-License-Identifier: MIT */
/* See raw.h. */
#include "tests/conformance/raw.h"

#include "proto/base/checksum.h"
#include "proto/ip/wire.h"

#include <arpa/inet.h>

static void address(uint8_t out[4], const char *text, const char *otherwise)
{
    assert_int_equal(inet_pton(AF_INET, text ? text : otherwise, out), 1);
}

static void put_tcp(uint8_t *tcp, const struct raw_seg *s)
{
    wire_put16(tcp, fx.c->port);
    wire_put16(tcp + 2, fx.c->our_port);
    wire_put32(tcp + 4, fx.c->irs + s->seq);
    wire_put32(tcp + 8, s->flags & ACK ? fx.c->iss + s->ack : 0);
    tcp[12] = (uint8_t)(5 << 4 | s->reserved);
    tcp[13] = s->flags;
    wire_put16(tcp + 14, fx.c->window);
    wire_put16(tcp + 18, s->urgent);
    for (uint32_t i = 0; i < s->len; i++)
        tcp[20 + i] = fx_pattern(s->seq - 1 + i);
}

void raw_send(const struct raw_seg *s)
{
    static const uint8_t peer_mac[6] = {2, 0, 0, 0, 0, 2};
    uint32_t header = 20 + s->ip_opt_len, len = 20 + s->len, total = 14 + header + len;
    uint8_t *b = calloc(1, total), *ip = b + 14, *tcp = ip + header;
    uint16_t sum;

    assert_non_null(b);
    memset(b, 0xff, 6);
    if (!s->link_broadcast)
        memcpy(b, fx.config.mac, 6);
    memcpy(b + 6, peer_mac, 6);
    wire_put16(b + 12, ETH_TYPE_IPV4);
    ip[0] = (uint8_t)(0x40 | header / 4);
    ip[1] = s->tos;
    wire_put16(ip + 2, header + len);
    ip[8] = 64;
    ip[9] = IP_PROTO_TCP;
    address(ip + 12, s->src, "10.0.0.2");
    address(ip + 16, s->dst, "10.0.0.1");
    if (s->ip_opt_len)
        memcpy(ip + 20, s->ip_opt, s->ip_opt_len);
    sum = csum_fold(csum_partial(ip, header, 0));
    memcpy(ip + 10, &sum, 2);
    put_tcp(tcp, s);
    sum = csum_fold(csum_partial(tcp, len, csum_pseudo(ip + 12, ip + 16, 4, IP_PROTO_TCP, len)));
    memcpy(tcp + 16, &sum, 2);
    fx_input_bytes(b, total);
    free(b);
    run();
}
