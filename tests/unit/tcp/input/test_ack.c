/* SPDX-License-Identifier: MIT */
/* The ACK field: what left the network, the peer's window, the writer (RFC 9293 §3.10.7.4, fifth).
 */
#include "tests/unit/tcp/fixture.h"

TEST(acknowledged_bytes_leave_the_queue)
{
    passive();
    assert_int_equal(w(5000), 5000);
    clear();
    assert_int_equal(sock_unacked(fx.s), 5000);
    peer(ACK, 1, 1449, 0);
    assert_int_equal(sock_unacked(fx.s), 5000 - 1448);
    assert_int_equal(tp->packets_out, 3);
    peer(ACK, 1, 5001, 0);
    assert_int_equal(sock_unacked(fx.s), 0);
    assert_int_equal(tp->packets_out, 0);
    assert_int_equal(bytestream_footprint(&tp->snd), 0);
    assert_int_equal(tcp_bytes_acked(tp), 5000);
}

TEST(an_old_ack_changes_nothing)
{
    passive();
    assert_int_equal(w(3000), 3000);
    peer(ACK, 1, 3001, 0);
    clear();
    peer(ACK, 1, 1001, 0);
    expect_none();
    assert_int_equal(tp->snd_una - tp->iss, 3001);
}

TEST(the_window_is_taken_from_newer_segments_only)
{
    fx.c->window = 500;
    passive();
    peer(PSH | ACK, 1, 1, 100, .win = 2000);
    assert_int_equal(tp->snd_wnd, 2000 << 7);
    /* an older segment, delayed on the way */
    peer(ACK, 1, 1, 0, .win = 100);
    assert_int_equal(tp->snd_wnd, 2000 << 7);
    peer(ACK, 101, 1, 0, .win = 3000);
    assert_int_equal(tp->snd_wnd, 3000 << 7);
    /* the same segment number, a smaller window: only 0 is believed (Linux) */
    peer(ACK, 101, 1, 0, .win = 1000);
    assert_int_equal(tp->snd_wnd, 3000 << 7);
    peer(ACK, 101, 1, 0, .win = -1);
    assert_int_equal(tp->snd_wnd, 0);
}

TEST(must_01_the_window_is_unsigned)
{
    fx.c->wscale = -1;
    fx.c->window = 0xffff;
    passive();
    assert_int_equal(tp->snd_wnd, 65535);
    assert_int_equal(w(14480), 14480);
    assert_int_equal(take_bytes(), 14480);
}

TEST(a_window_of_a_gigabyte)
{
    fx.c->wscale = 14;
    passive();
    assert_int_equal(tp->snd_wnd, 65535u << 14);
    assert_int_equal(w(100000), 100000);
    assert_int_equal(take_bytes(), 14480);
}

TEST(a_waiting_writer_hears_of_space_once_a_third_is_free)
{
    passive();
    assert_int_equal(set_int(SOL_SOCKET, SO_SNDBUF, 30000), 0);
    while (w(10000) > 0)
        ;
    clear();
    events_of(fx.s);
    for (;;) {
        uint32_t una = tp->snd_una - tp->iss;

        peer(ACK, 1, una + 1448, 0);
        clear();
        if (events_of(fx.s) & SOCK_EV_WRITABLE)
            break;
        assert_true(tp->sndbuf < tcp_wmem_queued(tp) * 3 / 2);
    }
    assert_true(sock_unacked(fx.s) <= 40000);
    peer(ACK, 1, tp->snd_nxt - tp->iss, 0);
    assert_int_equal(events_of(fx.s) & SOCK_EV_WRITABLE, 0); /* told once */
}

TEST(a_notsent_lowat_writer_hears_when_the_data_leaves)
{
    passive();
    assert_int_equal(set_int(IPPROTO_TCP, TCP_NOTSENT_LOWAT, 4000), 0);
    assert_int_equal(w(20000), 20000);
    assert_int_equal(w(70000), 65160 - 5520);
    events_of(fx.s);
    while (tp->write_seq - tp->snd_nxt >= 2000) {
        assert_int_equal(events_of(fx.s) & SOCK_EV_WRITABLE, 0);
        peer(ACK, 1, tp->snd_nxt - tp->iss, 0);
        clear();
    }
    assert_int_equal(events_of(fx.s) & SOCK_EV_WRITABLE, SOCK_EV_WRITABLE);
}

TEST(hostile_12_sequence_numbers_wrap)
{
    passive();
    /* as if almost 4 GiB had been sent and received */
    tp->iss = tp->snd_una = tp->snd_nxt = tp->write_seq = 0xfffff000u;
    tp->pushed_seq = tp->snd_sml = tp->cwnd_usage_seq = tp->rtt_seq = 0xfffff000u;
    fx.c->iss = 0xfffff000u - 1;
    tp->rcv_nxt = tp->rcv_wup = tp->snd_wl1 = 0xfffff800u;
    fx.c->irs = 0xfffff800u - 1;
    assert_int_equal(w(14480), 14480);
    assert_int_equal(take_bytes(), 14480);
    for (uint32_t i = 0; i < 10; i++)
        peer(ACK, 1 + i * 1448, 14481, 1448);
    assert_int_equal(tp->packets_out, 0);
    assert_int_equal(r(99999), 14480);
    assert_int_equal(tp->rcv_nxt, 0xfffff800u + 14480);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(acknowledged_bytes_leave_the_queue),
        T(an_old_ack_changes_nothing),
        T(the_window_is_taken_from_newer_segments_only),
        T(must_01_the_window_is_unsigned),
        T(a_window_of_a_gigabyte),
        T(a_waiting_writer_hears_of_space_once_a_third_is_free),
        T(a_notsent_lowat_writer_hears_when_the_data_leaves),
        T(hostile_12_sequence_numbers_wrap),
    };

    return cmocka_run_group_tests_name("ack", tests, NULL, NULL);
}
