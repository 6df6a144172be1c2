/* SPDX-License-Identifier: MIT */
/* ICMP: echo, errors in, errors out. RFC 792, RFC 1122 §3.2.2, RFC 1191, RFC 1812 §4.3.2. */
#include "tests/unit/ip/fixture.h"

#include <errno.h>
#include <string.h>

static uint8_t frame[4096];

static void know_neighbour(void)
{
    fx_arp_input(NULL, 1, fx_peer, "10.0.0.2", "10.0.0.1");
    fx_clear();
}

static void ping(const char *dst, uint32_t data)
{
    uint8_t m[2048];

    for (uint32_t i = 0; i < data; i++)
        m[8 + i] = (uint8_t)(i * 7);
    memcpy(m, "\x08\x00\x00\x00\xca\xfe\x00\x09", 8);
    fx_icmp_checksum(m, 8 + data);
    fx_input(frame, fx_ipv4(frame, "10.0.0.2", dst, IP_PROTO_ICMP, NULL, 0, m, 8 + data));
}

static void echo_is_answered_with_the_same_data(void **state)
{
    (void)state;
    know_neighbour();
    for (uint32_t n = 0; n <= 1472; n += 736 + n % 2) {
        const struct fx_frame *o = &fx.out[0];

        fx_clear();
        ping("10.0.0.1", n);
        assert_int_equal(fx.n_out, 1);
        assert_int_equal(o->len, 14 + 20 + 8 + n);
        assert_memory_equal(o->data + 14 + 12, "\x0a\0\0\1\x0a\0\0\2", 8);
        assert_int_equal(o->data[34], ICMP_ECHO_REPLY);
        assert_int_equal(o->data[35], 0);
        assert_memory_equal(o->data + 38, "\xca\xfe\x00\x09", 4);
        assert_memory_equal(o->data + 42, frame + 42, n);
        assert_int_equal(fx_naive_checksum(o->data + 34, 8 + n, 0), 0);
        assert_int_equal(fx_naive_checksum(o->data + 14, 20, 0), 0);
    }
    assert_int_equal(fx_count(icmp_out_echo_replies), fx_count(icmp_in_echo));
}

static void the_reply_waits_for_the_neighbour(void **state)
{
    (void)state;
    ping("10.0.0.1", 100);
    assert_int_equal(fx.n_out, 1);
    assert_true(fx_is_arp_request(0, "10.0.0.2", true));
    fx_arp_input(fx_mac, 2, fx_peer, "10.0.0.2", "10.0.0.1");
    assert_int_equal(fx.n_out, 2);
    assert_int_equal(fx_naive_checksum(fx.out[1].data + 34, 108, 0), 0);
}

static void hostile_29_broadcast_pings_get_no_answer(void **state)
{
    (void)state;
    know_neighbour();
    ping("10.0.0.255", 10);
    ping("255.255.255.255", 10);
    assert_int_equal(fx_count(icmp_in_echo), 2);
    assert_int_equal(fx.n_out, 0);
}

static void hostile_29_oversize_pings_get_no_answer(void **state)
{
    (void)state;
    know_neighbour();
    ping("10.0.0.1", 1473);
    assert_int_equal(fx_count(icmp_in_echo), 1);
    assert_int_equal(fx.n_out, 0);
    assert_int_equal(fx_count(icmp_out_echo_replies), 0);
}

static void hostile_29_an_echo_flood_is_answered_a_thousand_times_a_second(void **state)
{
    (void)state;
    know_neighbour();
    for (int i = 0; i < 500; i++)
        ping("10.0.0.1", 1);
    assert_int_equal(fx.n_out, ICMP_BURST);
    assert_int_equal(fx_count(icmp_out_limited), 500 - ICMP_BURST);
    fx_clear();
    for (int i = 0; i < 10000; i++) { /* ten times too fast for a second */
        fx.st.now += 100;
        ping("10.0.0.1", 1);
    }
    assert_int_equal(fx.n_out, 1000);
    fx_clear();
    fx.st.now += 3600 * (uint64_t)FX_SECOND;
    for (int i = 0; i < 500; i++)
        ping("10.0.0.1", 1);
    assert_int_equal(fx.n_out, ICMP_BURST);
}

static void hostile_01_icmp_cut_at_every_byte_is_counted_as_bad(void **state)
{
    uint8_t m[16] = {8, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

    (void)state;
    know_neighbour();
    fx_icmp_checksum(m, 16);
    for (uint32_t n = 0; n < 16; n++)
        fx_input(frame, fx_ipv4(frame, "10.0.0.2", "10.0.0.1", 1, NULL, 0, m, n));
    assert_int_equal(fx_count(icmp_in_bad), 16);
    assert_int_equal(fx.n_out, 0);
}

static void a_wrong_checksum_is_counted_unless_the_device_has_checked_it(void **state)
{
    uint8_t m[9] = {8, 0, 1, 1, 1, 1, 1, 1, 1};
    uint32_t n = fx_ipv4(frame, "10.0.0.2", "10.0.0.1", 1, NULL, 0, m, 9);
    struct frame f;

    (void)state;
    know_neighbour();
    fx_input(frame, n);
    assert_int_equal(fx_count(icmp_in_bad), 1);
    frame_init(&f);
    f.csum = FRAME_CSUM_VALID;
    fx_input_offload(f, frame, n);
    assert_int_equal(fx.n_out, 1);
}

static void unknown_types_and_unspoken_ones_are_silent(void **state)
{
    (void)state;
    know_neighbour();
    for (unsigned type = 0; type < 256; type++) {
        uint8_t m[28] = {(uint8_t)type};

        if (type == 8)
            continue;
        fx_icmp_checksum(m, 28);
        fx_input(frame, fx_ipv4(frame, "10.0.0.2", "10.0.0.1", 1, NULL, 0, m, 28));
    }
    assert_int_equal(fx.n_out, 0);
    assert_int_equal(fx.n_icmp, 0);
    assert_int_equal(fx_count(icmp_in), 255);
}

/* --- errors in
 * ---------------------------------------------------------------------------------------------- */

static uint8_t message[128];

/** An error that quotes 28 bytes of a TCP segment from us to 10.9.9.9; returns its length. */
static uint32_t error(uint8_t type, uint8_t code, uint16_t mtu)
{
    uint8_t quote[14 + 20 + 8];

    fx_ipv4(quote, "10.0.0.1", "10.9.9.9", IP_PROTO_TCP, NULL, 0,
            "\x12\x34\x00\x50\xaa\xbb\xcc\xdd", 8);
    wire_put16(quote + 16, 1500);
    memset(message, 0, sizeof(message));
    message[0] = type;
    message[1] = code;
    wire_put16(message + 6, mtu);
    memcpy(message + 8, quote + 14, 28);
    return 36;
}

static void input(uint32_t len)
{
    fx_icmp_checksum(message, len);
    fx_input(frame, fx_ipv4(frame, "10.0.0.77", "10.0.0.1", 1, NULL, 0, message, len));
}

static void errors_carry_the_errno_of_their_code(void **state)
{
    static const struct {
        uint8_t type, code;
        int error;
        bool hard;
    } rows[] = {
        {3, 0, ENETUNREACH, false},   {3, 1, EHOSTUNREACH, false},  {3, 2, ENOPROTOOPT, true},
        {3, 3, ECONNREFUSED, true},   {3, 4, EMSGSIZE, false},      {3, 5, EOPNOTSUPP, false},
        {3, 6, ENETUNREACH, false},   {3, 7, EHOSTDOWN, false},     {3, 8, ENONET, false},
        {3, 9, ENETUNREACH, false},   {3, 10, EHOSTUNREACH, false}, {3, 11, ENETUNREACH, false},
        {3, 12, EHOSTUNREACH, false}, {3, 13, EHOSTUNREACH, false}, {3, 14, EHOSTUNREACH, false},
        {3, 15, EHOSTUNREACH, false}, {11, 0, EHOSTUNREACH, false}, {11, 1, EHOSTUNREACH, false},
        {12, 0, EPROTO, false},       {12, 1, EPROTO, false},
    };
    unsigned n = sizeof(rows) / sizeof(*rows);

    (void)state;
    for (unsigned i = 0; i < n; i++) {
        input(error(rows[i].type, rows[i].code, 1400));
        assert_int_equal(fx.n_icmp, i + 1);
        assert_int_equal(fx.icmp.error, rows[i].error);
        assert_int_equal(fx.icmp.hard, rows[i].hard);
        assert_int_equal(fx.icmp.type, rows[i].type);
        assert_int_equal(fx.icmp.code, rows[i].code);
        assert_int_equal(fx.icmp.mtu, rows[i].error == EMSGSIZE ? 1400 : 0);
        assert_memory_equal(fx.icmp.quoted, "\x12\x34\x00\x50\xaa\xbb\xcc\xdd", 8);
        assert_memory_equal(ip_addr_v4_bytes(&fx.icmp.src), "\x0a\0\0\1", 4);
        assert_memory_equal(ip_addr_v4_bytes(&fx.icmp.dst), "\x0a\x09\x09\x09", 4);
    }
    assert_int_equal(fx_count(icmp_in_errors), n);
    input(error(3, 16, 0));
    assert_int_equal(fx.n_icmp, n);
    assert_int_equal(fx_count(icmp_in_errors_ignored), 1);
}

static void an_error_that_matches_nothing_is_counted_as_ignored(void **state)
{
    (void)state;
    fx.icmp_matches = false;
    input(error(3, 1, 0));
    assert_int_equal(fx.n_icmp, 1);
    assert_int_equal(fx_count(icmp_in_errors), 0);
    assert_int_equal(fx_count(icmp_in_errors_ignored), 1);
}

static void hostile_25_fragmentation_needed_below_68_is_ignored(void **state)
{
    (void)state;
    for (uint16_t mtu = 1; mtu < 68; mtu++)
        input(error(3, 4, mtu));
    assert_int_equal(fx.n_icmp, 0);
    assert_int_equal(fx_count(icmp_in_errors_ignored), 67);
    input(error(3, 4, 68));
    assert_int_equal(fx.icmp.mtu, 68);
    input(error(3, 4, 65535));
    assert_int_equal(fx.icmp.mtu, 65535);
}

static void hostile_25_fragmentation_needed_without_mtu_takes_the_next_plateau(void **state)
{
    static const uint16_t rows[][2] = {{65535, 32000}, {32001, 32000}, {32000, 17914}, {4000, 2002},
                                       {1500, 1492},   {1492, 1006},   {576, 508},     {297, 296},
                                       {296, 68},      {68, 68},       {0, 68}};

    (void)state;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        uint32_t n = error(3, 4, 0);

        wire_put16(message + 8 + 2, rows[i][0]);
        input(n);
        assert_int_equal(fx.icmp.mtu, rows[i][1]);
    }
}

static void hostile_26_quotes_cut_at_every_byte_are_bad(void **state)
{
    uint32_t n = error(3, 1, 0);

    (void)state;
    for (uint32_t i = 8; i < n; i++)
        input(i);
    assert_int_equal(fx_count(icmp_in_bad), n - 8);
    assert_int_equal(fx.n_icmp, 0);
    input(n);
    assert_int_equal(fx.n_icmp, 1);
}

static void hostile_26_quoted_headers_that_lie_are_bad(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        uint32_t n = error(3, 1, 0);

        if (byte == 0x45)
            continue;
        message[8] = (uint8_t)byte;
        input(n);
    }
    assert_int_equal(fx.n_icmp, 0);
    assert_int_equal(fx_count(icmp_in_bad), 255);
}

static void a_quote_with_options_is_read_behind_them(void **state)
{
    uint32_t n = error(3, 3, 0);

    (void)state;
    message[8] = 0x46;
    memmove(message + 8 + 24, message + 8 + 20, 8);
    memset(message + 8 + 20, 1, 4);
    input(n + 4);
    assert_int_equal(fx.n_icmp, 1);
    assert_memory_equal(fx.icmp.quoted, "\x12\x34\x00\x50\xaa\xbb\xcc\xdd", 8);
}

static void hostile_26_errors_about_what_we_did_not_send_are_ignored(void **state)
{
    uint32_t n = error(3, 1, 0);

    (void)state;
    message[8 + 15] = 9; /* not our address */
    input(n);
    n = error(3, 1, 0);
    message[8 + 9] = IP_PROTO_ICMP; /* ICMP about ICMP */
    input(n);
    n = error(3, 1, 0);
    message[8 + 7] = 1; /* not a first fragment: no ports in it */
    input(n);
    n = error(3, 1, 0);
    fx_icmp_checksum(message, n);
    fx_input(frame, fx_ipv4(frame, "10.0.0.77", "10.0.0.255", 1, NULL, 0, message, n));
    assert_int_equal(fx.n_icmp, 0);
    assert_int_equal(fx_count(icmp_in_errors_ignored), 4);
    assert_int_equal(fx.n_out, 0);
}

/* --- errors out
 * --------------------------------------------------------------------------------------------- */

static void an_unknown_protocol_is_answered_with_a_quote(void **state)
{
    const struct fx_frame *o = &fx.out[0];
    uint8_t data[1000];

    (void)state;
    know_neighbour();
    memset(data, 0x5a, sizeof(data));
    for (uint32_t n = 0; n <= 1000; n += 500) {
        uint32_t quoted = 20 + n < 548 ? 20 + n : 548;

        fx_clear();
        fx_input(frame, fx_ipv4(frame, "10.0.0.2", "10.0.0.1", 99, NULL, 0, data, n));
        assert_int_equal(fx.n_out, 1);
        assert_int_equal(o->len, 14 + 20 + 8 + quoted);
        assert_int_equal(o->data[15], 0); /* TOS */
        assert_memory_equal(o->data + 34, "\x03\x02", 2);
        assert_memory_equal(o->data + 38, "\0\0\0\0", 4);
        assert_memory_equal(o->data + 42, frame + 14, quoted);
        assert_int_equal(fx_naive_checksum(o->data + 34, 8 + quoted, 0), 0);
    }
    assert_int_equal(fx_count(icmp_out_errors), 3);
    assert_int_equal(fx_count(ip_in_unknown_proto), 3);
}

static void no_error_is_sent_where_rfc_1812_forbids_it(void **state)
{
    struct packet p = {.src = fx_addr("10.0.0.2"), .dst = fx_addr("10.0.0.1"), .proto = 1};
    uint8_t data[8] = {0};

    (void)state;
    know_neighbour();
    fx_input(frame, fx_ipv4(frame, "10.0.0.2", "10.0.0.255", 99, NULL, 0, data, 8));
    fx_input(frame, fx_ipv4(frame, "10.0.0.2", "255.255.255.255", 99, NULL, 0, data, 8));
    fx_input(frame, fx_ipv4(frame, "240.0.0.1", "10.0.0.1", 99, NULL, 0, data, 8));
    assert_int_equal(fx_count(ip_in_unknown_proto), 3);
    assert_int_equal(fx.n_out, 0);
    /* About ICMP: only about queries. */
    fx_ipv4(frame, "10.0.0.2", "10.0.0.1", 1, NULL, 0, data, 8);
    p.header = frame + 14;
    p.header_len = 20;
    p.payload = data;
    p.len = 8;
    data[0] = ICMP_UNREACHABLE;
    icmp_unreachable(&fx.st, &p, ICMP_UNREACH_PORT);
    p.len = 0;
    icmp_unreachable(&fx.st, &p, ICMP_UNREACH_PORT);
    assert_int_equal(fx.n_out, 0);
    data[0] = ICMP_ECHO;
    p.len = 8;
    icmp_unreachable(&fx.st, &p, ICMP_UNREACH_PORT);
    assert_int_equal(fx.n_out, 1);
    /* About later fragments, should they ever get so far. */
    p.proto = 99;
    wire_put16(frame + 20, 1);
    icmp_unreachable(&fx.st, &p, ICMP_UNREACH_PORT);
    assert_int_equal(fx.n_out, 1);
}

static void errors_share_the_rate_limit_with_echoes(void **state)
{
    uint8_t data[8] = {0};

    (void)state;
    know_neighbour();
    for (unsigned i = 0; i < ICMP_BURST - 1; i++)
        ping("10.0.0.1", 1);
    for (int i = 0; i < 10; i++)
        fx_input(frame, fx_ipv4(frame, "10.0.0.2", "10.0.0.1", 99, NULL, 0, data, 8));
    assert_int_equal(fx_count(icmp_out_errors), 1);
    assert_int_equal(fx_count(icmp_out_limited), 9);
}

static void hostile_24_identification_of_replies_does_not_count_up(void **state)
{
    unsigned steps = 0;

    (void)state;
    know_neighbour();
    for (int i = 0; i < 40; i++)
        ping("10.0.0.1", 1);
    for (unsigned i = 1; i < fx.n_out; i++) {
        uint16_t d =
            (uint16_t)(wire_get16(fx.out[i].data + 18) - wire_get16(fx.out[i - 1].data + 18));

        steps += d < 256;
    }
    assert_int_equal(fx.n_out, 40);
    assert_true(steps < 4);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fx_setup, fx_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(echo_is_answered_with_the_same_data),
        T(the_reply_waits_for_the_neighbour),
        T(hostile_29_broadcast_pings_get_no_answer),
        T(hostile_29_oversize_pings_get_no_answer),
        T(hostile_29_an_echo_flood_is_answered_a_thousand_times_a_second),
        T(hostile_01_icmp_cut_at_every_byte_is_counted_as_bad),
        T(a_wrong_checksum_is_counted_unless_the_device_has_checked_it),
        T(unknown_types_and_unspoken_ones_are_silent),
        T(errors_carry_the_errno_of_their_code),
        T(an_error_that_matches_nothing_is_counted_as_ignored),
        T(hostile_25_fragmentation_needed_below_68_is_ignored),
        T(hostile_25_fragmentation_needed_without_mtu_takes_the_next_plateau),
        T(hostile_26_quotes_cut_at_every_byte_are_bad),
        T(hostile_26_quoted_headers_that_lie_are_bad),
        T(a_quote_with_options_is_read_behind_them),
        T(hostile_26_errors_about_what_we_did_not_send_are_ignored),
        T(an_unknown_protocol_is_answered_with_a_quote),
        T(no_error_is_sent_where_rfc_1812_forbids_it),
        T(errors_share_the_rate_limit_with_echoes),
        T(hostile_24_identification_of_replies_does_not_count_up),
    };
    return cmocka_run_group_tests_name("icmp", tests, NULL, NULL);
}
