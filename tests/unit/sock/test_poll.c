/* SPDX-License-Identifier: MIT */
/* poll(2) masks in every state (linux-receiver §14). */
#include "tests/unit/tcp/fixture.h"

#include <poll.h>

#define IN  (POLLIN | POLLRDNORM)
#define OUT (POLLOUT | POLLWRNORM)

#define assert_poll(s, mask) assert_int_equal(sock_poll(s), (mask))

TEST(a_fresh_socket)
{
    fx.s = fx_socket();
    assert_poll(fx.s, OUT | POLLHUP);
}

TEST(a_listener_is_readable_when_there_is_something_to_accept)
{
    listening(4);
    assert_poll(fx.lst, 0);
    peer_connects();
    assert_poll(fx.lst, IN);
    assert_int_equal(accept_one(), 0);
    assert_poll(fx.lst, 0);
}

TEST(connecting_is_neither)
{
    connecting();
    assert_poll(fx.s, 0);
    peer(SYN, 0, 0, 0);
    assert_poll(fx.s, 0);
    peer(ACK, 1, 1, 0);
    assert_poll(fx.s, OUT);
}

TEST(a_refused_connect)
{
    connecting();
    peer(RST | ACK, 0, 1, 0);
    assert_poll(fx.s, IN | OUT | POLLERR | POLLHUP | POLLRDHUP);
    sock_error(fx.s, true);
    assert_poll(fx.s, IN | OUT | POLLHUP | POLLRDHUP);
}

TEST(established_readable_and_writable)
{
    passive();
    assert_poll(fx.s, OUT);
    peer(PSH | ACK, 1, 1, 10);
    assert_poll(fx.s, IN | OUT);
    assert_int_equal(r(10), 10);
    assert_poll(fx.s, OUT);
}

TEST(rcvlowat)
{
    passive();
    assert_int_equal(set_int(SOL_SOCKET, SO_RCVLOWAT, 100), 0);
    peer(PSH | ACK, 1, 1, 99);
    assert_poll(fx.s, OUT);
    peer(PSH | ACK, 100, 1, 1);
    assert_poll(fx.s, IN | OUT);
}

TEST(rcvlowat_gives_way_beyond_seven_eighths_of_the_memory)
{
    uint64_t used, before;

    passive();
    assert_int_equal(set_int(SOL_SOCKET, SO_RCVLOWAT, 100), 0);
    peer(PSH | ACK, 1, 1, 10);
    before = fx.st->mem.used;
    used = fx.st->mem.used - fx.st->extents.cached;
    used += (7 - used % 7) % 7;
    fx.st->mem.limit = used / 7 * 8; /* so that an eighth is a whole number */
    fx.st->mem.used = used + fx.st->extents.cached;
    assert_poll(fx.s, OUT);
    fx.st->mem.used++;
    assert_poll(fx.s, IN | OUT);
    fx.st->mem.used = before;
}

TEST(a_full_send_buffer_is_writable_again_when_a_third_is_free)
{
    passive();
    assert_int_equal(set_int(SOL_SOCKET, SO_SNDBUF, 15000), 0);
    while (w(5000) > 0)
        ;
    assert_poll(fx.s, 0);
    while (tcp_wmem_queued(tp) > 20000) {
        assert_poll(fx.s, 0);
        peer(ACK, 1, tp->snd_una - tp->iss + 1448, 0);
        clear();
    }
    assert_poll(fx.s, OUT);
}

TEST(notsent_lowat)
{
    passive();
    assert_int_equal(set_int(IPPROTO_TCP, TCP_NOTSENT_LOWAT, 2000), 0);
    assert_int_equal(w(14480), 14480);
    assert_poll(fx.s, OUT);
    assert_int_equal(w(999), 999);
    assert_poll(fx.s, OUT);
    assert_int_equal(w(1), 1); /* twice the unsent is not below the mark */
    assert_poll(fx.s, 0);
}

TEST(the_peer_s_fin)
{
    passive();
    peer(FIN | ACK, 1, 1, 0);
    assert_poll(fx.s, IN | OUT | POLLRDHUP);
    assert_int_equal(sock_shutdown(fx.s, SHUT_WR, fx.now), 0);
    assert_poll(fx.s, IN | OUT | POLLRDHUP | POLLHUP);
}

TEST(our_shutdowns)
{
    passive();
    assert_int_equal(sock_shutdown(fx.s, SHUT_WR, fx.now), 0);
    assert_poll(fx.s, OUT);
    assert_int_equal(sock_shutdown(fx.s, SHUT_RD, fx.now), 0);
    assert_poll(fx.s, IN | OUT | POLLRDHUP | POLLHUP);
}

TEST(a_reset)
{
    passive();
    peer(RST, 1, 0, 0);
    assert_poll(fx.s, IN | OUT | POLLRDHUP | POLLHUP | POLLERR);
    assert_int_equal(r(1), -ECONNRESET);
    assert_poll(fx.s, IN | OUT | POLLRDHUP | POLLHUP);
}

TEST(a_reset_in_close_wait)
{
    passive();
    peer(FIN | ACK, 1, 1, 0);
    peer(RST, 2, 0, 0);
    assert_poll(fx.s, IN | OUT | POLLRDHUP | POLLHUP | POLLERR);
    assert_int_equal(sock_error(fx.s, true), EPIPE);
    assert_poll(fx.s, IN | OUT | POLLRDHUP | POLLHUP);
}

TEST(our_end_first)
{
    passive();
    assert_int_equal(sock_shutdown(fx.s, SHUT_WR, fx.now), 0);
    assert_poll(fx.s, OUT); /* FIN-WAIT-1 */
    peer(ACK, 1, 2, 0);
    assert_poll(fx.s, OUT); /* FIN-WAIT-2 */
    peer(PSH | ACK, 1, 2, 10);
    assert_poll(fx.s, IN | OUT);
    peer(FIN | ACK, 11, 2, 0);
    assert_poll(fx.s, IN | OUT | POLLRDHUP | POLLHUP); /* TIME-WAIT is not the socket's any more */
}

TEST(crossing_ends)
{
    passive();
    assert_int_equal(sock_shutdown(fx.s, SHUT_WR, fx.now), 0);
    peer(FIN | ACK, 1, 1, 0);
    assert_state(CLOSING);
    assert_poll(fx.s, IN | OUT | POLLRDHUP | POLLHUP);
}

TEST(the_last_ack)
{
    passive();
    peer(FIN | ACK, 1, 1, 0);
    assert_int_equal(sock_shutdown(fx.s, SHUT_WR, fx.now), 0);
    assert_state(LAST_ACK);
    assert_poll(fx.s, IN | OUT | POLLRDHUP | POLLHUP);
    peer(ACK, 2, 2, 0);
    assert_state(CLOSED);
    assert_poll(fx.s, IN | OUT | POLLRDHUP | POLLHUP);
}

TEST(an_attempt_that_shutdown_gave_up)
{
    connecting();
    assert_int_equal(sock_shutdown(fx.s, SHUT_RDWR, fx.now), 0);
    assert_poll(fx.s, OUT | POLLERR | POLLHUP);
}

TEST(a_listener_that_shutdown_ended)
{
    listening(4);
    assert_int_equal(sock_shutdown(fx.lst, SHUT_RD, fx.now), 0);
    assert_poll(fx.lst, OUT | POLLHUP);
}

TEST(shut_before_it_was_connected)
{
    fx.s = fx_socket();
    assert_int_equal(sock_shutdown(fx.s, SHUT_RD, fx.now), -ENOTCONN);
    assert_poll(fx.s, IN | OUT | POLLRDHUP | POLLHUP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_fresh_socket),
        T(a_listener_is_readable_when_there_is_something_to_accept),
        T(connecting_is_neither),
        T(a_refused_connect),
        T(established_readable_and_writable),
        T(rcvlowat),
        T(rcvlowat_gives_way_beyond_seven_eighths_of_the_memory),
        T(a_full_send_buffer_is_writable_again_when_a_third_is_free),
        T(notsent_lowat),
        T(the_peer_s_fin),
        T(our_shutdowns),
        T(a_reset),
        T(a_reset_in_close_wait),
        T(our_end_first),
        T(crossing_ends),
        T(the_last_ack),
        T(an_attempt_that_shutdown_gave_up),
        T(a_listener_that_shutdown_ended),
        T(shut_before_it_was_connected),
    };

    return cmocka_run_group_tests_name("poll", tests, NULL, NULL);
}
