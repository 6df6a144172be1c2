/* SPDX-License-Identifier: MIT */
/* Routes, the IPv4 header, sizes, and packets to ourselves. */
#include "proto/base/checksum.h"
#include "tests/unit/ip/fixture.h"

#include <errno.h>
#include <string.h>

static void know_neighbour(void)
{
    fx_arp_input(NULL, 1, fx_peer, "10.0.0.2", "10.0.0.1");
    fx_clear();
}

static int lookup(const char *text, struct route *r)
{
    struct ip_addr a = fx_addr(text);

    return route_lookup(&fx.st, &a, r);
}

static void the_prefix_decides_between_the_link_and_the_gateway(void **state)
{
    struct ip_addr gateway = fx_addr("10.0.0.254"), near = fx_addr("10.0.0.200");
    struct route r;

    (void)state;
    assert_int_equal(lookup("10.0.0.200", &r), 0);
    assert_true(ip_addr_equal(&r.next_hop, &near));
    assert_false(r.local);
    assert_int_equal(r.mtu, 1500);
    assert_true(ip_is_ours(&fx.st, &r.source));
    assert_int_equal(lookup("10.0.1.200", &r), 0);
    assert_true(ip_addr_equal(&r.next_hop, &gateway));
    fx.st.config.has_gateway = false;
    assert_int_equal(lookup("10.0.1.200", &r), -ENETUNREACH);
    assert_int_equal(lookup("10.0.0.200", &r), 0);
    assert_int_equal(lookup("10.0.0.1", &r), 0);
    assert_true(r.local);
}

static void addresses_that_name_no_peer_have_no_route(void **state)
{
    static const char *const texts[] = {"0.0.0.0",   "0.0.0.5",         "127.0.0.1",
                                        "224.0.0.1", "255.255.255.255", "10.0.0.255",
                                        "::",        "2001:db8::1"};
    struct route r;

    (void)state;
    for (unsigned i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        assert_int_equal(lookup(texts[i], &r), -ENETUNREACH);
    assert_int_equal(fx_send("224.0.0.1", 10), -ENETUNREACH);
    assert_int_equal(fx_count(ip_out_no_route), 1);
    assert_int_equal(fx.n_out, 0);
}

static void bad_peers_are_broadcast_multicast_and_unspecified(void **state)
{
    static const char *const bad[] = {"0.0.0.0",    "::",        "255.255.255.255",
                                      "10.0.0.255", "224.0.0.1", "ff02::1"};
    static const char *const fine[] = {"10.0.0.2", "10.0.1.255", "8.8.8.8", "10.0.0.1"};

    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        struct ip_addr a = fx_addr(bad[i]);

        assert_true(ip_addr_is_bad_peer(&fx.st, &a));
    }
    for (unsigned i = 0; i < 4; i++) {
        struct ip_addr a = fx_addr(fine[i]);

        assert_false(ip_addr_is_bad_peer(&fx.st, &a));
    }
}

static void the_header_is_what_rfc_791_says(void **state)
{
    struct ip_flow flow = {.dst = fx_addr("10.0.0.2"),
                           .src = ip_addr_any(false),
                           .proto = 6,
                           .tos = 0xb8,
                           .dont_fragment = true,
                           .id = 0xbeef};
    const uint8_t *h = fx.out[0].data + 14;
    struct frame f;

    (void)state;
    know_neighbour();
    frame_init(&f);
    memset(frame_push(&f, 20), 1, 20);
    assert_int_equal(ip_output(&fx.st, &f, &flow, NULL), 0);
    assert_int_equal(fx.n_out, 1);
    assert_memory_equal(h, "\x45\xb8\x00\x28\xbe\xef\x40\x00\x40\x06", 10);
    assert_memory_equal(h + 12, "\x0a\0\0\1\x0a\0\0\2", 8);
    assert_int_equal(fx_naive_checksum(h, 20, 0), 0);
    flow.ttl = 3;
    flow.dont_fragment = false;
    frame_init(&f);
    memset(frame_push(&f, 20), 1, 20);
    assert_int_equal(ip_output(&fx.st, &f, &flow, NULL), 0);
    h = fx.out[1].data + 14;
    assert_int_equal(h[8], 3);
    assert_int_equal(wire_get16(h + 6), 0);
    assert_int_equal(fx_count(ip_out), 2);
}

static void a_source_that_is_not_ours_is_refused(void **state)
{
    struct ip_flow flow = {
        .dst = fx_addr("10.0.0.2"), .src = fx_addr("10.0.0.3"), .proto = IP_PROTO_TCP};
    struct frame f;

    (void)state;
    know_neighbour();
    frame_init(&f);
    memset(frame_push(&f, 20), 1, 20);
    assert_int_equal(ip_output(&fx.st, &f, &flow, NULL), -ENETUNREACH);
    assert_int_equal(fx.n_out, 0);
}

static void what_is_larger_than_the_mtu_is_refused(void **state)
{
    (void)state;
    know_neighbour();
    assert_int_equal(fx_send("10.0.0.2", 1460), 0);
    assert_int_equal(fx.out[0].len, 1514);
    assert_int_equal(fx_send("10.0.0.2", 1461), -EMSGSIZE);
    assert_int_equal(fx.n_out, 1);
}

static int send_gso(const char *dst, uint32_t len, uint16_t gso_size)
{
    static uint8_t payload[FRAME_MAX_BURST];
    struct ip_flow flow = {.dst = fx_addr(dst), .src = fx.st.config.address.addr, .proto = 6};
    struct frame f;

    frame_init(&f);
    memset(frame_push(&f, 20), 1, 20);
    f.gso = FRAME_GSO_TCP4;
    f.gso_size = gso_size;
    f.csum = FRAME_CSUM_PARTIAL;
    f.spans[0] = (struct iovec){payload, len};
    f.n_spans = 1;
    f.span_len = len;
    return ip_output(&fx.st, &f, &flow, NULL);
}

static void hostile_32_offloaded_frames_may_exceed_the_mtu_but_their_segments_not(void **state)
{
    (void)state;
    know_neighbour();
    assert_int_equal(send_gso("10.0.0.2", 65495, 1460), 0);
    assert_int_equal(fx.out[0].len, 65549);
    assert_int_equal(fx.out[0].gso_size, 1460);
    assert_int_equal(send_gso("10.0.0.2", 65496, 1460), -EMSGSIZE);
    assert_int_equal(send_gso("10.0.0.2", 20000, 1461), -EMSGSIZE);
    assert_int_equal(send_gso("10.0.0.2", 20000, 0), -EMSGSIZE);
    assert_int_equal(fx.n_out, 1);
}

static void
a_burst_above_64_kib_has_no_length_and_goes_only_to_a_device_that_takes_such(void **state)
{
    const uint8_t *ip;

    (void)state;
    know_neighbour();
    fx.st.config.features = STACK_TX_CSUM | STACK_TX_TSO4 | STACK_TX_BIG4;
    assert_int_equal(send_gso("10.0.0.2", FRAME_MAX_BURST - 40, 1460), 0);
    assert_int_equal(fx.out[0].len, 14 + FRAME_MAX_BURST);
    ip = fx.out[0].data + 14;
    assert_int_equal(ip[2] << 8 | ip[3], 0);
    assert_int_equal(csum_fold(csum_partial(ip, 20, 0)), 0);
    assert_int_equal(send_gso("10.0.0.2", 65495, 1460), 0);
    ip = fx.out[1].data + 14;
    assert_int_equal(ip[2] << 8 | ip[3], 65535);
    assert_int_equal(send_gso("10.0.0.2", FRAME_MAX_BURST - 39, 1460), -EMSGSIZE);
    assert_int_equal(send_gso("10.0.0.1", 65496, 1460), -EMSGSIZE); /* ourselves */
    assert_int_equal(fx.n_out, 2);
}

static void local_packets_arrive_unchanged_with_a_valid_checksum(void **state)
{
    (void)state;
    assert_int_equal(fx_send("10.0.0.1", 1000), 0);
    assert_int_equal(fx.n_tcp, 0);
    ip_run_local(&fx.st);
    assert_int_equal(fx.n_tcp, 1);
    assert_true(fx.tcp.local);
    assert_false(fx.tcp.broadcast);
    assert_int_equal(fx.tcp.csum, FRAME_CSUM_VALID);
    assert_int_equal(fx.tcp.len, 1020);
    assert_int_equal(fx.tcp.payload[0], 0xab);
    assert_true(ip_is_ours(&fx.st, &fx.tcp.src));
    assert_true(ip_is_ours(&fx.st, &fx.tcp.dst));
    assert_int_equal(fx.n_out, 0);
    assert_int_equal(fx_count(ip_out_local), 1);
}

static void local_offloaded_frames_keep_their_marks(void **state)
{
    (void)state;
    assert_int_equal(send_gso("10.0.0.1", 60000, 1460), 0);
    ip_run_local(&fx.st);
    assert_int_equal(fx.n_tcp, 1);
    assert_int_equal(fx.tcp.len, 60020);
    assert_int_equal(fx.tcp.gso, FRAME_GSO_TCP4);
    assert_int_equal(fx.tcp.gso_size, 1460);
    assert_int_equal(fx.tcp.csum, FRAME_CSUM_VALID);
}

static void answer_twice(void)
{
    if (fx.n_tcp < 100) {
        assert_int_equal(fx_send("10.0.0.1", 1), 0);
        assert_int_equal(fx_send("10.0.0.1", 1), 0);
    }
}

static void one_batch_is_what_was_queued_at_its_begin(void **state)
{
    (void)state;
    fx.on_tcp = answer_twice;
    assert_int_equal(fx_send("10.0.0.1", 1), 0);
    ip_run_local(&fx.st);
    assert_int_equal(fx.n_tcp, 1);
    assert_int_equal(fx.st.ip.local_queued, 2);
    ip_run_local(&fx.st);
    assert_int_equal(fx.n_tcp, 3);
    assert_int_equal(fx.st.ip.local_queued, 4);
    ip_run_local(&fx.st);
    assert_int_equal(fx.n_tcp, 7);
}

static void the_local_queue_is_bounded_in_packets_and_bytes(void **state)
{
    unsigned n = 0;

    (void)state;
    while (fx_send("10.0.0.1", 1) == 0)
        n++;
    assert_int_equal(n, LOCAL_MAX_PACKETS);
    assert_int_equal(fx_send("10.0.0.1", 1), -ENOBUFS);
    assert_int_equal(fx_count(ip_out_local_drops), 2);
    ip_run_local(&fx.st);
    assert_int_equal(fx.n_tcp, n);
    for (n = 0; fx_send("10.0.0.1", 60000) == 0; n++)
        ;
    assert_in_range(n, 130, 139);
    assert_true(fx.st.ip.local_bytes <= LOCAL_MAX_BYTES);
    /* what is left is freed by ip_destroy */
}

static void without_memory_local_packets_are_refused(void **state)
{
    (void)state;
    fx.alloc_fail_all = true;
    assert_int_equal(fx_send("10.0.0.1", 1), -ENOBUFS);
    fx.alloc_fail_all = false;
    assert_int_equal(fx_send("10.0.0.1", 1), 0);
    assert_int_equal(fx_count(ip_out_local_drops), 1);
}

static void init_without_memory_fails_cleanly(void **state)
{
    struct ip_state kept = fx.st.ip;

    (void)state;
    fx.alloc_fail_all = true;
    assert_int_equal(ip_init(&fx.st), -ENOMEM);
    fx.alloc_fail_all = false;
    fx.st.ip = kept;
    list_init(&fx.st.ip.neigh_lru);
    list_init(&fx.st.ip.local_queue);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fx_setup, fx_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_prefix_decides_between_the_link_and_the_gateway),
        T(addresses_that_name_no_peer_have_no_route),
        T(bad_peers_are_broadcast_multicast_and_unspecified),
        T(the_header_is_what_rfc_791_says),
        T(a_source_that_is_not_ours_is_refused),
        T(what_is_larger_than_the_mtu_is_refused),
        T(hostile_32_offloaded_frames_may_exceed_the_mtu_but_their_segments_not),
        T(a_burst_above_64_kib_has_no_length_and_goes_only_to_a_device_that_takes_such),
        T(local_packets_arrive_unchanged_with_a_valid_checksum),
        T(local_offloaded_frames_keep_their_marks),
        T(one_batch_is_what_was_queued_at_its_begin),
        T(the_local_queue_is_bounded_in_packets_and_bytes),
        T(without_memory_local_packets_are_refused),
        T(init_without_memory_fails_cleanly),
    };
    return cmocka_run_group_tests_name("ip_output", tests, NULL, NULL);
}
