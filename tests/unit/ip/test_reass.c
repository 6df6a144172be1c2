/* SPDX-License-Identifier: MIT */
/* Reassembly (RFC 791, RFC 815, RFC 1122 §3.3.2) and what strangers may do to it. */
#include "tests/unit/ip/fixture.h"

#include <stdio.h>
#include <string.h>

static uint8_t frame[2000];

/* Byte `off` of each datagram's payload. */
static uint8_t byte(uint32_t off)
{
    return (uint8_t)(off * 7 + (off >> 8));
}

struct piece {
    const char *src;
    uint16_t id, len;
    uint32_t start;
    bool more;
    uint8_t tos, ttl, proto, fill;
};

static void send_piece(struct piece p)
{
    uint8_t payload[1500];
    uint32_t n;

    for (uint32_t i = 0; i < p.len; i++)
        payload[i] = p.fill ? p.fill : byte(p.start + i);
    n = fx_ipv4(frame, p.src ? p.src : "10.0.0.2", "10.0.0.1", p.proto ? p.proto : IP_PROTO_TCP,
                NULL, 0, payload, p.len);
    frame[14 + IPV4_TOS] = p.tos;
    wire_put16(frame + 14 + IPV4_ID, p.id ? p.id : 7);
    wire_put16(frame + 14 + IPV4_FRAGMENT, p.start / 8 | (p.more ? IPV4_MF : 0));
    fx_ipv4_checksum(frame);
    fx_input(frame, n);
}
#define piece(st, ln, mr, ...)                                                                     \
    send_piece((struct piece){.start = (st), .len = (ln), .more = (mr), ##__VA_ARGS__})

static void assert_whole(uint32_t len)
{
    assert_int_equal(fx.n_tcp, 1);
    assert_int_equal(fx.tcp.len, len);
    for (uint32_t i = 0; i < len; i++)
        assert_int_equal(fx.tcp.payload[i], byte(i));
    assert_int_equal(fx.st.ip.n_datagrams, 0);
    assert_int_equal(fx.st.ip.reass_bytes, 0);
    fx.n_tcp = 0;
}

static void two_pieces_make_a_packet(void **state)
{
    (void)state;
    piece(0, 1000, true, .tos = 0xb8);
    assert_int_equal(fx.n_tcp, 0);
    piece(1000, 77, false);
    assert_whole(1077);
    assert_int_equal(fx.tcp.tos, 0xb8);
    assert_int_equal(fx_count(ip_in_fragments), 2);
    assert_int_equal(fx_count(ip_reassembled), 1);
}

static void pieces_may_come_in_any_order_and_twice(void **state)
{
    static const uint8_t orders[6][4] = {{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 3, 0, 2},
                                         {2, 0, 3, 1}, {3, 0, 1, 2}, {1, 0, 2, 3}};

    (void)state;
    for (unsigned o = 0; o < 6; o++) {
        for (unsigned i = 0; i < 4; i++) {
            uint32_t at = orders[o][i] * 400u;

            piece(at, 400, at < 1200);
            if (i < 3)
                piece(at, 400, at < 1200); /* the network has made a copy */
        }
        assert_whole(1600);
    }
    assert_int_equal(fx_count(ip_reass_failed), 0);
}

static void datagrams_do_not_mix(void **state)
{
    (void)state;
    piece(0, 800, true);
    piece(800, 8, false, .id = 8);
    piece(800, 8, false, .src = "10.0.0.3");
    piece(800, 8, false, .proto = IP_PROTO_ICMP);
    assert_int_equal(fx.n_tcp, 0);
    assert_int_equal(fx.st.ip.n_datagrams, 4);
    piece(800, 10, false);
    assert_int_equal(fx.n_tcp, 1);
    assert_int_equal(fx.tcp.len, 810);
}

static void after_a_minute_the_sender_hears_of_what_is_missing(void **state)
{
    (void)state;
    piece(0, 800, true);
    piece(1600, 800, false, .id = 9); /* without the first, nobody is named */
    fx_run(59 * FX_SECOND);
    assert_int_equal(fx.st.ip.n_datagrams, 2);
    fx_run(2 * FX_SECOND);
    assert_int_equal(fx.st.ip.n_datagrams, 0);
    assert_int_equal(fx_count(ip_reass_timeouts), 2);
    assert_int_equal(fx_count(icmp_out_errors), 1);
}

static void without_memory_the_packet_is_lost(void **state)
{
    (void)state;
    for (uint64_t nth = 1; nth <= 4; nth++) {
        fx.alloc_calls = 0;
        fx.alloc_fail_at = nth;
        piece(0, 800, true);
        piece(800, 8, false);
        fx.alloc_fail_at = 0;
        assert_int_equal(fx.n_tcp, 0);
        assert_in_range(fx_count(ip_reass_failed), nth, 2 * nth);
        fx_run(61 * FX_SECOND);
    }
    piece(0, 800, true);
    piece(800, 8, false);
    assert_whole(808);
}

/* --- hostile 27 ----------------------------------------------------------------------------- */

static void hostile_27_pieces_that_overlap_end_the_datagram(void **state)
{
    static const struct {
        uint32_t start;
        uint16_t len;
    } bad[] = {{0, 408}, {392, 400}, {8, 8}, {0, 8}, {392, 8}, {0, 800}};

    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        piece(0, 400, true);
        piece(bad[i].start, bad[i].len, true, .fill = 0xee); /* teardrop and its like */
        assert_int_equal(fx.st.ip.n_datagrams, 0);
        piece(400, 8, false);
        assert_int_equal(fx.n_tcp, 0);
        fx_run(61 * FX_SECOND);
    }
    assert_int_equal(fx_count(ip_reass_failed), 6);
}

static void hostile_27_lengths_that_contradict_each_other(void **state)
{
    (void)state;
    piece(800, 8, false);
    piece(1600, 8, false); /* another end */
    assert_int_equal(fx.st.ip.n_datagrams, 0);
    piece(800, 8, false);
    piece(808, 8, true); /* behind the end */
    assert_int_equal(fx.st.ip.n_datagrams, 0);
    piece(1600, 8, true);
    piece(800, 8, false); /* an end before what is there */
    assert_int_equal(fx.st.ip.n_datagrams, 0);
    piece(0, 9, true); /* not in units of eight */
    piece(0, 0, true);
    piece(8, 0, false);
    assert_int_equal(fx.st.ip.n_datagrams, 0);
    assert_int_equal(fx_count(ip_reass_failed), 6);
}

static void hostile_27_nothing_is_longer_than_a_packet(void **state)
{
    (void)state;
    piece(65528, 8, false); /* the ping of death: 65,536 and a header */
    piece(65512, 4, false); /* … 65,536 with its header */
    assert_int_equal(fx.st.ip.n_datagrams, 0);
    assert_int_equal(fx_count(ip_reass_failed), 2);
    /* the longest one that there is */
    for (uint32_t at = 0; at < 65515; at += 1400)
        piece(at, (uint16_t)(65515 - at < 1400 ? 65515 - at : 1400), at + 1400 < 65515);
    assert_whole(65515);
}

static void hostile_27_a_tiny_first_piece_hides_nothing(void **state)
{
    (void)state;
    piece(0, 8, true);
    piece(8, 32, false);
    assert_whole(40);
}

/* CVE-2018-5391 and its like: pieces that never become whole. */
static void hostile_27_what_never_completes_is_bounded(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 5000; i++) {
        char src[16];

        snprintf(src, sizeof(src), "10.0.0.%u", 2 + i % 200);
        piece(0, 1400, true, .id = (uint16_t)i, .src = src);
        assert_true(fx.st.ip.n_datagrams <= REASS_MAX_DATAGRAMS);
        assert_true(fx.st.ip.reass_bytes <= REASS_MAX_BYTES);
    }
    /* one source alone cannot push out the others */
    fx_run(61 * FX_SECOND);
    assert_int_equal(fx.st.ip.n_datagrams, 0);
    piece(0, 800, true, .src = "10.0.0.9");
    for (uint32_t i = 0; i < 1000; i++)
        piece(0, 1400, true, .id = (uint16_t)(100 + i));
    assert_int_equal(fx.st.ip.n_datagrams, 1 + REASS_MAX_OF_SOURCE);
    piece(800, 8, false, .src = "10.0.0.9");
    assert_int_equal(fx.n_tcp, 1);
}

static void hostile_27_crumbs_and_bytes_are_bounded(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3000; i++)
        piece(16 * (3000 - i), 8, true); /* with holes, backwards */
    assert_true(fx_count(ip_reass_failed) >= 3000 / (REASS_MAX_FRAGMENTS + 1) - 1);
    assert_true(fx.st.ip.n_datagrams <= 1);
    for (uint32_t i = 0; i < 20 * 46; i++) {
        char src[16];

        snprintf(src, sizeof(src), "10.0.0.%u", 100 + i / 46);
        piece(8 + i % 46 * 1400, 1400, true, .src = src);
        assert_true(fx.st.ip.reass_bytes <= REASS_MAX_BYTES);
    }
}

/* Who begins too many loses the one that he began first. */
static void a_source_loses_its_oldest(void **state)
{
    (void)state;
    for (uint16_t i = 0; i <= REASS_MAX_OF_SOURCE; i++)
        piece(0, 800, true, .id = (uint16_t)(100 + i));
    assert_int_equal(fx.st.ip.n_datagrams, REASS_MAX_OF_SOURCE);
    piece(800, 8, false, .id = 101);
    piece(800, 8, false, .id = 100 + REASS_MAX_OF_SOURCE - 1);
    assert_int_equal(fx.n_tcp, 2);
    piece(800, 8, false, .id = 100);
    assert_int_equal(fx.n_tcp, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, fx_setup, fx_teardown)
        T(two_pieces_make_a_packet),
        T(pieces_may_come_in_any_order_and_twice),
        T(datagrams_do_not_mix),
        T(after_a_minute_the_sender_hears_of_what_is_missing),
        T(without_memory_the_packet_is_lost),
        T(hostile_27_pieces_that_overlap_end_the_datagram),
        T(hostile_27_lengths_that_contradict_each_other),
        T(hostile_27_nothing_is_longer_than_a_packet),
        T(hostile_27_a_tiny_first_piece_hides_nothing),
        T(hostile_27_what_never_completes_is_bounded),
        T(hostile_27_crumbs_and_bytes_are_bounded),
        T(a_source_loses_its_oldest),
#undef T
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
