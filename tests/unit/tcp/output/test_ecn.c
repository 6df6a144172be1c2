/* SPDX-License-Identifier: MIT */
/* What goes out as ECN-capable, and CWR (RFC 3168 §6.1.2, §6.1.4 to §6.1.6). */
#include "tests/unit/tcp/ecn.h"

TEST(new_data_is_ect0_and_nothing_else)
{
    classic();
    assert_int_equal(w(100), 100);
    assert_int_equal(ecn_of(take()), ECT0);
    advance(SEC);
    assert_int_equal(ecn_of(take()), NOT_ECT);
    peer(ACK, 1, 101, 0);
    clear();
    peer(PSH | ACK, 1, 101, 100);
    assert_int_equal(ecn_of(take()), NOT_ECT);
    sock_shutdown(fx.s, SHUT_WR, fx.now);
    run();
    assert_int_equal(ecn_of(take()), NOT_ECT);
}

TEST(what_the_device_lost_goes_again_as_a_retransmission)
{
    classic();
    fx.device = -EIO;
    assert_int_equal(w(100), 100);
    fx.device = 0;
    clear();
    advance(SEC);
    assert_int_equal(ecn_of(take()), NOT_ECT);
}

TEST(a_probe_is_not_marked)
{
    classic();
    peer(ACK, 1, 1, 0, .win = -1);
    assert_int_equal(w(100), 100);
    advance(SEC);
    assert_int_equal(ecn_of(take()), NOT_ECT);
}

TEST(bbr_marks_nothing_unless_it_heeds_marks)
{
    classic();
    tcp_cc_assign(tp, tcp_cc_find("bbr", 3));
    assert_int_equal(w(100), 100);
    assert_int_equal(ecn_of(take()), NOT_ECT);
    tun.bbr_ecn = 1;
    peer(ACK, 1, 101, 0);
    advance(SEC);
    clear();
    assert_int_equal(w(100), 100);
    assert_int_equal(ecn_of(take()), ECT0);
}

TEST(dscp_and_ecn_keep_apart)
{
    classic();
    assert_int_equal(set_int(IPPROTO_IP, IP_TOS, 0xff), 0);
    assert_int_equal(get_int(IPPROTO_IP, IP_TOS), 0xfc);
    assert_int_equal(w(100), 100);
    assert_int_equal(take()->tos, 0xfc | ECT0);
    peer(PSH | ACK, 1, 101, 100);
    advance(SEC);
    assert_int_equal(take()->tos, 0xfc);
}

/* CWR and its waiting flag. */
TEST(cwr_goes_with_the_first_new_data_only)
{
    classic();
    assert_int_equal(w(3000), 3000);
    clear();
    peer(ACK | ECE, 1, 3001, 0);
    assert_int_equal(w(100), 100);
    expect(PSH | ACK | CWR, 3001, 1, 100);
    peer(ACK, 1, 3101, 0);
    assert_int_equal(w(100), 100);
    expect(PSH | ACK, 3101, 1, 100);
}

TEST(cwr_is_kept_for_a_segment_that_the_device_takes)
{
    classic();
    assert_int_equal(w(3000), 3000);
    clear();
    peer(ACK | ECE, 1, 3001, 0);
    fx.device_room = 0;
    assert_int_equal(w(100), 100);
    expect_none();
    fx.device_room = -1;
    advance(20 * MS);
    expect(PSH | ACK | CWR, 3001, 1, 100);
}

/* With segmentation offload the device is told; CWR then stays with the first. */
TEST(a_burst_tells_the_device_about_cwr)
{
    struct frame f = {.gso = FRAME_GSO_TCP4};

    fx.config.features = STACK_TX_CSUM | STACK_TX_TSO4;
    fx_restart();
    classic();
    assert_int_equal(w(3000), 3000);
    clear();
    peer(ACK | ECE, 1, 3001, 0);
    assert_int_equal(w(14480), 14480);
    assert_true(take()->flags & CWR);
    while (fx.next < fx.n_segs)
        assert_false(take()->flags & CWR);
    assert_false(f.ecn);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(new_data_is_ect0_and_nothing_else),
        T(what_the_device_lost_goes_again_as_a_retransmission),
        T(a_probe_is_not_marked),
        T(bbr_marks_nothing_unless_it_heeds_marks),
        T(dscp_and_ecn_keep_apart),
        T(cwr_goes_with_the_first_new_data_only),
        T(cwr_is_kept_for_a_segment_that_the_device_takes),
        T(a_burst_tells_the_device_about_cwr),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
