/* SPDX-License-Identifier: MIT */
/* RFC 5927 §4.3: what an ICMP error quotes must be ours; a quote that lies about itself does no
 * harm. */
#include "tests/unit/tcp/fixture.h"

#include "proto/base/checksum.h"
#include "proto/ip/wire.h"

static const uint8_t ours[4] = {10, 0, 0, 1}, peers[4] = {10, 0, 0, 2}, other[4] = {10, 0, 0, 9};

struct quote {
    const uint8_t *src, *dst;
    uint16_t src_port, dst_port;
    uint8_t ihl, proto;
    uint16_t total, fragment;
    uint32_t len; /**< bytes of the quote that are there */
};

static struct quote right(void)
{
    return (struct quote){ours,         peers, fx.c->our_port, fx.c->port, 5,
                          IP_PROTO_TCP, 1500,  0x4000,         40};
}

/* "Fragmentation needed, 600 bytes" about the segment that begins with the connection's first byte.
 */
static void too_big(const struct quote *q, bool good_checksum)
{
    uint8_t b[34 + 8 + 80] = {0}, *ip = b + 14, *icmp = b + 34, *in = icmp + 8;
    uint16_t sum;

    memcpy(b, fx.config.mac, 6);
    b[12] = 8;
    ip[0] = 0x45;
    wire_put16(ip + 2, 28 + q->len);
    ip[8] = 64;
    ip[9] = 1;
    memcpy(ip + 12, peers, 4);
    memcpy(ip + 16, ours, 4);
    sum = csum_fold(csum_partial(ip, 20, 0));
    memcpy(ip + 10, &sum, 2);
    icmp[0] = 3;
    icmp[1] = 4;
    wire_put16(icmp + 6, 600);
    in[0] = (uint8_t)(0x40 | q->ihl);
    wire_put16(in + 2, q->total);
    wire_put16(in + 6, q->fragment);
    in[8] = 60;
    in[9] = q->proto;
    memcpy(in + 12, q->src, 4);
    memcpy(in + 16, q->dst, 4);
    if (q->ihl * 4u + 8 <= 80) {
        wire_put16(in + q->ihl * 4u, q->src_port);
        wire_put16(in + q->ihl * 4u + 2, q->dst_port);
        wire_put32(in + q->ihl * 4u + 4, fx.c->iss + 1);
    }
    sum = csum_fold(csum_partial(icmp, 8 + q->len, 0));
    if (!good_checksum)
        sum ^= 1;
    memcpy(icmp + 2, &sum, 2);
    fx_input_bytes(b, 34 + 8 + q->len);
    run();
}

/* Each of them differs from a quote that works in one thing, and must not work. */
TEST(rfc5927_07_quoted_tuple_check)
{
    struct quote bad[13], q;
    unsigned n = 0;

    passive();
    assert_int_equal(w(1448), 1448);
    expect(PSH | ACK, 1, 1, 1448);
    for (unsigned i = 0; i < 13; i++)
        bad[i] = right();
    bad[n++].src = other;
    bad[n++].dst = other;
    bad[n++].src_port++;
    bad[n++].dst_port++;
    bad[n++].proto = 17;
    bad[n++].ihl = 0;
    bad[n++].ihl = 4;
    bad[n++].ihl = 15; /* beyond what is there */
    bad[n++].len = 27;
    bad[n++].len = 20;
    bad[n++].len = 8;
    bad[n++].len = 0;
    bad[n++].fragment = 0x2001;
    for (unsigned i = 0; i < n; i++) {
        too_big(&bad[i], true);
        expect_none();
        assert_int_equal(tp->pmtu, 1500);
    }
    q = right();
    too_big(&q, false);
    expect_none();
    q.len = 28;   /* eight bytes of TCP are enough (RFC 792) … */
    q.total = 20; /* … and a length that some routers leave in their own byte order says nothing */
    too_big(&q, true);
    assert_int_equal(tp->pmtu, 600);
    assert_int_equal(expect(PSH | ACK, 1, 1, 1448)->gso_size, 548);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(rfc5927_07_quoted_tuple_check),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
