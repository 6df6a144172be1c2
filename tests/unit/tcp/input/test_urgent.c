/* SPDX-License-Identifier: MIT */
/* Urgent data, both ways (RFC 9293 §3.8.5, RFC 6093; linux-receiver §12). Payload is the fixture's
 * pattern by stream offset. */
#include "tests/unit/tcp/fixture.h"

#include <poll.h>

/* recv(MSG_OOB): the byte, or a negative errno value. */
static int oob(int flags)
{
    uint8_t b = 0;
    struct iovec iov = {&b, 1};
    ssize_t n = sock_recvmsg(fx.s, &iov, 1, MSG_OOB | flags, fx.now);

    return n > 0 ? b : (int)n;
}

static uint8_t byte_at(uint64_t off)
{
    return (uint8_t)(off * 131 + (off >> 8) * 7);
}

static bool pri(void)
{
    return sock_poll(fx.s) & POLLPRI;
}

static bool readable(void)
{
    return sock_poll(fx.s) & POLLIN;
}

/* 10 bytes, the urgent one, 10 bytes. */
static void marked(void)
{
    passive();
    peer(PSH | ACK | URG, 1, 1, 21, .urg = 11);
    clear();
}

/* Read and compare with the pattern although an urgent byte was skipped. */
static ssize_t r_at(uint64_t off, size_t n)
{
    fx.c->read = off;
    return r(n);
}

/* --- receiving
 * --------------------------------------------------------------------------------------
 */

TEST(the_pointer_names_the_byte_behind_the_urgent_one)
{
    marked();
    assert_true(pri());
    assert_true(events_of(fx.s) & SOCK_EV_URGENT);
    assert_int_equal(oob(MSG_PEEK), byte_at(10));
    assert_int_equal(oob(0), byte_at(10));
    assert_false(pri());
    assert_int_equal(oob(0), -EINVAL);
    assert_int_equal(cnt(tcp_in_urgent), 1);
}

TEST(with_tcp_stdurg_the_pointer_names_the_byte_itself)
{
    tun.stdurg = 1;
    marked();
    assert_int_equal(oob(0), byte_at(11));
}

TEST(a_pointer_of_zero_names_the_first_byte)
{
    passive();
    peer(PSH | ACK | URG, 1, 1, 5);
    assert_int_equal(oob(0), byte_at(0));
}

TEST(a_read_stops_at_the_mark_and_the_next_one_skips_the_byte)
{
    marked();
    assert_false(sock_at_mark(fx.s));
    assert_int_equal(sock_inq(fx.s), 10);
    assert_int_equal(r(100), 10);
    assert_true(sock_at_mark(fx.s));
    assert_int_equal(sock_inq(fx.s), 0);
    assert_int_equal(oob(0), byte_at(10));
    assert_true(sock_at_mark(fx.s));
    assert_int_equal(r_at(11, 100), 10);
    assert_false(sock_at_mark(fx.s));
    assert_int_equal(r(100), -EAGAIN);
}

TEST(a_read_past_an_uncollected_urgent_byte_drops_it)
{
    marked();
    assert_int_equal(r(100), 10);
    assert_int_equal(r_at(11, 100), 10);
    assert_false(pri());
    assert_int_equal(oob(0), -EINVAL);
}

TEST(with_so_oobinline_the_byte_is_in_the_line)
{
    marked();
    assert_int_equal(set_int(SOL_SOCKET, SO_OOBINLINE, 1), 0);
    assert_true(pri());
    assert_int_equal(oob(0), -EINVAL);
    assert_int_equal(sock_inq(fx.s), 21);
    assert_int_equal(r(100), 10);
    assert_true(sock_at_mark(fx.s));
    assert_int_equal(r(100), 11);
    assert_false(pri());
}

TEST(a_peek_at_the_mark_skips_the_byte_and_changes_nothing)
{
    uint8_t b[100];
    struct iovec iov = {b, sizeof(b)};

    marked();
    assert_int_equal(r(100), 10);
    assert_int_equal(sock_recvmsg(fx.s, &iov, 1, MSG_PEEK, fx.now), 10);
    assert_int_equal(b[0], byte_at(11));
    assert_true(sock_at_mark(fx.s));
    assert_int_equal(oob(0), byte_at(10));
}

TEST(an_urgent_byte_alone_is_pollpri_and_no_data)
{
    passive();
    peer(PSH | ACK | URG, 1, 1, 1, .urg = 1);
    assert_true(pri());
    assert_false(readable());
    assert_int_equal(r(10), -EAGAIN);
    assert_false(pri()); /* the read went past it */
    assert_false(sock_at_mark(fx.s));
}

TEST(an_announced_byte_is_eagain_until_it_is_here)
{
    passive();
    assert_int_equal(oob(0), -EINVAL);
    peer(ACK | URG, 1, 1, 0, .urg = 6);
    assert_int_equal(oob(0), -EAGAIN);
    assert_false(pri());
    peer(PSH | ACK, 1, 1, 5);
    assert_int_equal(oob(0), -EAGAIN);
    assert_int_equal(r(100), 5);
    assert_true(sock_at_mark(fx.s));
    peer(PSH | ACK, 6, 1, 5);
    assert_true(pri());
    assert_int_equal(oob(0), byte_at(5));
    assert_int_equal(r_at(6, 100), 4);
}

TEST(an_announced_byte_that_never_came_is_an_end_of_file)
{
    passive();
    peer(FIN | ACK | URG, 1, 1, 0, .urg = 6);
    assert_int_equal(oob(0), 0);
}

TEST(the_byte_is_here_although_what_precedes_it_is_not)
{
    passive();
    peer(PSH | ACK | URG, 11, 1, 5, .urg = 1);
    assert_true(pri());
    assert_int_equal(oob(0), byte_at(10));
    peer(PSH | ACK, 1, 1, 10);
    assert_int_equal(r(100), 10);
    assert_int_equal(r_at(11, 100), 4);
}

TEST(the_byte_that_came_before_its_pointer_is_found_when_the_hole_is_filled)
{
    passive();
    peer(PSH | ACK, 11, 1, 5);
    peer(PSH | ACK | URG, 1, 1, 10, .urg = 12);
    assert_true(pri());
    assert_int_equal(oob(0), byte_at(11));
    assert_int_equal(r(100), 11);
    assert_int_equal(r_at(12, 100), 3);
}

TEST(a_newer_mark_replaces_the_older_one_whose_byte_becomes_data)
{
    marked();
    peer(PSH | ACK | URG, 22, 1, 9, .urg = 5);
    assert_int_equal(oob(0), byte_at(25));
    assert_int_equal(r(100), 25);
    assert_int_equal(r_at(26, 100), 4);
}

TEST(a_byte_that_was_taken_does_not_come_again_when_the_mark_moves_on)
{
    passive();
    peer(PSH | ACK | URG, 1, 1, 1, .urg = 1);
    assert_int_equal(oob(0), byte_at(0));
    peer(PSH | ACK | URG, 2, 1, 3, .urg = 3);
    assert_int_equal(r_at(1, 100), 2);
    assert_int_equal(oob(0), byte_at(3));
}

TEST(an_older_or_repeated_pointer_changes_nothing)
{
    marked();
    assert_int_equal(oob(0), byte_at(10));
    peer(ACK | URG, 22, 1, 0, .urg = 0); /* at rcv_nxt: nothing yet */
    assert_int_equal(oob(0), -EAGAIN);
    peer(PSH | ACK | URG, 1, 1, 21, .urg = 11); /* the old segment again */
    assert_int_equal(oob(0), -EAGAIN);
}

TEST(hostile_an_urgent_byte_beyond_the_window_is_not_taken)
{
    passive();
    peer(PSH | ACK | URG, 1 + tcp_receive_window(tp), 1, 5, .urg = 1);
    assert_false(pri());
    assert_int_equal(r(10), -EAGAIN);
}

TEST(urgent_data_behind_the_peer_s_fin_is_ignored)
{
    passive();
    peer(FIN | ACK, 1, 1, 0);
    peer(ACK | URG, 2, 1, 0, .urg = 5);
    assert_int_equal(oob(0), -EINVAL);
}

TEST(the_spans_end_at_the_mark_and_are_then_the_urgent_byte_alone)
{
    struct iovec v[4];
    int n;

    marked();
    assert_int_equal(sock_recv_spans(fx.s, v, &n), 10);
    sock_recv_consume(fx.s, 10, 0, fx.now);
    assert_true(sock_at_mark(fx.s));
    assert_int_equal(sock_recv_spans(fx.s, v, &n), 1);
    assert_int_equal(*(uint8_t *)v[0].iov_base, byte_at(10));
    sock_recv_consume(fx.s, 1, 0, fx.now);
    assert_false(sock_at_mark(fx.s));
    assert_int_equal(sock_recv_spans(fx.s, v, &n), 10);
}

TEST(msg_oob_on_what_has_none)
{
    fx.s = fx_socket();
    assert_int_equal(oob(0), -EINVAL);
    listening(1);
    fx.s = fx.lst;
    assert_int_equal(oob(0), -ENOTCONN);
}

/* --- sending
 * ----------------------------------------------------------------------------------------
 */

TEST(msg_oob_points_behind_its_last_byte)
{
    passive();
    assert_int_equal(wflags(5, MSG_OOB), 5);
    assert_int_equal(expect(URG | PSH | ACK, 1, 1, 5)->urg, 5);
    peer(ACK, 1, 6, 0);
    assert_int_equal(w(5), 5);
    assert_int_equal(expect(PSH | ACK, 6, 1, 5)->urg, 0);
}

TEST(segments_say_urgent_until_the_pointer_is_acknowledged)
{
    passive();
    assert_int_equal(wflags(1, MSG_OOB), 1);
    expect(URG | PSH | ACK, 1, 1, 1);
    assert_int_equal(w(10),
                     10); /* behind the pointer; sent at once, as long as it is not acknowledged */
    assert_int_equal(expect(PSH | ACK, 2, 1, 10)->urg, 0);
    advance(300 * MS);
    assert_int_equal(expect(URG | PSH | ACK, 1, 1, 1)->urg, 1);
    peer(ACK, 1, 12, 0);
    assert_int_equal(w(10), 10);
    expect(PSH | ACK, 12, 1, 10);
    assert_int_equal(w(10), 10); /* Nagle again */
    expect_none();
}

TEST(an_empty_segment_before_the_pointer_says_so_too)
{
    fx.c->window = 1; /* 128 bytes */
    passive();
    assert_int_equal(wflags(200, MSG_OOB), 200);
    clear();
    peer(PSH | ACK, 1, 1, 10, .win = -1);
    assert_true(tp->snd_nxt - tp->iss <= 129);
    advance(50 * MS);
    while (fx.next < fx.n_segs) {
        const struct fx_seg *g = take();

        assert_true(g->flags & URG);
        assert_int_equal(g->urg, 201 - g->seq);
    }
}

TEST(urgent_data_is_not_held_back_by_nagle_or_the_cork)
{
    passive();
    assert_int_equal(set_int(IPPROTO_TCP, TCP_CORK, 1), 0);
    assert_int_equal(w(10), 10);
    expect_none();
    assert_int_equal(wflags(1, MSG_OOB), 1);
    assert_int_equal(expect(URG | PSH | ACK, 1, 1, 11)->urg, 11);
    assert_int_equal(wflags(1, MSG_OOB), 1);
    assert_int_equal(expect(URG | PSH | ACK, 12, 1, 1)->urg, 1);
}

TEST(urgent_segments_are_of_one_mss_each_with_its_own_pointer)
{
    passive();
    assert_int_equal(wflags(3000, MSG_OOB), 3000);
    assert_int_equal(expect(URG | ACK, 1, 1, 1448)->urg, 3000);
    assert_int_equal(expect(URG | ACK, 1449, 1, 1448)->urg, 1552);
    assert_int_equal(expect(URG | PSH | ACK, 2897, 1, 104)->urg, 104);
}

TEST(a_pointer_beyond_sixteen_bits_is_said_as_far_as_they_go)
{
    passive();
    bulk(200000);
    peer(ACK, 1, 200001, 0);
    assert_int_equal(w(100000), 100000);
    clear();
    assert_true(wflags(1, MSG_OOB) == 1);
    clear();
    advance(1 * SEC); /* the head again: the pointer is too far, and data beyond it is in flight */
    assert_int_equal(take()->flags & URG, tp->snd_nxt - tp->snd_una > 65535 ? 0 : URG);
}

TEST(a_closed_window_does_not_hold_the_pointer_back)
{
    const struct fx_seg *g;

    passive();
    peer(ACK, 1, 1, 0, .win = -1);
    assert_int_equal(wflags(5, MSG_OOB), 5);
    expect_none();
    advance(300 * MS);
    g = expect(URG | ACK, 1, 1, 0);
    assert_int_equal(g->urg, 5);
    g = expect(URG | ACK, 0, 1, 0);
    assert_int_equal(g->urg, 6);
}

TEST(a_signal_to_a_reader_that_does_not_read_on_does_not_hang)
{
    passive();
    for (uint32_t i = 0; i < 5; i++)
        peer(PSH | ACK | URG, 1 + i * 1000, 1, 1000, .urg = 500);
    assert_int_equal(r(100000), 4499);
    assert_int_equal(r_at(4500, 100000), 500);
    assert_int_equal(r(1), -EAGAIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_pointer_names_the_byte_behind_the_urgent_one),
        T(with_tcp_stdurg_the_pointer_names_the_byte_itself),
        T(a_pointer_of_zero_names_the_first_byte),
        T(a_read_stops_at_the_mark_and_the_next_one_skips_the_byte),
        T(a_read_past_an_uncollected_urgent_byte_drops_it),
        T(with_so_oobinline_the_byte_is_in_the_line),
        T(a_peek_at_the_mark_skips_the_byte_and_changes_nothing),
        T(an_urgent_byte_alone_is_pollpri_and_no_data),
        T(an_announced_byte_is_eagain_until_it_is_here),
        T(an_announced_byte_that_never_came_is_an_end_of_file),
        T(the_byte_is_here_although_what_precedes_it_is_not),
        T(the_byte_that_came_before_its_pointer_is_found_when_the_hole_is_filled),
        T(a_newer_mark_replaces_the_older_one_whose_byte_becomes_data),
        T(a_byte_that_was_taken_does_not_come_again_when_the_mark_moves_on),
        T(an_older_or_repeated_pointer_changes_nothing),
        T(hostile_an_urgent_byte_beyond_the_window_is_not_taken),
        T(urgent_data_behind_the_peer_s_fin_is_ignored),
        T(the_spans_end_at_the_mark_and_are_then_the_urgent_byte_alone),
        T(msg_oob_on_what_has_none),
        T(msg_oob_points_behind_its_last_byte),
        T(segments_say_urgent_until_the_pointer_is_acknowledged),
        T(an_empty_segment_before_the_pointer_says_so_too),
        T(urgent_data_is_not_held_back_by_nagle_or_the_cork),
        T(urgent_segments_are_of_one_mss_each_with_its_own_pointer),
        T(a_pointer_beyond_sixteen_bits_is_said_as_far_as_they_go),
        T(a_closed_window_does_not_hold_the_pointer_back),
        T(a_signal_to_a_reader_that_does_not_read_on_does_not_hang),
    };

    return cmocka_run_group_tests_name("urgent", tests, NULL, NULL);
}
