/* SPDX-License-Identifier: MIT */
/* Blocking calls in virtual time (send path, steps 4 and 12). */
#include "tests/unit/sock/blocking.h"

static void acknowledge_all(void)
{
    while (tp->snd_una != tp->snd_nxt) {
        peer(ACK, 1, tp->snd_nxt - tp->iss, 0);
        clear();
    }
}

TEST(connect_waits_for_the_handshake)
{
    struct sock_call *c;

    fx.s = fx_socket();
    c = start(fx.s, SOCK_CALL_CONNECT, 0, 0);
    expect(SYN, 0, 0, 0);
    waits(c);
    peer(SYN | ACK, 0, 1, 0);
    ended(c, 0);
}

TEST(connect_that_is_refused)
{
    struct sock_call *c;

    fx.s = fx_socket();
    c = start(fx.s, SOCK_CALL_CONNECT, 0, 0);
    peer(RST | ACK, 0, 1, 0);
    ended(c, -ECONNREFUSED);
}

TEST(connect_s_time_limit_is_einprogress_and_the_handshake_goes_on)
{
    struct sock_call *c;

    fx.s = fx_socket();
    timeout(SO_SNDTIMEO, 500);
    c = start(fx.s, SOCK_CALL_CONNECT, 0, 0);
    advance(600 * MS);
    ended(c, -EINPROGRESS);
    clear();
    peer(SYN | ACK, 0, 1, 0);
    assert_state(ESTABLISHED);
    ended(start(fx.s, SOCK_CALL_CONNECT, 0, 0), 0);
    ended(start(fx.s, SOCK_CALL_CONNECT, 0, 0), -EISCONN);
}

TEST(send_path_04_a_blocking_send_waits_for_the_handshake_and_carries_its_ack)
{
    struct sock_call *c;

    connecting();
    clear();
    c = start(fx.s, SOCK_CALL_SEND, 100, 0);
    waits(c);
    peer(SYN | ACK, 0, 1, 0);
    ended(c, 100);
    expect(PSH | ACK, 1, 1, 100);
    expect_none();
}

TEST(send_path_12_a_send_waits_for_space_until_all_is_accepted)
{
    struct sock_call *c;

    passive();
    c = start(fx.s, SOCK_CALL_SEND, 400000, 0);
    waits(c);
    for (int i = 0; i < 200 && tcp_wmem_queued(tp); i++)
        acknowledge_all();
    ended(c, 400000);
    assert_int_equal(tcp_bytes_acked(tp), 400000);
}

TEST(send_path_12_a_time_limit_reports_what_was_accepted)
{
    struct sock_call *c;

    passive();
    timeout(SO_SNDTIMEO, 1000);
    assert_int_equal(set_int(SOL_SOCKET, SO_SNDBUF, 10000), 0);
    c = start(fx.s, SOCK_CALL_SEND, 400000, 0);
    waits(c);
    advance(1100 * MS);
    ended(c, 65160 + 2 * 7240);
    c = start(fx.s, SOCK_CALL_SEND, 10, 0);
    waits(c);
    advance(1100 * MS);
    ended(c, -EAGAIN);
}

TEST(send_path_12_a_signal_reports_what_was_accepted_or_eintr)
{
    struct sock_call *c;

    passive();
    c = start(fx.s, SOCK_CALL_SEND, 400000, 0);
    sock_call_interrupt(c, fx.now);
    ended(c, (ssize_t)(tp->write_seq - tp->iss - 1));
    c = start(fx.s, SOCK_CALL_SEND, 10, 0);
    sock_call_interrupt(c, fx.now);
    ended(c, -EINTR);
}

TEST(send_path_12_dontwait_does_not)
{
    passive();
    while (w(50000) > 0)
        ;
    ended(start(fx.s, SOCK_CALL_SEND, 10, MSG_DONTWAIT), -EAGAIN);
}

TEST(send_path_19_a_reset_ends_a_waiting_send)
{
    struct sock_call *c;
    uint32_t accepted;

    passive();
    c = start(fx.s, SOCK_CALL_SEND, 400000, 0);
    accepted = tp->write_seq - tp->iss - 1;
    peer(RST, 1, 0, 0);
    ended(c, accepted);
    assert_int_equal(w(1), -ECONNRESET);
}

TEST(recv_waits_for_a_byte)
{
    struct sock_call *c;

    passive();
    c = start(fx.s, SOCK_CALL_RECV, 100, 0);
    waits(c);
    peer(PSH | ACK, 1, 1, 10);
    ended(c, 10);
}

TEST(recv_waitall_waits_for_all)
{
    struct sock_call *c;

    passive();
    c = start(fx.s, SOCK_CALL_RECV, 100, MSG_WAITALL);
    peer(PSH | ACK, 1, 1, 60);
    waits(c);
    peer(PSH | ACK, 61, 1, 60);
    ended(c, 100);
    assert_int_equal(r(100), 20);
}

TEST(recv_waitall_is_cut_short_by_the_end)
{
    struct sock_call *c;

    passive();
    c = start(fx.s, SOCK_CALL_RECV, 100, MSG_WAITALL);
    peer(FIN | PSH | ACK, 1, 1, 60);
    ended(c, 60);
    ended(start(fx.s, SOCK_CALL_RECV, 100, 0), 0);
}

TEST(recv_waitall_ends_at_an_urgent_mark_that_comes_where_it_waits)
{
    struct sock_call *c;

    passive();
    c = start(fx.s, SOCK_CALL_RECV, 100, MSG_WAITALL);
    peer(PSH | ACK, 1, 1, 10);
    waits(c);
    peer(PSH | ACK | URG, 11, 1, 5, .urg = 1);
    ended(c, 10);
    assert_true(sock_at_mark(fx.s));
    assert_int_equal(r(100), 4);
}

TEST(a_time_limit_beyond_all_time_is_none)
{
    struct timeval tv = {INT64_MAX / 500000, 0};
    struct sock_call *c;

    passive();
    assert_int_equal(sock_setsockopt(fx.s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv), fx.now), 0);
    c = start(fx.s, SOCK_CALL_RECV, 100, 0);
    advance(1000 * MS);
    waits(c);
    peer(PSH | ACK, 1, 1, 10);
    ended(c, 10);
}

TEST(recv_s_time_limit)
{
    struct sock_call *c;

    passive();
    timeout(SO_RCVTIMEO, 250);
    c = start(fx.s, SOCK_CALL_RECV, 100, 0);
    advance(249 * MS);
    waits(c);
    advance(2 * MS);
    ended(c, -EAGAIN);
}

TEST(recv_is_ended_by_a_reset)
{
    struct sock_call *c;

    passive();
    c = start(fx.s, SOCK_CALL_RECV, 100, 0);
    peer(RST, 1, 0, 0);
    ended(c, -ECONNRESET);
    ended(start(fx.s, SOCK_CALL_RECV, 100, 0), 0);
}

TEST(accept_waits)
{
    struct sock_call *c;

    listening(4);
    c = start(fx.lst, SOCK_CALL_ACCEPT, 0, 0);
    waits(c);
    peer_connects();
    fx.s = sock_call_accepted(c);
    assert_non_null(fx.s);
    ended(c, 0);
    assert_int_equal(w(1), 1);
}

TEST(two_accepts_get_one_connection_each)
{
    struct sock_call *a, *b;
    ssize_t got;

    listening(4);
    a = start(fx.lst, SOCK_CALL_ACCEPT, 0, 0);
    b = start(fx.lst, SOCK_CALL_ACCEPT, 0, 0);
    peer_connects();
    assert_true(sock_call_done(a, &got) != sock_call_done(b, &got));
    clear();
    peer_use(1);
    peer_connects();
    assert_ptr_not_equal(sock_call_accepted(a), sock_call_accepted(b));
    ended(a, 0);
    ended(b, 0);
}

TEST(a_connection_that_the_stack_closed_before_its_accept_was_asked_for_is_gone)
{
    struct sock_call *c;

    listening(4);
    c = start(fx.lst, SOCK_CALL_ACCEPT, 0, 0);
    peer_connects();
    stack_shutdown(fx.st, fx.now);
    fx.lst = NULL;
    assert_null(sock_call_accepted(c));
    ended(c, 0);
}

TEST(close_under_a_waiting_call)
{
    struct sock_call *c;

    passive();
    c = start(fx.s, SOCK_CALL_RECV, 100, 0);
    close_it();
    ended(c, -EBADF);
}

TEST(a_call_that_is_forgotten_while_it_waits)
{
    passive();
    timeout(SO_RCVTIMEO, 250);
    sock_call_free(start(fx.s, SOCK_CALL_RECV, 100, 0));
    advance(SEC);
    peer(PSH | ACK, 1, 1, 10);
    assert_int_equal(r(10), 10);
}

TEST(a_call_that_is_forgotten_takes_no_bytes)
{
    passive();
    sock_call_free(start(fx.s, SOCK_CALL_RECV, 100, 0));
    peer(PSH | ACK, 1, 1, 10);
    assert_int_equal(r(10), 10);
}

/* --- signals and time limits (signal(7), socket(7)) ---------------------------------------------
 */

TEST(a_restarting_signal_leaves_a_call_that_has_done_nothing)
{
    struct sock_call *c;

    passive();
    c = start(fx.s, SOCK_CALL_RECV, 100, 0);
    sock_call_restart(c, fx.now);
    waits(c);
    peer(PSH | ACK, 1, 1, 10);
    ended(c, 10);
}

TEST(a_restarting_signal_ends_a_call_with_a_time_limit)
{
    struct sock_call *c;

    passive();
    timeout(SO_RCVTIMEO, 1000);
    c = start(fx.s, SOCK_CALL_RECV, 100, 0);
    sock_call_restart(c, fx.now);
    ended(c, -EINTR);
}

TEST(a_restarting_signal_ends_a_call_that_has_done_something)
{
    struct sock_call *c;

    passive();
    c = start(fx.s, SOCK_CALL_RECV, 100, MSG_WAITALL);
    peer(PSH | ACK, 1, 1, 60);
    sock_call_restart(c, fx.now);
    ended(c, 60);
}

TEST(a_second_connect_that_runs_out_of_time_says_ealready)
{
    fx.s = fx_socket();
    timeout(SO_SNDTIMEO, 100);
    for (int i = 0; i < 3; i++) {
        struct sock_call *c = start(fx.s, SOCK_CALL_CONNECT, 0, 0);

        waits(c);
        advance(101 * MS);
        ended(c, i ? -EALREADY : -EINPROGRESS);
    }
}

TEST(a_negative_time_limit_never_waits)
{
    struct timeval tv = {-1, 0}, got = {7, 7};
    size_t len = sizeof(got);

    passive();
    assert_int_equal(sock_setsockopt(fx.s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv), fx.now), 0);
    ended(start(fx.s, SOCK_CALL_RECV, 100, 0), -EAGAIN);
    assert_int_equal(sock_getsockopt(fx.s, SOL_SOCKET, SO_RCVTIMEO, &got, &len, fx.now), 0);
    assert_int_equal(got.tv_sec, 0);
    assert_int_equal(got.tv_usec, 0);
}

TEST(shutdown_ends_an_accept_that_waits)
{
    struct sock_call *c;

    listening(4);
    c = start(fx.lst, SOCK_CALL_ACCEPT, 0, 0);
    assert_int_equal(sock_shutdown(fx.lst, SHUT_WR, fx.now), 0);
    waits(c);
    assert_int_equal(sock_shutdown(fx.lst, SHUT_RD, fx.now), 0);
    ended(c, -EINVAL);
}

TEST(shutdown_ends_a_connect_that_waits)
{
    struct sock_call *c;

    fx.s = fx_socket();
    c = start(fx.s, SOCK_CALL_CONNECT, 0, 0);
    assert_int_equal(sock_shutdown(fx.s, SHUT_RDWR, fx.now), 0);
    ended(c, -ECONNRESET);
}

TEST(shutdown_ends_a_read_and_a_write_that_wait)
{
    struct sock_call *reader, *writer;
    ssize_t got;

    passive();
    reader = start(fx.s, SOCK_CALL_RECV, 100, 0);
    assert_int_equal(sock_shutdown(fx.s, SHUT_RD, fx.now), 0);
    ended(reader, 0);
    writer = start(fx.s, SOCK_CALL_SEND, 400000, 0);
    waits(writer);
    assert_int_equal(sock_shutdown(fx.s, SHUT_WR, fx.now), 0);
    assert_true(sock_call_done(writer, &got));
    assert_in_range(got, 1, 399999);
    sock_call_free(writer);
    ended(start(fx.s, SOCK_CALL_SEND, 10, 0), -EPIPE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(connect_waits_for_the_handshake),
        T(connect_that_is_refused),
        T(connect_s_time_limit_is_einprogress_and_the_handshake_goes_on),
        T(send_path_04_a_blocking_send_waits_for_the_handshake_and_carries_its_ack),
        T(send_path_12_a_send_waits_for_space_until_all_is_accepted),
        T(send_path_12_a_time_limit_reports_what_was_accepted),
        T(send_path_12_a_signal_reports_what_was_accepted_or_eintr),
        T(send_path_12_dontwait_does_not),
        T(send_path_19_a_reset_ends_a_waiting_send),
        T(recv_waits_for_a_byte),
        T(recv_waitall_waits_for_all),
        T(recv_waitall_is_cut_short_by_the_end),
        T(recv_waitall_ends_at_an_urgent_mark_that_comes_where_it_waits),
        T(a_time_limit_beyond_all_time_is_none),
        T(recv_s_time_limit),
        T(recv_is_ended_by_a_reset),
        T(accept_waits),
        T(two_accepts_get_one_connection_each),
        T(a_connection_that_the_stack_closed_before_its_accept_was_asked_for_is_gone),
        T(close_under_a_waiting_call),
        T(a_call_that_is_forgotten_while_it_waits),
        T(a_call_that_is_forgotten_takes_no_bytes),
        T(a_restarting_signal_leaves_a_call_that_has_done_nothing),
        T(a_restarting_signal_ends_a_call_with_a_time_limit),
        T(a_restarting_signal_ends_a_call_that_has_done_something),
        T(a_second_connect_that_runs_out_of_time_says_ealready),
        T(a_negative_time_limit_never_waits),
        T(shutdown_ends_an_accept_that_waits),
        T(shutdown_ends_a_connect_that_waits),
        T(shutdown_ends_a_read_and_a_write_that_wait),
    };

    return cmocka_run_group_tests_name("wait", tests, NULL, NULL);
}
