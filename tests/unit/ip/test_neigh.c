/* SPDX-License-Identifier: MIT */
/* The neighbour cache: resolving, waiting, failing, refreshing, evicting. RFC 4861 §7.3 with ARP,
 * RFC 1122 §2.3.2. */
#include "tests/unit/ip/fixture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct neigh_entry *entry(const char *text)
{
    struct ip_addr a = fx_addr(text);

    return neigh_find(&fx.st, &a);
}

static void resolve(const char *text)
{
    assert_int_equal(fx_send(text, 10), 0);
    fx_arp_input(fx_mac, 2, fx_peer, text, "10.0.0.1");
    assert_int_equal(entry(text)->state, NEIGH_REACHABLE);
    fx_clear();
}

static void make_stale(const char *text)
{
    resolve(text);
    fx_run(46 * (uint64_t)FX_SECOND);
    assert_int_equal(fx.n_out, 0);
}

static void the_first_packet_waits_for_the_answer(void **state)
{
    (void)state;
    assert_int_equal(fx_send("10.0.0.2", 100), 0);
    assert_int_equal(fx.n_out, 1);
    assert_true(fx_is_arp_request(0, "10.0.0.2", true));
    assert_int_equal(fx_send("10.0.0.2", 200), 0);
    assert_int_equal(fx.n_out, 1);
    assert_int_equal(fx_count(neigh_queued), 2);
    fx_arp_input(fx_mac, 2, fx_peer, "10.0.0.2", "10.0.0.1");
    assert_int_equal(fx.n_out, 3);
    assert_int_equal(fx.out[1].len, 14 + 20 + 20 + 100);
    assert_int_equal(fx.out[2].len, 14 + 20 + 20 + 200);
    assert_memory_equal(fx.out[1].data, fx_peer, 6);
    assert_int_equal(wire_get16(fx.out[1].data + 12), 0x0800);
    assert_int_equal(fx.out[1].headers, 54);
    assert_int_equal(fx.out[1].owner, 99);
    assert_int_equal(entry("10.0.0.2")->state, NEIGH_REACHABLE);
    assert_int_equal(fx_count(neigh_resolved), 1);
    assert_int_equal(fx_send("10.0.0.2", 10), 0);
    assert_int_equal(fx.n_out, 4);
}

static void far_destinations_wait_for_the_gateway(void **state)
{
    (void)state;
    assert_int_equal(fx_send("8.8.8.8", 100), 0);
    assert_true(fx_is_arp_request(0, "10.0.0.254", true));
    fx_arp_input(fx_mac, 2, fx_other, "10.0.0.254", "10.0.0.1");
    assert_int_equal(fx.n_out, 2);
    assert_memory_equal(fx.out[1].data, fx_other, 6);
    assert_memory_equal(fx.out[1].data + 30, "\x08\x08\x08\x08", 4);
}

static void offload_marks_survive_the_wait(void **state)
{
    static uint8_t payload[40000];
    struct ip_flow flow = {
        .src = fx.st.config.address.addr, .dst = fx_addr("10.0.0.2"), .proto = IP_PROTO_TCP};
    struct frame f;

    (void)state;
    frame_init(&f);
    f.csum = FRAME_CSUM_PARTIAL;
    f.csum_offset = 16;
    memset(frame_push(&f, 32), 1, 32);
    f.csum_start = 0;
    f.gso = FRAME_GSO_TCP4;
    f.gso_size = 1448;
    f.spans[0] = (struct iovec){payload, 30001};
    f.spans[1] = (struct iovec){payload, 9999};
    f.n_spans = 2;
    f.span_len = 40000;
    assert_int_equal(ip_output(&fx.st, &f, &flow, NULL), 0);
    fx_arp_input(fx_mac, 2, fx_peer, "10.0.0.2", "10.0.0.1");
    assert_int_equal(fx.n_out, 2);
    assert_int_equal(fx.out[1].len, 14 + 20 + 32 + 40000);
    assert_int_equal(fx.out[1].headers, 66);
    assert_int_equal(fx.out[1].gso, FRAME_GSO_TCP4);
    assert_int_equal(fx.out[1].gso_size, 1448);
    assert_int_equal(fx.out[1].csum, FRAME_CSUM_PARTIAL);
    assert_int_equal(fx.out[1].csum_start, 34);
}

static void hostile_30_the_waiting_queue_keeps_the_newest_eight(void **state)
{
    (void)state;
    for (uint32_t i = 1; i <= 20; i++)
        assert_int_equal(fx_send("10.0.0.2", i), 0);
    assert_int_equal(fx_count(neigh_queue_drops), 12);
    fx_arp_input(fx_mac, 2, fx_peer, "10.0.0.2", "10.0.0.1");
    assert_int_equal(fx.n_out, 9);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(fx.out[1 + i].len, 54 + 13 + i);
}

static void hostile_30_waiting_bytes_are_bounded(void **state)
{
    char text[32];

    (void)state;
    fx.st.config.mtu = 65535;
    for (int i = 0; i < 8; i++)
        assert_int_equal(fx_send("10.0.0.2", 60000), 0);
    assert_true(entry("10.0.0.2")->waiting_bytes <= NEIGH_MAX_BYTES);
    assert_int_equal(entry("10.0.0.2")->waiting_count, 2);
    for (int i = 3; i < 200; i++) {
        int r;

        snprintf(text, sizeof(text), "10.0.0.%d", i);
        r = fx_send(text, 60000);
        assert_true(r == 0 || r == -ENOBUFS);
    }
    assert_true(fx.st.ip.neigh_queued_bytes <= NEIGH_MAX_ALL_BYTES);
    assert_int_equal(fx_send("10.0.0.201", 60000), -ENOBUFS);
}

static void
nobody_answers_three_requests_and_the_transport_is_told_once_for_each_destination(void **state)
{
    uint64_t start = fx.st.now;

    (void)state;
    assert_int_equal(fx_send("8.8.8.8", 1), 0);
    assert_int_equal(fx_send("9.9.9.9", 2), 0);
    assert_int_equal(fx_send("8.8.8.8", 3), 0);
    fx_run_until(start + 3 * FX_SECOND - 1);
    assert_int_equal(fx.n_out, 3);
    for (unsigned i = 0; i < 3; i++)
        assert_true(fx_is_arp_request(i, "10.0.0.254", true));
    assert_int_equal(fx.n_unreachable, 0);
    fx_run_until(start + 3 * FX_SECOND);
    assert_int_equal(fx.n_out, 3);
    assert_int_equal(fx.n_unreachable, 2);
    assert_memory_equal(ip_addr_v4_bytes(&fx.unreachable[0]), "\x08\x08\x08\x08", 4);
    assert_memory_equal(ip_addr_v4_bytes(&fx.unreachable[1]), "\x09\x09\x09\x09", 4);
    assert_int_equal(fx_count(neigh_failed), 1);
    assert_int_equal(fx.st.ip.neigh_queued_bytes, 0);
}

static void a_failure_is_remembered_for_a_second(void **state)
{
    (void)state;
    assert_int_equal(fx_send("10.0.0.9", 1), 0);
    fx_run(3 * FX_SECOND);
    fx_clear();
    assert_int_equal(fx_send("10.0.0.9", 1), -EHOSTUNREACH);
    fx_run(FX_SECOND - 1);
    assert_int_equal(fx_send("10.0.0.9", 1), -EHOSTUNREACH);
    assert_int_equal(fx.n_out, 0);
    fx_run(1);
    assert_int_equal(fx_send("10.0.0.9", 1), 0);
    assert_true(fx_is_arp_request(0, "10.0.0.9", true));
}

static void a_failed_neighbour_that_speaks_is_used_again(void **state)
{
    (void)state;
    assert_int_equal(fx_send("10.0.0.2", 1), 0);
    fx_run(3 * FX_SECOND);
    fx_arp_input(NULL, 1, fx_peer, "10.0.0.2", "10.0.0.77");
    fx_clear();
    assert_int_equal(fx_send("10.0.0.2", 1), 0);
    assert_int_equal(fx.n_out, 1);
    assert_int_equal(entry("10.0.0.2")->state, NEIGH_DELAY);
}

static void a_request_by_the_wanted_neighbour_resolves_it_too(void **state)
{
    (void)state;
    assert_int_equal(fx_send("10.0.0.2", 1), 0);
    fx_clear();
    fx_arp_input(NULL, 1, fx_peer, "10.0.0.2", "10.0.0.1");
    assert_int_equal(fx.n_out, 2); /* what waited, and our reply */
    assert_memory_equal(fx.out[0].data, fx_peer, 6);
    assert_int_equal(entry("10.0.0.2")->state, NEIGH_DELAY);
}

static void an_unused_neighbour_makes_no_traffic(void **state)
{
    (void)state;
    resolve("10.0.0.2");
    fx_run(3600 * (uint64_t)FX_SECOND);
    assert_int_equal(fx.n_out, 0);
}

static void reachable_lasts_between_15_and_45_seconds(void **state)
{
    uint64_t least = UINT64_MAX, most = 0;
    char text[32];

    (void)state;
    for (int i = 2; i < 250; i++) {
        uint64_t t;

        snprintf(text, sizeof(text), "10.0.0.%d", i);
        resolve(text);
        t = entry(text)->reachable_until - fx.st.now;
        least = t < least ? t : least;
        most = t > most ? t : most;
    }
    assert_in_range(least, 15 * FX_SECOND, 17 * FX_SECOND);
    assert_in_range(most, 43 * FX_SECOND, 45 * FX_SECOND);
}

static void a_stale_neighbour_is_used_and_asked_by_unicast_after_five_seconds(void **state)
{
    (void)state;
    make_stale("10.0.0.2");
    assert_int_equal(fx_send("10.0.0.2", 1), 0);
    assert_int_equal(fx.n_out, 1);
    assert_int_equal(entry("10.0.0.2")->state, NEIGH_DELAY);
    fx_run(5 * FX_SECOND - 1);
    assert_int_equal(fx.n_out, 1);
    fx_run(1);
    assert_int_equal(fx.n_out, 2);
    assert_true(fx_is_arp_request(1, "10.0.0.2", false));
    assert_memory_equal(fx.out[1].data, fx_peer, 6);
    assert_int_equal(fx_send("10.0.0.2", 1), 0); /* still used meanwhile */
    assert_int_equal(fx.n_out, 3);
    fx_arp_input(fx_mac, 2, fx_peer, "10.0.0.2", "10.0.0.1");
    assert_int_equal(entry("10.0.0.2")->state, NEIGH_REACHABLE);
    fx_run(10 * FX_SECOND);
    assert_int_equal(fx.n_out, 3);
}

static void confirmation_by_the_transport_saves_the_question(void **state)
{
    struct ip_addr a = fx_addr("10.0.0.2");

    (void)state;
    make_stale("10.0.0.2");
    assert_int_equal(fx_send("10.0.0.2", 1), 0);
    fx_run(FX_SECOND);
    neigh_confirm(&fx.st, &a);
    assert_int_equal(entry("10.0.0.2")->state, NEIGH_REACHABLE);
    fx_run(60 * (uint64_t)FX_SECOND);
    assert_int_equal(fx.n_out, 1);
}

static void confirmation_makes_no_entry_and_resolves_nothing(void **state)
{
    struct ip_addr a = fx_addr("10.0.0.2"), own = fx_addr("10.0.0.1"), bad = fx_addr("224.1.1.1");

    (void)state;
    neigh_confirm(&fx.st, &a);
    neigh_confirm(&fx.st, &own);
    neigh_confirm(&fx.st, &bad);
    neigh_suspect(&fx.st, &a);
    assert_int_equal(hash_count(&fx.st.ip.neighbours), 0);
    assert_int_equal(fx_send("10.0.0.2", 1), 0);
    neigh_confirm(&fx.st, &a);
    neigh_suspect(&fx.st, &a);
    assert_int_equal(entry("10.0.0.2")->state, NEIGH_INCOMPLETE);
    assert_int_equal(fx.n_out, 1);
}

static void a_neighbour_that_is_gone_is_forgotten_and_then_asked_for_by_broadcast(void **state)
{
    (void)state;
    make_stale("10.0.0.2");
    assert_int_equal(fx_send("10.0.0.2", 1), 0);
    fx_run(8 * FX_SECOND);
    assert_int_equal(fx.n_out, 4); /* the packet and three questions */
    assert_null(entry("10.0.0.2"));
    assert_int_equal(fx_count(neigh_failed), 1);
    assert_int_equal(fx.n_unreachable, 0);
    assert_int_equal(fx_send("10.0.0.2", 1), 0);
    assert_true(fx_is_arp_request(4, "10.0.0.2", true));
}

static void suspicion_asks_at_once_but_at_most_once_a_second(void **state)
{
    struct ip_addr a = fx_addr("8.8.8.8");

    (void)state;
    resolve("10.0.0.254");
    fx_run(10 * FX_SECOND);
    for (int i = 0; i < 50; i++)
        neigh_suspect(&fx.st, &a);
    assert_int_equal(fx.n_out, 1);
    assert_true(fx_is_arp_request(0, "10.0.0.254", false));
    fx_arp_input(fx_mac, 2, fx_peer, "10.0.0.254", "10.0.0.1");
    assert_int_equal(entry("10.0.0.254")->state, NEIGH_REACHABLE);
    neigh_suspect(&fx.st, &a);
    assert_int_equal(fx.n_out, 1);
    fx_run(FX_SECOND);
    assert_int_equal(fx.n_out, 2);
}

static void a_blocked_device_does_not_use_up_the_tries(void **state)
{
    (void)state;
    fx.transmit_error = -EAGAIN;
    assert_int_equal(fx_send("10.0.0.2", 1), 0);
    fx_run(10 * FX_SECOND);
    assert_int_equal(entry("10.0.0.2")->state, NEIGH_INCOMPLETE);
    assert_int_equal(fx_count(arp_out_requests), 0);
    fx.transmit_error = 0;
    fx_run(FX_SECOND / 10);
    assert_true(fx_is_arp_request(0, "10.0.0.2", true));
    fx_arp_input(fx_mac, 2, fx_peer, "10.0.0.2", "10.0.0.1");
    assert_int_equal(fx.n_out, 2);
}

static void the_answer_of_the_device_reaches_the_sender(void **state)
{
    (void)state;
    resolve("10.0.0.2");
    fx.transmit_error = -EAGAIN;
    assert_int_equal(fx_send("10.0.0.2", 1), -EAGAIN);
    fx.transmit_error = -EIO;
    assert_int_equal(fx_send("10.0.0.2", 1), -EIO);
}

static void hostile_30_a_scan_evicts_the_least_recently_used_and_stays_bounded(void **state)
{
    char text[32];

    (void)state;
    assert_int_equal(ip_prefix_parse("10.0.0.1/8", &fx.st.config.address), 0);
    resolve("10.0.0.2");
    resolve("10.0.0.3");
    for (int i = 0; i < 3000; i++) {
        snprintf(text, sizeof(text), "10.%d.%d.9", 1 + i / 250, i % 250);
        fx_arp_input(NULL, 1, fx_other, text, "10.0.0.1");
        fx_clear();
    }
    assert_int_equal(hash_count(&fx.st.ip.neighbours), NEIGH_MAX_ENTRIES);
    assert_int_equal(fx_count(neigh_evicted), 3002 - NEIGH_MAX_ENTRIES);
    /* Strangers push out strangers: those in use stay. */
    assert_non_null(entry("10.0.0.2"));
    assert_non_null(entry("10.0.0.3"));
    /* Our own new neighbours push out the one that was used longest ago. */
    assert_int_equal(fx_send("10.0.0.2", 1), 0);
    for (unsigned i = 0; i < NEIGH_MAX_ENTRIES - 1; i++) {
        snprintf(text, sizeof(text), "10.200.%u.%u", i / 250, 1 + i % 250);
        resolve(text);
    }
    assert_non_null(entry("10.0.0.2"));
    assert_null(entry("10.0.0.3"));
    snprintf(text, sizeof(text), "10.201.1.1");
    resolve(text);
    assert_null(entry("10.0.0.2"));
}

static void hostile_30_entries_with_waiting_packets_are_not_evicted(void **state)
{
    char text[32];

    (void)state;
    assert_int_equal(ip_prefix_parse("10.0.0.1/8", &fx.st.config.address), 0);
    for (unsigned i = 0; i < NEIGH_MAX_ENTRIES; i++) {
        snprintf(text, sizeof(text), "10.1.%u.%u", i / 250, 1 + i % 250);
        assert_int_equal(fx_send(text, 1), 0);
    }
    assert_int_equal(fx_send("10.2.0.1", 1), -ENOBUFS);
    fx_arp_input(NULL, 1, fx_other, "10.2.0.1", "10.0.0.1");
    assert_null(entry("10.2.0.1"));
    assert_int_equal(fx_count(neigh_evicted), 0);
    fx_arp_input(fx_mac, 2, fx_peer, "10.1.0.1", "10.0.0.1");
    assert_int_equal(fx_send("10.2.0.1", 1), 0);
    assert_null(entry("10.1.0.1"));
}

static void without_memory_packets_are_refused_and_nothing_is_lost_for_good(void **state)
{
    (void)state;
    fx.alloc_fail_all = true;
    assert_int_equal(fx_send("10.0.0.2", 1), -ENOBUFS); /* no entry */
    fx_arp_input(NULL, 1, fx_peer, "10.0.0.3", "10.0.0.1");
    assert_int_equal(hash_count(&fx.st.ip.neighbours), 0);
    assert_int_equal(fx_count(arp_out_replies), 1);
    fx.alloc_fail_all = false;
    fx.alloc_fail_at = fx.alloc_calls + 2;
    assert_int_equal(fx_send("10.0.0.2", 1), -ENOBUFS); /* an entry, but no copy */
    assert_int_equal(entry("10.0.0.2")->state, NEIGH_INCOMPLETE);
    assert_int_equal(fx_send("10.0.0.2", 2), 0);
    fx_clear();
    fx_arp_input(fx_mac, 2, fx_peer, "10.0.0.2", "10.0.0.1");
    assert_int_equal(fx.n_out, 1);
    assert_int_equal(fx.out[0].len, 56);
}

static void destruction_frees_what_waits(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(fx_send("10.0.0.2", 100), 0);
        assert_int_equal(fx_send("10.0.0.3", 100), 0);
    }
    assert_true(fx.st.mem.used > 0);
    /* fx_teardown asserts that nothing is left */
}

#define T(name) cmocka_unit_test_setup_teardown(name, fx_setup, fx_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_first_packet_waits_for_the_answer),
        T(far_destinations_wait_for_the_gateway),
        T(offload_marks_survive_the_wait),
        T(hostile_30_the_waiting_queue_keeps_the_newest_eight),
        T(hostile_30_waiting_bytes_are_bounded),
        T(nobody_answers_three_requests_and_the_transport_is_told_once_for_each_destination),
        T(a_failure_is_remembered_for_a_second),
        T(a_failed_neighbour_that_speaks_is_used_again),
        T(a_request_by_the_wanted_neighbour_resolves_it_too),
        T(an_unused_neighbour_makes_no_traffic),
        T(reachable_lasts_between_15_and_45_seconds),
        T(a_stale_neighbour_is_used_and_asked_by_unicast_after_five_seconds),
        T(confirmation_by_the_transport_saves_the_question),
        T(confirmation_makes_no_entry_and_resolves_nothing),
        T(a_neighbour_that_is_gone_is_forgotten_and_then_asked_for_by_broadcast),
        T(suspicion_asks_at_once_but_at_most_once_a_second),
        T(a_blocked_device_does_not_use_up_the_tries),
        T(the_answer_of_the_device_reaches_the_sender),
        T(hostile_30_a_scan_evicts_the_least_recently_used_and_stays_bounded),
        T(hostile_30_entries_with_waiting_packets_are_not_evicted),
        T(without_memory_packets_are_refused_and_nothing_is_lost_for_good),
        T(destruction_frees_what_waits),
    };
    return cmocka_run_group_tests_name("neigh", tests, NULL, NULL);
}
