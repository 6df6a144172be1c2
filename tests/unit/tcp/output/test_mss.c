/* SPDX-License-Identifier: MIT */
/* How much fits into a segment (RFC 9293 §3.7.1, RFC 6691). */
#include "tests/unit/tcp/fixture.h"

TEST(the_offer_is_the_mtu_less_40)
{
    fx.config.mtu = 9000;
    fx_restart();
    connecting();
    assert_int_equal(expect(SYN, 0, 0, 0)->mss, 8960);
}

TEST(tcp_maxseg_lowers_it)
{
    fx.s = fx_socket();
    assert_int_equal(set_int(IPPROTO_TCP, TCP_MAXSEG, 1000), 0);
    active();
    assert_int_equal(fx.segs[0].mss, 1000);
    assert_int_equal(w(3000), 3000);
    assert_int_equal(take()->gso_size, 988);
}

TEST(the_smaller_of_the_peer_s_offer_and_the_path_is_used)
{
    fx.c->mss = 700;
    passive();
    assert_int_equal(w(3000), 3000);
    assert_int_equal(take()->gso_size, 688);
    peer_use(1);
    fx.c->mss = 8960; /* more than our link carries */
    fx.c->written = 0;
    passive();
    assert_int_equal(w(3000), 3000);
    assert_int_equal(take()->gso_size, 1448);
}

TEST(bursts_are_as_large_as_the_device_takes_and_whoever_looks_on_can_read)
{
    fx.config.features = STACK_TX_CSUM | STACK_TX_TSO4;
    fx_restart();
    passive();
    assert_int_equal(tcp_burst_max(tp), FRAME_MAX_PACKET);
    fx.st->config.features |= STACK_TX_BIG4;
    assert_int_equal(tcp_burst_max(tp), FRAME_MAX_BURST);
    stack_keep_bursts_short(fx.st, true);
    assert_int_equal(tcp_burst_max(tp), FRAME_MAX_PACKET);
    stack_keep_bursts_short(fx.st, false);
    assert_int_equal(tcp_burst_max(tp), FRAME_MAX_BURST);
}

TEST(without_an_offer_536)
{
    fx.c->mss = 0;
    fx.c->ts = false;
    passive();
    assert_int_equal(tp->mss_cache, 536);
}

TEST(an_offer_of_zero_counts_as_none)
{
    static const uint8_t opt[4] = {2, 4, 0, 0};

    listening(1);
    fx.c->our_port = FX_PORT;
    fx.c->ts = false;
    peer(SYN, 0, 0, 0, .opt = opt, .opt_len = 4);
    peer(ACK, 1, 1, 0);
    assert_int_equal(accept_one(), 0);
    assert_int_equal(tp->mss_cache, 536);
}

TEST(hostile_16_a_tiny_offer_meets_the_floor)
{
    fx.c->mss = 8;
    fx.c->ts = false;
    passive();
    assert_int_equal(tp->mss_cache, 48);
}

TEST(size_goal_never_makes_a_packet_of_more_than_64_kib)
{
    uint32_t goal;

    passive();
    for (uint32_t mss = 88; mss < 9000; mss += 37) {
        tp->mss_cache = (uint16_t)mss;
        tcp_send_mss(tp, &goal);
        assert_true(goal % mss == 0 && goal > 0);
        assert_true(goal + 20 + 60 <= FRAME_MAX_PACKET);
    }
}

TEST(a_jumbo_path_is_used_whole)
{
    fx.config.mtu = 65535;
    fx_restart();
    fx.c->mss = 65495;
    fx.c->wscale = 14;
    passive();
    tun.initial_cwnd = 10;
    assert_int_equal(w(65483), 65483);
    expect(PSH | ACK, 1, 1, 65483);
}

TEST(the_smallest_mss_leaves_room_beside_the_timestamps)
{
    struct stack_tunable t;

    assert_true(stack_tunable_find("tcp_min_snd_mss", &t));
    tun.min_snd_mss = t.min;
    fx.c->mss = 1;
    passive();
    assert_in_range(tp->mss_cache, 8, 100);
    assert_int_equal(w(100), 100);
    assert_true(take()->len > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_offer_is_the_mtu_less_40),
        T(tcp_maxseg_lowers_it),
        T(the_smaller_of_the_peer_s_offer_and_the_path_is_used),
        T(bursts_are_as_large_as_the_device_takes_and_whoever_looks_on_can_read),
        T(without_an_offer_536),
        T(an_offer_of_zero_counts_as_none),
        T(hostile_16_a_tiny_offer_meets_the_floor),
        T(size_goal_never_makes_a_packet_of_more_than_64_kib),
        T(a_jumbo_path_is_used_whole),
        T(the_smallest_mss_leaves_room_beside_the_timestamps),
    };

    return cmocka_run_group_tests_name("mss", tests, NULL, NULL);
}
