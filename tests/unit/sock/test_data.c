/* SPDX-License-Identifier: MIT */
/* send(2), recv(2) and the spans that the host fills and empties (send path, step 19;
 * linux-receiver §14). */
#include "tests/unit/tcp/fixture.h"

static ssize_t recv_flags(void *buf, size_t n, int flags)
{
    struct iovec iov = {buf, n};

    return sock_recvmsg(fx.s, &iov, 1, flags, fx.now);
}

TEST(send_path_19_after_shutdown_epipe)
{
    passive();
    assert_int_equal(sock_shutdown(fx.s, SHUT_WR, fx.now), 0);
    assert_int_equal(w(10), -EPIPE);
    assert_int_equal(wflags(10, MSG_NOSIGNAL), -EPIPE);
}

TEST(send_path_19_the_pending_error_first_then_epipe)
{
    passive();
    peer(RST, 1, 0, 0);
    assert_int_equal(w(10), -ECONNRESET);
    assert_int_equal(w(10), -EPIPE);
    assert_int_equal(r(10), 0);
}

TEST(send_path_19_a_reset_in_close_wait_is_epipe_at_once)
{
    passive();
    peer(FIN | ACK, 1, 1, 0);
    peer(RST, 2, 0, 0);
    assert_int_equal(w(10), -EPIPE);
}

TEST(send_path_19_bytes_accepted_before_the_error_stay_accepted)
{
    passive();
    assert_int_equal(w(1000), 1000);
    peer(RST, 1, 0, 0);
    assert_int_equal(w(1000), -ECONNRESET);
}

TEST(flags_that_we_do_not_have_are_eopnotsupp)
{
    char c;
    struct iovec iov = {&c, 1};

    passive();
    assert_int_equal(wflags(1, MSG_CONFIRM), -EOPNOTSUPP);
    assert_int_equal(wflags(1, MSG_FASTOPEN), -EOPNOTSUPP);
    assert_int_equal(sock_recvmsg(fx.s, &iov, 1, MSG_ERRQUEUE, fx.now), -EOPNOTSUPP);
    expect_none();
}

TEST(peek_leaves_the_bytes)
{
    char a[10], b[10];

    passive();
    peer(PSH | ACK, 1, 1, 10);
    assert_int_equal(recv_flags(a, 10, MSG_PEEK), 10);
    assert_int_equal(recv_flags(b, 10, MSG_PEEK), 10);
    assert_memory_equal(a, b, 10);
    assert_int_equal(r(10), 10);
    assert_int_equal(r(10), -EAGAIN);
}

TEST(trunc_throws_the_bytes_away)
{
    passive();
    peer(PSH | ACK, 1, 1, 100);
    assert_int_equal(recv_flags(NULL, 60, MSG_TRUNC), 60);
    fx.c->read += 60;
    assert_int_equal(r(100), 40);
}

TEST(one_read_may_fill_several_buffers)
{
    uint8_t a[3], b[50];
    struct iovec iov[4] = {{a, 3}, {NULL, 0}, {b, 50}, {NULL, 0}};

    passive();
    peer(PSH | ACK, 1, 1, 20);
    assert_int_equal(sock_recvmsg(fx.s, iov, 4, 0, fx.now), 20);
    assert_int_equal(a[2], (uint8_t)(2 * 131));
    assert_int_equal(b[0], (uint8_t)(3 * 131));
    assert_int_equal(b[16], (uint8_t)(19 * 131));
}

TEST(reading_what_was_never_connected_is_enotconn)
{
    fx.s = fx_socket();
    assert_int_equal(r(10), -ENOTCONN);
    close_it();
    listening(1);
    fx.s = fx.lst;
    assert_int_equal(r(10), -ENOTCONN);
}

TEST(reading_while_connecting_waits)
{
    connecting();
    assert_int_equal(r(10), -EAGAIN);
}

/* --- spans -------------------------------------------------------------------------------------
 */

static size_t put(size_t want, size_t commit, int flags)
{
    struct iovec v[4];
    int n;
    ssize_t got = sock_send_spans(fx.s, want, v, &n);
    uint64_t off = fx.c->written;

    if (got <= 0)
        return 0;
    for (int i = 0; i < n; i++) {
        for (size_t k = 0; k < v[i].iov_len; k++, off++)
            ((uint8_t *)v[i].iov_base)[k] = (uint8_t)(off * 131 + (off >> 8) * 7);
    }
    if (commit > (size_t)got)
        commit = (size_t)got;
    assert_int_equal(sock_send_commit(fx.s, commit, flags, fx.now), commit);
    fx.c->written += commit;
    run();
    return commit;
}

TEST(spans_are_sent_as_a_write_would_be)
{
    passive();
    assert_int_equal(put(5000, 5000, 0), 5000);
    expect(PSH | ACK, 1, 1, 5000);
}

TEST(less_may_be_committed_than_was_granted)
{
    passive();
    assert_int_equal(put(5000, 100, 0), 100);
    expect(PSH | ACK, 1, 1, 100);
    peer(ACK, 1, 101, 0);
    assert_int_equal(put(5000, 0, 0), 0);
    expect_none();
    assert_int_equal(put(200, 200, 0), 200);
    expect(PSH | ACK, 101, 1, 200);
}

TEST(spans_obey_the_send_buffer_and_msg_more)
{
    struct iovec v[4];
    int n;

    passive();
    assert_int_equal(set_int(SOL_SOCKET, SO_SNDBUF, 5000), 0);
    assert_int_equal(put(100, 100, MSG_MORE), 100);
    expect_none();
    assert_int_equal(put(100000, 100000, 0), 9900);
    assert_int_equal(sock_send_spans(fx.s, 10, v, &n), 0);
    assert_int_equal(n, 0);
    assert_int_equal(take_bytes(), 10000);
    events_of(fx.s);
    peer(ACK, 1, 10001, 0);
    assert_true(events_of(fx.s) & SOCK_EV_WRITABLE);
}

TEST(a_commit_is_never_refused_by_notsent_lowat)
{
    passive();
    assert_int_equal(set_int(IPPROTO_TCP, TCP_NOTSENT_LOWAT, 100), 0);
    assert_int_equal(put(80000, 80000, 0), 80000);
}

/* Use up what memory there is, so that no segment can be had. */
static unsigned hog_segments(struct segment **hogs, unsigned most)
{
    unsigned n = 0;

    fx.st->mem.limit = fx.st->mem.used;
    while (n < most && (hogs[n] = pool_get(&fx.st->tcp.segment_pool)))
        n++;
    return n;
}

TEST(a_commit_is_never_refused_for_want_of_memory)
{
    static struct segment *hogs[4096];
    struct iovec iov[4];
    size_t limit, got = 0;
    unsigned n, held;
    int spans;

    passive();
    limit = fx.st->mem.limit;
    assert_int_equal(sock_send_spans(fx.s, 70000, iov, &spans), 70000);
    for (int i = 0; i < spans; i++)
        for (size_t k = 0; k < iov[i].iov_len; k++)
            ((uint8_t *)iov[i].iov_base)[k] = fx_pattern(got++);
    held = hog_segments(hogs, 4096);
    assert_in_range(held, 1, 4095);
    assert_int_equal(sock_send_commit(fx.s, 70000, 0, fx.now), 70000);
    assert_int_equal(sock_unacked(fx.s), 70000);
    /* and without a segment nothing more is granted */
    assert_int_equal(sock_send_spans(fx.s, 1000, iov, &spans), 0);
    for (n = 0; n < held; n++)
        pool_put(&fx.st->tcp.segment_pool, hogs[n]);
    fx.st->mem.limit = limit;
    for (n = 0; n < 20 && sock_unacked(fx.s); n++) {
        advance(300000);
        clear();
        peer(ACK, 1, tp->snd_nxt - tp->iss, 0);
    }
    assert_int_equal(sock_unacked(fx.s), 0);
}

/* No ACK will come to say that there is memory again. */
TEST(a_writer_without_memory_is_told_in_ten_milliseconds)
{
    struct iovec iov[4];
    size_t limit;
    int spans;

    passive();
    limit = fx.st->mem.limit;
    fx.st->mem.limit = fx.st->mem.used;
    assert_int_equal(sock_send_spans(fx.s, 70000, iov, &spans), 0);
    fx.st->mem.limit = limit;
    events_of(fx.s);
    advance(10 * MS - 1);
    assert_false(events_of(fx.s) & SOCK_EV_WRITABLE);
    advance(1);
    assert_true(events_of(fx.s) & SOCK_EV_WRITABLE);
    assert_int_equal(sock_send_spans(fx.s, 70000, iov, &spans), 70000);
}

/* The program waits for room, and makes some itself: no ACK may ever come to say so. */
TEST(a_larger_send_buffer_tells_who_waits_for_room)
{
    int size = 4608, larger = 100000;
    struct iovec iov[4];
    int spans;

    passive();
    assert_int_equal(sock_setsockopt(fx.s, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size), fx.now), 0);
    w(9216);
    assert_int_equal(sock_send_spans(fx.s, 1000, iov, &spans), 0);
    events_of(fx.s);
    assert_int_equal(sock_setsockopt(fx.s, SOL_SOCKET, SO_SNDBUF, &larger, sizeof(larger), fx.now),
                     0);
    assert_true(events_of(fx.s) & SOCK_EV_WRITABLE);
}

TEST(a_higher_notsent_lowat_tells_who_waits_for_room)
{
    int low = 1000, high = 100000;
    struct iovec iov[4];
    int spans;

    passive();
    assert_int_equal(
        sock_setsockopt(fx.s, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &low, sizeof(low), fx.now), 0);
    peer(ACK, 1, 1, 0, .win = -1);
    w(2000);
    assert_int_equal(sock_send_spans(fx.s, 1000, iov, &spans), 0);
    events_of(fx.s);
    assert_int_equal(
        sock_setsockopt(fx.s, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &high, sizeof(high), fx.now), 0);
    assert_true(events_of(fx.s) & SOCK_EV_WRITABLE);
}

TEST(spans_say_the_errors_of_a_send_but_keep_them)
{
    struct iovec v[4];
    int n;

    connecting();
    assert_int_equal(sock_send_spans(fx.s, 10, v, &n), -EAGAIN);
    peer(RST | ACK, 0, 1, 0);
    assert_int_equal(sock_send_spans(fx.s, 10, v, &n), -ECONNREFUSED);
    assert_int_equal(sock_send_spans(fx.s, 10, v, &n), -ECONNREFUSED);
    assert_int_equal(sock_error(fx.s, true), ECONNREFUSED);
    assert_int_equal(sock_send_spans(fx.s, 10, v, &n), -EPIPE);
}

TEST(received_spans_are_the_stream)
{
    struct iovec v[4];
    uint64_t off = 0;
    int n;

    passive();
    peer(ACK, 1, 1, 1448);
    peer(PSH | ACK, 1449, 1, 1448);
    peer(PSH | ACK, 2897, 1, 1448); /* beyond the first extent */
    assert_int_equal(sock_recv_spans(fx.s, v, &n), 4344);
    for (int i = 0; i < n; i++) {
        for (size_t k = 0; k < v[i].iov_len; k++, off++)
            assert_int_equal(((uint8_t *)v[i].iov_base)[k], (uint8_t)(off * 131 + (off >> 8) * 7));
    }
    assert_int_equal(off, 4344);
    sock_recv_consume(fx.s, 4344, 0, fx.now);
    assert_int_equal(sock_recv_spans(fx.s, v, &n), 0);
    assert_int_equal(bytestream_footprint(&tp->rcv), 0);
}

TEST(eof_is_said_when_everything_before_it_was_taken)
{
    passive();
    peer(FIN | PSH | ACK, 1, 1, 10);
    assert_false(sock_recv_eof(fx.s));
    assert_int_equal(r(10), 10);
    assert_true(sock_recv_eof(fx.s));
}

TEST(unacked_does_not_count_the_fin)
{
    passive();
    assert_int_equal(w(10), 10);
    assert_int_equal(sock_shutdown(fx.s, SHUT_WR, fx.now), 0);
    assert_int_equal(sock_unacked(fx.s), 10);
    peer(ACK, 1, 11, 0);
    assert_int_equal(sock_unacked(fx.s), 0);
}

TEST(send_space)
{
    fx.s = fx_socket();
    assert_int_equal(sock_send_space(fx.s), 0);
    close_it();
    passive();
    assert_int_equal(set_int(SOL_SOCKET, SO_SNDBUF, 10000), 0);
    assert_int_equal(sock_send_space(fx.s), 20000);
    assert_int_equal(w(5000), 5000);
    assert_int_equal(sock_send_space(fx.s), 15000);
}

TEST(spans_inside_the_present_buffer_wait_for_no_memory)
{
    struct iovec iov[4];
    int n = 0;

    passive();
    assert_int_equal(sock_send_spans(fx.s, 100, iov, &n), 100);
    assert_int_equal(sock_send_spans(fx.s, 100, iov, &n), 100);
    assert_false(tcp_timer_pending(tp, TCP_TIMER_retry));
}

/* tcp(7), SIOCOUTQ. */
TEST(a_syn_is_not_unacknowledged_data)
{
    connecting();
    assert_int_equal(sock_unacked(fx.s), 0);
    peer(SYN, 0, 0, 0);
    assert_int_equal(sock_unacked(fx.s), 0);
}

TEST(what_was_shut_before_it_was_connected_reads_as_an_end)
{
    fx.s = fx_socket();
    assert_int_equal(r(10), -ENOTCONN);
    assert_int_equal(sock_shutdown(fx.s, SHUT_WR, fx.now), -ENOTCONN);
    assert_int_equal(r(10), -ENOTCONN);
    assert_int_equal(sock_shutdown(fx.s, SHUT_RD, fx.now), -ENOTCONN);
    assert_int_equal(r(10), 0);
}

TEST(a_failed_attempt_reads_its_error_once_then_the_end)
{
    connecting();
    peer(RST | ACK, 0, 1, 0);
    assert_int_equal(r(10), -ECONNREFUSED);
    assert_int_equal(r(10), 0);
    assert_int_equal(w(10), -EPIPE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(send_path_19_after_shutdown_epipe),
        T(send_path_19_the_pending_error_first_then_epipe),
        T(send_path_19_a_reset_in_close_wait_is_epipe_at_once),
        T(send_path_19_bytes_accepted_before_the_error_stay_accepted),
        T(flags_that_we_do_not_have_are_eopnotsupp),
        T(peek_leaves_the_bytes),
        T(trunc_throws_the_bytes_away),
        T(one_read_may_fill_several_buffers),
        T(reading_what_was_never_connected_is_enotconn),
        T(reading_while_connecting_waits),
        T(spans_are_sent_as_a_write_would_be),
        T(less_may_be_committed_than_was_granted),
        T(spans_obey_the_send_buffer_and_msg_more),
        T(a_commit_is_never_refused_by_notsent_lowat),
        T(a_commit_is_never_refused_for_want_of_memory),
        T(a_writer_without_memory_is_told_in_ten_milliseconds),
        T(a_larger_send_buffer_tells_who_waits_for_room),
        T(a_higher_notsent_lowat_tells_who_waits_for_room),
        T(spans_say_the_errors_of_a_send_but_keep_them),
        T(received_spans_are_the_stream),
        T(eof_is_said_when_everything_before_it_was_taken),
        T(unacked_does_not_count_the_fin),
        T(send_space),
        T(spans_inside_the_present_buffer_wait_for_no_memory),
        T(a_syn_is_not_unacknowledged_data),
        T(what_was_shut_before_it_was_connected_reads_as_an_end),
        T(a_failed_attempt_reads_its_error_once_then_the_end),
    };

    return cmocka_run_group_tests_name("sock data", tests, NULL, NULL);
}
