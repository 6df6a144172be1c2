/* SPDX-License-Identifier: MIT */
/* Text in order, old, and out of order; FIN in its place (RFC 9293 §3.10.7.4, seventh and eighth).
 */
#include "tests/unit/tcp/fixture.h"

static void read_fill(size_t n, int fill)
{
    uint8_t b[4096];
    struct iovec iov = {b, n};

    assert_int_equal(sock_recvmsg(fx.s, &iov, 1, 0, fx.now), n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(b[i], fill);
    run();
}

TEST(data_in_order_is_read_in_order)
{
    passive();
    peer(ACK, 1, 1, 1448);
    peer(PSH | ACK, 1449, 1, 552);
    assert_true(events_of(fx.s) & SOCK_EV_READABLE);
    assert_int_equal(r(5000), 2000);
    assert_int_equal(r(1), -EAGAIN);
    assert_int_equal(cnt(tcp_in_in_order), 2);
}

TEST(out_of_order_data_is_placed_and_each_segment_gets_a_duplicate_ack)
{
    passive();
    peer(ACK, 2897, 1, 1448);
    expect(ACK, 1, 1, 0);
    peer(ACK, 1449, 1, 1448);
    expect(ACK, 1, 1, 0);
    assert_int_equal(r(1), -EAGAIN);
    assert_int_equal(tp->n_ooo, 1);
    peer(ACK, 1, 1, 1448);
    expect(ACK, 1, 4345, 0);
    assert_int_equal(r(9999), 4344);
    assert_int_equal(tp->n_ooo, 0);
    assert_int_equal(cnt(tcp_in_out_of_order), 2);
}

TEST(three_segments_behind_a_hole_in_one_batch_are_three_duplicate_acks)
{
    passive();
    for (unsigned i = 1; i <= 3; i++)
        peer(ACK, 1 + i * 1448, 1, 1448, .later = true);
    run();
    expect(ACK, 1, 1, 0);
    expect(ACK, 1, 1, 0);
    expect(ACK, 1, 1, 0);
    expect_none();
}

TEST(filling_one_of_two_holes_acknowledges_up_to_the_other)
{
    passive();
    peer(ACK, 201, 1, 100);
    peer(ACK, 401, 1, 100);
    assert_int_equal(tp->n_ooo, 2);
    clear();
    peer(ACK, 1, 1, 200);
    expect(ACK, 1, 301, 0);
    peer(ACK, 301, 1, 100);
    expect(ACK, 1, 501, 0);
    assert_int_equal(r(9999), 500);
}

TEST(ranges_merge_when_they_touch_or_overlap)
{
    passive();
    peer(ACK, 1001, 1, 100);
    peer(ACK, 1201, 1, 100);
    peer(ACK, 1401, 1, 100);
    assert_int_equal(tp->n_ooo, 3);
    peer(ACK, 1051, 1, 200);
    assert_int_equal(tp->n_ooo, 2);
    peer(ACK, 901, 1, 700);
    assert_int_equal(tp->n_ooo, 1);
    assert_int_equal(tp->ooo_bytes, 700);
    peer(ACK, 1, 1, 1000);
    assert_int_equal(r(9999), 1600);
}

TEST(hostile_14_held_bytes_are_never_overwritten)
{
    passive();
    fx.no_pattern = true;
    peer(ACK, 1001, 1, 1000, .fill = 'A');
    peer(ACK, 501, 1, 1000, .fill = 'B');  /* overlaps from the left */
    peer(ACK, 1501, 1, 1000, .fill = 'C'); /* and from the right */
    peer(ACK, 901, 1, 1300, .fill = 'D');  /* covers all */
    peer(ACK, 1, 1, 1400, .fill = 'E');    /* in order, over the beginning */
    read_fill(500, 'E');
    read_fill(500, 'B');
    read_fill(1000, 'A');
    read_fill(500, 'C');
    assert_int_equal(r(1), -EAGAIN);
}

TEST(hostile_14_what_was_received_in_order_stays_too)
{
    passive();
    fx.no_pattern = true;
    peer(ACK, 1, 1, 100, .fill = 'A');
    peer(ACK, 51, 1, 100, .fill = 'B');
    assert_int_equal(cnt(tcp_in_partial_duplicate), 1);
    read_fill(100, 'A');
    read_fill(50, 'B');
}

TEST(old_data_is_acknowledged_at_once_and_dropped)
{
    passive();
    peer(ACK, 1, 1, 1000);
    clear();
    peer(ACK, 1, 1, 1000);
    expect(ACK, 1, 1001, 0);
    peer(ACK, 501, 1, 500);
    expect(ACK, 1, 1001, 0);
    assert_int_equal(cnt(tcp_in_duplicate), 2);
    assert_int_equal(r(9999), 1000);
}

TEST(fin_with_data)
{
    passive();
    peer(FIN | PSH | ACK, 1, 1, 100);
    assert_state(CLOSE_WAIT);
    expect_none(); /* the program may answer */
    advance(40 * MS);
    expect(ACK, 1, 102, 0);
    assert_int_equal(r(1000), 100);
    assert_true(sock_recv_eof(fx.s));
    assert_int_equal(r(1000), 0);
    assert_int_equal(r(1000), 0);
}

TEST(fin_out_of_order_waits_for_the_bytes_before_it)
{
    passive();
    peer(FIN | PSH | ACK, 101, 1, 50);
    expect(ACK, 1, 1, 0);
    assert_state(ESTABLISHED);
    peer(ACK, 1, 1, 100);
    expect(ACK, 1, 152, 0);
    assert_state(CLOSE_WAIT);
    assert_int_equal(r(1000), 150);
    assert_int_equal(r(1000), 0);
}

TEST(a_bare_fin_out_of_order_too)
{
    passive();
    peer(FIN | ACK, 101, 1, 0);
    assert_state(ESTABLISHED);
    clear();
    peer(ACK, 1, 1, 100);
    assert_state(CLOSE_WAIT);
    expect(ACK, 1, 102, 0);
}

TEST(a_fin_again_is_acknowledged_again)
{
    passive();
    peer(FIN | ACK, 1, 1, 0);
    expect(ACK, 1, 2, 0);
    peer(FIN | ACK, 1, 1, 0);
    expect(ACK, 1, 2, 0);
    assert_state(CLOSE_WAIT);
}

TEST(text_behind_the_fin_is_ignored)
{
    passive();
    peer(FIN | ACK, 1, 1, 0);
    clear();
    peer(PSH | ACK, 2, 1, 100);
    peer(PSH | ACK, 102, 1, 100);
    assert_state(CLOSE_WAIT);
    assert_int_equal(r(100), 0);
    assert_int_equal(w(10), 10);
    assert_int_equal(take()->ack, 2);
}

TEST(hostile_20_text_across_the_fin_never_reaches_the_program)
{
    passive();
    peer(FIN | PSH | ACK, 1, 1, 100);
    clear();
    peer(PSH | ACK, 51, 1, 100);
    assert_int_equal(r(1000), 100);
    assert_int_equal(r(1000), 0);
}

TEST(bytes_beyond_the_window_are_cut_off)
{
    uint32_t edge;

    passive();
    edge = tcp_receive_window(tp);
    peer(ACK, edge - 99, 1, 200); /* the last 100 of the window, and 100 more */
    assert_int_equal(tp->ooo_bytes, 100);
    assert_int_equal(cnt(tcp_in_after_window), 100);
    clear();
    peer(ACK, edge + 200, 1, 100);
    expect(ACK, 1, 1, 0);
    assert_int_equal(tp->ooo_bytes, 100);
}

TEST(hostile_17_thousands_of_one_byte_ranges)
{
    passive();
    for (uint32_t i = 0; i < 3000; i++)
        peer(ACK, 3 + 2 * i, 1, 1, .later = i % 100 != 0);
    run();
    assert_int_equal(tp->n_ooo, 3000);
    clear();
    for (uint32_t i = 0; i <= 3000; i++)
        peer(ACK, 1 + 2 * i, 1, 2, .later = true);
    run();
    assert_int_equal(tp->n_ooo, 0);
    assert_int_equal(r(9999), 6002);
}

TEST(without_memory_data_is_refused_and_comes_again)
{
    passive();
    fx.fail_all = true;
    peer(PSH | ACK, 1, 1, 1000);
    fx.fail_all = false;
    assert_int_equal(cnt(tcp_in_no_memory), 1);
    expect(ACK, 1, 1, 0);
    peer(PSH | ACK, 1, 1, 1000);
    expect(ACK, 1, 1001, 0);
    assert_int_equal(r(9999), 1000);
}

TEST(under_memory_pressure_what_is_out_of_order_goes_first)
{
    passive();
    peer(ACK, 2001, 1, 1000);
    clear();
    fx.fail_all = true;
    peer(ACK, 1, 1, 1448);
    peer(ACK, 1449, 1, 1448);
    peer(ACK, 2897, 1, 1448);
    fx.fail_all = false;
    assert_true(tp->rcv_nxt - tp->irs >= 2897);
    clear();
    peer(ACK, 2897, 1, 1448);
    assert_int_equal(r(9999), 4344);
}

TEST(a_whole_window_fits_while_nobody_reads)
{
    uint32_t seq = 1;

    passive();
    while (tcp_receive_window(tp) > 0) {
        uint32_t n = tcp_receive_window(tp) < 1448 ? tcp_receive_window(tp) : 1448;

        peer(ACK, seq, 1, n);
        seq += n;
    }
    assert_int_equal(cnt(tcp_in_no_memory), 0);
    assert_in_range(seq, 64000, 69000);
    assert_int_equal(r(100000), seq - 1);
}

TEST(a_held_range_that_comes_again_is_no_lack_of_memory)
{
    passive();
    peer(ACK, 101, 1, 100);
    expect(ACK, 1, 1, 0);
    peer(ACK, 101, 1, 100);
    expect(ACK, 1, 1, 0);
    peer(ACK, 111, 1, 20);
    expect(ACK, 1, 1, 0);
    assert_int_equal(cnt(tcp_in_no_memory), 0);
    assert_int_equal(tp->ooo_bytes, 100);
}

TEST(without_memory_to_grow_what_needs_it_is_refused)
{
    passive();
    peer(ACK, 2001, 1, 1000);
    clear();
    fx.fail_all = true;
    peer(ACK, (uint32_t)(bytestream_capacity_end(&tp->rcv) + 1), 1, 1448);
    fx.fail_all = false;
    expect(ACK, 1, 1, 0);
    /* what lies below it may yet fill a hole */
    assert_int_equal(cnt(tcp_in_ooo_pruned), 0);
    assert_int_equal(cnt(tcp_in_no_memory), 1);
    assert_int_equal(tp->ooo_bytes, 1000);
}

TEST(part_of_a_hole_filled_is_acknowledged_at_once_past_quick_mode_too)
{
    passive();
    peer(ACK, 101, 1, 100);
    clear();
    tp->quick = 0;
    tp->ato = TCP_ATO_MIN;
    tp->last_received = fx.now;
    peer(ACK, 1, 1, 50);
    expect(ACK, 1, 51, 0);
    peer(ACK, 51, 1, 50);
    expect(ACK, 1, 201, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(data_in_order_is_read_in_order),
        T(out_of_order_data_is_placed_and_each_segment_gets_a_duplicate_ack),
        T(three_segments_behind_a_hole_in_one_batch_are_three_duplicate_acks),
        T(filling_one_of_two_holes_acknowledges_up_to_the_other),
        T(ranges_merge_when_they_touch_or_overlap),
        T(hostile_14_held_bytes_are_never_overwritten),
        T(hostile_14_what_was_received_in_order_stays_too),
        T(old_data_is_acknowledged_at_once_and_dropped),
        T(fin_with_data),
        T(fin_out_of_order_waits_for_the_bytes_before_it),
        T(a_bare_fin_out_of_order_too),
        T(a_fin_again_is_acknowledged_again),
        T(text_behind_the_fin_is_ignored),
        T(hostile_20_text_across_the_fin_never_reaches_the_program),
        T(bytes_beyond_the_window_are_cut_off),
        T(hostile_17_thousands_of_one_byte_ranges),
        T(without_memory_data_is_refused_and_comes_again),
        T(under_memory_pressure_what_is_out_of_order_goes_first),
        T(a_whole_window_fits_while_nobody_reads),
        T(a_held_range_that_comes_again_is_no_lack_of_memory),
        T(without_memory_to_grow_what_needs_it_is_refused),
        T(part_of_a_hole_filled_is_acknowledged_at_once_past_quick_mode_too),
    };

    return cmocka_run_group_tests_name("data", tests, NULL, NULL);
}
