/* SPDX-License-Identifier: MIT */
/* RFC 3168 where a packet script cannot look: fragments. */
#include "tests/unit/tcp/ecn.h"

#include "proto/base/checksum.h"
#include "proto/ip/wire.h"

/* Bytes 1 to 101 of the peer's stream as one TCP segment. */
static void segment(uint8_t tcp[120])
{
    uint16_t sum;

    memset(tcp, 0, 20);
    wire_put16(tcp, fx.c->port);
    wire_put16(tcp + 2, fx.c->our_port);
    wire_put32(tcp + 4, fx.c->irs + (uint32_t)(tp->rcv_nxt - tp->irs));
    wire_put32(tcp + 8, fx.c->iss + 1);
    tcp[12] = 5 << 4;
    tcp[13] = ACK;
    wire_put16(tcp + 14, fx.c->window);
    for (uint32_t i = 0; i < 100; i++)
        tcp[20 + i] = fx_pattern(tp->rcv_nxt - tp->irs - 1 + i);
    sum =
        csum_fold(csum_partial(tcp, 120, csum_pseudo(fx_peer_ip, fx_our_ip, 4, IP_PROTO_TCP, 120)));
    memcpy(tcp + 16, &sum, 2);
}

static void fragment(const uint8_t *tcp, uint32_t start, uint32_t end, uint16_t id, uint8_t tos)
{
    uint8_t b[34 + 120] = {0};
    uint16_t sum;

    memcpy(b, fx_our_mac, 6);
    memcpy(b + 6, (uint8_t[]){2, 0, 0, 0, 0, 2}, 6);
    wire_put16(b + 12, ETH_TYPE_IPV4);
    b[14] = 0x45;
    b[15] = tos;
    wire_put16(b + 16, 20 + end - start);
    wire_put16(b + 18, id);
    wire_put16(b + 20, start / 8 | (end < 120 ? IPV4_MF : 0));
    b[22] = 64;
    b[23] = IP_PROTO_TCP;
    memcpy(b + 26, fx_peer_ip, 4);
    memcpy(b + 30, fx_our_ip, 4);
    sum = csum_fold(csum_partial(b + 14, 20, 0));
    memcpy(b + 24, &sum, 2);
    memcpy(b + 34, tcp + start, end - start);
    fx_input_bytes(b, 34 + end - start);
}

/* A segment in three fragments with these ECN fields. Returns what its ACK says: -1, none came. */
static int ece_of(uint8_t first, uint8_t second, uint8_t third)
{
    static uint16_t id;
    uint8_t tcp[120];
    int ece;

    peer(ACK | CWR, tp->rcv_nxt - tp->irs, 1, 0);
    tp->ecn.echo = false;
    clear();
    segment(tcp);
    fragment(tcp, 80, 120, ++id, third);
    fragment(tcp, 0, 40, id, first);
    fragment(tcp, 40, 80, id, second);
    run();
    advance(300 * MS);
    ece = fx.next < fx.n_segs ? !!(fx.segs[fx.n_segs - 1].flags & ECE) : -1;
    return ece;
}

TEST(rfc3168_21_frag_reassembly_ce)
{
    fx.c->ts = false;
    classic();
    assert_int_equal(ece_of(ECT0, ECT0, ECT0), 0);
    assert_int_equal(ece_of(CE, ECT0, ECT0), 1);
    assert_int_equal(ece_of(ECT0, CE, ECT0), 1);
    assert_int_equal(ece_of(ECT0, ECT0, CE), 1);
    assert_int_equal(ece_of(ECT0, ECT1, CE), 1);
    assert_int_equal(ece_of(CE, CE, CE), 1);
    assert_int_equal(ece_of(NOT_ECT, NOT_ECT, NOT_ECT), 0);
    /* a mark beside a fragment that could not be marked: dropped, not delivered */
    assert_int_equal(cnt(ip_reass_failed), 0);
    assert_int_equal(ece_of(NOT_ECT, CE, NOT_ECT), -1);
    assert_int_equal(ece_of(ECT0, CE, NOT_ECT), -1);
    assert_int_equal(cnt(ip_reass_failed), 2);
    assert_int_equal(tp->rcv_nxt - tp->irs, 1 + 7 * 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(rfc3168_21_frag_reassembly_ce),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
