/* SPDX-License-Identifier: MIT */
/*
 * The scoreboard's edges: where bursts are cut, what is joined, counts, the order of sending. That
 * counts and marks agree is checked after every step (stack_check).
 */
#include "tests/unit/tcp/fixture.h"

#include <stdio.h>

static void start(void)
{
    fx.c->sack = true;
    fx.c->ts = false;
    fx.c->mss = 1000;
    fx.rtt = 100 * MS;
    tun.early_retrans = 0;
    tun.min_tso_segs = 10;
    passive();
}

/* n packets in one burst. */
static void burst(unsigned n)
{
    start();
    tp->cwnd = 2 * n; /* a burst takes half of it at most */
    assert_int_equal(w(1000 * n), 1000 * n);
    clear();
    tp->cwnd = n;
    assert_int_equal(tp->packets_out, n);
    assert_ptr_equal(tp->rtxq.next, tp->rtxq.prev);
    advance(fx.rtt);
}

static void ack(uint32_t upto, const char *blocks)
{
    peer(ACK, 1, upto, 0, .sack = blocks);
}

static unsigned segments(void)
{
    struct segment *seg = scoreboard_first(tp);
    unsigned n = 0;

    for (; seg; seg = scoreboard_next(tp, seg))
        n++;
    return n;
}

/* "0-3S 3-5 5-10L": ranges in packets with their marks. */
static const char *board(void)
{
    static char text[400];
    struct segment *seg = scoreboard_first(tp);
    size_t n = 0;

    for (text[0] = 0; seg; seg = scoreboard_next(tp, seg))
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%u-%u%s%s%s", n ? " " : "",
                              (seg->seq - tp->iss) / 1000, (seg->end_seq - tp->iss) / 1000,
                              seg->marks & SEG_SACKED ? "S" : "", seg->marks & SEG_LOST ? "L" : "",
                              seg->marks & SEG_RETRANS ? "R" : "");
    return text;
}

TEST(a_burst_is_cut_at_both_edges_of_a_block)
{
    burst(10);
    ack(1, "2001:4001");
    assert_string_equal(board(), "0-2 2-4S 4-10");
    assert_int_equal(tp->sacked_out, 2);
}

TEST(edges_inside_of_packets_take_whole_packets_only)
{
    burst(10);
    ack(1, "1501:3500");
    assert_string_equal(board(), "0-2 2-3S 3-10");
    ack(1, "5500:5900");
    assert_int_equal(tp->sacked_out, 1);
}

TEST(the_short_last_packet_counts_as_one)
{
    start();
    assert_int_equal(w(4500), 4500);
    clear();
    advance(fx.rtt);
    ack(1, "4001:4501");
    assert_int_equal(tp->sacked_out, 1);
    assert_int_equal(tp->packets_out, 5);
    ack(1, "3001:4501");
    assert_int_equal(tp->sacked_out, 2);
}

TEST(runs_of_sacked_packets_are_joined)
{
    burst(10);
    ack(1, "1001:2001");
    ack(1, "3001:4001 1001:2001");
    ack(1, "5001:6001 3001:4001 1001:2001");
    tp->lost_total = 0;
    ack(1, "1001:6001");
    assert_int_equal(tp->sacked_out, 5);
    ack(1, "9001:10001 1001:6001");
    assert_int_equal(segments(), 4);
    ack(1, "1001:10001");
    assert_int_equal(segments(), 2);
    assert_int_equal(tp->sacked_out, 9);
}

/* What was sent again once and what was not say different things: a D-SACK may ask. */
TEST(runs_with_different_pasts_are_not_joined)
{
    burst(10);
    ack(1, "2001:5001");
    assert_true(scoreboard_first(tp)->marks & SEG_RETRANS);
    ack(1, "1001:5001 1:1001"); /* hostile: the first byte is not beyond the ACK */
    clear();
    ack(1, "1001:6001");
    for (struct segment *seg = scoreboard_first(tp); seg; seg = scoreboard_next(tp, seg)) {
        struct segment *next = scoreboard_next(tp, seg);

        assert_false(next && (seg->marks & SEG_SACKED) && next->marks == seg->marks);
    }
}

TEST(a_fin_is_not_joined)
{
    burst(4);
    tp->cwnd = 10;
    close_sock(&fx.s);
    clear();
    peer(ACK, 1, 1, 0, .sack = "1001:4002");
    peer(ACK, 1, 1001, 0, .sack = "1001:4002");
    clear();
    advance(100 * MS); /* the peer gave up all that, the FIN too */
    for (unsigned seq = 2001; seq <= 4001; seq += 1000) {
        assert_int_equal(take()->seq, seq - 1000);
        clear();
        peer(ACK, 1, seq, 0);
        advance(3 * SEC);
    }
    assert_int_equal(take()->flags, FIN | ACK);
    peer(ACK, 1, 4002, 0);
    assert_state(FIN_WAIT2);
}

TEST(an_ack_into_a_joined_run_takes_what_it_covers)
{
    burst(10);
    ack(1, "1001:8001");
    clear();
    ack(3501, NULL); /* the peer has given up what it held: it says no more than that */
    assert_int_equal(scoreboard_first(tp)->seq - tp->iss, 3501);
    assert_int_equal(tp->packets_out, 7);
    assert_int_equal(tp->sacked_out, 5);
    assert_int_equal(cnt(tcp_reneging), 1);
}

TEST(reneging_clears_the_board_and_everything_is_lost)
{
    burst(10);
    ack(1, "1001:4001 6001:8001");
    clear();
    ack(1001, NULL);
    assert_int_equal(cnt(tcp_reneging), 1);
    advance(100 * MS);
    assert_int_equal(tp->ca_state, CA_LOSS);
    assert_int_equal(tp->sacked_out, 0);
    assert_int_equal(tp->lost_out, tp->packets_out);
    assert_int_equal(take()->seq, 1001);
}

/* It was only late: the SACKs are believed again. */
TEST(no_reneging_if_the_rest_is_acknowledged_in_time)
{
    burst(10);
    ack(1, "1001:4001 6001:8001");
    clear();
    ack(1001, NULL);
    ack(4001, "6001:8001");
    advance(100 * MS);
    assert_int_not_equal(tp->ca_state, CA_LOSS);
    assert_int_equal(tp->sacked_out, 2);
}

TEST(the_order_of_sending_is_that_of_the_last_transmission)
{
    struct list *l;
    uint64_t last = 0;
    unsigned n = 0;

    burst(10);
    ack(1, "2001:5001");
    advance(10 * MS);
    ack(1, "2001:5001 7001:8001");
    assert_true(tp->retrans_out > 0);
    list_for_each (l, &tp->sent_order) {
        struct segment *seg = container_of(l, struct segment, sent_link);

        assert_true(seg->sent_at >= last);
        assert_false(seg->marks & SEG_SACKED);
        assert_true((seg->marks & (SEG_LOST | SEG_RETRANS)) != SEG_LOST);
        last = seg->sent_at;
        n += seg->pcount;
    }
    assert_int_equal(n, tcp_in_flight(tp));
}

TEST(undo_puts_back_in_the_order_of_sending_what_waited)
{
    struct list *l;
    uint64_t last = 0;
    unsigned n = 0;

    start();
    set_int(IPPROTO_TCP, TCP_NODELAY, 1);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(w(1000), 1000);
        advance(MS);
    }
    clear();
    advance(fx.rtt);
    tp->cwnd = 2;
    ack(1, "5001:8001");
    assert_int_equal(tp->lost_out, 5);
    assert_true(tp->retrans_out < 5);
    scoreboard_unmark_lost(tp);
    assert_int_equal(tp->lost_out, 0);
    list_for_each (l, &tp->sent_order) {
        struct segment *seg = container_of(l, struct segment, sent_link);

        assert_true(seg->sent_at >= last);
        last = seg->sent_at;
        n++;
    }
    assert_int_equal(n, 5);
    run();
}

TEST(find_knows_the_edges)
{
    burst(10);
    ack(1, "2001:5001");
    assert_ptr_equal(scoreboard_find(tp, tp->iss + 1), scoreboard_first(tp));
    assert_int_equal(scoreboard_find(tp, tp->iss + 5000)->marks & SEG_SACKED, SEG_SACKED);
    assert_ptr_equal(scoreboard_find(tp, tp->iss + 10000), scoreboard_last(tp));
    assert_null(scoreboard_find(tp, tp->iss + 10001));
    assert_null(scoreboard_find(tp, tp->iss));
}

/* Sequence numbers wrap in the middle of the flight: the time is when the ISN's clock gives one
 * just below zero. */
TEST(a_flight_across_the_wrap)
{
    struct ip_endpoint local = fx_endpoint("10.0.0.1", FX_PORT);
    struct ip_endpoint remote = fx_endpoint("10.0.0.2", FX_PEER_PORT);

    fx.now += (uint64_t)(0u - 5000u - isn_generate(fx.st, &local, &remote)) * 64 / 1000;
    burst(10);
    assert_true(tp->iss > 0xffff0000u && tp->snd_nxt < 10000);
    ack(1, "2001:4001 6001:8001");
    assert_string_equal(board(), "0-2LR 2-4S 4-5LR 5-6L 6-8S 8-10");
    advance(2 * fx.rtt);
    ack(4001, "6001:10001");
    assert_int_equal(tp->sacked_out, 4);
    assert_int_equal(tp->packets_out, 6);
    ack(10001, NULL);
    assert_int_equal(tp->packets_out, 0);
}

/* No memory to cut the burst: nothing of it is tagged, and the same block tags it later. */
TEST(without_memory_a_block_in_the_middle_is_not_tagged)
{
    struct pool *pool = &fx.st->tcp.segment_pool;
    void *held[4096];
    unsigned n = 0;

    burst(10);
    fx.fail_all = true;
    while ((held[n] = pool_get(pool)))
        n++;
    ack(1, "2001:5001");
    assert_int_equal(tp->sacked_out, 0);
    assert_string_equal(board(), "0-10");
    if (n)
        pool_put(pool, held[--n]); /* enough for one cut of the two */
    ack(1, "2001:5001");
    assert_int_equal(tp->sacked_out, 0);
    assert_string_equal(board(), "0-2 2-10");
    fx.fail_all = false;
    while (n)
        pool_put(pool, held[--n]);
    ack(1, "2001:5001");
    assert_int_equal(tp->sacked_out, 3);
    ack(10001, NULL);
    assert_int_equal(tp->packets_out, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_burst_is_cut_at_both_edges_of_a_block),
        T(edges_inside_of_packets_take_whole_packets_only),
        T(the_short_last_packet_counts_as_one),
        T(runs_of_sacked_packets_are_joined),
        T(runs_with_different_pasts_are_not_joined),
        T(a_fin_is_not_joined),
        T(an_ack_into_a_joined_run_takes_what_it_covers),
        T(reneging_clears_the_board_and_everything_is_lost),
        T(no_reneging_if_the_rest_is_acknowledged_in_time),
        T(the_order_of_sending_is_that_of_the_last_transmission),
        T(undo_puts_back_in_the_order_of_sending_what_waited),
        T(find_knows_the_edges),
        T(a_flight_across_the_wrap),
        T(without_memory_a_block_in_the_middle_is_not_tagged),
    };

    return cmocka_run_group_tests_name("scoreboard", tests, NULL, NULL);
}
