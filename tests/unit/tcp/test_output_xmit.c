/* SPDX-License-Identifier: MIT */
/* The send path, step 14: every stop of tcp_write_xmit, and where it cuts (send-path.md). */
#include "tests/unit/tcp/fixture.h"

static void set_pacing(uint64_t rate)
{
    assert_int_equal(
        sock_setsockopt(fx.s, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, sizeof(rate), fx.now), 0);
}

static void check_contiguous(uint32_t total)
{
    uint32_t seq = 1;

    while (fx.next < fx.n_segs) {
        const struct fx_seg *g = &fx.segs[fx.next];

        expect(g->flags, seq, g->ack, g->len);
        seq += g->len;
    }
    assert_int_equal(seq, total + 1);
}

/* Ten packets are free; the burst with the tenth is the first that takes its time. */
static void passive_paced(void)
{
    passive();
    set_pacing(144800);
    assert_int_equal(w(28960), 28960);
    expect(PSH | ACK, 1, 1, 7240);
    expect(PSH | ACK, 7241, 1, 7240);
    expect_none();
    peer(ACK, 1, 14481, 0);
    expect_none();
}

TEST(send_path_14_pacing)
{
    uint64_t start = fx.now;

    passive_paced();
    assert_true(stops(pacing) > 0);
    advance(49 * MS);
    expect_none();
    advance(2 * MS);
    assert_int_equal(take()->at - start, 50 * MS);
    assert_int_equal(cnt(tcp_stop_pacing), stops(pacing));
}

TEST(send_path_14_pacing_holds_against_acks_too)
{
    passive_paced();
    peer(ACK, 1, 14481, 0);
    peer(ACK, 1, 14481, 0, .win = 500);
    expect_none();
    advance(51 * MS);
    assert_int_equal(take()->seq, 14481);
}

TEST(send_path_14_cwnd_and_one_burst_takes_half_of_it)
{
    passive();
    assert_int_equal(w(50000), 50000);
    expect(PSH | ACK, 1, 1, 7240);
    expect(PSH | ACK, 7241, 1, 7240);
    expect_none();
    assert_int_equal(stops(cwnd), 1);
    peer(ACK, 1, 2897, 0);
    /* two acknowledged in slow start: four may leave */
    assert_int_equal(take_bytes(), 4 * 1448);
    assert_int_equal(stops(cwnd), 2);
    assert_int_equal(cnt(tcp_stop_cwnd), 2);
}

TEST(send_path_14_rwnd_and_no_silly_segment_at_its_edge)
{
    fx.c->wscale = -1;
    fx.c->window = 4000;
    passive();
    assert_int_equal(w(10000), 10000);
    assert_int_equal(take_bytes(), 2896);
    assert_true(stops(rwnd) > 0);
    assert_int_equal(cnt(tcp_stop_rwnd), stops(rwnd));
    peer(ACK, 1, 1, 0, .win = 4344);
    expect(ACK, 2897, 1, 1448);
    expect_none();
}

TEST(send_path_14_nagle_one_small_segment_unacknowledged)
{
    passive();
    assert_int_equal(w(100), 100);
    expect(PSH | ACK, 1, 1, 100);
    assert_int_equal(w(100), 100);
    expect_none();
    assert_int_equal(stops(nagle), 1);
    peer(ACK, 1, 101, 0);
    expect(PSH | ACK, 101, 1, 100);
}

TEST(send_path_14_nagle_in_minshall_s_form)
{
    passive();
    assert_int_equal(w(1448), 1448);
    expect(PSH | ACK, 1, 1, 1448);
    assert_int_equal(w(100), 100); /* behind full segments a small one goes */
    expect(PSH | ACK, 1449, 1, 100);
    assert_int_equal(w(100), 100);
    expect_none();
    peer(ACK, 1, 1449, 0); /* the small one is still out */
    expect_none();
    peer(ACK, 1, 1549, 0);
    expect(PSH | ACK, 1549, 1, 100);
}

TEST(send_path_14_nodelay_switches_nagle_off)
{
    passive();
    assert_int_equal(set_int(IPPROTO_TCP, TCP_NODELAY, 1), 0);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(w(10), 10);
        expect(PSH | ACK, 1 + i * 10, 1, 10);
    }
    assert_int_equal(stops(nagle), 0);
}

TEST(send_path_14_cork)
{
    passive();
    assert_int_equal(set_int(IPPROTO_TCP, TCP_CORK, 1), 0);
    assert_int_equal(w(3000), 3000);
    expect(PSH | ACK, 1, 1, 2896);
    expect_none();
    assert_true(stops(cork) > 0);
    assert_int_equal(cnt(tcp_stop_cork), stops(cork));
}

TEST(send_path_14_tso_defer)
{
    fx.rtt = MS;
    passive();
    assert_int_equal(w(8 * 1448), 8 * 1448);
    assert_int_equal(take_bytes(), 8 * 1448);
    advance(600); /* the next ACK is 400 us away */
    assert_int_equal(w(3000), 3000);
    expect_none();
    assert_int_equal(stops(tso_defer), 1);
    assert_int_equal(cnt(tcp_stop_tso_defer), 1);
    peer(ACK, 1, 2 * 1448 + 1, 0);
    assert_int_equal(take_bytes(), 3000);
}

TEST(send_path_14_device_small_queue)
{
    uint64_t owner;

    tun.initial_cwnd = 100;
    tun.limit_output_bytes = 20000;
    passive();
    fx.device = 1;
    assert_true(w(200000) > 3 * 65160);
    /* the queue may be overrun by one segment, and the last one in flight is never held */
    expect(PSH | ACK, 1, 1, 65160);
    owner = expect(PSH | ACK, 65161, 1, 65160)->owner;
    expect_none();
    assert_true(stops(device) > 0);
    assert_int_equal(tp->device_queued, 130320);
    stack_transmitted(fx.st, owner, 65160, fx.now);
    run();
    expect_none();
    stack_transmitted(fx.st, owner, 65160, fx.now);
    run();
    assert_true(take()->len > 0);
    assert_int_equal(cnt(tcp_stop_device), stops(device));
}

TEST(send_path_14_a_millisecond_of_the_pace_may_be_in_the_device)
{
    uint64_t rate = 10240000; /* 10,000 bytes in 1/1024 s */

    tun.initial_cwnd = 100;
    passive();
    assert_int_equal(
        sock_setsockopt(fx.s, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, sizeof(rate), fx.now), 0);
    fx.device = 1;
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(wflags(1448, MSG_EOR), 1448);
    advance(10 * MS);
    assert_int_equal(tp->device_queued, 7 * 1448); /* two segments would be 2,896 */
}

TEST(send_path_14_device_back_pressure_loses_nothing)
{
    fx.config.features = 0;
    fx_restart();
    passive();
    fx.device_room = 3;
    assert_int_equal(w(14480), 14480);
    assert_int_equal(fx.n_segs - fx.next, 3);
    assert_true(stops(device) > 0);
    assert_int_equal(cnt(dev_backpressure), 1);
    advance(100 * MS); /* it asks again and again */
    assert_int_equal(fx.n_segs - fx.next, 3);
    fx.device_room = -1;
    advance(2 * MS);
    peer(ACK, 1, 4345, 0); /* the last two packets had waited to make a burst */
    check_contiguous(14480);
    assert_int_equal(cnt(tcp_out_retrans), 0);
}

TEST(send_path_14_device_ready_ends_the_back_pressure_at_once)
{
    passive();
    fx.device_room = 0;
    assert_int_equal(w(100), 100);
    expect_none();
    fx.device_room = -1;
    stack_device_ready(fx.st, fx.now);
    advance(MS);
    expect(PSH | ACK, 1, 1, 100);
}

TEST(send_path_14_empty)
{
    uint64_t before;

    passive();
    before = stops(empty);
    assert_int_equal(w(100), 100);
    assert_int_equal(stops(empty), before + 1);
}

TEST(send_path_14_splits_at_whole_mss)
{
    passive();
    assert_int_equal(w(1), 1);
    expect(PSH | ACK, 1, 1, 1);
    peer(ACK, 1, 2, 0, .win = 46); /* 5888 bytes: four whole segments fit */
    assert_int_equal(w(10000), 10000);
    expect(PSH | ACK, 2, 1, 4 * 1448);
    expect_none();
    assert_int_equal(cnt(tcp_out_split), 1);
    peer(ACK, 1, 4 * 1448 + 2, 0, .win = 24);
    expect(PSH | ACK, 4 * 1448 + 2, 1, 2 * 1448);
    expect_none();
}

TEST(send_path_14_the_partial_tail_of_a_burst_goes_along_when_nagle_lets_it)
{
    passive();
    assert_int_equal(w(3000), 3000);
    expect(PSH | ACK, 1, 1, 3000);
    assert_int_equal(w(3000), 3000);
    /* now a small one is out: whole segments only */
    expect(PSH | ACK, 3001, 1, 2896);
    expect_none();
    peer(ACK, 1, 3001, 0);
    expect(PSH | ACK, 5897, 1, 104);
}

TEST(send_path_14_the_queue_pulls_small_segments_together)
{
    fx.c->wscale = -1;
    fx.c->window = 600;
    passive();
    assert_int_equal(w(300), 300);
    assert_int_equal(w(300), 300);
    assert_int_equal(w(900), 900);
    assert_int_equal(take_bytes(), 600);
    /* the window grows: the segments of 300 that were cut before go as one */
    peer(ACK, 1, 601, 0, .win = 8000);
    expect(PSH | ACK, 601, 1, 900);
}

TEST(send_path_14_the_rto_is_armed_with_the_first_segment_out)
{
    passive();
    assert_false(tcp_timer_pending(tp, TCP_TIMER_rexmt));
    assert_int_equal(w(10), 10);
    assert_true(tcp_timer_pending(tp, TCP_TIMER_rexmt));
    expect(PSH | ACK, 1, 1, 10);
    peer(ACK, 1, 11, 0);
    assert_false(tcp_timer_pending(tp, TCP_TIMER_rexmt));
}

TEST(send_path_14_a_closed_window_and_nothing_in_flight_start_the_persist_timer)
{
    passive();
    assert_int_equal(w(10), 10);
    peer(ACK, 1, 11, 0, .win = -1);
    clear();
    assert_int_equal(w(10), 10);
    expect_none();
    assert_true(tcp_timer_pending(tp, TCP_TIMER_persist));
    assert_int_equal(cnt(tcp_persist), 1);
}

TEST(send_path_18_a_device_error_is_a_loss_on_the_way)
{
    passive();
    fx.device = -EIO;
    assert_int_equal(w(100), 100);
    fx.device = 0;
    expect_none();
    assert_int_equal(cnt(dev_errors), 1);
    advance(SEC);
    expect(PSH | ACK, 1, 1, 100);
}

/* RFC 8985 §6.2: only what was sent after it tells that it was lost. */
TEST(a_retransmission_that_a_device_error_took_is_as_old_as_any_other)
{
    fx.c->sack = true;
    passive();
    for (int i = 0; i < 6; i++)
        assert_int_equal(wflags(1448, MSG_EOR), 1448);
    advance(40 * MS);
    fx.device = -EIO;
    peer(ACK, 1, 1, 0, .sack = "1449:5793");
    fx.device = 0;
    assert_int_equal(cnt(dev_errors), 1);
    advance(MS);
    clear();
    peer(ACK, 1, 1, 0, .sack = "1449:7241");
    assert_int_equal(cnt(tcp_lost_retransmits), 0);
    expect_none();
}

/* The device tells late of the SYN of a connection that is over. */
TEST(the_device_tells_a_listener_nothing_new)
{
    struct ip_endpoint e = fx_peer_endpoint(), here = fx_endpoint("0.0.0.0", FX_PORT);
    uint64_t owner;

    fx.device = 1;
    fx.s = fx_socket();
    assert_int_equal(sock_connect(fx.s, &e, fx.now), -EINPROGRESS);
    run();
    owner = take()->owner;
    fx.device = 0;
    peer(RST | ACK, 0, 1, 0);
    assert_state(CLOSED);
    assert_int_equal(sock_connect(fx.s, &e, fx.now), -ECONNREFUSED);
    assert_int_equal(sock_bind(fx.s, &here, fx.now), 0);
    assert_int_equal(sock_listen(fx.s, 4, fx.now), 0);
    stack_transmitted(fx.st, owner, 0, fx.now);
    run();
    assert_int_equal(tp->conn.state, TCPS_LISTEN);
    assert_false(wheel_armed(&tp->timer.node));
    expect_none();
}

TEST(with_the_largest_mtu_no_segment_grows_beyond_a_frame)
{
    fx.config.mtu = 65535;
    fx_restart();
    fx.c->mss = 65495;
    passive();
    assert_int_equal(set_int(SOL_SOCKET, SO_SNDBUF, 2000000), 0);
    fx.device_room = 0;
    tp->cwnd = 10;
    for (int i = 0; i < 4; i++)
        assert_int_equal(w(60000), 60000);
    fx.device_room = -1;
    advance(10 * MS);
    for (unsigned i = fx.next; i < fx.n_segs; i++)
        assert_in_range(fx.segs[i].len, 1, 65535 - 52);
    assert_int_equal(take_bytes(), 240000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(send_path_14_pacing),
        T(send_path_14_pacing_holds_against_acks_too),
        T(send_path_14_cwnd_and_one_burst_takes_half_of_it),
        T(send_path_14_rwnd_and_no_silly_segment_at_its_edge),
        T(send_path_14_nagle_one_small_segment_unacknowledged),
        T(send_path_14_nagle_in_minshall_s_form),
        T(send_path_14_nodelay_switches_nagle_off),
        T(send_path_14_cork),
        T(send_path_14_tso_defer),
        T(send_path_14_device_small_queue),
        T(send_path_14_a_millisecond_of_the_pace_may_be_in_the_device),
        T(send_path_14_device_back_pressure_loses_nothing),
        T(send_path_14_device_ready_ends_the_back_pressure_at_once),
        T(send_path_14_empty),
        T(send_path_14_splits_at_whole_mss),
        T(send_path_14_the_partial_tail_of_a_burst_goes_along_when_nagle_lets_it),
        T(send_path_14_the_queue_pulls_small_segments_together),
        T(send_path_14_the_rto_is_armed_with_the_first_segment_out),
        T(send_path_14_a_closed_window_and_nothing_in_flight_start_the_persist_timer),
        T(send_path_18_a_device_error_is_a_loss_on_the_way),
        T(a_retransmission_that_a_device_error_took_is_as_old_as_any_other),
        T(the_device_tells_a_listener_nothing_new),
        T(with_the_largest_mtu_no_segment_grows_beyond_a_frame),
    };

    return cmocka_run_group_tests_name("output_xmit", tests, NULL, NULL);
}
