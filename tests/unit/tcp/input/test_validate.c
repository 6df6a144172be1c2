/* SPDX-License-Identifier: MIT */
/* Is a segment acceptable? PAWS, sequence, RST, SYN (RFC 9293 §3.10.7.4, RFC 5961, RFC 7323 §5). */
#include "tests/unit/tcp/fixture.h"

TEST(paws_drops_an_old_stamp_with_an_ack)
{
    passive();
    peer(PSH | ACK, 1, 1, 10);
    clear();
    advance(SEC);
    peer(PSH | ACK, 11, 1, 10, .tsval = peer_tsval() - 5000);
    expect(ACK, 1, 11, 0);
    assert_int_equal(cnt(tcp_in_paws), 1);
    assert_int_equal(r(100), 10);
    peer(PSH | ACK, 11, 1, 10);
    assert_int_equal(r(100), 10);
}

TEST(paws_lets_a_reset_pass)
{
    passive();
    peer(PSH | ACK, 1, 1, 10);
    peer(RST, 11, 0, 0, .tsval = peer_tsval() - 5000);
    assert_state(CLOSED);
}

TEST(paws_lets_a_reordered_pure_ack_pass)
{
    passive();
    peer(PSH | ACK, 1, 1, 10);
    clear();
    peer(ACK, 11, 1, 0, .tsval = peer_tsval() - 100);
    assert_int_equal(cnt(tcp_in_paws), 0);
    expect_none();
}

TEST(paws_forgets_a_stamp_that_is_too_old_to_prove_anything)
{
    passive();
    peer(PSH | ACK, 1, 1, 10);
    clear();
    advance(2200 * SEC);
    peer(PSH | ACK, 11, 1, 10, .tsval = peer_tsval() - 3000000);
    assert_int_equal(cnt(tcp_in_paws), 0);
    assert_int_equal(r(100), 20);
}

TEST(a_segment_without_a_stamp_is_accepted_as_linux_does)
{
    passive();
    peer(PSH | ACK, 1, 1, 10, .no_ts = true);
    assert_int_equal(r(100), 10);
}

TEST(hostile_13_paws_across_a_wrap_of_the_stamp)
{
    passive();
    peer(PSH | ACK, 1, 1, 10, .tsval = peer_tsval() + 0x7ffffff0u);
    peer(PSH | ACK, 11, 1, 10, .tsval = peer_tsval() + 0x80000010u);
    assert_int_equal(r(100), 20);
    assert_int_equal(cnt(tcp_in_paws), 0);
}

TEST(a_reset_must_be_exact)
{
    passive();
    peer(RST, 2, 0, 0);
    expect(ACK, 1, 1, 0); /* RFC 5961 §3.2: a challenge */
    assert_state(ESTABLISHED);
    assert_int_equal(cnt(tcp_in_rst_ignored), 1);
    assert_int_equal(cnt(tcp_challenge_acks), 1);
    peer(RST, 1, 0, 0);
    assert_state(CLOSED);
    assert_int_equal(cnt(tcp_in_rst), 1);
    assert_true(events_of(fx.s) & SOCK_EV_ERROR);
    assert_int_equal(r(1), -ECONNRESET);
    assert_int_equal(r(1), 0);
    expect_none();
}

TEST(a_reset_outside_the_window_is_dropped_in_silence)
{
    passive();
    peer(RST, 70000, 0, 0);
    peer(RST, 0, 0, 0);
    peer(RST | ACK, 0xf0000000u, 1, 0);
    expect_none();
    assert_state(ESTABLISHED);
    assert_int_equal(cnt(tcp_in_rst_ignored), 3);
}

TEST(a_reset_in_close_wait_may_forget_to_count_its_fin)
{
    passive();
    peer(FIN | ACK, 1, 1, 0);
    clear();
    peer(RST, 1, 0, 0);
    assert_state(CLOSED);
    assert_int_equal(sock_error(fx.s, false), EPIPE);
    assert_int_equal(r(1), 0);
}

TEST(a_syn_on_a_connection_is_challenged)
{
    passive();
    peer(SYN, 1, 0, 0);
    expect(ACK, 1, 1, 0); /* RFC 5961 §4.2 */
    advance(SEC);
    peer(SYN, 100000, 0, 0); /* also outside the window */
    expect(ACK, 1, 1, 0);
    assert_state(ESTABLISHED);
    assert_int_equal(cnt(tcp_in_syn_in_window), 1);
}

TEST(challenges_are_limited_to_one_in_500_ms)
{
    passive();
    for (int i = 0; i < 100; i++)
        peer(RST, 2, 0, 0);
    assert_int_equal(clear(), 1);
    assert_int_equal(cnt(tcp_challenge_limited), 99);
    advance(500 * MS);
    peer(SYN, 1, 0, 0);
    expect(ACK, 1, 1, 0);
    peer(ACK, 100000, 1, 0); /* one clock for all kinds without data */
    expect_none();
}

TEST(answers_to_data_are_not_limited)
{
    passive();
    for (int i = 0; i < 5; i++)
        peer(ACK, 0xfffff000u, 1, 10);
    assert_int_equal(clear(), 5);
    assert_int_equal(cnt(tcp_in_outside_window), 5);
}

TEST(an_ack_of_what_was_never_sent_is_challenged_and_dropped)
{
    passive();
    peer(PSH | ACK, 1, 100, 10);
    expect(ACK, 1, 1, 0);
    assert_int_equal(cnt(tcp_in_ack_unsent), 1);
    assert_int_equal(r(10), -EAGAIN);
}

TEST(an_ack_from_before_the_connection_is_challenged)
{
    passive();
    assert_int_equal(w(10), 10);
    peer(ACK, 1, 11, 0);
    clear();
    peer(PSH | ACK, 1, 0xfffffff0u, 10);
    expect(ACK, 11, 1, 0);
    assert_int_equal(cnt(tcp_in_ack_too_old), 1);
    assert_int_equal(r(10), -EAGAIN);
}

TEST(data_behind_an_old_ack_is_taken)
{
    passive();
    assert_int_equal(w(10), 10);
    peer(ACK, 1, 11, 0);
    peer(PSH | ACK, 1, 1, 10);
    assert_int_equal(r(10), 10);
}

TEST(hostile_07_segments_without_ack_are_dropped_in_silence)
{
    passive();
    peer(0, 1, 0, 10);
    peer(PSH, 1, 0, 10);
    peer(FIN, 1, 0, 0);
    peer(URG, 1, 0, 10);
    expect_none();
    assert_state(ESTABLISHED);
    assert_int_equal(cnt(tcp_in_no_flags), 4);
}

TEST(hostile_07_all_flags_at_once)
{
    passive();
    peer(0xff, 2, 1, 10); /* first of all a reset, not exact */
    expect(ACK, 1, 1, 0);
    peer(0xff, 1, 1, 10);
    assert_state(CLOSED);
}

TEST(a_keep_alive_probe_is_answered)
{
    passive();
    peer(ACK, 0, 1, 0);
    expect(ACK, 1, 1, 0);
    advance(SEC);
    peer(ACK, 0, 1, 1); /* BSD's, with a byte of garbage */
    expect(ACK, 1, 1, 0);
}

TEST(hostile_11_two_stacks_out_of_step_do_not_answer_each_other_for_ever)
{
    passive();
    for (int i = 0; i < 50; i++) {
        peer(ACK, 0xffff0000u, 1, 0);
        advance(10 * MS);
    }
    assert_in_range(clear(), 1, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(paws_drops_an_old_stamp_with_an_ack),
        T(paws_lets_a_reset_pass),
        T(paws_lets_a_reordered_pure_ack_pass),
        T(paws_forgets_a_stamp_that_is_too_old_to_prove_anything),
        T(a_segment_without_a_stamp_is_accepted_as_linux_does),
        T(hostile_13_paws_across_a_wrap_of_the_stamp),
        T(a_reset_must_be_exact),
        T(a_reset_outside_the_window_is_dropped_in_silence),
        T(a_reset_in_close_wait_may_forget_to_count_its_fin),
        T(a_syn_on_a_connection_is_challenged),
        T(challenges_are_limited_to_one_in_500_ms),
        T(answers_to_data_are_not_limited),
        T(an_ack_of_what_was_never_sent_is_challenged_and_dropped),
        T(an_ack_from_before_the_connection_is_challenged),
        T(data_behind_an_old_ack_is_taken),
        T(hostile_07_segments_without_ack_are_dropped_in_silence),
        T(hostile_07_all_flags_at_once),
        T(a_keep_alive_probe_is_answered),
        T(hostile_11_two_stacks_out_of_step_do_not_answer_each_other_for_ever),
    };

    return cmocka_run_group_tests_name("validate", tests, NULL, NULL);
}
