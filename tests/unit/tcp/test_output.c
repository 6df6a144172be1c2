/* SPDX-License-Identifier: MIT */
/* The send path, steps 3 to 13: from the program's call to tcp_write_xmit (send-path.md). */
#include "tests/unit/tcp/fixture.h"

static void cork(bool on)
{
    assert_int_equal(set_int(IPPROTO_TCP, TCP_CORK, on), 0);
}

TEST(send_path_03_a_socket_that_never_connected_is_a_broken_pipe)
{
    fx.s = fx_socket();
    assert_int_equal(w(10), -EPIPE);
    expect_none();
}

TEST(send_path_04_a_send_before_the_handshake_ends_waits)
{
    connecting();
    expect(SYN, 0, 0, 0);
    assert_int_equal(w(10), -EAGAIN);
    events_of(fx.s);
    peer(SYN | ACK, 0, 1, 0);
    expect(ACK, 1, 1, 0);
    assert_true(events_of(fx.s) & SOCK_EV_WRITABLE);
    assert_int_equal(w(10), 10);
    expect(PSH | ACK, 1, 1, 10);
}

TEST(send_path_05_mss_now_counts_option_space_and_size_goal_is_whole_mss)
{
    uint32_t goal;

    passive();
    assert_int_equal(tcp_send_mss(tp, &goal), 1448);
    assert_int_equal(goal, 65160);
}

TEST(send_path_05_without_timestamps_the_mss_is_1460)
{
    uint32_t goal;

    fx.c->ts = false;
    passive();
    assert_int_equal(tcp_send_mss(tp, &goal), 1460);
    assert_int_equal(goal, 44 * 1460);
}

TEST(send_path_05_size_goal_is_at_most_half_of_the_largest_window_seen)
{
    uint32_t goal;

    active(); /* the window of the SYN-ACK, unscaled */
    assert_int_equal(tcp_send_mss(tp, &goal), 1448);
    assert_int_equal(goal, 32767 / 1448 * 1448);
    assert_int_equal(w(1), 1);
    expect(PSH | ACK, 1, 1, 1);
    peer(ACK, 1, 2, 0);
    tcp_send_mss(tp, &goal);
    assert_int_equal(goal, 65160);
}

TEST(send_path_05_a_small_window_bounds_the_mss_to_its_half)
{
    uint32_t goal;

    fx.c->wscale = -1;
    fx.c->window = 1000;
    passive();
    assert_int_equal(tcp_send_mss(tp, &goal), 500);
    assert_int_equal(goal, 500);
}

TEST(send_path_05_is_asked_again_when_the_path_has_changed)
{
    uint32_t goal;

    passive();
    assert_int_equal(w(1448), 1448);
    expect(PSH | ACK, 1, 1, 1448);
    peer_icmp(3, 4, 1000, 1);
    assert_int_equal(tcp_send_mss(tp, &goal), 948);
    assert_int_equal(goal % 948, 0);
}

TEST(send_path_06_every_element_of_the_iovec_in_order_also_empty_ones)
{
    struct iovec iov[5] = {{"ab", 2}, {NULL, 0}, {"", 0}, {"cde", 3}, {NULL, 0}};

    passive();
    fx.no_pattern = true;
    assert_int_equal(sock_sendmsg(fx.s, iov, 5, 0, fx.now), 5);
    assert_memory_equal(expect(PSH | ACK, 1, 1, 5)->payload, "abcde", 5);
    assert_int_equal(sock_sendmsg(fx.s, iov + 1, 2, 0, fx.now), 0);
    assert_int_equal(sock_sendmsg(fx.s, NULL, 0, 0, fx.now), 0);
    run();
    expect_none();
}

TEST(send_path_07_small_writes_coalesce_in_the_unsent_tail)
{
    passive();
    cork(true);
    for (int i = 0; i < 5; i++)
        assert_int_equal(w(100), 100);
    expect_none();
    assert_int_equal(cnt(tcp_out_coalesced), 4);
    cork(false);
    expect(PSH | ACK, 1, 1, 500);
}

TEST(send_path_07_never_into_a_segment_that_was_sent)
{
    passive();
    assert_int_equal(w(100), 100);
    expect(PSH | ACK, 1, 1, 100);
    assert_int_equal(w(100), 100); /* Nagle holds it */
    assert_int_equal(cnt(tcp_out_coalesced), 0);
    assert_int_equal(w(100), 100);
    assert_int_equal(cnt(tcp_out_coalesced), 1);
    peer(ACK, 1, 101, 0);
    expect(PSH | ACK, 101, 1, 200);
}

TEST(send_path_07_never_behind_msg_eor)
{
    passive();
    assert_int_equal(wflags(100, MSG_EOR | MSG_MORE), 100);
    assert_int_equal(wflags(50, 0), 50);
    assert_int_equal(cnt(tcp_out_coalesced), 0);
    /* in the middle of the queue nothing holds it */
    expect(ACK, 1, 1, 100);
    peer(ACK, 1, 101, 0);
    expect(PSH | ACK, 101, 1, 50);
}

TEST(send_path_07_never_into_urgent_data)
{
    fx.c->window = 0;
    passive();
    assert_int_equal(wflags(10, MSG_OOB), 10);
    assert_int_equal(w(50), 50);
    assert_int_equal(cnt(tcp_out_coalesced), 0);
    clear();
    peer(ACK, 1, 1, 0, .win = 500);
    expect(PSH | ACK | URG, 1, 1, 10);
}

TEST(send_path_07_grows_to_size_goal_with_offload)
{
    passive();
    cork(true);
    for (int i = 0; i < 70; i++)
        assert_int_equal(wflags(1000, MSG_MORE), 1000);
    /* the bursts that were full have left, ten packets of them */
    assert_int_equal(take_bytes(), 14480);
    assert_int_equal(seg_len(wqueue_send_head(tp)), 70000 - 14480);
}

TEST(send_path_08_a_new_segment_starts_only_while_the_send_buffer_allows)
{
    passive();
    assert_int_equal(set_int(SOL_SOCKET, SO_SNDBUF, 4096), 0);
    assert_int_equal(get_int(SOL_SOCKET, SO_SNDBUF), 8192);
    /* an open segment may overshoot (linux-sender §2), and what push_one split off is open again */
    assert_int_equal(w(100000), 65160 + 2 * 7240);
    assert_int_equal(stops(sndbuf), 1);
    assert_int_equal(w(1), -EAGAIN);
    assert_int_equal(stops(sndbuf), 2);
    assert_int_equal(sock_send_space(fx.s), 0);
    assert_int_equal(sock_unacked(fx.s), 79640);
    clear();
    events_of(fx.s);
    peer(ACK, 1, 14481, 0);
    assert_false(events_of(fx.s) & SOCK_EV_WRITABLE);
    for (int i = 0; i < 10 && tp->snd_una != tp->write_seq; i++)
        peer(ACK, 1, tp->snd_nxt - tp->iss, 0);
    assert_true(events_of(fx.s) & SOCK_EV_WRITABLE);
    assert_int_equal(take_bytes(), 79640 - 14480);
    assert_int_equal(w(1), 1);
}

/* All that is acknowledged lets the window, and so the target, double. */
static uint32_t sndbuf_after_a_full_round(void)
{
    while (w(65160) > 0)
        ;
    for (int i = 0; i < 100 && tp->snd_una != tp->write_seq; i++) {
        peer(ACK, 1, tp->snd_nxt - tp->iss, 0);
        clear();
    }
    return tp->sndbuf;
}

TEST(send_path_08_the_send_buffer_grows_where_it_was_the_limit)
{
    passive();
    assert_int_equal(tp->sndbuf, 87040);
    assert_true(sndbuf_after_a_full_round() > 87040);
    assert_true(tp->sndbuf <= tun.wmem_max);
    assert_int_equal(tp->sndbuf, 2 * tp->cwnd * tp->mss_cache);
}

TEST(send_path_08_the_send_buffer_stays_while_nobody_waits)
{
    passive();
    for (int i = 0; i < 50; i++) {
        assert_int_equal(w(14480), 14480);
        peer(ACK, 1, tp->snd_nxt - tp->iss, 0);
        peer(ACK, 1, tp->snd_nxt - tp->iss, 0);
        clear();
    }
    tp->cwnd = 100;
    assert_int_equal(w(14480), 14480);
    peer(ACK, 1, tp->snd_nxt - tp->iss, 0);
    assert_int_equal(tp->sndbuf, 87040);
}

TEST(send_path_08_so_sndbuf_ends_the_growth)
{
    passive();
    assert_int_equal(set_int(SOL_SOCKET, SO_SNDBUF, 30000), 0);
    assert_int_equal(sndbuf_after_a_full_round(), 60000);
    assert_int_equal(set_int(SOL_SOCKET, SO_SNDBUF, 1), 0);
    assert_int_equal(get_int(SOL_SOCKET, SO_SNDBUF), 4608);
    assert_int_equal(set_int(SOL_SOCKET, SO_SNDBUF, 1 << 30), 0);
    assert_int_equal(get_int(SOL_SOCKET, SO_SNDBUF), tun.wmem_max);
}

TEST(send_path_08_the_send_buffer_does_not_grow_under_memory_pressure)
{
    passive();
    fx.st->mem.limit =
        (fx.st->mem.used + 200000) / 3 * 4; /* what follows is above three quarters */
    assert_true(w(200000) > 0);
    fx.st->mem.limit = fx.st->mem.used / 4 * 5;
    tp->cwnd = 1000;
    tp->nospace = true;
    peer(ACK, 1, 1449, 0);
    assert_int_equal(tp->sndbuf, 87040);
}

TEST(send_path_08_notsent_lowat_bounds_what_is_unsent)
{
    passive();
    assert_int_equal(set_int(IPPROTO_TCP, TCP_NOTSENT_LOWAT, 4000), 0);
    assert_int_equal(w(65160), 65160);
    assert_int_equal(take_bytes(), 14480);
    assert_int_equal(cnt(tcp_stop_sndbuf), 0);
    assert_int_equal(w(65160), 14480); /* the room of the open tail, and no new segment */
    assert_int_equal(w(1), -EAGAIN);
    assert_false(sock_poll(fx.s) & 4 /* POLLOUT */);
}

struct faulty {
    size_t left;
};

static size_t copy_until_fault(void *ctx, void *dst, size_t n)
{
    struct faulty *f = ctx;
    size_t got = n < f->left ? n : f->left;

    memset(dst, 'x', got);
    f->left -= got;
    return got;
}

TEST(send_path_09_a_fault_before_the_first_byte_leaves_no_segment)
{
    struct faulty f = {0};

    passive();
    assert_int_equal(tcp_sendmsg(tp, copy_until_fault, &f, 100, 0), -EFAULT);
    run();
    assert_true(list_empty(&tp->sendq));
    assert_null(wqueue_send_head(tp));
    expect_none();
    assert_int_equal(w(10), 10);
    expect(PSH | ACK, 1, 1, 10);
}

TEST(send_path_09_what_was_accepted_before_a_fault_is_reported_and_sent)
{
    struct faulty f = {10};

    passive();
    fx.no_pattern = true;
    assert_int_equal(tcp_sendmsg(tp, copy_until_fault, &f, 100, 0), 10);
    run();
    expect(PSH | ACK, 1, 1, 10);
    assert_true(list_empty(&tp->sendq));
}

TEST(send_path_09_a_fault_at_a_segment_boundary_unlinks_the_fresh_segment)
{
    struct faulty f = {65160};

    tun.initial_cwnd = 100;
    passive();
    fx.no_pattern = true;
    assert_int_equal(tcp_sendmsg(tp, copy_until_fault, &f, 100000, 0), 65160);
    run();
    assert_int_equal(take_bytes(), 65160);
    assert_true(list_empty(&tp->sendq));
}

TEST(send_path_10_half_of_the_largest_window_forces_a_push)
{
    fx.c->window = 1000; /* times 128: 128000, so size_goal is 63712 */
    tun.initial_cwnd = 100;
    passive();
    assert_int_equal(w(150000), 150000);
    assert_int_equal(cnt(tcp_out_push_forced), 1);
    expect(PSH | ACK, 1, 1, 63712);
    expect(PSH | ACK, 63713, 1, 63712);
}

TEST(send_path_11_a_full_segment_at_the_head_leaves_in_the_middle_of_the_call)
{
    struct faulty f = {70000};
    uint64_t before;

    tun.initial_cwnd = 100;
    passive();
    fx.no_pattern = true;
    before = cnt(tcp_out_push_one);
    assert_int_equal(tcp_sendmsg(tp, copy_until_fault, &f, 100000, MSG_MORE), 70000);
    assert_int_equal(cnt(tcp_out_push_one), before + 1);
    expect(PSH | ACK, 1, 1, 65160);
}

TEST(send_path_12_out_of_space_pushes_what_msg_more_held_back)
{
    passive();
    assert_int_equal(wflags(100, MSG_MORE), 100);
    expect_none();
    fx.fail_all = true;
    assert_int_equal(wflags(10000, MSG_MORE),
                     3996); /* the first extent is full, a second refused */
    fx.fail_all = false;
    expect(PSH | ACK, 1, 1, 4096);
    advance(SEC);
    assert_true(events_of(fx.s) & SOCK_EV_WRITABLE);
}

TEST(send_path_12_a_writer_refused_for_memory_is_woken_without_any_ack)
{
    passive();
    fx.fail_all = true;
    assert_int_equal(w(10), -EAGAIN);
    fx.fail_all = false;
    events_of(fx.s);
    advance(SEC);
    assert_true(events_of(fx.s) & SOCK_EV_WRITABLE);
    assert_int_equal(w(10), 10);
}

TEST(send_path_13_psh_marks_the_end_of_a_call_unless_msg_more)
{
    passive();
    assert_int_equal(wflags(1448, MSG_MORE), 1448);
    expect(ACK, 1, 1, 1448);
    assert_int_equal(wflags(1448, 0), 1448);
    expect(PSH | ACK, 1449, 1, 1448);
}

TEST(send_path_13_the_first_append_takes_psh_back)
{
    passive();
    cork(true);
    assert_int_equal(w(1000), 1000);
    assert_int_equal(wflags(448, MSG_MORE), 448);
    expect(ACK, 1, 1, 1448);
}

TEST(send_path_13_a_burst_ends_with_psh)
{
    fx.config.features = 0;
    fx_restart();
    passive();
    assert_int_equal(wflags(2896, MSG_MORE), 2896);
    expect(ACK, 1, 1, 1448);
    expect(PSH | ACK, 1449, 1, 1448);
}

TEST(send_path_13_cork_has_a_ceiling_of_200_ms)
{
    uint64_t start;

    passive();
    start = fx.now;
    cork(true);
    assert_int_equal(w(100), 100);
    assert_int_equal(stops(cork), 1);
    advance(199 * MS);
    expect_none();
    advance(10 * MS);
    assert_in_range(expect(PSH | ACK, 1, 1, 100)->at - start, 200 * MS, 201 * MS);
}

TEST(send_path_13_msg_more_alone_has_the_same_ceiling)
{
    passive();
    assert_int_equal(wflags(100, MSG_MORE), 100);
    advance(199 * MS);
    expect_none();
    advance(10 * MS);
    expect(PSH | ACK, 1, 1, 100);
}

TEST(send_path_13_msg_more_data_leaves_on_the_next_ack_corked_data_does_not)
{
    passive();
    assert_int_equal(w(1448), 1448);
    expect(PSH | ACK, 1, 1, 1448);
    assert_int_equal(wflags(100, MSG_MORE), 100);
    expect_none();
    peer(ACK, 1, 1449, 0);
    expect(ACK, 1449, 1, 100);
    peer(ACK, 1, 1549, 0);
    cork(true);
    assert_int_equal(w(1548), 1548);
    expect(ACK, 1549, 1, 1448);
    peer(ACK, 1, 2997, 0);
    expect_none();
    cork(false);
    expect(PSH | ACK, 2997, 1, 100);
}

TEST(send_path_13_nodelay_flushes_even_a_corked_tail)
{
    passive();
    cork(true);
    assert_int_equal(w(100), 100);
    expect_none();
    assert_int_equal(set_int(IPPROTO_TCP, TCP_NODELAY, 1), 0);
    expect(PSH | ACK, 1, 1, 100);
}

TEST(send_path_13_a_fin_flushes_nagle_and_cork)
{
    passive();
    cork(true);
    assert_int_equal(w(100), 100);
    assert_int_equal(sock_shutdown(fx.s, SHUT_WR, fx.now), 0);
    run();
    expect(FIN | PSH | ACK, 1, 1, 100);
}

TEST(send_path_13_autocork_waits_for_the_device_queue)
{
    passive();
    fx.device = 1;
    assert_int_equal(w(1448), 1448);
    expect(PSH | ACK, 1, 1, 1448);
    assert_int_equal(w(100), 100);
    assert_int_equal(w(100), 100);
    expect_none();
    assert_int_equal(stops(autocork), 2);
    assert_int_equal(cnt(tcp_stop_autocork), 2);
    stack_transmitted(fx.st, fx.segs[fx.n_segs - 1].owner, 1448, fx.now);
    run();
    expect(PSH | ACK, 1449, 1, 200);
}

TEST(send_path_13_autocork_can_be_switched_off)
{
    tun.autocorking = 0;
    passive();
    fx.device = 1;
    assert_int_equal(w(1448), 1448);
    assert_int_equal(w(100), 100);
    assert_int_equal(clear(), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(send_path_03_a_socket_that_never_connected_is_a_broken_pipe),
        T(send_path_04_a_send_before_the_handshake_ends_waits),
        T(send_path_05_mss_now_counts_option_space_and_size_goal_is_whole_mss),
        T(send_path_05_without_timestamps_the_mss_is_1460),
        T(send_path_05_size_goal_is_at_most_half_of_the_largest_window_seen),
        T(send_path_05_a_small_window_bounds_the_mss_to_its_half),
        T(send_path_05_is_asked_again_when_the_path_has_changed),
        T(send_path_06_every_element_of_the_iovec_in_order_also_empty_ones),
        T(send_path_07_small_writes_coalesce_in_the_unsent_tail),
        T(send_path_07_never_into_a_segment_that_was_sent),
        T(send_path_07_never_behind_msg_eor),
        T(send_path_07_never_into_urgent_data),
        T(send_path_07_grows_to_size_goal_with_offload),
        T(send_path_08_a_new_segment_starts_only_while_the_send_buffer_allows),
        T(send_path_08_the_send_buffer_grows_where_it_was_the_limit),
        T(send_path_08_the_send_buffer_stays_while_nobody_waits),
        T(send_path_08_so_sndbuf_ends_the_growth),
        T(send_path_08_the_send_buffer_does_not_grow_under_memory_pressure),
        T(send_path_08_notsent_lowat_bounds_what_is_unsent),
        T(send_path_09_a_fault_before_the_first_byte_leaves_no_segment),
        T(send_path_09_what_was_accepted_before_a_fault_is_reported_and_sent),
        T(send_path_09_a_fault_at_a_segment_boundary_unlinks_the_fresh_segment),
        T(send_path_10_half_of_the_largest_window_forces_a_push),
        T(send_path_11_a_full_segment_at_the_head_leaves_in_the_middle_of_the_call),
        T(send_path_12_out_of_space_pushes_what_msg_more_held_back),
        T(send_path_12_a_writer_refused_for_memory_is_woken_without_any_ack),
        T(send_path_13_psh_marks_the_end_of_a_call_unless_msg_more),
        T(send_path_13_the_first_append_takes_psh_back),
        T(send_path_13_a_burst_ends_with_psh),
        T(send_path_13_cork_has_a_ceiling_of_200_ms),
        T(send_path_13_msg_more_alone_has_the_same_ceiling),
        T(send_path_13_msg_more_data_leaves_on_the_next_ack_corked_data_does_not),
        T(send_path_13_nodelay_flushes_even_a_corked_tail),
        T(send_path_13_a_fin_flushes_nagle_and_cork),
        T(send_path_13_autocork_waits_for_the_device_queue),
        T(send_path_13_autocork_can_be_switched_off),
    };

    return cmocka_run_group_tests_name("output", tests, NULL, NULL);
}
