/* SPDX-License-Identifier: MIT */
/* Ethernet and ARP: what is answered, what is learnt, what is defended. RFC 826, RFC 5227. */
#include "tests/unit/ip/fixture.h"

#include <string.h>

static struct neigh_entry *entry(const char *text)
{
    struct ip_addr a = fx_addr(text);

    return neigh_find(&fx.st, &a);
}

static void ethernet_accepts_our_address_and_broadcast_only(void **state)
{
    static const uint8_t multicast[6] = {1, 0, 0x5e, 0, 0, 1};
    uint8_t frame[60];
    uint32_t n = fx_arp(frame, NULL, 1, fx_peer, "10.0.0.2", "10.0.0.1");

    (void)state;
    fx_input(frame, n);
    memcpy(frame, fx_mac, 6);
    fx_input(frame, n);
    assert_int_equal(fx_count(arp_in), 2);
    memcpy(frame, multicast, 6);
    fx_input(frame, n);
    memcpy(frame, fx_other, 6);
    fx_input(frame, n);
    assert_int_equal(fx_count(eth_in_not_ours), 2);
    memcpy(frame, fx_mac, 6);
    wire_put16(frame + 12, 0x86dd);
    fx_input(frame, n);
    assert_int_equal(fx_count(eth_in_unknown_type), 1);
    assert_int_equal(fx_count(eth_in), 5);
    assert_int_equal(fx_count(eth_in_bytes), 300);
}

static void hostile_01_arp_cut_at_every_byte_is_counted_and_changes_nothing(void **state)
{
    uint8_t frame[60];

    (void)state;
    fx_arp(frame, fx_mac, 1, fx_peer, "10.0.0.2", "10.0.0.1");
    for (uint32_t n = 0; n < 42; n++)
        fx_input(frame, n);
    assert_int_equal(fx_count(eth_in_short), 14);
    assert_int_equal(fx_count(arp_in_bad), 28);
    assert_int_equal(fx.n_out, 0);
    assert_int_equal(hash_count(&fx.st.ip.neighbours), 0);
    fx_input(frame, 42);
    assert_int_equal(fx.n_out, 1);
}

static void a_request_for_our_address_is_answered_and_its_sender_learnt(void **state)
{
    const struct fx_frame *o = &fx.out[0];

    (void)state;
    fx_arp_input(NULL, 1, fx_peer, "10.0.0.2", "10.0.0.1");
    assert_int_equal(fx.n_out, 1);
    assert_memory_equal(o->data, fx_peer, 6);
    assert_memory_equal(o->data + 6, fx_mac, 6);
    assert_int_equal(wire_get16(o->data + 20), 2);
    assert_memory_equal(o->data + 22, fx_mac, 6);
    assert_memory_equal(o->data + 28, "\x0a\x00\x00\x01", 4);
    assert_memory_equal(o->data + 32, fx_peer, 6);
    assert_memory_equal(o->data + 38, "\x0a\x00\x00\x02", 4);
    assert_int_equal(fx_count(arp_out_replies), 1);
    assert_non_null(entry("10.0.0.2"));
    assert_int_equal(entry("10.0.0.2")->state, NEIGH_STALE);
}

static void a_request_for_another_address_is_neither_answered_nor_learnt(void **state)
{
    (void)state;
    fx_arp_input(NULL, 1, fx_peer, "10.0.0.2", "10.0.0.3");
    assert_int_equal(fx.n_out, 0);
    assert_null(entry("10.0.0.2"));
}

static void a_probe_for_our_address_is_answered_but_teaches_nothing(void **state)
{
    (void)state;
    fx_arp_input(NULL, 1, fx_peer, "0.0.0.0", "10.0.0.1");
    assert_int_equal(fx.n_out, 1);
    assert_memory_equal(fx.out[0].data + 38, "\0\0\0\0", 4);
    assert_int_equal(hash_count(&fx.st.ip.neighbours), 0);
    assert_int_equal(fx_count(arp_in_conflict), 0);
}

static void a_sender_that_is_no_next_hop_is_answered_but_not_learnt(void **state)
{
    (void)state;
    fx_arp_input(NULL, 1, fx_peer, "192.168.7.7", "10.0.0.1");
    assert_int_equal(fx.n_out, 1);
    assert_int_equal(hash_count(&fx.st.ip.neighbours), 0);
}

static void hostile_30_an_unsolicited_reply_never_makes_an_entry(void **state)
{
    (void)state;
    fx_arp_input(fx_mac, 2, fx_peer, "10.0.0.2", "10.0.0.1");
    fx_arp_input(NULL, 2, fx_peer, "10.0.0.2", "10.0.0.2");
    fx_arp_input(NULL, 1, fx_peer, "10.0.0.2", "10.0.0.2");
    assert_int_equal(hash_count(&fx.st.ip.neighbours), 0);
    assert_int_equal(fx.n_out, 0);
}

static void a_gratuitous_arp_updates_an_entry_that_exists(void **state)
{
    (void)state;
    fx_arp_input(NULL, 1, fx_peer, "10.0.0.2", "10.0.0.1");
    fx_arp_input(NULL, 1, fx_other, "10.0.0.2", "10.0.0.2");
    assert_memory_equal(entry("10.0.0.2")->mac, fx_other, 6);
    assert_int_equal(entry("10.0.0.2")->state, NEIGH_STALE);
}

static void any_packet_of_a_known_sender_updates_its_entry(void **state)
{
    (void)state;
    fx_arp_input(NULL, 1, fx_peer, "10.0.0.2", "10.0.0.1");
    fx_run(2 * FX_SECOND);
    fx_arp_input(NULL, 1, fx_other, "10.0.0.2", "10.0.0.77");
    assert_memory_equal(entry("10.0.0.2")->mac, fx_other, 6);
}

static void hostile_30_the_first_of_two_answers_wins(void **state)
{
    (void)state;
    assert_int_equal(fx_send("10.0.0.2", 10), 0);
    fx_arp_input(fx_mac, 2, fx_peer, "10.0.0.2", "10.0.0.1");
    fx_run(1000);
    fx_arp_input(fx_mac, 2, fx_other, "10.0.0.2", "10.0.0.1");
    assert_memory_equal(entry("10.0.0.2")->mac, fx_peer, 6);
    assert_int_equal(entry("10.0.0.2")->state, NEIGH_REACHABLE);
}

static void hostile_30_a_conflict_is_counted_and_defended_once_in_ten_seconds(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        fx_arp_input(NULL, 1, fx_other, "10.0.0.1", "10.0.0.1");
        fx_arp_input(fx_mac, 2, fx_other, "10.0.0.1", "10.0.0.1");
        fx_run(FX_SECOND / 20);
    }
    assert_int_equal(fx_count(arp_in_conflict), 200);
    assert_int_equal(fx.n_out, 1);
    assert_true(fx_is_arp_request(0, "10.0.0.1", true));
    fx_run(5 * FX_SECOND);
    fx_arp_input(NULL, 1, fx_other, "10.0.0.1", "10.0.0.5");
    assert_int_equal(fx.n_out, 2);
    assert_int_equal(hash_count(&fx.st.ip.neighbours), 0);
}

static void our_own_packets_reflected_are_no_conflict(void **state)
{
    uint8_t frame[60];
    uint32_t n = fx_arp(frame, NULL, 1, fx_mac, "10.0.0.1", "10.0.0.1");

    (void)state;
    fx_input(frame, n);
    assert_int_equal(fx_count(arp_in_conflict), 0);
    assert_int_equal(fx.n_out, 0);
}

static void hostile_30_senders_that_nobody_can_be_are_refused(void **state)
{
    static const uint8_t group[6] = {3, 0, 0, 0, 0, 9}, zero[6];

    (void)state;
    fx_arp_input(NULL, 1, group, "10.0.0.2", "10.0.0.1");
    fx_arp_input(NULL, 1, zero, "10.0.0.2", "10.0.0.1");
    fx_arp_input(NULL, 1, fx_peer, "10.0.0.255", "10.0.0.1");
    fx_arp_input(NULL, 1, fx_peer, "255.255.255.255", "10.0.0.1");
    fx_arp_input(NULL, 1, fx_peer, "224.0.0.1", "10.0.0.1");
    fx_arp_input(NULL, 1, fx_peer, "127.0.0.1", "10.0.0.1");
    fx_arp_input(NULL, 3, fx_peer, "10.0.0.2", "10.0.0.1");
    assert_int_equal(fx_count(arp_in_bad), 7);
    assert_int_equal(fx.n_out, 0);
    assert_int_equal(hash_count(&fx.st.ip.neighbours), 0);
}

static void other_kinds_of_arp_are_refused(void **state)
{
    uint8_t frame[60];
    uint32_t n = fx_arp(frame, NULL, 1, fx_peer, "10.0.0.2", "10.0.0.1");

    (void)state;
    for (uint32_t i = 14; i < 20; i++) {
        frame[i] ^= 0x10;
        fx_input(frame, n);
        frame[i] ^= 0x10;
    }
    assert_int_equal(fx_count(arp_in_bad), 6);
    assert_int_equal(fx.n_out, 0);
}

static void an_announcement_is_a_request_for_our_own_address(void **state)
{
    (void)state;
    arp_announce(&fx.st);
    assert_int_equal(fx.n_out, 1);
    assert_true(fx_is_arp_request(0, "10.0.0.1", true));
    assert_int_equal(fx_count(arp_out_requests), 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fx_setup, fx_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(ethernet_accepts_our_address_and_broadcast_only),
        T(hostile_01_arp_cut_at_every_byte_is_counted_and_changes_nothing),
        T(a_request_for_our_address_is_answered_and_its_sender_learnt),
        T(a_request_for_another_address_is_neither_answered_nor_learnt),
        T(a_probe_for_our_address_is_answered_but_teaches_nothing),
        T(a_sender_that_is_no_next_hop_is_answered_but_not_learnt),
        T(hostile_30_an_unsolicited_reply_never_makes_an_entry),
        T(a_gratuitous_arp_updates_an_entry_that_exists),
        T(any_packet_of_a_known_sender_updates_its_entry),
        T(hostile_30_the_first_of_two_answers_wins),
        T(hostile_30_a_conflict_is_counted_and_defended_once_in_ten_seconds),
        T(our_own_packets_reflected_are_no_conflict),
        T(hostile_30_senders_that_nobody_can_be_are_refused),
        T(other_kinds_of_arp_are_refused),
        T(an_announcement_is_a_request_for_our_own_address),
    };
    return cmocka_run_group_tests_name("arp", tests, NULL, NULL);
}
