/* SPDX-License-Identifier: MIT */
/* What the emulated link's eye makes of the segments that pass; tests/net/relay_count.h. */
#include "tests/net/relay_count.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SYN 0x02
#define FIN 0x01
#define ACK 0x10

struct eye_test {
    struct relay_eye *eye;
    uint8_t frame[1514];
};

static int setup(void **state)
{
    struct eye_test *t = calloc(1, sizeof(*t));

    assert_non_null(t);
    t->eye = calloc(1, sizeof(*t->eye));
    assert_non_null(t->eye);
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct eye_test *t = *state;

    free(t->eye);
    free(t);
    return 0;
}

static void put16(uint8_t *p, uint16_t v)
{
    v = htons(v);
    memcpy(p, &v, 2);
}

static void put32(uint8_t *p, uint32_t v)
{
    v = htonl(v);
    memcpy(p, &v, 4);
}

/* A segment of 10.0.0.1:port to 10.0.0.2:80; with options of twelve bytes if there are any. */
static size_t build(struct eye_test *t, uint16_t port, uint8_t flags, uint32_t seq, uint16_t len,
                    const uint8_t *options)
{
    size_t header = 20 + (options ? 12 : 0);
    uint8_t *ip = t->frame + 14, *tcp = ip + 20;

    memset(t->frame, 0, sizeof(t->frame));
    put16(t->frame + 12, 0x0800);
    ip[0] = 0x45;
    put16(ip + 2, (uint16_t)(20 + header + len));
    ip[9] = 6;
    put32(ip + 12, 0x0a000001);
    put32(ip + 16, 0x0a000002);
    put16(tcp, port);
    put16(tcp + 2, 80);
    put32(tcp + 4, seq);
    tcp[12] = (uint8_t)(header / 4 << 4);
    tcp[13] = flags;
    if (options)
        memcpy(tcp + 20, options, 12);
    return 14 + 20 + header + len;
}

static struct relay_seen see(struct eye_test *t, uint16_t port, uint8_t flags, uint32_t seq,
                             uint16_t len)
{
    size_t n = build(t, port, flags, seq, len, NULL);

    return relay_eye_see(t->eye, t->frame, n);
}

static void bytes_below_the_highest_were_sent_before(void **state)
{
    struct eye_test *t = *state;
    const struct relay_counters *n = &t->eye->n;

    see(t, 1, SYN, 999, 0);
    see(t, 1, ACK, 1000, 1000);
    see(t, 1, ACK, 2000, 1000);
    assert_int_equal(n->unique, 2000);
    assert_int_equal(n->retransmitted, 0);
    see(t, 1, ACK, 1000, 1000); /* again */
    assert_int_equal(n->retransmitted, 1000);
    see(t, 1, ACK, 2500, 1000); /* half of it again */
    assert_int_equal(n->retransmitted, 1500);
    assert_int_equal(n->unique, 2500);
    assert_int_equal(n->payload, 4000);
    assert_int_equal(n->gaps, 0);
    assert_int_equal(n->data_segments, 4);
    assert_int_equal(n->segments, 5);
}

static void a_skipped_byte_is_a_gap(void **state)
{
    struct eye_test *t = *state;

    see(t, 1, SYN, 999, 0);
    see(t, 1, ACK, 1100, 100);
    assert_int_equal(t->eye->n.gaps, 100);
    assert_int_equal(t->eye->n.unique, 100);
}

static void sequence_numbers_wrap(void **state)
{
    struct eye_test *t = *state;

    see(t, 1, SYN, 0xffffff00u - 1, 0);
    see(t, 1, ACK, 0xffffff00u, 1000);
    see(t, 1, ACK, 1000 - 256, 1000);
    see(t, 1, ACK, 0xffffff00u, 1000);
    assert_int_equal(t->eye->n.unique, 2000);
    assert_int_equal(t->eye->n.retransmitted, 1000);
    assert_int_equal(t->eye->n.gaps, 0);
}

static void a_fin_is_no_byte(void **state)
{
    struct eye_test *t = *state;

    see(t, 1, SYN, 999, 0);
    see(t, 1, ACK | FIN, 1000, 100);
    see(t, 1, ACK | FIN, 1000, 100);
    see(t, 1, ACK | FIN, 1100, 0);
    see(t, 1, ACK, 1101, 0);
    assert_int_equal(t->eye->n.unique, 100);
    assert_int_equal(t->eye->n.retransmitted, 100);
    assert_int_equal(t->eye->n.gaps, 0);
}

static void probes_and_pure_acks_are_no_bytes(void **state)
{
    struct eye_test *t = *state;

    see(t, 1, SYN, 999, 0);
    see(t, 1, ACK, 1000, 100);
    see(t, 1, ACK, 1099, 0);
    see(t, 1, ACK, 5000, 0);
    assert_int_equal(t->eye->n.payload, 100);
    assert_int_equal(t->eye->n.gaps, 0);
    assert_int_equal(t->eye->n.data_segments, 1);
}

static void flows_are_numbered_and_their_frames_counted(void **state)
{
    struct eye_test *t = *state;
    struct relay_seen s = see(t, 1, SYN, 10, 0);

    assert_int_equal(s.flow, 1);
    assert_int_equal(s.nth, 0);
    assert_true(s.ip);
    assert_false(s.data);
    assert_int_equal(see(t, 2, SYN, 10, 0).flow, 2);
    s = see(t, 1, ACK, 11, 5);
    assert_int_equal(s.flow, 1);
    assert_int_equal(s.nth, 1);
    assert_true(s.data);
    assert_int_equal(see(t, 1, SYN, 10, 0).flow, 1); /* the SYN again */
    s = see(t, 1, SYN, 5000000, 0);                  /* the same ports again */
    assert_int_equal(s.flow, 3);
    assert_int_equal(s.nth, 0);
    assert_int_equal(t->eye->n.flows, 3);
    assert_int_equal(t->eye->n.strays, 0);
    assert_int_equal(see(t, 9, ACK, 1, 100).flow, 0); /* began elsewhere */
    assert_int_equal(t->eye->n.strays, 1);
    assert_int_equal(t->eye->n.payload, 5);
}

static void more_flows_than_fit_do_no_harm(void **state)
{
    struct eye_test *t = *state;

    for (uint32_t port = 1; port <= RELAY_FLOWS + 100; port++)
        see(t, (uint16_t)port, SYN, port, 0);
    assert_int_equal(t->eye->n.flows, RELAY_FLOWS + 100);
    assert_int_equal(see(t, 5, ACK, 6, 1).flow, 5);
}

static void sack_blocks_are_found(void **state)
{
    static const uint8_t sack[12] = {1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 2},
                         stamps[12] = {1, 1, 8, 10}, broken[12] = {1, 3, 0};
    struct eye_test *t = *state;

    see(t, 1, SYN, 0, 0);
    relay_eye_see(t->eye, t->frame, build(t, 1, ACK, 1, 0, stamps));
    relay_eye_see(t->eye, t->frame, build(t, 1, ACK, 1, 0, broken));
    assert_int_equal(t->eye->n.sacks, 0);
    relay_eye_see(t->eye, t->frame, build(t, 1, ACK, 1, 0, sack));
    assert_int_equal(t->eye->n.sacks, 1);
}

static void what_is_no_tcp_is_counted_as_a_frame_only(void **state)
{
    struct eye_test *t = *state;
    size_t n = build(t, 1, ACK, 1, 100, NULL);

    for (size_t cut = 0; cut < 54; cut++)
        assert_int_equal(relay_eye_see(t->eye, t->frame, cut).flow, 0);
    t->frame[14 + 9] = 17; /* UDP */
    assert_true(relay_eye_see(t->eye, t->frame, n).ip);
    put16(t->frame + 12, 0x0806); /* ARP */
    assert_false(relay_eye_see(t->eye, t->frame, 42).ip);
    assert_int_equal(t->eye->n.frames, 56);
    assert_int_equal(t->eye->n.segments, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bytes_below_the_highest_were_sent_before),
        TEST(a_skipped_byte_is_a_gap),
        TEST(sequence_numbers_wrap),
        TEST(a_fin_is_no_byte),
        TEST(probes_and_pure_acks_are_no_bytes),
        TEST(flows_are_numbered_and_their_frames_counted),
        TEST(more_flows_than_fit_do_no_harm),
        TEST(sack_blocks_are_found),
        TEST(what_is_no_tcp_is_counted_as_a_frame_only),
    };

    return cmocka_run_group_tests_name("relay_count", tests, NULL, NULL);
}
