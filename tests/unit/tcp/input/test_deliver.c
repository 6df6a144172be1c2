/* SPDX-License-Identifier: MIT */
/* Bytes that the host takes out of the frame, past the receive stream. */
#include "tests/unit/tcp/fixture.h"

static struct {
    struct stack_ops ops;
    size_t room;           /* it takes so many more bytes */
    unsigned calls, least; /* least: bytes that the smallest offer had */
    uint64_t taken, unread;
} host;

static size_t take_them(void *ctx, struct sock *s, const struct iovec *iov, int n_iov, size_t *held)
{
    size_t n = 0, offered = 0;

    (void)ctx;
    assert_ptr_equal(s, fx.s);
    assert_in_range(n_iov, 1, 5);
    for (int i = 0; i < n_iov; i++) {
        const uint8_t *p = iov[i].iov_base;

        offered += iov[i].iov_len;
        for (size_t k = 0; k < iov[i].iov_len && host.room; k++, host.room--, n++)
            assert_int_equal(p[k], fx_pattern(host.taken + n));
    }
    host.calls++;
    if (!host.least || offered < host.least)
        host.least = (unsigned)offered;
    host.taken += n;
    fx.c->read += n;
    host.unread += n;
    *held = host.unread;
    return n;
}

/* A connection whose host takes up to `room` bytes, in offers of 1000 and more. */
static void connected(size_t room)
{
    passive();
    memset(&host, 0, sizeof(host));
    host.ops = *fx.st->ops;
    host.ops.deliver = take_them;
    host.ops.deliver_min = 1000;
    host.room = room;
    fx.st->ops = &host.ops;
}

TEST(what_is_taken_needs_no_stream_and_is_unread_still)
{
    connected(5000);
    peer(ACK, 1, 1, 2896, .gso = 1448);
    assert_int_equal(host.taken, 2896);
    assert_int_equal(bytestream_footprint(&tp->rcv), 0);
    assert_int_equal(tcp_unread(tp), 2896);
    assert_int_equal(sock_inq(fx.s), 0);
    expect(ACK, 1, 2897, 0);
    assert_true(events_of(fx.s) & SOCK_EV_READABLE);
    assert_int_equal(cnt(tcp_in_in_order), 1);
    assert_int_equal(r(1), -EAGAIN);
}

TEST(what_is_not_taken_waits_in_the_stream_and_comes_first_the_next_time)
{
    connected(1000);
    peer(ACK, 1, 1, 1448);
    assert_int_equal(host.taken, 1000);
    assert_int_equal(sock_inq(fx.s), 448);
    host.room = 300;
    peer(ACK, 1449, 1, 1448);
    assert_int_equal(host.taken, 1300);
    assert_int_equal(sock_inq(fx.s), 148 + 1448);
    host.room = 9999;
    peer(ACK, 2897, 1, 1448);
    assert_int_equal(host.taken, 3 * 1448);
    assert_int_equal(sock_inq(fx.s), 0);
    assert_int_equal(bytestream_footprint(&tp->rcv), 0);
    assert_int_equal(tcp_unread(tp), 3 * 1448);
    assert_int_equal(host.calls, 3);
}

TEST(who_takes_nothing_changes_nothing)
{
    connected(0);
    peer(ACK, 1, 1, 1448);
    assert_int_equal(host.calls, 1);
    assert_int_equal(r(2000), 1448);
}

TEST(what_the_host_holds_takes_from_the_window)
{
    uint32_t first, same;

    connected(99999);
    set_int(SOL_SOCKET, SO_RCVBUF, 10000);
    peer(ACK, 1, 1, 1448);
    first = tcp_choose_window(tp);
    host.unread = 0; /* the program has read all of it, as the next taking says */
    peer(ACK, 1449, 1, 1448);
    same = tcp_choose_window(tp);
    peer(ACK, 2897, 1, 1448);
    assert_int_equal(tcp_unread(tp), 2896);
    assert_int_equal(same, first);
    assert_in_range(tcp_choose_window(tp), 1, same - 1000);
}

TEST(taking_moves_the_buffer_s_size_as_reading_does)
{
    uint32_t before, seq = 1;

    connected(10000000);
    before = tp->rcvbuf;
    tp->drs.rtt_us = 8 * MS; /* times eight */
    for (unsigned i = 0; i < 10; i++, seq += 28960) {
        peer(ACK, seq, 1, 28960, .gso = 1448);
        host.unread = 0;
        advance(2 * MS);
    }
    assert_int_equal(host.taken, 10 * 28960);
    assert_true(tp->rcvbuf > before);
}

TEST(little_is_gathered_first)
{
    connected(9999);
    peer(ACK, 1, 1, 600);
    assert_int_equal(host.calls, 0);
    peer(ACK, 601, 1, 600);
    assert_int_equal(host.calls, 1);
    assert_int_equal(host.least, 1200);
    assert_int_equal(host.taken, 1200);
}

TEST(a_low_water_mark_is_waited_for)
{
    connected(9999);
    set_int(SOL_SOCKET, SO_RCVLOWAT, 2896);
    peer(ACK, 1, 1, 1448);
    assert_int_equal(host.calls, 0);
    peer(ACK, 1449, 1, 1448);
    assert_int_equal(host.taken, 2896);
}

TEST(nothing_is_taken_around_a_hole)
{
    connected(9999);
    peer(ACK, 1449, 1, 1448);
    peer(ACK, 1, 1, 1448);
    assert_int_equal(host.calls, 0);
    peer(ACK, 2897, 1, 1448);
    assert_int_equal(host.taken, 3 * 1448);
}

TEST(an_urgent_byte_keeps_its_place)
{
    connected(9999);
    peer(ACK | URG, 1, 1, 1448, .urg = 2000);
    peer(ACK, 1449, 1, 1448);
    assert_int_equal(host.calls, 0);
}

TEST(who_reads_no_more_is_not_asked)
{
    connected(9999);
    assert_int_equal(sock_shutdown(fx.s, SHUT_RD, fx.now), 0);
    peer(ACK, 1, 1, 1448);
    assert_int_equal(host.calls, 0);
}

TEST(the_end_follows_the_last_byte)
{
    connected(9999);
    peer(FIN | ACK, 1, 1, 1448);
    assert_int_equal(host.taken, 1448);
    assert_true(sock_recv_eof(fx.s));
    assert_state(CLOSE_WAIT);
}

TEST(old_bytes_before_the_new_ones_are_not_taken_twice)
{
    connected(9999);
    host.ops.deliver_min = 500;
    peer(ACK, 1, 1, 1448);
    peer(ACK, 725, 1, 1448);
    assert_int_equal(host.taken, 2172);
}

static uint64_t tick(void *ctx)
{
    (void)ctx;
    return 1;
}

TEST(a_trace_says_what_was_taken_what_is_unread_and_what_is_left)
{
    static struct trace_slot slots[64];
    static _Atomic uint64_t head;
    struct trace_ring ring = {.slots = slots, .n_slots = 64, .head = &head, .clock = tick};
    unsigned seen = 0;

    connected(2000);
    peer(ACK, 1, 1, 1448);
    assert_int_equal(stack_trace(fx.st, sock_id(fx.s), &ring), 0);
    peer(ACK, 1449, 1, 1448);
    stack_trace_stop(fx.st, &ring);
    for (unsigned i = 0; i < head; i++) {
        if (slots[i].event != TRACE_recvfrom)
            continue;
        assert_int_equal(slots[i].v[0], 552);
        assert_int_equal(slots[i].v[1], 2000);
        assert_int_equal(slots[i].v[2], 896);
        seen++;
    }
    assert_int_equal(seen, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_is_taken_needs_no_stream_and_is_unread_still),
        T(what_is_not_taken_waits_in_the_stream_and_comes_first_the_next_time),
        T(who_takes_nothing_changes_nothing),
        T(what_the_host_holds_takes_from_the_window),
        T(taking_moves_the_buffer_s_size_as_reading_does),
        T(little_is_gathered_first),
        T(a_low_water_mark_is_waited_for),
        T(nothing_is_taken_around_a_hole),
        T(an_urgent_byte_keeps_its_place),
        T(who_reads_no_more_is_not_asked),
        T(the_end_follows_the_last_byte),
        T(a_trace_says_what_was_taken_what_is_unread_and_what_is_left),
        T(old_bytes_before_the_new_ones_are_not_taken_twice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
