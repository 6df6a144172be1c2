/* SPDX-License-Identifier: MIT */
/* SYN-SENT (RFC 9293 §3.10.7.3): the answer to our SYN, what is no answer, and the crossing SYN
 * (§3.5). */
#include "tests/unit/tcp/fixture.h"

static void syn_sent(void)
{
    connecting();
    expect(SYN, 0, 0, 0);
}

TEST(an_ack_of_something_else_is_reset)
{
    syn_sent();
    peer(SYN | ACK, 0, 2, 0);
    assert_int_equal(take()->flags, RST);
    peer(ACK, 0, 0, 0);
    assert_int_equal(take()->flags, RST);
    assert_state(SYN_SENT);
    peer(SYN | ACK, 0, 1, 0);
    expect(ACK, 1, 1, 0);
}

TEST(a_reset_without_an_acceptable_ack_is_ignored)
{
    syn_sent();
    peer(RST, 0, 0, 0);
    peer(RST | ACK, 0, 2, 0);
    expect_none();
    assert_state(SYN_SENT);
    assert_int_equal(cnt(tcp_in_rst_ignored), 1);
}

TEST(an_ack_without_syn_is_dropped)
{
    syn_sent();
    peer(ACK, 0, 1, 0);
    peer(FIN | ACK, 0, 1, 0);
    peer(0, 0, 0, 10);
    expect_none();
    assert_state(SYN_SENT);
}

TEST(an_echo_of_a_stamp_that_we_never_sent_is_reset)
{
    syn_sent();
    peer(SYN | ACK, 0, 1, 0, .tsecr = fx.c->tsval_seen + 1000);
    assert_int_equal(take()->flags, RST);
    peer(SYN | ACK, 0, 1, 0, .tsecr = fx.c->tsval_seen - 1000);
    assert_int_equal(take()->flags, RST);
    assert_state(SYN_SENT);
}

TEST(a_peer_without_options_gets_536_bytes_and_no_options)
{
    const struct fx_seg *g;

    fx.c->ts = false;
    fx.c->wscale = -1;
    fx.c->mss = 0;
    active();
    assert_int_equal(w(536), 536);
    g = expect(PSH | ACK, 1, 1, 536);
    assert_int_equal(g->opt_len, 0);
    assert_in_range(g->window, 60000, 65535);
    peer(ACK, 1, 537, 0);
    assert_int_equal(w(537), 537);
    assert_int_equal(take()->gso_size, 536);
}

TEST(the_window_of_the_syn_ack_is_not_scaled)
{
    fx.c->window = 1000;
    active();
    assert_int_equal(tp->snd_wnd, 1000);
    assert_int_equal(w(2000), 2000);
    assert_true(take_bytes() <= 1000);
}

TEST(hostile_05_a_window_scale_above_14_counts_as_14)
{
    fx.c->wscale = 255;
    active();
    assert_int_equal(tp->snd_wscale, 14);
}

TEST(hostile_05_a_tiny_mss_has_a_floor)
{
    fx.c->mss = 1;
    active();
    assert_int_equal(tp->mss_cache, 48 - 12);
    assert_int_equal(w(1000), 1000);
    assert_true(take()->gso_size >= 36);
}

TEST(simultaneous_open)
{
    syn_sent();
    peer(SYN, 0, 0, 0);
    assert_state(SYN_RECV);
    expect(SYN | ACK, 0, 1, 0);
    peer(ACK, 1, 1, 0);
    assert_state(ESTABLISHED);
    assert_true(events_of(fx.s) & SOCK_EV_CONNECTED);
    assert_int_equal(w(100), 100);
    expect(PSH | ACK, 1, 1, 100);
}

TEST(simultaneous_open_ended_by_the_peer_s_syn_ack)
{
    syn_sent();
    peer(SYN, 0, 0, 0);
    expect(SYN | ACK, 0, 1, 0);
    peer(SYN | ACK, 0, 1, 0);
    assert_state(ESTABLISHED);
    assert_int_equal(tp->snd_wnd, 65535);
    clear();
    peer(PSH | ACK, 1, 1, 10);
    assert_int_equal(r(10), 10);
}

TEST(simultaneous_open_text_and_fin_of_the_peer_s_syn_ack_come_again)
{
    syn_sent();
    peer(SYN, 0, 0, 0);
    expect(SYN | ACK, 0, 1, 0);
    peer(SYN | FIN | PSH | ACK, 0, 1, 10);
    assert_state(ESTABLISHED);
    expect(ACK, 1, 1, 0);
    assert_int_equal(r(20), -EAGAIN);
    peer(FIN | PSH | ACK, 1, 1, 10);
    assert_state(CLOSE_WAIT);
    assert_int_equal(r(20), 10);
    assert_int_equal(r(20), 0);
}

TEST(simultaneous_open_the_syn_ack_is_resent)
{
    syn_sent();
    peer(SYN, 0, 0, 0);
    expect(SYN | ACK, 0, 1, 0);
    advance(1100 * MS);
    expect(SYN | ACK, 0, 1, 0);
    peer(ACK, 1, 1, 0);
    assert_state(ESTABLISHED);
}

TEST(simultaneous_open_refused)
{
    syn_sent();
    peer(SYN, 0, 0, 0);
    clear();
    peer(RST, 1, 0, 0);
    assert_state(CLOSED);
    assert_int_equal(sock_error(fx.s, true), ECONNREFUSED);
}

TEST(simultaneous_open_with_a_wrong_ack_is_reset)
{
    syn_sent();
    peer(SYN, 0, 0, 0);
    clear();
    peer(ACK, 1, 5, 0);
    assert_int_equal(take()->flags, RST);
    assert_state(SYN_RECV);
}

TEST(simultaneous_open_with_a_wrong_syn_ack_is_reset_and_leaves_no_ack_owed)
{
    syn_sent();
    peer(SYN, 0, 0, 0);
    clear();
    peer(SYN | ACK, 0, 0, 0);
    expect(RST, 0, 0, 0);
    assert_state(SYN_RECV);
    assert_int_equal(tp->ack_flags, 0);
    advance(500 * MS);
    expect_none();
}

TEST(shutdown_before_a_simultaneous_open_is_complete_sends_the_fin_after_it)
{
    syn_sent();
    peer(SYN, 0, 0, 0);
    clear();
    assert_int_equal(sock_shutdown(fx.s, SHUT_WR, fx.now), 0);
    run();
    expect_none();
    tcp_touch(tp, TCP_PEND_OUTPUT); /* whatever has to be looked at */
    run();
    expect_none();
    peer(ACK, 1, 1, 0);
    expect(FIN | ACK, 1, 1, 0);
    assert_state(FIN_WAIT1);
}

TEST(close_before_a_simultaneous_open_is_complete)
{
    syn_sent();
    peer(SYN, 0, 0, 0);
    clear();
    close_it();
    peer(ACK, 1, 1, 0);
    expect(FIN | ACK, 1, 1, 0);
    peer(FIN | ACK, 1, 2, 0);
    expect(ACK, 2, 2, 0);
    assert_state(TIME_WAIT);
}

TEST(close_before_the_crossing_syn_ack)
{
    syn_sent();
    peer(SYN, 0, 0, 0);
    clear();
    close_it();
    assert_state(FIN_WAIT1);
    peer(SYN | ACK, 0, 1, 0); /* the one SYN that is welcome: no challenge, our FIN follows */
    expect(FIN | ACK, 1, 1, 0);
    assert_int_equal(cnt(tcp_challenge_acks), 0);
    assert_int_equal(cnt(tcp_in_syn_in_window), 0);
    peer(SYN | ACK, 0, 1, 0); /* … once */
    assert_int_equal(cnt(tcp_in_syn_in_window), 1);
}

TEST(text_in_the_syn_ack_is_ignored_and_comes_again)
{
    syn_sent();
    peer(SYN | ACK, 0, 1, 10);
    expect(ACK, 1, 1, 0);
    peer(PSH | ACK, 1, 1, 10);
    assert_int_equal(r(10), 10);
}

TEST(shutdown_while_connecting_aborts)
{
    syn_sent();
    assert_int_equal(sock_shutdown(fx.s, SHUT_RDWR, fx.now), 0);
    run();
    assert_state(CLOSED);
    expect_none();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(an_ack_of_something_else_is_reset),
        T(a_reset_without_an_acceptable_ack_is_ignored),
        T(an_ack_without_syn_is_dropped),
        T(an_echo_of_a_stamp_that_we_never_sent_is_reset),
        T(a_peer_without_options_gets_536_bytes_and_no_options),
        T(the_window_of_the_syn_ack_is_not_scaled),
        T(hostile_05_a_window_scale_above_14_counts_as_14),
        T(hostile_05_a_tiny_mss_has_a_floor),
        T(simultaneous_open),
        T(simultaneous_open_ended_by_the_peer_s_syn_ack),
        T(simultaneous_open_text_and_fin_of_the_peer_s_syn_ack_come_again),
        T(simultaneous_open_the_syn_ack_is_resent),
        T(simultaneous_open_refused),
        T(simultaneous_open_with_a_wrong_ack_is_reset),
        T(simultaneous_open_with_a_wrong_syn_ack_is_reset_and_leaves_no_ack_owed),
        T(shutdown_before_a_simultaneous_open_is_complete_sends_the_fin_after_it),
        T(close_before_a_simultaneous_open_is_complete),
        T(close_before_the_crossing_syn_ack),
        T(text_in_the_syn_ack_is_ignored_and_comes_again),
        T(shutdown_while_connecting_aborts),
    };

    return cmocka_run_group_tests_name("synsent", tests, NULL, NULL);
}
