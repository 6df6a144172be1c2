/* SPDX-License-Identifier: MIT */
/* Accurate ECN feedback (RFC 9768 §3.2): counters, the field, the option. */
#include "tests/unit/tcp/ecn.h"

#include <string.h>

/* The option of a recorded segment: its value, -1: none. */
static int option_of(const struct fx_seg *g, uint32_t field[3])
{
    for (uint32_t i = 0; i < g->opt_len;) {
        if (g->opt[i] == 172 || g->opt[i] == 174) {
            int n = (g->opt[i + 1] - 2) / 3;

            for (int k = 0; k < n; k++)
                field[k] = (uint32_t)g->opt[i + 2 + 3 * k] << 16 |
                           (uint32_t)g->opt[i + 3 + 3 * k] << 8 | g->opt[i + 4 + 3 * k];
            return n;
        }
        i += g->opt[i] <= 1 ? 1 : g->opt[i + 1];
    }
    return -1;
}

TEST(the_counter_goes_round)
{
    accurate();
    for (uint32_t i = 0; i < 300; i++) {
        peer(PSH | ACK | ACE(5), 1 + 10 * i, 1, 10, .tos = CE);
        advance(300 * MS);
        assert_int_equal(ace_of(&fx.segs[fx.n_segs - 1]), (6 + i) & 7);
        clear();
    }
}

TEST(an_offloaded_frame_counts_for_its_packets)
{
    accurate();
    peer(PSH | ACK | ACE(5), 1, 1, 3000, .tos = CE, .gso = 1000);
    advance(300 * MS);
    assert_int_equal(ace_of(&fx.segs[fx.n_segs - 1]), 0);
    assert_int_equal(cnt(tcp_in_ce), 3);
}

/* A batch is answered once at its end: before the field can wrap there is an ACK in between. */
TEST(no_ack_stands_for_more_than_seven_marks)
{
    uint8_t told = 5;

    accurate();
    for (uint32_t i = 0; i < 40; i++)
        peer(PSH | ACK | ACE(5), 1 + 10 * i, 1, 10, .tos = CE, .later = true);
    run();
    while (fx.next < fx.n_segs) {
        const struct fx_seg *g = take();

        assert_in_range((ace_of(g) - told) & 7, 0, 7);
        told = (uint8_t)(told + ((ace_of(g) - told) & 7));
    }
    assert_int_equal(told, 45);
}

TEST(a_burst_carries_the_whole_counter)
{
    fx.config.features = 0;
    fx_restart();
    accurate();
    peer(PSH | ACK | ACE(5), 1, 1, 10, .tos = CE);
    clear();
    assert_int_equal(w(8 * tp->mss_cache), 8 * tp->mss_cache);
    assert_in_range(fx.n_segs - fx.next, 8, 9);
    while (fx.next < fx.n_segs)
        assert_int_equal(ace_of(take()), 6);
}

TEST(a_device_that_would_clear_cwr_does_not_cut)
{
    accurate();
    peer(PSH | ACK | ACE(5), 1, 1, 10, .tos = CE);
    clear();
    assert_int_equal(w(8 * tp->mss_cache), 8 * tp->mss_cache);
    while (fx.next < fx.n_segs)
        assert_int_equal(take()->gso, FRAME_GSO_NONE);
    peer(PSH | ACK | ACE(5), 11, 1 + 8 * 1448, 10, .tos = CE);
    peer(PSH | ACK | ACE(5), 21, 1 + 8 * 1448, 10, .tos = CE);
    advance(SEC);
    clear();
    /* 5 + 3: no bit for the device to clear */
    assert_int_equal(w(4 * tp->mss_cache), 4 * tp->mss_cache);
    assert_int_equal(take()->gso, FRAME_GSO_TCP4);
}

TEST(the_option_counts_bytes_and_repeats_itself_with_news_only)
{
    uint32_t f[3];

    accurate();
    tp->acc->option_owed = 0;
    peer(PSH | ACK | ACE(5), 1, 1, 100, .tos = ECT0);
    advance(SEC);
    assert_int_equal(option_of(&fx.segs[fx.n_segs - 1], f), 1);
    assert_int_equal(f[0], 101);
    clear();
    tp->acc->option_owed = 0;
    peer(PSH | ACK | ACE(5), 101, 1, 100);
    advance(SEC);
    assert_int_equal(option_of(&fx.segs[fx.n_segs - 1], f), -1);
}

TEST(with_option_1_only_changes_and_four_mebibytes_are_told)
{
    uint32_t f[3];

    accurate();
    tun.ecn_option = 1;
    peer(PSH | ACK | ACE(5), 1, 1, 100, .tos = ECT0);
    advance(SEC);
    tp->acc->option_owed = 0;
    clear();
    peer(PSH | ACK | ACE(5), 101, 1, 100, .tos = ECT0);
    advance(SEC);
    assert_int_equal(option_of(&fx.segs[fx.n_segs - 1], f), -1);
    tp->acc->r_bytes[1] = (1 << 22) - 50;
    clear();
    peer(PSH | ACK | ACE(5), 201, 1, 100, .tos = ECT0);
    advance(SEC);
    assert_int_equal(option_of(&fx.segs[fx.n_segs - 1], f), 1);
    assert_int_equal(f[0], (1 << 22) + 50);
}

static void ten(void)
{
    tun.ecn_option = 0; /* all segments full */
    accurate();
    assert_int_equal(w(10 * tp->mss_cache), 10 * tp->mss_cache);
    clear();
}

TEST(an_ack_that_was_overtaken_tells_nothing)
{
    ten();
    tp->ts_ok = false;
    peer(ACK | ACE(7), 1, 1 + 2 * 1448, 0, .no_ts = true);
    assert_int_equal(tp->delivered_ce, 2);
    peer(ACK | ACE(6), 1, 1 + 2 * 1448, 0, .no_ts = true);
    assert_int_equal(tp->delivered_ce, 2);
    assert_int_equal(tp->acc->s_cep & 7, 7);
}

TEST(where_acks_are_thinned_as_a_rule_the_counter_is_believed)
{
    ten();
    tp->acc->acked_ewma = 10 << 6;
    peer(ACK | ACE(5), 1, 1 + 10 * 1448, 0);
    assert_int_equal(tp->delivered_ce, 0);
}

/* An option with the fields, kind 172. */
static void told(uint32_t ack, unsigned ace, uint32_t e0b, uint32_t ceb)
{
    uint8_t o[8] = {172,
                    8,
                    (uint8_t)(e0b >> 16),
                    (uint8_t)(e0b >> 8),
                    (uint8_t)e0b,
                    (uint8_t)(ceb >> 16),
                    (uint8_t)(ceb >> 8),
                    (uint8_t)ceb};

    peer(ACK | ACE(ace), 1, ack, 0, .opt = o, .opt_len = 8, .no_ts = true);
}

TEST(the_option_says_how_often_the_field_went_round)
{
    ten();
    told(1 + 10 * 1448, 6, 1, 9 * 1448);
    assert_int_equal(tp->delivered_ce, 9);
}

TEST(marked_bytes_without_marked_packets_end_ect)
{
    ten();
    told(1 + 2 * 1448, 5, 1, 1448);
    assert_true(tp->ecn.no_ect);
}

TEST(an_option_that_begins_with_zeros_is_not_believed)
{
    ten();
    told(1 + 2 * 1448, 5, 0, 1448);
    assert_true(tp->acc->option_zeroed);
    assert_false(tp->ecn.no_ect);
}

TEST(a_marked_syn_ack_leaves_a_window_of_one)
{
    tun.ecn = 3;
    ecn_handshake(AE | CWR | ECE, ACE(6));
    assert_int_equal(tp->acc->s_cep, 6);
    assert_int_equal(tp->cwnd, 1);
    assert_true(tp->ecn.no_ect);
}

TEST(without_memory_for_the_counters_there_is_no_ecn)
{
    tun.ecn = 3;
    listening(4);
    fx.c->our_port = FX_PORT;
    peer(SYN | AE | CWR | ECE, 0, 0, 0);
    fx.c->iss = take()->raw_seq;
    fx.st->tcp.accecn_pool.mem = &(struct mem){.limit = 1, .used = 1};
    peer(ACK | ACE(2), 1, 1, 0);
    fx.st->tcp.accecn_pool.mem = &fx.st->mem;
    assert_int_equal(accept_one(), 0);
    assert_int_equal(tp->ecn.mode, TCP_ECN_OFF);
    clear();
    assert_int_equal(w(100), 100);
    assert_int_equal(ecn_of(take()), NOT_ECT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_counter_goes_round),
        T(an_offloaded_frame_counts_for_its_packets),
        T(no_ack_stands_for_more_than_seven_marks),
        T(a_burst_carries_the_whole_counter),
        T(a_device_that_would_clear_cwr_does_not_cut),
        T(the_option_counts_bytes_and_repeats_itself_with_news_only),
        T(with_option_1_only_changes_and_four_mebibytes_are_told),
        T(an_ack_that_was_overtaken_tells_nothing),
        T(where_acks_are_thinned_as_a_rule_the_counter_is_believed),
        T(the_option_says_how_often_the_field_went_round),
        T(marked_bytes_without_marked_packets_end_ect),
        T(an_option_that_begins_with_zeros_is_not_believed),
        T(a_marked_syn_ack_leaves_a_window_of_one),
        T(without_memory_for_the_counters_there_is_no_ecn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
