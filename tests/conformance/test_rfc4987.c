/* SPDX-License-Identifier: MIT */
/* RFC 4987: SYN floods from addresses that nobody answers for. */
#include "tests/unit/tcp/fixture.h"

#include "proto/base/checksum.h"
#include "proto/ip/wire.h"

#define BACKLOG 16

/* Everybody but the peer is behind it. */
static void behind_gateway(void)
{
    fx.config.has_gateway = true;
    assert_int_equal(ip_addr_parse("10.0.0.2", &fx.config.gateway), 0);
    assert_int_equal(ip_prefix_parse("10.0.0.1/30", &fx.config.address), 0);
    fx_restart();
}

static void forget_sent(void)
{
    for (unsigned i = 0; i < fx.n_segs; i++)
        free(fx.segs[i].payload);
    fx.n_segs = fx.next = 0;
}

/* A SYN with MSS 1460 from the n-th spoofed address. */
static void spoofed_syn(uint32_t n)
{
    uint8_t b[58] = {0}, *ip = b + 14, *tcp = b + 34;
    uint16_t sum;

    memcpy(b, fx.config.mac, 6);
    b[12] = 8;
    ip[0] = 0x45;
    wire_put16(ip + 2, 44);
    ip[8] = 64;
    ip[9] = IP_PROTO_TCP;
    wire_put32(ip + 12, 0x0b000001u + n * 2654435761u % 0x01000000u);
    memcpy(ip + 16, (uint8_t[]){10, 0, 0, 1}, 4);
    sum = csum_fold(csum_partial(ip, 20, 0));
    memcpy(ip + 10, &sum, 2);
    wire_put16(tcp, 1024 + n % 60000);
    wire_put16(tcp + 2, FX_PORT);
    wire_put32(tcp + 4, n * 1000003u);
    tcp[12] = 6 << 4;
    tcp[13] = SYN;
    wire_put16(tcp + 14, 65535);
    memcpy(tcp + 20, (uint8_t[]){2, 4, 5, 0xb4}, 4);
    sum = csum_fold(csum_partial(tcp, 24, csum_pseudo(ip + 12, ip + 16, 4, IP_PROTO_TCP, 24)));
    memcpy(tcp + 16, &sum, 2);
    fx_input_bytes(b, sizeof(b));
    run();
    if (fx.n_segs > FX_SEGS / 2)
        forget_sent();
}

static uint32_t half_open(void)
{
    struct stack_usage u;

    stack_usage(fx.st, &u);
    return u.requests;
}

static void flood(uint32_t from, uint32_t n)
{
    for (uint32_t i = from; i < from + n; i++) {
        spoofed_syn(i);
        advance(20);
        assert_in_range(half_open(), 0, BACKLOG + 1);
    }
}

/* The queue has its limit and memory does not grow, however long the flood lasts; with cookies and
 * without. */
TEST(rfc4987_01_backlog_bounded)
{
    for (int cookies = 0; cookies < 2; cookies++) {
        int64_t live;

        behind_gateway();
        tun.syncookies = cookies;
        listening(BACKLOG);
        flood(0, 1000);
        assert_int_equal(half_open(), BACKLOG + 1);
        live = fx.live;
        flood(1000, 50000);
        assert_int_equal(fx.live, live);
        /* and none of it lasts */
        advance(64 * SEC);
        assert_int_equal(half_open(), 0);
    }
}

/* A client that answers gets through, in each of a hundred attempts, while the flood goes on. */
TEST(rfc4987_02_legit_connect_under_flood)
{
    uint32_t n = 5000;

    behind_gateway();
    listening(BACKLOG);
    flood(0, n);
    forget_sent();
    for (unsigned i = 0; i < 100; i++) {
        peer_use(i % FX_CONNS);
        fx.c->our_port = FX_PORT;
        fx.c->irs += 1000000;
        fx.c->written = fx.c->read = 0;
        peer(SYN, 0, 0, 0);
        expect(SYN | ACK, 0, 1, 0);
        flood(n, 50);
        n += 50;
        forget_sent();
        peer(ACK, 1, 1, 0);
        assert_int_equal(accept_one(), 0);
        assert_int_equal(w(1000), 1000);
        expect(PSH | ACK, 1, 1, 1000);
        peer(RST, 1, 1, 0);
        close_it();
    }
}

/* The cookie of one tuple is worth nothing on another one: another port of the peer. */
TEST(rfc4987_04_cookie_bad_rejected)
{
    uint32_t cookie;

    listening(0);
    peer_use(9);
    fx.c->our_port = FX_PORT;
    peer(SYN, 0, 0, 0);
    expect(SYN | ACK, 0, 1, 0);
    peer_use(0);
    fx.c->our_port = FX_PORT;
    peer(SYN, 0, 0, 0);
    cookie = expect(SYN | ACK, 0, 1, 0)->raw_seq;
    fx.conns[1].irs = fx.c->irs;
    peer_use(1);
    fx.c->our_port = FX_PORT;
    fx.c->iss = cookie;
    peer(ACK, 1, 1, 0);
    expect(RST, 1, 0, 0);
    assert_int_equal(accept_one(), -EAGAIN);
    peer_use(0);
    peer(ACK, 1, 1, 0);
    expect_none();
    assert_int_equal(accept_one(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(rfc4987_01_backlog_bounded),
        T(rfc4987_02_legit_connect_under_flood),
        T(rfc4987_04_cookie_bad_rejected),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
