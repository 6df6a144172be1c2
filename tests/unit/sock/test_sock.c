/* SPDX-License-Identifier: MIT */
/* Life of a socket: events, user word, close and abort with calls and events under way. */
#include "proto/sock/sock_internal.h"
#include "tests/unit/tcp/fixture.h"

TEST(the_user_word_and_the_id_belong_to_the_socket)
{
    int word;

    listening(4);
    sock_set_user(fx.lst, &word);
    passive();
    assert_null(sock_user(fx.s)); /* children start without */
    assert_ptr_equal(sock_user(fx.lst), &word);
    assert_int_not_equal(sock_id(fx.s), sock_id(fx.lst));
}

TEST(each_event_is_reported_once)
{
    passive();
    peer(PSH | ACK, 1, 1, 10);
    peer(PSH | ACK, 11, 1, 10);
    assert_int_equal(events_of(fx.s) & SOCK_EV_READABLE, SOCK_EV_READABLE);
    assert_int_equal(events_of(fx.s), 0);
}

TEST(that_there_is_room_is_no_news)
{
    uint32_t mask;

    passive();
    (void)events_of(fx.s);
    sock_event(fx.s, SOCK_EV_WRITABLE);
    assert_null(stack_next_news(fx.st, &mask));
    sock_event(fx.s, SOCK_EV_READABLE);
    assert_ptr_equal(stack_next_news(fx.st, &mask), fx.s);
    assert_int_equal(mask, SOCK_EV_WRITABLE | SOCK_EV_READABLE);
    assert_null(stack_next_event(fx.st, &mask));
    sock_event(fx.s, SOCK_EV_READABLE);
    sock_event(fx.s, SOCK_EV_ACKED);
    assert_ptr_equal(stack_next_news(fx.st, &mask), fx.s);
    assert_int_equal(mask, SOCK_EV_ACKED | SOCK_EV_READABLE);
    sock_event(fx.s, SOCK_EV_ACKED | SOCK_EV_WRITABLE);
    assert_null(stack_next_news(fx.st, &mask));
    assert_ptr_equal(stack_next_event(fx.st, &mask), fx.s);
    assert_int_equal(mask, SOCK_EV_ACKED | SOCK_EV_WRITABLE);
    assert_null(stack_next_event(fx.st, &mask));
}

TEST(events_of_a_closed_socket_are_gone)
{
    uint32_t mask;

    passive();
    peer(PSH | ACK, 1, 1, 10, .later = true);
    sock_close(fx.s, fx.now);
    fx.s = NULL;
    assert_null(stack_next_event(fx.st, &mask));
    run();
    clear();
}

TEST(close_at_every_moment_leaves_nothing)
{
    for (unsigned when = 0; when < 8; when++) {
        peer_use(when);
        connecting();
        if (when > 0)
            peer(SYN | ACK, 0, 1, 0);
        if (when > 1)
            w(1000);
        if (when > 2)
            peer(ACK, 1, 1001, 0);
        if (when > 3)
            peer(PSH | ACK, 1, 1001, 10);
        if (when > 4)
            r(10);
        if (when > 5)
            peer(FIN | ACK, 11, 1001, 0);
        if (when > 6)
            peer(RST, 12, 0, 0);
        close_it();
        advance(400 * SEC);
        clear();
        assert_int_equal(fx.st->tcp.n_tcbs, 0);
        assert_int_equal(fx.st->n_sockets, 0);
    }
}

TEST(abort_at_every_moment_leaves_nothing)
{
    for (unsigned when = 0; when < 4; when++) {
        peer_use(when);
        if (when == 0)
            fx.s = fx_socket();
        else
            connecting();
        if (when > 1)
            peer(SYN | ACK, 0, 1, 0);
        if (when > 2)
            peer(FIN | ACK, 1, 1, 0);
        sock_abort(fx.s, fx.now);
        fx.s = NULL;
        run();
        clear();
        assert_int_equal(fx.st->tcp.n_tcbs, 0);
    }
}

TEST(a_reset_is_never_a_clean_end)
{
    uint32_t mask;

    passive();
    peer(RST, 1, 0, 0);
    mask = events_of(fx.s);
    assert_true(mask & SOCK_EV_ERROR);
    assert_false(mask & SOCK_EV_CLOSED);
    assert_false(sock_recv_eof(fx.s));
}

TEST(a_good_end_is_no_error)
{
    uint32_t mask;

    passive();
    assert_int_equal(sock_shutdown(fx.s, SHUT_WR, fx.now), 0);
    peer(FIN | ACK, 1, 2, 0);
    mask = events_of(fx.s);
    assert_true(mask & SOCK_EV_CLOSED);
    assert_false(mask & SOCK_EV_ERROR);
    assert_int_equal(sock_error(fx.s, false), 0);
    assert_int_equal(r(1), 0);
    assert_int_equal(w(1), -EPIPE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_user_word_and_the_id_belong_to_the_socket),
        T(each_event_is_reported_once),
        T(that_there_is_room_is_no_news),
        T(events_of_a_closed_socket_are_gone),
        T(close_at_every_moment_leaves_nothing),
        T(abort_at_every_moment_leaves_nothing),
        T(a_reset_is_never_a_clean_end),
        T(a_good_end_is_no_error),
    };

    return cmocka_run_group_tests_name("sock", tests, NULL, NULL);
}
