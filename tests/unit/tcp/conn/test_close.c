/* SPDX-License-Identifier: MIT */
/* The end of a connection, through all of its states (RFC 9293 §3.6, §3.10.4, §3.10.5). */
#include "tests/unit/tcp/fixture.h"

static void shut_wr(void)
{
    assert_int_equal(sock_shutdown(fx.s, SHUT_WR, fx.now), 0);
    run();
}

static void set_linger(int onoff, int seconds)
{
    struct linger l = {onoff, seconds};

    assert_int_equal(sock_setsockopt(fx.s, SOL_SOCKET, SO_LINGER, &l, sizeof(l), fx.now), 0);
}

TEST(active_close_fin_wait_1_fin_wait_2_time_wait)
{
    passive();
    shut_wr();
    assert_state(FIN_WAIT1);
    expect(FIN | ACK, 1, 1, 0);
    peer(ACK, 1, 2, 0);
    assert_state(FIN_WAIT2);
    peer(FIN | ACK, 1, 2, 0);
    expect(ACK, 2, 2, 0);
    assert_state(TIME_WAIT);
    assert_true(events_of(fx.s) & SOCK_EV_CLOSED);
    advance(59 * SEC);
    assert_state(TIME_WAIT);
    advance(2 * SEC);
    assert_state(CLOSED);
    expect_none();
}

TEST(passive_close_close_wait_last_ack)
{
    passive();
    peer(FIN | ACK, 1, 1, 0);
    expect(ACK, 1, 2, 0);
    assert_state(CLOSE_WAIT);
    assert_int_equal(r(10), 0);
    close_it();
    expect(FIN | ACK, 1, 2, 0);
    assert_state(LAST_ACK);
    peer(ACK, 2, 2, 0);
    assert_state(CLOSED);
    expect_none();
}

TEST(simultaneous_close_closing_time_wait)
{
    passive();
    close_it();
    expect(FIN | ACK, 1, 1, 0);
    peer(FIN | ACK, 1, 1, 0);
    assert_state(CLOSING);
    expect(ACK, 2, 2, 0);
    peer(ACK, 2, 2, 0);
    assert_state(TIME_WAIT);
    expect_none();
}

TEST(a_fin_that_acknowledges_ours_ends_it_at_once)
{
    passive();
    close_it();
    expect(FIN | ACK, 1, 1, 0);
    peer(FIN | ACK, 1, 2, 0);
    expect(ACK, 2, 2, 0);
    assert_state(TIME_WAIT);
    expect_none();
}

TEST(half_close_the_peer_may_go_on_sending)
{
    passive();
    shut_wr();
    expect(FIN | ACK, 1, 1, 0);
    peer(ACK, 1, 2, 0);
    peer(PSH | ACK, 1, 2, 1000);
    expect(ACK, 2, 1001, 0);
    assert_int_equal(r(2000), 1000);
    assert_int_equal(w(1), -EPIPE);
    advance(3600 * SEC); /* no time limit while the program holds it */
    assert_state(FIN_WAIT2);
    peer(FIN | ACK, 1001, 2, 0);
    assert_state(TIME_WAIT);
    assert_int_equal(r(1), 0);
}

TEST(half_close_of_the_peer_we_may_go_on_sending)
{
    passive();
    peer(FIN | ACK, 1, 1, 0);
    expect(ACK, 1, 2, 0);
    assert_int_equal(w(5000), 5000);
    assert_int_equal(take_bytes(), 5000);
    peer(ACK, 2, 5001, 0);
    shut_wr();
    expect(FIN | ACK, 5001, 2, 0);
    peer(ACK, 2, 5002, 0);
    assert_state(CLOSED);
    assert_true(events_of(fx.s) & SOCK_EV_CLOSED);
}

TEST(the_fin_follows_what_is_queued)
{
    passive();
    assert_int_equal(w(20000), 20000);
    close_it();
    assert_int_equal(take_bytes(), 14480);
    assert_state(FIN_WAIT1);
    peer(ACK, 1, 14481, 0);
    expect(FIN | PSH | ACK, 14481, 1, 5520);
    peer(ACK, 1, 20002, 0);
    assert_state(FIN_WAIT2);
}

TEST(a_lost_fin_is_resent)
{
    passive();
    close_it();
    expect(FIN | ACK, 1, 1, 0);
    advance(250 * MS);
    expect(FIN | ACK, 1, 1, 0);
    advance(450 * MS);
    expect(FIN | ACK, 1, 1, 0);
    peer(ACK, 1, 2, 0);
    assert_state(FIN_WAIT2);
}

TEST(an_orphan_that_nobody_answers_is_given_up_at_the_first_rto_after_102_s)
{
    struct stack_usage u;

    passive();
    close_it();
    stack_usage(fx.st, &u);
    assert_int_equal(u.orphans, 1);
    /* counted from the first retransmission: 0.2 + 0.4 + … + 102.4 s */
    advance(204 * SEC);
    assert_state(FIN_WAIT1);
    advance(SEC);
    assert_state(CLOSED);
    stack_usage(fx.st, &u);
    assert_int_equal(u.orphans, 0);
    assert_int_equal(u.connections, 1); /* the listener's */
}

TEST(close_with_unread_bytes_is_a_reset)
{
    passive();
    peer(PSH | ACK, 1, 1, 10);
    clear();
    close_it();
    expect(RST | ACK, 1, 11, 0);
    assert_state(CLOSED);
    expect_none();
}

TEST(linger_0_is_a_reset_even_behind_queued_bytes)
{
    passive();
    assert_int_equal(w(20000), 20000);
    clear();
    set_linger(1, 0);
    close_it();
    expect(RST | ACK, 14481, 1, 0);
    assert_state(CLOSED);
}

TEST(linger_with_time_closes_like_any_other)
{
    passive();
    set_linger(1, 5);
    close_it();
    expect(FIN | ACK, 1, 1, 0);
}

TEST(data_after_close_is_answered_by_a_reset)
{
    passive();
    close_it();
    expect(FIN | ACK, 1, 1, 0);
    peer(PSH | ACK, 1, 2, 10);
    assert_int_equal(take()->flags, RST);
    assert_state(CLOSED);
    assert_int_equal(cnt(tcp_in_after_close), 1);
}

TEST(data_after_close_in_fin_wait_2_too)
{
    passive();
    close_it();
    clear();
    peer(ACK, 1, 2, 0);
    assert_state(FIN_WAIT2);
    peer(PSH | ACK, 1, 2, 10);
    assert_int_equal(take()->flags, RST);
    assert_state(CLOSED);
}

TEST(data_after_shutdown_of_both_directions_is_reset)
{
    passive();
    assert_int_equal(sock_shutdown(fx.s, SHUT_RDWR, fx.now), 0);
    run();
    expect(FIN | ACK, 1, 1, 0);
    peer(PSH | ACK, 1, 2, 10);
    assert_int_equal(take()->flags, RST);
    assert_state(CLOSED);
    assert_true(events_of(fx.s) & SOCK_EV_ERROR);
}

TEST(shutdown_of_reading_alone_changes_nothing_on_the_wire)
{
    passive();
    assert_int_equal(sock_shutdown(fx.s, SHUT_RD, fx.now), 0);
    run();
    expect_none();
    assert_int_equal(r(10), 0);
    peer(PSH | ACK, 1, 1, 10);
    expect(ACK, 1, 11, 0);
    assert_int_equal(r(10), 10); /* what did arrive can still be read (Linux) */
}

TEST(fin_wait_2_of_an_orphan_lasts_60_s)
{
    passive();
    close_it();
    clear();
    peer(ACK, 1, 2, 0);
    advance(59 * SEC);
    assert_state(FIN_WAIT2);
    advance(2 * SEC);
    assert_state(CLOSED);
}

TEST(linger2_sets_that_time)
{
    passive();
    assert_int_equal(set_int(IPPROTO_TCP, TCP_LINGER2, 5), 0);
    close_it();
    clear();
    peer(ACK, 1, 2, 0);
    advance(4 * SEC);
    assert_state(FIN_WAIT2);
    advance(2 * SEC);
    assert_state(CLOSED);
}

TEST(linger2_below_0_resets_instead_of_waiting)
{
    passive();
    assert_int_equal(set_int(IPPROTO_TCP, TCP_LINGER2, -1), 0);
    close_it();
    clear();
    peer(ACK, 1, 2, 0);
    assert_int_equal(take()->flags, RST | ACK);
    assert_state(CLOSED);
}

TEST(close_after_shutdown_in_fin_wait_2)
{
    passive();
    shut_wr();
    clear();
    peer(ACK, 1, 2, 0);
    close_it();
    assert_state(FIN_WAIT2);
    expect_none();
    peer(FIN | ACK, 1, 2, 0);
    expect(ACK, 2, 2, 0);
    assert_state(TIME_WAIT);
}

TEST(a_reset_ends_every_state)
{
    passive();
    shut_wr();
    peer(RST, 1, 0, 0);
    assert_state(CLOSED);
    assert_true(events_of(fx.s) & SOCK_EV_ERROR);
    assert_int_equal(r(1), -ECONNRESET);
    close_it();
}

TEST(a_reset_keeps_what_was_received)
{
    passive();
    peer(PSH | ACK, 1, 1, 100);
    peer(RST, 101, 0, 0);
    assert_int_equal(r(1000), 100);
    assert_int_equal(r(1000), -ECONNRESET);
    assert_int_equal(r(1000), 0);
}

TEST(shutdown_twice_sends_one_fin)
{
    passive();
    shut_wr();
    expect(FIN | ACK, 1, 1, 0);
    shut_wr();
    expect_none();
}

TEST(shutdown_of_what_is_not_connected)
{
    fx.s = fx_socket();
    assert_int_equal(sock_shutdown(fx.s, SHUT_WR, fx.now), -ENOTCONN);
    assert_int_equal(sock_shutdown(fx.s, 7, fx.now), -EINVAL);
}

TEST(abort_in_close_wait_is_a_reset_and_in_last_ack_too)
{
    passive();
    peer(FIN | ACK, 1, 1, 0);
    clear();
    sock_abort(fx.s, fx.now);
    run();
    expect(RST | ACK, 1, 2, 0);
    assert_state(CLOSED);
}

TEST(too_many_orphans_are_reset)
{
    tun.max_orphans = 0;
    passive();
    close_it();
    expect(FIN | ACK, 1, 1, 0);
    assert_int_equal(take()->flags, RST | ACK);
    assert_state(CLOSED);
    assert_int_equal(cnt(tcp_orphans_killed), 1);
}

TEST(close_gives_the_receive_buffer_back)
{
    passive();
    peer(PSH | ACK, 1, 1, 1000);
    assert_int_equal(r(1000), 1000);
    close_it();
    assert_state(FIN_WAIT1);
    assert_int_equal(fx.st->extents.in_use, 0);
    clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(active_close_fin_wait_1_fin_wait_2_time_wait),
        T(passive_close_close_wait_last_ack),
        T(simultaneous_close_closing_time_wait),
        T(a_fin_that_acknowledges_ours_ends_it_at_once),
        T(half_close_the_peer_may_go_on_sending),
        T(half_close_of_the_peer_we_may_go_on_sending),
        T(the_fin_follows_what_is_queued),
        T(a_lost_fin_is_resent),
        T(an_orphan_that_nobody_answers_is_given_up_at_the_first_rto_after_102_s),
        T(close_with_unread_bytes_is_a_reset),
        T(linger_0_is_a_reset_even_behind_queued_bytes),
        T(linger_with_time_closes_like_any_other),
        T(data_after_close_is_answered_by_a_reset),
        T(data_after_close_in_fin_wait_2_too),
        T(data_after_shutdown_of_both_directions_is_reset),
        T(shutdown_of_reading_alone_changes_nothing_on_the_wire),
        T(fin_wait_2_of_an_orphan_lasts_60_s),
        T(linger2_sets_that_time),
        T(linger2_below_0_resets_instead_of_waiting),
        T(close_after_shutdown_in_fin_wait_2),
        T(a_reset_ends_every_state),
        T(a_reset_keeps_what_was_received),
        T(shutdown_twice_sends_one_fin),
        T(shutdown_of_what_is_not_connected),
        T(abort_in_close_wait_is_a_reset_and_in_last_ack_too),
        T(too_many_orphans_are_reset),
        T(close_gives_the_receive_buffer_back),
    };

    return cmocka_run_group_tests_name("close", tests, NULL, NULL);
}
