/* SPDX-License-Identifier: MIT */
/* RFC 6633 §5: Source Quench about datagrams of other transports. */
#include "tests/unit/tcp/fixture.h"

#include "proto/base/checksum.h"
#include "proto/ip/wire.h"

static void quench(uint8_t proto)
{
    uint8_t b[34 + 8 + 28] = {0}, *ip = b + 14, *icmp = b + 34, *in = icmp + 8;
    uint16_t sum;

    memcpy(b, fx.config.mac, 6);
    b[12] = 8;
    ip[0] = 0x45;
    wire_put16(ip + 2, 56);
    ip[8] = 64;
    ip[9] = 1;
    memcpy(ip + 12, (uint8_t[]){10, 0, 0, 2}, 4);
    memcpy(ip + 16, (uint8_t[]){10, 0, 0, 1}, 4);
    sum = csum_fold(csum_partial(ip, 20, 0));
    memcpy(ip + 10, &sum, 2);
    icmp[0] = 4;
    in[0] = 0x45;
    wire_put16(in + 2, 100);
    in[8] = 60;
    in[9] = proto;
    memcpy(in + 12, ip + 16, 4);
    memcpy(in + 16, ip + 12, 4);
    wire_put16(in + 20, fx.c->our_port);
    wire_put16(in + 22, fx.c->port);
    wire_put32(in + 24, fx.c->iss + 1);
    sum = csum_fold(csum_partial(icmp, 36, 0));
    memcpy(icmp + 2, &sum, 2);
    fx_input_bytes(b, sizeof(b));
    run();
}

/* For every transport that it can name: no answer, no error, and the connection on the very same
 * ports keeps its pace. */
TEST(rfc6633_03_udp_ignores)
{
    uint64_t frames;

    passive();
    assert_int_equal(w(1000), 1000);
    expect(PSH | ACK, 1, 1, 1000);
    frames = cnt(eth_out);
    events_of(fx.s);
    for (unsigned proto = 0; proto < 256; proto++)
        quench((uint8_t)proto);
    assert_int_equal(cnt(eth_out), frames);
    assert_int_equal(events_of(fx.s), 0);
    assert_int_equal(get_int(SOL_SOCKET, SO_ERROR), 0);
    assert_int_equal(tp->cwnd, 10);
    peer(ACK, 1, 1001, 0);
    assert_int_equal(w(10), 10);
    expect(PSH | ACK, 1001, 1, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(rfc6633_03_udp_ignores),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
