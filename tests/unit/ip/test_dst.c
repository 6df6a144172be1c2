/* SPDX-License-Identifier: MIT */
/*
 * The destination cache: what is prepared for a destination is what each packet would have got by
 * itself, and is never older than its neighbour.
 */
#include "tests/unit/ip/fixture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct neigh_entry *entry(const char *text)
{
    struct ip_addr a = fx_addr(text);

    return neigh_find(&fx.st, &a);
}

static void resolve(const char *text, const uint8_t mac[6])
{
    assert_int_equal(fx_send(text, 10), 0);
    fx_arp_input(fx_mac, 2, mac, text, "10.0.0.1");
    assert_int_equal(entry(text)->state, NEIGH_REACHABLE);
    fx_clear();
}

/** The next packet to dst leaves at once, for this link address. */
static void goes_to(const char *dst, const uint8_t mac[6])
{
    struct ip_addr a = fx_addr(dst);

    fx_clear();
    assert_int_equal(fx_send(dst, 10), 0);
    assert_int_equal(fx.n_out, 1);
    assert_memory_equal(fx.out[0].data, mac, 6);
    assert_memory_equal(fx.out[0].data + 6, fx_mac, 6);
    assert_int_equal(wire_get16(fx.out[0].data + 12), 0x0800);
    assert_memory_equal(fx.out[0].data + 30, ip_addr_v4_bytes(&a), 4);
}

/* The header byte by byte, as RFC 791 §3.1 has it. */
static void expect_header(const struct ip_flow *flow, uint32_t payload)
{
    uint8_t h[20] = {0x45, flow->tos};

    wire_put16(h + 2, 20 + payload);
    wire_put16(h + 4, flow->id);
    wire_put16(h + 6, flow->dont_fragment ? 0x4000 : 0);
    h[8] = flow->ttl ? flow->ttl : 64;
    h[9] = flow->proto;
    memcpy(h + 12, ip_addr_v4_bytes(&fx.st.config.address.addr), 4);
    memcpy(h + 16, ip_addr_v4_bytes(&flow->dst), 4);
    wire_put16(h + 10, fx_naive_checksum(h, 20, 0));
    assert_int_equal(fx.n_out, 1);
    assert_memory_equal(fx.out[0].data + 14, h, 20);
}

static void each_packet_says_its_own_tos_ttl_id_df_length_and_protocol(void **state)
{
    static const char *const dsts[] = {"10.0.0.2", "10.0.0.3", "8.8.8.8", "9.9.9.9"};

    (void)state;
    resolve("10.0.0.2", fx_peer);
    resolve("10.0.0.3", fx_other);
    assert_int_equal(fx_send("8.8.8.8", 10), 0);
    fx_arp_input(fx_mac, 2, fx_peer, "10.0.0.254", "10.0.0.1");
    for (unsigned i = 0; i < 4000; i++) {
        struct ip_flow flow = {.src = i % 3 ? fx.st.config.address.addr : ip_addr_any(false),
                               .dst = fx_addr(dsts[rng_between(&fx.st.rng, 0, 3)]),
                               .proto = i % 5 ? IP_PROTO_TCP : IP_PROTO_ICMP,
                               .ttl = (uint8_t)rng_u64(&fx.st.rng),
                               .tos = (uint8_t)rng_u64(&fx.st.rng),
                               .dont_fragment = rng_u64(&fx.st.rng) & 1,
                               .id = (uint16_t)rng_u64(&fx.st.rng)};
        uint32_t n = (uint32_t)rng_between(&fx.st.rng, 1, 100);
        struct frame f;

        fx_clear();
        frame_init(&f);
        memset(frame_push(&f, n), 0xab, n);
        assert_int_equal(ip_output(&fx.st, &f, &flow, NULL), 0);
        expect_header(&flow, n);
    }
}

static void a_neighbour_that_moved_gets_the_next_packet_at_its_new_address(void **state)
{
    (void)state;
    resolve("10.0.0.2", fx_peer);
    goes_to("10.0.0.2", fx_peer);
    fx_arp_input(NULL, 1, fx_other, "10.0.0.2", "10.0.0.2"); /* gratuitous */
    goes_to("10.0.0.2", fx_other);
    fx_run(2 * (uint64_t)FX_SECOND);
    fx_arp_input(fx_mac, 2, fx_peer, "10.0.0.2", "10.0.0.1"); /* an answer */
    goes_to("10.0.0.2", fx_peer);
}

static void a_gateway_that_moved_takes_all_its_destinations_along(void **state)
{
    (void)state;
    assert_int_equal(fx_send("8.8.8.8", 10), 0);
    fx_arp_input(fx_mac, 2, fx_peer, "10.0.0.254", "10.0.0.1");
    goes_to("8.8.8.8", fx_peer);
    goes_to("9.9.9.9", fx_peer);
    fx_arp_input(NULL, 1, fx_other, "10.0.0.254", "10.0.0.254");
    goes_to("9.9.9.9", fx_other);
    goes_to("8.8.8.8", fx_other);
}

/* Three questions that nobody answers remove it; its memory is the next one's. */
static void forget_by_silence(const char *text)
{
    fx_run(46 * (uint64_t)FX_SECOND);
    assert_int_equal(fx_send(text, 10), 0);
    fx_run(9 * (uint64_t)FX_SECOND);
    assert_null(entry(text));
    fx_clear();
}

static void a_neighbour_that_was_forgotten_is_asked_for_and_no_other_gets_its_packets(void **state)
{
    struct neigh_entry *was;

    (void)state;
    resolve("10.0.0.2", fx_peer);
    goes_to("10.0.0.2", fx_peer);
    was = entry("10.0.0.2");
    forget_by_silence("10.0.0.2");
    resolve("10.0.0.3", fx_other);
    assert_ptr_equal(entry("10.0.0.3"), was); /* that is what a stale way would find */
    assert_int_equal(fx_send("10.0.0.2", 10), 0);
    assert_int_equal(fx.n_out, 1);
    assert_true(fx_is_arp_request(0, "10.0.0.2", true));
    goes_to("10.0.0.3", fx_other);
    fx_arp_input(fx_mac, 2, fx_peer, "10.0.0.2", "10.0.0.1");
    goes_to("10.0.0.2", fx_peer);
}

static void confirmation_reaches_only_the_neighbour_that_is_there(void **state)
{
    struct ip_addr a = fx_addr("10.0.0.2");

    (void)state;
    resolve("10.0.0.2", fx_peer);
    neigh_confirm(&fx.st, &a);
    forget_by_silence("10.0.0.2");
    fx_arp_input(NULL, 1, fx_other, "10.0.0.3", "10.0.0.1"); /* in the memory of the other */
    assert_int_equal(entry("10.0.0.3")->state, NEIGH_STALE);
    neigh_confirm(&fx.st, &a);
    neigh_suspect(&fx.st, &a);
    assert_int_equal(entry("10.0.0.3")->state, NEIGH_STALE);
}

static void a_known_way_does_not_hide_that_the_neighbour_failed(void **state)
{
    (void)state;
    resolve("10.0.0.2", fx_peer);
    forget_by_silence("10.0.0.2");
    assert_int_equal(fx_send("10.0.0.2", 10), 0); /* asks by broadcast, waits */
    fx_run(3 * (uint64_t)FX_SECOND);
    assert_int_equal(fx.n_unreachable, 1);
    assert_int_equal(fx_send("10.0.0.2", 10), -EHOSTUNREACH);
    fx_arp_input(NULL, 1, fx_peer, "10.0.0.2", "10.0.0.1");
    goes_to("10.0.0.2", fx_peer);
}

static void more_destinations_than_places_each_keep_their_own_way(void **state)
{
    char text[32];

    (void)state;
    assert_int_equal(fx_send("8.8.8.8", 10), 0);
    fx_arp_input(fx_mac, 2, fx_other, "10.0.0.254", "10.0.0.1");
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 4 * DST_ENTRIES; i++) {
            snprintf(text, sizeof(text), "20.%u.%u.7", i / 100, i % 100);
            goes_to(text, fx_other);
        }
    }
}

static void what_does_not_fit_is_refused_on_a_known_way_too(void **state)
{
    struct ip_flow stranger = {
        .src = fx_addr("10.0.0.9"), .dst = fx_addr("10.0.0.2"), .proto = IP_PROTO_TCP};
    struct frame f;

    (void)state;
    resolve("10.0.0.2", fx_peer);
    goes_to("10.0.0.2", fx_peer);
    fx_clear();
    assert_int_equal(fx_send("10.0.0.2", 1461), -EMSGSIZE);
    frame_init(&f);
    memset(frame_push(&f, 20), 1, 20);
    assert_int_equal(ip_output(&fx.st, &f, &stranger, NULL), -ENETUNREACH);
    assert_int_equal(fx.n_out, 0);
}

/* The one in use must not be evicted for strangers, although nothing looks it up any more. */
static void a_neighbour_in_use_stays_when_others_crowd_the_cache(void **state)
{
    uint32_t evicted;
    char text[32];

    (void)state;
    assert_int_equal(ip_prefix_parse("10.0.0.1/16", &fx.st.config.address), 0);
    resolve("10.0.0.2", fx_peer);
    for (unsigned i = 0; i < 3 * NEIGH_MAX_ENTRIES; i++) {
        snprintf(text, sizeof(text), "10.0.%u.%u", 1 + i / 200, 1 + i % 200);
        resolve(text, fx_other);
        goes_to("10.0.0.2", fx_peer);
    }
    evicted = (uint32_t)fx_count(neigh_evicted);
    assert_in_range(evicted, 2 * NEIGH_MAX_ENTRIES, 3 * NEIGH_MAX_ENTRIES);
}

static void we_ourselves_are_never_reached_by_the_link(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(fx_send("10.0.0.1", 100), 0);
    ip_run_local(&fx.st);
    assert_int_equal(fx.n_tcp, 3);
    assert_int_equal(fx.n_out, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fx_setup, fx_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(each_packet_says_its_own_tos_ttl_id_df_length_and_protocol),
        T(a_neighbour_that_moved_gets_the_next_packet_at_its_new_address),
        T(a_gateway_that_moved_takes_all_its_destinations_along),
        T(a_neighbour_that_was_forgotten_is_asked_for_and_no_other_gets_its_packets),
        T(confirmation_reaches_only_the_neighbour_that_is_there),
        T(a_known_way_does_not_hide_that_the_neighbour_failed),
        T(more_destinations_than_places_each_keep_their_own_way),
        T(what_does_not_fit_is_refused_on_a_known_way_too),
        T(a_neighbour_in_use_stays_when_others_crowd_the_cache),
        T(we_ourselves_are_never_reached_by_the_link),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
