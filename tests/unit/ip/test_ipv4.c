/* SPDX-License-Identifier: MIT */
/* IPv4 input: everything that is dropped, and why; what is delivered, and as what. RFC 791, RFC
 * 1122 §3.2.1. */
#include "tests/unit/ip/fixture.h"

#include <string.h>

static uint8_t frame[4096];

/** A 20-byte stand-in for a TCP header, and its frame. */
static uint32_t good(void)
{
    uint8_t tcp[20];

    for (unsigned i = 0; i < sizeof(tcp); i++)
        tcp[i] = (uint8_t)(i + 1);
    return fx_ipv4(frame, "10.0.0.2", "10.0.0.1", IP_PROTO_TCP, NULL, 0, tcp, sizeof(tcp));
}

static uint64_t drops(void)
{
    return fx_count(ip_in_bad_header) + fx_count(ip_in_bad_checksum) + fx_count(ip_in_bad_source) +
           fx_count(ip_in_not_ours) + fx_count(ip_in_fragments) + fx_count(ip_in_source_route) +
           fx_count(eth_in_bad_offload) + fx_count(ip_in_unknown_proto) + fx_count(eth_in_short) +
           fx_count(eth_in_not_ours) + fx_count(eth_in_unknown_type);
}

static void a_good_packet_is_delivered_with_its_fields(void **state)
{
    uint32_t n = good();

    (void)state;
    frame[14 + 1] = 0xb9;
    frame[14 + 8] = 1; /* TTL 1 is fine for a host (RFC 1122 §3.2.1.7) */
    fx_ipv4_checksum(frame);
    fx_input(frame, n);
    assert_int_equal(fx.n_tcp, 1);
    assert_int_equal(fx.tcp.tos, 0xb9);
    assert_int_equal(fx.tcp.ttl, 1);
    assert_int_equal(fx.tcp.proto, 6);
    assert_int_equal(fx.tcp.len, 20);
    assert_int_equal(fx.tcp.payload[0], 1);
    assert_int_equal(fx.tcp.header_len, 20);
    assert_false(fx.tcp.broadcast);
    assert_false(fx.tcp.local);
    assert_int_equal(fx.tcp.csum, FRAME_CSUM_NONE);
    assert_memory_equal(ip_addr_v4_bytes(&fx.tcp.src), "\x0a\0\0\2", 4);
    assert_int_equal(fx_count(ip_in_delivered), 1);
}

static void hostile_01_ipv4_cut_at_every_byte_is_never_delivered(void **state)
{
    static const uint8_t options[8] = {7, 7, 4, 0, 0, 0, 0, 0};
    uint8_t tcp[20] = {0};
    uint32_t n = fx_ipv4(frame, "10.0.0.2", "10.0.0.1", IP_PROTO_TCP, options, 8, tcp, 20);

    (void)state;
    for (uint32_t i = 0; i < n; i++)
        fx_input(frame, i);
    assert_int_equal(fx.n_tcp, 0);
    assert_int_equal(fx_count(eth_in_short), 14);
    assert_int_equal(fx_count(ip_in_bad_header), n - 14);
    fx_input(frame, n);
    assert_int_equal(fx.n_tcp, 1);
}

static void hostile_02_lengths_that_lie_are_dropped(void **state)
{
    uint32_t n = good();
    unsigned bad = 0;

    (void)state;
    for (unsigned version = 0; version < 16; version++) {
        for (unsigned ihl = 0; ihl < 16; ihl++) {
            frame[14] = (uint8_t)(version << 4 | ihl);
            if (version == 4 && ihl >= 5 && ihl <= 10) /* fits into the 40 bytes */
                continue;
            if (ihl >= 5 && ihl <= 10)
                fx_ipv4_checksum(frame);
            fx_input(frame, n);
            bad++;
        }
    }
    assert_int_equal(fx_count(ip_in_bad_header), bad);
    good();
    for (uint32_t total = 0; total < 65536; total += total < 100 ? 1 : 977) {
        wire_put16(frame + 16, total);
        fx_ipv4_checksum(frame);
        fx_input(frame, n);
        bad += total < 20 || total > 40;
    }
    assert_int_equal(fx_count(ip_in_bad_header), bad);
    assert_int_equal(fx.n_tcp, 21);
    assert_int_equal(fx.tcp.len, 20);
}

static void hostile_02_ethernet_padding_is_no_data(void **state)
{
    uint32_t n = good();

    (void)state;
    memset(frame + n, 0xee, 100);
    fx_input(frame, n + 100);
    assert_int_equal(fx.n_tcp, 1);
    assert_int_equal(fx.tcp.len, 20);
}

static void hostile_06_every_single_bit_error_in_the_header_is_noticed(void **state)
{
    uint32_t n = good();

    (void)state;
    for (unsigned bit = 0; bit < 160; bit++) {
        frame[14 + bit / 8] ^= (uint8_t)(1 << bit % 8);
        fx_input(frame, n);
        frame[14 + bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_int_equal(fx.n_tcp, 0);
    assert_int_equal(drops(), 160);
}

static void the_header_checksum_is_verified_although_the_device_claims_the_rest(void **state)
{
    uint32_t n = good();
    struct frame f;

    (void)state;
    frame_init(&f);
    f.csum = FRAME_CSUM_VALID;
    frame[24] ^= 1;
    fx_input_offload(f, frame, n);
    assert_int_equal(fx_count(ip_in_bad_checksum), 1);
    frame[24] ^= 1;
    fx_input_offload(f, frame, n);
    assert_int_equal(fx.tcp.csum, FRAME_CSUM_VALID);
}

static void hostile_08_sources_that_no_host_may_use_are_dropped(void **state)
{
    static const char *const sources[] = {"0.0.0.0",         "0.1.2.3",    "127.0.0.1",
                                          "127.9.9.9",       "224.0.0.1",  "239.9.9.9",
                                          "255.255.255.255", "10.0.0.255", "10.0.0.1"};
    static const char *const good_ones[] = {"10.0.0.2", "8.8.8.8", "10.0.1.255", "10.0.0.0"};
    uint8_t tcp[20] = {0};
    unsigned n_bad = sizeof(sources) / sizeof(*sources);

    (void)state;
    for (unsigned i = 0; i < n_bad; i++)
        fx_input(frame, fx_ipv4(frame, sources[i], "10.0.0.1", 6, NULL, 0, tcp, 20));
    assert_int_equal(fx_count(ip_in_bad_source), n_bad);
    assert_int_equal(fx.n_tcp, 0);
    for (unsigned i = 0; i < 4; i++)
        fx_input(frame, fx_ipv4(frame, good_ones[i], "10.0.0.1", 6, NULL, 0, tcp, 20));
    assert_int_equal(fx.n_tcp, 4);
    assert_int_equal(fx.n_out, 0);
}

static void packets_for_others_are_dropped_in_silence(void **state)
{
    static const char *const others[] = {"10.0.0.3",  "8.8.8.8", "224.0.0.1",
                                         "127.0.0.1", "0.0.0.0", "10.0.1.255"};
    uint8_t tcp[20] = {0};

    (void)state;
    for (unsigned i = 0; i < 6; i++)
        fx_input(frame, fx_ipv4(frame, "10.0.0.2", others[i], 99, NULL, 0, tcp, 20));
    assert_int_equal(fx_count(ip_in_not_ours), 6);
    assert_int_equal(fx.n_tcp + fx.n_out, 0);
}

static void hostile_08_broadcasts_are_marked(void **state)
{
    uint8_t tcp[20] = {0};

    (void)state;
    fx_input(frame, fx_ipv4(frame, "10.0.0.2", "255.255.255.255", 6, NULL, 0, tcp, 20));
    assert_true(fx.tcp.broadcast);
    fx.tcp.broadcast = false;
    fx_input(frame, fx_ipv4(frame, "10.0.0.2", "10.0.0.255", 6, NULL, 0, tcp, 20));
    assert_true(fx.tcp.broadcast);
    assert_int_equal(fx.n_tcp, 2);
}

static void hostile_08_unicast_inside_a_link_broadcast_is_dropped(void **state)
{
    uint32_t n = good();

    (void)state;
    memset(frame, 0xff, 6);
    fx_input(frame, n);
    assert_int_equal(fx.n_tcp, 0);
    assert_int_equal(fx_count(ip_in_not_ours), 1);
}

static void a_fragment_waits_for_the_others(void **state)
{
    uint32_t n = good();

    (void)state;
    wire_put16(frame + 20, 0x2000);
    fx_ipv4_checksum(frame);
    fx_input(frame, n);
    assert_int_equal(fx_count(ip_in_fragments), 1);
    assert_int_equal(fx.n_tcp, 0);
}

static void a_device_s_claims_about_a_fragment_are_refused(void **state)
{
    struct frame f = {.csum = FRAME_CSUM_PARTIAL, .csum_start = 34, .csum_offset = 16};
    uint32_t n = good();

    (void)state;
    wire_put16(frame + 20, 0x2000);
    fx_ipv4_checksum(frame);
    fx_input_offload(f, frame, n);
    assert_int_equal(fx_count(eth_in_bad_offload), 1);
    assert_int_equal(fx_count(ip_in_fragments), 0);
}

static void hostile_28_source_routes_are_refused(void **state)
{
    static const uint8_t loose[8] = {1, 131, 7, 4, 10, 0, 0, 9};
    static const uint8_t strict[8] = {137, 7, 4, 10, 0, 0, 9, 0};
    uint8_t tcp[20] = {0};

    (void)state;
    fx_input(frame, fx_ipv4(frame, "10.0.0.2", "10.0.0.1", 6, loose, 8, tcp, 20));
    fx_input(frame, fx_ipv4(frame, "10.0.0.2", "10.0.0.1", 6, strict, 8, tcp, 20));
    assert_int_equal(fx_count(ip_in_source_route), 2);
    assert_int_equal(fx.n_tcp + fx.n_out, 0);
}

static void unknown_options_are_ignored_and_end_means_end(void **state)
{
    static const uint8_t unknown[8] = {0x99, 5, 1, 2, 3, 1, 1, 1};
    static const uint8_t ended[8] = {1, 0, 131, 0, 0, 0, 0, 0};
    uint8_t tcp[20] = {42};

    (void)state;
    fx_input(frame, fx_ipv4(frame, "10.0.0.2", "10.0.0.1", 6, unknown, 8, tcp, 20));
    fx_input(frame, fx_ipv4(frame, "10.0.0.2", "10.0.0.1", 6, ended, 8, tcp, 20));
    assert_int_equal(fx.n_tcp, 2);
    assert_int_equal(fx.tcp.header_len, 28);
    assert_int_equal(fx.tcp.payload[0], 42);
}

static void hostile_04_ip_option_lengths_that_lie_are_dropped(void **state)
{
    uint8_t tcp[20] = {0};

    (void)state;
    for (unsigned len = 0; len < 256; len++) {
        uint8_t options[4] = {0x44, (uint8_t)len, 1, 1};

        fx_input(frame, fx_ipv4(frame, "10.0.0.2", "10.0.0.1", 6, options, 4, tcp, 20));
    }
    for (unsigned kind = 2; kind < 256; kind++) { /* no room for a length */
        uint8_t options[4] = {1, 1, 1, (uint8_t)kind};

        fx_input(frame, fx_ipv4(frame, "10.0.0.2", "10.0.0.1", 6, options, 4, tcp, 20));
    }
    assert_int_equal(fx.n_tcp, 3); /* lengths 2, 3 and 4 */
    assert_int_equal(fx_count(ip_in_bad_header), 253 + 254);
}

static void offload_marks_reach_tcp(void **state)
{
    static uint8_t big[40000];
    static uint8_t large[40100];
    struct frame f;
    uint32_t n = fx_ipv4(large, "10.0.0.2", "10.0.0.1", 6, NULL, 0, big, 40000);

    (void)state;
    frame_init(&f);
    f.csum = FRAME_CSUM_PARTIAL;
    f.csum_start = 34;
    f.csum_offset = 16;
    f.gso = FRAME_GSO_TCP4;
    f.gso_size = 1448;
    fx_input_offload(f, large, n);
    assert_int_equal(fx.n_tcp, 1);
    assert_int_equal(fx.tcp.len, 40000);
    assert_int_equal(fx.tcp.csum, FRAME_CSUM_PARTIAL);
    assert_int_equal(fx.tcp.gso, FRAME_GSO_TCP4);
    assert_int_equal(fx.tcp.gso_size, 1448);
}

static void hostile_06_offload_marks_that_contradict_the_packet_are_dropped(void **state)
{
    struct frame ok, f;
    uint32_t n = good();

    (void)state;
    frame_init(&ok);
    ok.csum = FRAME_CSUM_PARTIAL;
    ok.csum_start = 34;
    ok.csum_offset = 16;
    ok.gso = FRAME_GSO_TCP4;
    ok.gso_size = 100;
    fx_input_offload(ok, frame, n);
    assert_int_equal(fx.n_tcp, 1);
    f = ok, f.gso_size = 0;
    fx_input_offload(f, frame, n);
    f = ok, f.gso = FRAME_GSO_TCP6;
    fx_input_offload(f, frame, n);
    f = ok, f.csum_start = 14;
    fx_input_offload(f, frame, n);
    f = ok, f.csum_start = 65535;
    fx_input_offload(f, frame, n);
    f = ok, f.csum_offset = 65535;
    fx_input_offload(f, frame, n);
    f = ok, f.csum_offset = 6;
    fx_input_offload(f, frame, n);
    frame[14 + 9] = 17;
    fx_ipv4_checksum(frame);
    fx_input_offload(ok, frame, n);
    f = ok, f.gso = FRAME_GSO_NONE, f.csum_offset = 19;
    fx_input_offload(f, frame, n);
    assert_int_equal(fx_count(eth_in_bad_offload), 8);
    assert_int_equal(fx.n_tcp, 1);
    assert_int_equal(fx.n_out, 0);
}

static void hostile_01_random_headers_are_all_accounted_for(void **state)
{
    uint8_t noise[120];
    struct rng rng;

    (void)state;
    rng_init(&rng, (const uint8_t *)"sixteen bytes...");
    for (int i = 0; i < 100000; i++) {
        uint32_t n = (uint32_t)rng_below(&rng, sizeof(noise) + 1);
        uint64_t before;

        for (unsigned j = 0; j < sizeof(noise); j++)
            noise[j] = (uint8_t)rng_u32(&rng);
        memcpy(noise, fx_mac, 6);
        wire_put16(noise + 12, 0x0800);
        noise[14] = (uint8_t)(0x40 | (noise[14] & 15));
        if (i % 2) { /* a right length and checksum, so that it gets further */
            uint32_t header = (noise[14] & 15u) * 4;

            wire_put16(noise + 16, n > 14 ? n - 14 : 0);
            memcpy(noise + 30, "\x0a\0\0\1", 4);
            if (i % 4 == 1)
                memset(noise + 20, 0, 2);
            if (header >= 20 && n >= 14 + header)
                fx_ipv4_checksum(noise);
        }
        before = drops() + fx_count(ip_in_delivered);
        fx_input(noise, n);
        assert_int_equal(drops() + fx_count(ip_in_delivered), before + 1);
    }
    assert_true(fx_count(ip_in_unknown_proto) > 100);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fx_setup, fx_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_good_packet_is_delivered_with_its_fields),
        T(hostile_01_ipv4_cut_at_every_byte_is_never_delivered),
        T(hostile_02_lengths_that_lie_are_dropped),
        T(hostile_02_ethernet_padding_is_no_data),
        T(hostile_06_every_single_bit_error_in_the_header_is_noticed),
        T(the_header_checksum_is_verified_although_the_device_claims_the_rest),
        T(hostile_08_sources_that_no_host_may_use_are_dropped),
        T(packets_for_others_are_dropped_in_silence),
        T(hostile_08_broadcasts_are_marked),
        T(hostile_08_unicast_inside_a_link_broadcast_is_dropped),
        T(a_fragment_waits_for_the_others),
        T(a_device_s_claims_about_a_fragment_are_refused),
        T(hostile_28_source_routes_are_refused),
        T(unknown_options_are_ignored_and_end_means_end),
        T(hostile_04_ip_option_lengths_that_lie_are_dropped),
        T(offload_marks_reach_tcp),
        T(hostile_06_offload_marks_that_contradict_the_packet_are_dropped),
        T(hostile_01_random_headers_are_all_accounted_for),
    };
    return cmocka_run_group_tests_name("ipv4", tests, NULL, NULL);
}
