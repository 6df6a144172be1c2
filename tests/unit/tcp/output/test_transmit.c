/* SPDX-License-Identifier: MIT */
/* The send path, steps 15 to 17: the header of each segment, IP's part, the neighbour. */
#include "tests/unit/tcp/fixture.h"

TEST(send_path_15_a_data_segment_carries_timestamps_window_and_ack)
{
    const struct fx_seg *g;

    passive();
    advance(7 * MS);
    assert_int_equal(w(10), 10);
    g = expect(PSH | ACK, 1, 1, 10);
    assert_int_equal(g->opt_len, 12);
    assert_memory_equal(g->opt, "\x01\x01\x08\x0a", 4);
    assert_int_equal(g->tsval, (uint32_t)(fx.now / 1000) + tp->ts_offset);
    assert_int_equal(g->tsecr, tp->ts_recent);
    assert_int_equal(g->window, 510); /* 65280: linux-receiver §3 */
}

TEST(send_path_15_the_checksum_is_complete_without_offload)
{
    fx.config.features = 0;
    fx_restart();
    passive();
    assert_int_equal(w(1001), 1001); /* an odd length */
    assert_int_equal(expect(PSH | ACK, 1, 1, 1001)->gso, FRAME_GSO_NONE);
}

TEST(send_path_15_a_large_segment_leaves_the_cutting_to_the_device)
{
    const struct fx_seg *g;

    passive();
    assert_int_equal(w(5000), 5000);
    g = expect(PSH | ACK, 1, 1, 5000);
    assert_int_equal(g->gso, FRAME_GSO_TCP4);
    assert_int_equal(g->gso_size, 1448);
}

TEST(send_path_15_data_carries_the_ack_that_was_owed)
{
    passive();
    tp->pingpong = 1; /* an interactive session: ACKs wait for data */
    tp->ato = TCP_ATO_MIN;
    peer(PSH | ACK, 1, 1, 10);
    expect_none();
    assert_int_equal(w(10), 10);
    expect(PSH | ACK, 1, 11, 10);
    advance(SEC / 10);
    expect_none();
}

TEST(send_path_15_the_fin_is_ack_without_psh_when_it_is_alone)
{
    passive();
    assert_int_equal(sock_shutdown(fx.s, SHUT_WR, fx.now), 0);
    run();
    expect(FIN | ACK, 1, 1, 0);
}

TEST(send_path_16_df_ttl_tos_and_an_identification_that_counts_packets)
{
    const struct fx_seg *a, *b;

    passive();
    assert_int_equal(w(2 * 1448), 2 * 1448);
    a = expect(PSH | ACK, 1, 1, 2896);
    assert_int_equal(w(1448), 1448);
    b = expect(PSH | ACK, 2897, 1, 1448);
    assert_true(a->df && b->df);
    assert_int_equal(a->ttl, 64);
    assert_int_equal(a->tos, 0);
    assert_int_equal((uint16_t)(a->ip_id + 2), b->ip_id);
}

TEST(send_path_16_ip_tos_and_ip_ttl_are_on_every_packet_of_the_socket)
{
    const struct fx_seg *g;

    fx.s = fx_socket();
    assert_int_equal(set_int(IPPROTO_IP, IP_TOS, 0x10), 0);
    assert_int_equal(set_int(IPPROTO_IP, IP_TTL, 9), 0);
    active();
    g = &fx.segs[0];
    assert_int_equal(g[0].ttl, 9);
    assert_int_equal(g[0].tos, 0x10);
    assert_int_equal(g[1].ttl, 9);
    assert_int_equal(g[1].tos, 0x10);
}

TEST(send_path_16_a_listener_s_tos_and_ttl_are_on_its_syn_ack)
{
    int v = 7, tos = 0x08;

    listening(1);
    assert_int_equal(sock_setsockopt(fx.lst, IPPROTO_IP, IP_TTL, &v, sizeof(v), fx.now), 0);
    assert_int_equal(sock_setsockopt(fx.lst, IPPROTO_IP, IP_TOS, &tos, sizeof(tos), fx.now), 0);
    peer_connects();
    assert_int_equal(fx.segs[0].ttl, 7);
    assert_int_equal(fx.segs[0].tos, 0x08);
    assert_int_equal(accept_one(), 0);
    assert_int_equal(w(1), 1);
    assert_int_equal(expect(PSH | ACK, 1, 1, 1)->ttl, 7);
}

TEST(send_path_16_tos_and_ttl_set_in_mid_connection_are_on_the_next_packet_and_on_what_comes_again)
{
    const struct fx_seg *g;

    passive();
    assert_int_equal(w(100), 100);
    g = expect(PSH | ACK, 1, 1, 100);
    assert_int_equal(g->tos, 0);
    assert_int_equal(g->ttl, 64);
    assert_int_equal(set_int(IPPROTO_IP, IP_TOS, 0x28), 0);
    assert_int_equal(set_int(IPPROTO_IP, IP_TTL, 9), 0);
    advance(SEC);
    g = take();
    assert_int_equal(g->seq, 1);
    assert_int_equal(g->tos, 0x28);
    assert_int_equal(g->ttl, 9);
    clear();
    peer(PSH | ACK, 1, 101, 10);
    g = expect(ACK, 101, 11, 0);
    assert_int_equal(g->tos, 0x28);
    assert_int_equal(g->ttl, 9);
    assert_int_equal(set_int(IPPROTO_IP, IP_TOS, 0), 0);
    assert_int_equal(set_int(IPPROTO_IP, IP_TTL, -1), 0);
    assert_int_equal(w(10), 10);
    g = expect(PSH | ACK, 101, 11, 10);
    assert_int_equal(g->tos, 0);
    assert_int_equal(g->ttl, 64);
}

TEST(send_path_16_df_goes_with_the_next_packet_when_path_mtu_discovery_is_turned_off)
{
    passive();
    assert_int_equal(w(100), 100);
    assert_true(expect(PSH | ACK, 1, 1, 100)->df);
    assert_int_equal(set_int(IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT), 0);
    peer(ACK, 1, 101, 0);
    assert_int_equal(w(100), 100);
    assert_false(expect(PSH | ACK, 101, 1, 100)->df);
}

TEST(send_path_16_a_smaller_path_mtu_holds_for_the_next_packet)
{
    passive();
    assert_int_equal(w(1448), 1448);
    expect(PSH | ACK, 1, 1, 1448);
    peer_icmp(3, 4, 1000, 1);
    assert_int_equal(expect(PSH | ACK, 1, 1, 1448)->gso_size, 948); /* two packets now */
}

/* An announcement of the peer's address at another link address (RFC 5227 §3). */
static void peer_moves(const uint8_t mac[6])
{
    uint8_t f[60] = {0};

    memset(f, 0xff, 6);
    memcpy(f + 6, mac, 6);
    memcpy(f + 12, "\x08\x06\0\1\x08\0\x06\x04\0\1", 10);
    memcpy(f + 22, mac, 6);
    memcpy(f + 28, fx_peer_ip, 4);
    memcpy(f + 38, fx_peer_ip, 4);
    fx_input_bytes(f, sizeof(f));
}

TEST(send_path_17_a_neighbour_that_moves_in_mid_connection_takes_the_connection_along)
{
    static const uint8_t there[6] = {2, 0, 0, 0, 0, 0x77};

    passive();
    assert_int_equal(w(100), 100);
    assert_int_not_equal(memcmp(expect(PSH | ACK, 1, 1, 100)->link_dst, there, 6), 0);
    peer_moves(there);
    peer(PSH | ACK, 1, 101, 10);
    assert_memory_equal(expect(ACK, 101, 11, 0)->link_dst, there, 6);
    assert_int_equal(w(100), 100);
    assert_memory_equal(expect(PSH | ACK, 101, 11, 100)->link_dst, there, 6);
    advance(SEC);
    assert_memory_equal(take()->link_dst, there, 6);
}

TEST(send_path_17_a_neighbour_that_never_answers_is_ehostunreach)
{
    struct ip_endpoint e = fx_endpoint("10.0.0.77", 80);

    fx.deaf = true;
    fx.s = fx_socket();
    assert_int_equal(sock_connect(fx.s, &e, fx.now), -EINPROGRESS);
    advance(5 * SEC);
    expect_none();
    assert_true(events_of(fx.s) & SOCK_EV_ERROR);
    assert_int_equal(sock_error(fx.s, true), EHOSTUNREACH);
}

TEST(a_reset_of_ours_has_the_exact_next_sequence_number)
{
    passive();
    assert_int_equal(w(100), 100);
    expect(PSH | ACK, 1, 1, 100);
    sock_abort(fx.s, fx.now);
    run();
    assert_int_equal(expect(RST | ACK, 101, 1, 0)->has_ts, true);
    expect_none();
}

TEST(a_segment_for_nobody_is_answered_by_its_own_ack_number)
{
    fx.c->our_port = 81;
    peer(ACK, 1, 1234, 0);
    assert_int_equal(take()->raw_seq, 1234);
    assert_int_equal(fx.segs[0].flags, RST);
    assert_int_equal(fx.segs[0].window, 0);
    assert_int_equal(fx.segs[0].opt_len, 0);
    peer(SYN, 5, 0, 10);
    assert_int_equal(take()->raw_ack, PEER_ISN + 5 + 11);
    assert_int_equal(fx.segs[1].flags, RST | ACK);
    assert_int_equal(fx.segs[1].raw_seq, 0);
    peer(RST, 5, 0, 0);
    peer(RST | ACK, 5, 1, 0);
    expect_none();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(send_path_15_a_data_segment_carries_timestamps_window_and_ack),
        T(send_path_15_the_checksum_is_complete_without_offload),
        T(send_path_15_a_large_segment_leaves_the_cutting_to_the_device),
        T(send_path_15_data_carries_the_ack_that_was_owed),
        T(send_path_15_the_fin_is_ack_without_psh_when_it_is_alone),
        T(send_path_16_df_ttl_tos_and_an_identification_that_counts_packets),
        T(send_path_16_ip_tos_and_ip_ttl_are_on_every_packet_of_the_socket),
        T(send_path_16_a_listener_s_tos_and_ttl_are_on_its_syn_ack),
        T(send_path_16_tos_and_ttl_set_in_mid_connection_are_on_the_next_packet_and_on_what_comes_again),
        T(send_path_16_df_goes_with_the_next_packet_when_path_mtu_discovery_is_turned_off),
        T(send_path_16_a_smaller_path_mtu_holds_for_the_next_packet),
        T(send_path_17_a_neighbour_that_moves_in_mid_connection_takes_the_connection_along),
        T(send_path_17_a_neighbour_that_never_answers_is_ehostunreach),
        T(a_reset_of_ours_has_the_exact_next_sequence_number),
        T(a_segment_for_nobody_is_answered_by_its_own_ack_number),
    };

    return cmocka_run_group_tests_name("transmit", tests, NULL, NULL);
}
