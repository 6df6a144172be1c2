/* SPDX-License-Identifier: MIT */
/* The receive window: what is offered, how it closes and opens (RFC 9293 §3.8.6; linux-receiver §3,
 * §4). */
#include "tests/unit/tcp/fixture.h"

TEST(the_offers_are_linux_s)
{
    active();
    assert_int_equal(fx.segs[0].window, 64240);
    assert_int_equal(fx.segs[0].wscale, 7);
    assert_int_equal(fx.segs[1].window, 502);
}

TEST(the_offers_of_a_passive_open_too)
{
    passive();
    assert_int_equal(fx.segs[0].window, 65160);
    assert_int_equal(fx.segs[0].wscale, 7);
    assert_int_equal(w(1), 1);
    assert_int_equal(expect(PSH | ACK, 1, 1, 1)->window, 510);
}

TEST(without_scaling_the_window_is_what_the_field_holds)
{
    fx.c->wscale = -1;
    passive();
    assert_int_equal(fx.segs[0].wscale, -1);
    assert_int_equal(w(1), 1);
    assert_in_range(take()->window, 64000, 65535);
    assert_int_equal(tp->rcv_wscale, 0);
}

TEST(rcvbuf_before_the_handshake_decides)
{
    fx.s = fx_socket();
    assert_int_equal(set_int(SOL_SOCKET, SO_RCVBUF, 10000), 0);
    assert_int_equal(get_int(SOL_SOCKET, SO_RCVBUF), 20000);
    connecting();
    assert_int_equal(expect(SYN, 0, 0, 0)->window, 10000 / 1460 * 1460);
}

TEST(window_clamp_before_the_handshake_is_kept)
{
    fx.s = fx_socket();
    assert_int_equal(set_int(IPPROTO_TCP, TCP_WINDOW_CLAMP, 8000), 0);
    active();
    assert_int_equal(fx.segs[0].window, 8000 / 1460 * 1460);
    assert_int_equal(fx.segs[0].wscale, 0);
    for (uint32_t seq = 1; seq < 50000; seq += 1000) {
        peer(ACK, seq, 1, 1000);
        assert_int_equal(r(1000), 1000);
    }
    while (fx.next < fx.n_segs)
        assert_true(take()->window <= 8000);
}

TEST(a_share_of_the_first_window_is_the_program_s)
{
    tun.app_win = 2;
    passive();
    assert_int_equal(tp->window_clamp, tp->rcvbuf / 2 - tp->rcvbuf / 8);
}

TEST(by_default_it_is_one_segment)
{
    passive();
    assert_int_equal(tp->window_clamp, tp->rcvbuf / 2 - tp->advmss);
}

TEST(or_nothing)
{
    tun.app_win = 0;
    passive();
    assert_int_equal(tp->window_clamp, tp->rcvbuf / 2);
}

TEST(the_right_edge_never_moves_left)
{
    uint32_t edge = 0, seq = 1;
    unsigned x = 1;

    passive();
    for (int i = 0; i < 400; i++) {
        uint32_t n;

        x = x * 1103515245u + 12345u;
        n = 1 + (x >> 16) % 1448;
        if (n > tcp_receive_window(tp))
            n = tcp_receive_window(tp);
        if (n)
            peer(ACK, seq, 1, n);
        seq += n;
        if (x & 4)
            r((x >> 8) % 2000);
        advance((x >> 20) % 50 * MS);
        if (i == 100) /* nor when the buffer is made smaller */
            assert_int_equal(set_int(SOL_SOCKET, SO_RCVBUF, 4096), 0);
        while (fx.next < fx.n_segs) {
            const struct fx_seg *g = take();
            uint32_t right = g->ack + ((uint32_t)g->window << 7);

            assert_true(right >= edge);
            edge = right;
        }
    }
    assert_int_equal(cnt(tcp_in_no_memory), 0);
}

static void fill_window(void)
{
    uint32_t seq = 1;

    while (tcp_receive_window(tp) > 0) {
        uint32_t n = tcp_receive_window(tp) < 1448 ? tcp_receive_window(tp) : 1448;

        peer(ACK, seq, 1, n);
        seq += n;
        advance(200 * MS);
    }
    assert_int_equal(fx.segs[fx.n_segs - 1].window, 0);
    assert_int_equal(fx.segs[fx.n_segs - 1].ack, seq);
    clear();
}

TEST(reading_opens_a_closed_window_with_an_update)
{
    const struct fx_seg *g;

    passive();
    fill_window();
    while (fx.next == fx.n_segs)
        assert_true(r(1000) > 0);
    g = take();
    assert_int_equal(g->flags, ACK);
    /* receiver silly window avoidance: not before it is worth a segment */
    assert_in_range((uint32_t)g->window << 7, 1448, 65536);
    assert_true(fx.c->read >= 1448);
    while (r(1000) > 0)
        ;
    advance(SEC);
    assert_int_equal(take()->flags, ACK);
    assert_true(tp->rcv_wnd > 30000);
}

TEST(a_byte_at_a_time_reader_sends_no_silly_updates)
{
    passive();
    fill_window();
    for (int i = 0; i < 1000; i++)
        assert_int_equal(r(1), 1);
    expect_none();
}

TEST(data_at_a_closed_window_is_answered_and_dropped)
{
    uint32_t seq;

    passive();
    fill_window();
    seq = tp->rcv_nxt - tp->irs;
    peer(ACK, seq, 1, 1);
    assert_int_equal(expect(ACK, 1, seq, 0)->window, 0);
    assert_int_equal(cnt(tcp_in_zero_window), 1);
}

TEST(a_zero_window_probe_is_answered)
{
    uint32_t seq;

    passive();
    fill_window();
    seq = tp->rcv_nxt - tp->irs;
    peer(ACK, seq - 1, 1, 0);
    expect(ACK, 1, seq, 0);
}

TEST(a_bare_fin_passes_a_closed_window)
{
    uint32_t seq;

    passive();
    fill_window();
    seq = tp->rcv_nxt - tp->irs;
    peer(FIN | ACK, seq, 1, 0);
    assert_state(CLOSE_WAIT);
    advance(40 * MS);
    expect(ACK, 1, seq + 1, 0);
}

TEST(an_ack_and_a_reset_pass_a_closed_window)
{
    uint32_t seq;

    passive();
    assert_int_equal(w(100), 100);
    clear();
    fill_window();
    seq = tp->rcv_nxt - tp->irs;
    peer(ACK, seq, 101, 0);
    assert_int_equal(sock_unacked(fx.s), 0);
    peer(RST, seq, 0, 0);
    assert_state(CLOSED);
}

TEST(small_segments_that_nobody_reads_close_the_window_too)
{
    uint32_t seq = 1;

    passive();
    for (int i = 0; i < 3000 && tcp_receive_window(tp) >= 50; i++, seq += 50) {
        peer(PSH | ACK, seq, 1, 50);
        clear();
        /* old text makes us acknowledge each of them at once, and the window is rounded up each
         * time */
        peer(PSH | ACK, seq, 1, 50);
        clear();
    }
    assert_true(tcp_receive_window(tp) < 50);
    assert_true(tcp_unread(tp) <= 2 * tp->rcvbuf);
    assert_int_equal(cnt(tcp_in_no_memory), 0);
}

TEST(bytes_that_the_program_s_pair_still_holds_count_as_unread)
{
    struct iovec v[4];
    int n;

    passive();
    fill_window();
    while (tp->rcv_offset > tp->read_offset) {
        size_t all = sock_recv_spans(fx.s, v, &n);

        sock_recv_consume(fx.s, all, all, fx.now);
    }
    run();
    expect_none();
    sock_recv_consume(fx.s, 0, 0, fx.now);
    run();
    assert_true(take()->window > 0);
}

/* A peer that fills each window, a program that reads at once: the window after 40 rounds. */
static void fill_and_read(void)
{
    uint32_t seq = 1;

    for (int round = 0; round < 40; round++) {
        uint32_t n = tcp_receive_window(tp);

        for (; n >= 1448; n -= 1448, seq += 1448)
            peer(ACK, seq, tp->snd_nxt - tp->iss, 1448, .later = true);
        assert_true(r(8000000) > 0);
        advance(10 * MS);
        /* an echo of a new stamp: a round trip of the receiver */
        assert_int_equal(w(1), 1);
        clear();
        peer(ACK, seq, tp->snd_nxt - tp->iss, 0);
    }
}

TEST(the_buffer_grows_for_a_fast_reader)
{
    uint32_t before;

    fx.rtt = 10 * MS;
    passive();
    before = tp->rcvbuf;
    fill_and_read();
    assert_true(tp->rcvbuf > 2 * before);
    assert_true(tp->rcvbuf <= (uint64_t)tun.rmem_max);
}

/* The device's queue drops what it cannot hold, so all windows together stay within it. */
TEST(the_window_stays_within_the_budget_of_the_device)
{
    uint32_t first;

    fx.rtt = 10 * MS;
    fx.st->config.window_budget = 10000;
    passive();
    first = tcp_receive_window(tp);
    fill_and_read();
    assert_true(tcp_receive_window(tp) <= first + 10000);
    assert_true(cnt(tcp_window_budget) > 0);
    assert_in_range(fx.st->tcp.windows_grown, 1, 10000);
    sock_abort(fx.s, fx.now);
    fx.s = NULL;
    assert_int_equal(fx.st->tcp.windows_grown, 0);
}

TEST(a_scaled_window_is_rounded_up_to_its_unit)
{
    uint32_t unit;

    passive();
    unit = 1u << tp->rcv_wscale;
    assert_true(unit > 1);
    tp->rcv_ssthresh = 60001;
    assert_int_equal(tcp_choose_window(tp), (60001 + unit - 1) / unit * unit);
}

TEST(segments_below_128_bytes_do_not_open_the_window)
{
    passive();
    tp->rcv_ssthresh = 10000;
    peer(ACK, 1, 1, 127);
    assert_int_equal(tp->rcv_ssthresh, 10000);
    peer(ACK, 128, 1, 128);
    assert_true(tp->rcv_ssthresh > 10000);
    clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_offers_are_linux_s),
        T(the_offers_of_a_passive_open_too),
        T(without_scaling_the_window_is_what_the_field_holds),
        T(rcvbuf_before_the_handshake_decides),
        T(window_clamp_before_the_handshake_is_kept),
        T(a_share_of_the_first_window_is_the_program_s),
        T(by_default_it_is_one_segment),
        T(or_nothing),
        T(the_right_edge_never_moves_left),
        T(reading_opens_a_closed_window_with_an_update),
        T(a_byte_at_a_time_reader_sends_no_silly_updates),
        T(data_at_a_closed_window_is_answered_and_dropped),
        T(a_zero_window_probe_is_answered),
        T(a_bare_fin_passes_a_closed_window),
        T(an_ack_and_a_reset_pass_a_closed_window),
        T(small_segments_that_nobody_reads_close_the_window_too),
        T(bytes_that_the_program_s_pair_still_holds_count_as_unread),
        T(the_buffer_grows_for_a_fast_reader),
        T(the_window_stays_within_the_budget_of_the_device),
        T(a_scaled_window_is_rounded_up_to_its_unit),
        T(segments_below_128_bytes_do_not_open_the_window),
    };

    return cmocka_run_group_tests_name("window", tests, NULL, NULL);
}
