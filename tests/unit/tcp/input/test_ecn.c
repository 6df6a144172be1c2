/* SPDX-License-Identifier: MIT */
/* The receiver of marks (RFC 3168 §6.1.3; linux-receiver §5). */
#include "tests/unit/tcp/ecn.h"

/* Data of `n` bytes at the next place, and whether its ACK says ECE. */
static bool echoes(uint8_t tos, uint16_t flags)
{
    uint32_t at = tp->rcv_nxt - tp->irs;

    clear();
    peer(PSH | ACK | flags, at, 1, 100, .tos = tos);
    advance(300 * MS);
    return take()->flags & ECE;
}

TEST(ece_is_said_from_the_first_mark_to_cwr)
{
    classic();
    assert_false(echoes(ECT0, 0));
    assert_true(echoes(CE, 0));
    assert_true(echoes(ECT0, 0));
    assert_true(echoes(NOT_ECT, 0));
    assert_false(echoes(ECT0, CWR));
    assert_false(echoes(ECT1, 0));
    assert_true(echoes(CE, CWR));
    assert_true(echoes(ECT0, 0));
    assert_int_equal(cnt(tcp_in_ce), 2);
}

TEST(cwr_on_what_was_here_before_is_an_old_one)
{
    classic();
    assert_false(echoes(ECT0, 0));
    assert_true(echoes(CE, 0));
    peer(PSH | ACK | CWR, 1, 1, 100, .tos = ECT0);
    assert_true(echoes(ECT0, 0));
    peer(ACK | CWR, 301, 1, 0);
    assert_true(echoes(ECT0, 0));
}

TEST(marks_behind_a_hole_count)
{
    classic();
    peer(PSH | ACK, 1001, 1, 100, .tos = CE);
    assert_true(take()->flags & ECE);
    peer(PSH | ACK | CWR, 1201, 1, 100, .tos = ECT0);
    assert_false(take()->flags & ECE);
}

TEST(an_offloaded_frame_counts_for_its_packets)
{
    classic();
    peer(PSH | ACK, 1, 1, 2500, .tos = CE, .gso = 1000);
    assert_true(take()->flags & ECE);
    assert_int_equal(cnt(tcp_in_ce), 3);
}

TEST(a_mark_ends_a_delayed_ack)
{
    classic();
    peer(PSH | ACK, 1, 1, 100, .tos = ECT0);
    clear();
    tp->quick = 0;
    tp->pingpong = 1;
    peer(PSH | ACK, 101, 1, 100, .tos = ECT0);
    expect_none();
    peer(PSH | ACK, 201, 1, 100, .tos = CE);
    expect(ACK | ECE, 1, 301, 0);
    assert_int_equal(tp->pingpong, 0);
    assert_int_equal(tp->quick, 1);
}

TEST(no_ect_after_ect_is_a_retransmission_and_quickens)
{
    classic();
    peer(PSH | ACK, 1, 1, 100, .tos = NOT_ECT);
    tp->quick = 0;
    peer(PSH | ACK, 101, 1, 100, .tos = NOT_ECT);
    assert_int_equal(tp->quick, 0);
    peer(PSH | ACK, 201, 1, 100, .tos = ECT0);
    clear();
    peer(PSH | ACK, 301, 1, 100, .tos = NOT_ECT);
    expect(ACK, 1, 401, 0);
    assert_int_equal(tp->quick, 1);
}

TEST(without_ecn_a_mark_says_nothing)
{
    passive();
    assert_false(echoes(CE, 0));
    assert_false(tp->ecn.seen);
}

TEST(data_and_fin_echo_a_reset_does_not)
{
    classic();
    peer(PSH | ACK, 1, 1, 100, .tos = CE);
    clear();
    assert_int_equal(w(10), 10);
    assert_true(take()->flags & ECE);
    sock_shutdown(fx.s, SHUT_WR, fx.now);
    run();
    assert_true(take()->flags & ECE);
    close_it();
    assert_int_equal(take()->flags, RST | ACK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(ece_is_said_from_the_first_mark_to_cwr),
        T(cwr_on_what_was_here_before_is_an_old_one),
        T(marks_behind_a_hole_count),
        T(an_offloaded_frame_counts_for_its_packets),
        T(a_mark_ends_a_delayed_ack),
        T(no_ect_after_ect_is_a_retransmission_and_quickens),
        T(without_ecn_a_mark_says_nothing),
        T(data_and_fin_echo_a_reset_does_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
