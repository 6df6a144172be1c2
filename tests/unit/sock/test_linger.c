/* SPDX-License-Identifier: MIT */
/* close(2) as a blocking call, and SO_LINGER (socket(7); linux-receiver §9). */
#include "tests/unit/sock/blocking.h"

static void linger(int seconds)
{
    struct linger l = {1, seconds};

    assert_int_equal(sock_setsockopt(fx.s, SOL_SOCKET, SO_LINGER, &l, sizeof(l), fx.now), 0);
}

/* The program gives its handle up. */
static struct sock_call *start_close(int flags)
{
    struct sock_call *c;

    events_of(fx.s);
    c = start(fx.s, SOCK_CALL_CLOSE, 0, flags);
    fx.s = NULL;
    return c;
}

TEST(close_without_linger_returns_at_once)
{
    passive();
    ended(start_close(0), 0);
    expect(FIN | ACK, 1, 1, 0);
    assert_state(FIN_WAIT1);
    assert_int_equal(fx.st->tcp.n_orphans, 1);
}

TEST(close_with_linger_0_returns_at_once)
{
    passive();
    linger(0);
    ended(start_close(0), 0);
    expect(RST | ACK, 1, 1, 0);
    assert_state(CLOSED);
}

TEST(a_lingering_close_waits_for_the_fin_s_ack_even_with_dontwait)
{
    struct sock_call *c;

    passive();
    linger(5);
    assert_int_equal(w(1000), 1000);
    c = start_close(MSG_DONTWAIT);
    expect(PSH | ACK, 1, 1, 1000);
    expect(FIN | ACK, 1001, 1, 0);
    waits(c);
    peer(ACK, 1, 1001, 0);
    waits(c); /* the bytes, but not the FIN */
    peer(ACK, 1, 1002, 0);
    ended(c, 0);
    assert_state(FIN_WAIT2);
    assert_int_equal(fx.st->tcp.n_tcbs, 1); /* the listener's: a small record waits for the FIN */
}

TEST(a_lingering_close_lasts_its_seconds_and_the_fin_goes_on)
{
    struct sock_call *c;

    passive();
    linger(2);
    c = start_close(0);
    advance(1999 * MS);
    waits(c);
    assert_int_equal(fx.st->tcp.n_orphans, 0); /* until then it is retried as any other */
    advance(2 * MS);
    ended(c, 0);
    assert_int_equal(fx.st->tcp.n_orphans, 1);
    assert_int_equal(fx.st->n_sockets, 1);
    assert_state(FIN_WAIT1);
    clear();
    peer(ACK, 1, 2, 0);
    assert_state(FIN_WAIT2);
}

TEST(a_lingering_close_that_is_interrupted_returns_0)
{
    struct sock_call *c;

    passive();
    linger(5);
    c = start_close(0);
    waits(c);
    sock_call_interrupt(c, fx.now);
    ended(c, 0);
    assert_int_equal(fx.st->tcp.n_orphans, 1);
    assert_state(FIN_WAIT1);
}

TEST(a_lingering_close_that_is_forgotten_still_closes)
{
    passive();
    linger(5);
    sock_call_free(start_close(0));
    assert_int_equal(fx.st->n_sockets, 1);
    assert_state(FIN_WAIT1);
    advance(6 * SEC);
}

TEST(a_lingering_close_is_ended_by_a_reset)
{
    struct sock_call *c;

    passive();
    linger(5);
    c = start_close(0);
    peer(RST, 1, 0, 0);
    ended(c, 0);
    assert_state(CLOSED);
    assert_int_equal(fx.st->n_sockets, 1);
}

TEST(close_with_unread_bytes_resets_and_does_not_linger)
{
    passive();
    linger(5);
    peer(PSH | ACK, 1, 1, 10);
    clear();
    ended(start_close(0), 0);
    expect(RST | ACK, 1, 11, 0);
    assert_state(CLOSED);
}

TEST(data_during_a_lingering_close_resets)
{
    struct sock_call *c;

    passive();
    linger(5);
    c = start_close(0);
    clear();
    peer(PSH | ACK, 1, 1, 10);
    assert_true(take()->flags & RST);
    ended(c, 0);
    assert_state(CLOSED);
}

TEST(a_close_in_fin_wait_2_has_nothing_to_wait_for)
{
    passive();
    linger(5);
    assert_int_equal(sock_shutdown(fx.s, SHUT_WR, fx.now), 0);
    peer(ACK, 1, 2, 0);
    assert_state(FIN_WAIT2);
    ended(start_close(0), 0);
}

TEST(a_lingering_close_behind_shutdown_waits_too)
{
    struct sock_call *c;

    passive();
    linger(5);
    assert_int_equal(sock_shutdown(fx.s, SHUT_WR, fx.now), 0);
    c = start_close(0);
    waits(c);
    peer(ACK, 1, 2, 0);
    ended(c, 0);
}

TEST(a_lingering_close_waits_in_closing)
{
    struct sock_call *c;

    passive();
    linger(5);
    c = start_close(0);
    peer(FIN | ACK, 1, 1, 0);
    assert_state(CLOSING);
    waits(c);
    peer(ACK, 2, 2, 0);
    ended(c, 0);
    assert_state(TIME_WAIT);
}

TEST(a_lingering_close_waits_in_last_ack)
{
    struct sock_call *c;

    passive();
    linger(5);
    peer(FIN | ACK, 1, 1, 0);
    c = start_close(0);
    assert_state(LAST_ACK);
    waits(c);
    peer(ACK, 2, 2, 0);
    ended(c, 0);
    assert_state(CLOSED);
}

TEST(a_lingering_close_in_syn_received_sends_the_fin_at_once)
{
    struct sock_call *c;

    connecting();
    linger(5);
    peer(SYN, 0, 0, 0);
    clear();
    c = start_close(0);
    expect(FIN | ACK, 1, 1, 0);
    assert_state(FIN_WAIT1);
    waits(c);
    peer(ACK, 1, 2, 0);
    ended(c, 0);
}

TEST(a_close_that_could_linger_does_not_in_other_states)
{
    fx.s = fx_socket();
    linger(5);
    ended(start_close(0), 0);
    connecting();
    linger(5);
    ended(start_close(0), 0);
    clear();
    peer_use(1);
    listening(1);
    fx.s = fx.lst;
    linger(5);
    ended(start_close(0), 0);
    fx.lst = NULL;
    assert_int_equal(fx.st->n_sockets, 0);
}

TEST(a_lingering_close_cancels_the_other_calls)
{
    struct sock_call *c, *reader;

    passive();
    linger(5);
    reader = start(fx.s, SOCK_CALL_RECV, 100, 0);
    c = start_close(0);
    ended(reader, -EBADF);
    waits(c);
    sock_call_interrupt(c, fx.now);
    ended(c, 0);
}

static void count_handles(void *ctx, const struct sock_info *info)
{
    *(unsigned *)ctx += info->has_handle;
}

TEST(a_lingering_socket_has_no_handle_and_reports_no_event)
{
    struct sock_call *c;
    struct sock *s;
    unsigned handles = 0;

    passive();
    linger(5);
    sock_set_user(fx.s, &handles);
    s = fx.s;
    c = start_close(0);
    peer(FIN | ACK, 1, 1, 0);
    assert_int_equal(events_of(s), 0);
    assert_null(sock_user(s));
    stack_each(fx.st, count_handles, &handles, fx.now);
    assert_int_equal(handles, 1); /* the listener's */
    sock_call_free(c);
}

TEST(the_end_of_the_stack_ends_a_lingering_close)
{
    struct sock_call *c;

    passive();
    linger(5);
    c = start_close(0);
    stack_shutdown(fx.st, fx.now);
    fx.lst = NULL;
    ended(c, 0);
}

TEST(a_restarting_signal_ends_a_lingering_close)
{
    struct sock_call *c;

    passive();
    linger(5);
    c = start_close(0);
    sock_call_restart(c, fx.now);
    ended(c, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(close_without_linger_returns_at_once),
        T(close_with_linger_0_returns_at_once),
        T(a_lingering_close_waits_for_the_fin_s_ack_even_with_dontwait),
        T(a_lingering_close_lasts_its_seconds_and_the_fin_goes_on),
        T(a_lingering_close_that_is_interrupted_returns_0),
        T(a_lingering_close_that_is_forgotten_still_closes),
        T(a_lingering_close_is_ended_by_a_reset),
        T(close_with_unread_bytes_resets_and_does_not_linger),
        T(data_during_a_lingering_close_resets),
        T(a_close_in_fin_wait_2_has_nothing_to_wait_for),
        T(a_lingering_close_behind_shutdown_waits_too),
        T(a_lingering_close_waits_in_closing),
        T(a_lingering_close_waits_in_last_ack),
        T(a_lingering_close_in_syn_received_sends_the_fin_at_once),
        T(a_close_that_could_linger_does_not_in_other_states),
        T(a_lingering_close_cancels_the_other_calls),
        T(a_lingering_socket_has_no_handle_and_reports_no_event),
        T(the_end_of_the_stack_ends_a_lingering_close),
        T(a_restarting_signal_ends_a_lingering_close),
    };

    return cmocka_run_group_tests_name("linger", tests, NULL, NULL);
}
