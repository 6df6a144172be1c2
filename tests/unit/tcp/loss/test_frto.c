/* SPDX-License-Identifier: MIT */
/* F-RTO at its edges; the algorithm step by step is in tests/conformance/test_rfc5682.c. */
#include "tests/unit/tcp/fixture.h"

#define MSS 1460u /* without timestamps: they would tell before F-RTO does */

static void ten_out(bool sack, unsigned more)
{
    fx.c->ts = false;
    fx.c->sack = sack;
    fx.rtt = 50 * MS;
    tun.early_retrans = 0;
    passive();
    assert_int_equal(w((10 + more) * MSS), (10 + more) * MSS);
    assert_int_equal(take_bytes(), 10 * MSS);
}

static void time_out(void)
{
    advance(tp->rto + 1);
    assert_int_equal(take()->seq, tp->snd_una - tp->iss);
    assert_int_equal(tp->ca_state, CA_LOSS);
}

static void ack(uint32_t segments)
{
    peer(ACK, 1, 1 + segments * MSS, 0);
}

TEST(it_can_be_switched_off)
{
    tun.frto = 0;
    ten_out(false, 10);
    time_out();
    assert_false(tp->frto);
    ack(1);
    assert_int_equal(take()->seq, 1 + MSS);
    clear();
}

TEST(new_data_may_be_written_after_the_time_out)
{
    ten_out(false, 0);
    time_out();
    assert_int_equal(w(5 * MSS), 5 * MSS); /* the window is one: it waits */
    expect_none();
    ack(1);
    assert_int_equal(take()->seq, 1 + 10 * MSS);
    assert_int_equal(take_bytes(), MSS);
    ack(2);
    assert_int_equal(cnt(tcp_frto_spurious), 1);
    clear();
}

TEST(a_short_last_segment_is_new_data_too)
{
    ten_out(false, 0);
    assert_int_equal(w(100), 100);
    time_out();
    ack(1);
    assert_int_equal(take()->len, 100);
    expect_none(); /* Nagle does not hold it, and nothing is sent again */
    ack(2);
    assert_int_equal(cnt(tcp_frto_spurious), 1);
    clear();
}

TEST(from_disorder_it_is_tried)
{
    ten_out(false, 10);
    ack(0);
    assert_int_equal(tp->ca_state, CA_DISORDER);
    clear();
    time_out();
    assert_true(tp->frto);
    clear();
}

TEST(after_a_spurious_time_out_the_next_one_is_tried_again)
{
    ten_out(false, 30);
    for (uint32_t i = 0; i < 3; i++) {
        time_out();
        assert_true(tp->frto);
        ack(2 * i + 1);
        clear();
        ack(2 * i + 2);
        assert_int_equal(cnt(tcp_frto_spurious), i + 1);
        assert_int_equal(tp->retransmits, 0);
        clear();
        advance(60 * MS); /* what was sent again is not taken for what comes now */
    }
}

TEST(a_duplicate_before_the_first_sack_leaves_the_sack_variant_in_step_2)
{
    ten_out(true, 10);
    time_out();
    ack(0);
    assert_true(tp->frto);
    ack(1);
    assert_int_equal(take()->seq, 1 + 10 * MSS);
    clear();
}

TEST(a_retransmission_that_was_needed_is_not_taken_for_the_original)
{
    ten_out(true, 0);
    time_out();
    advance(50 * MS);
    ack(1); /* nothing new to send: go on with what seems lost */
    assert_false(tp->frto);
    clear();
    advance(50 * MS);
    ack(3);
    assert_int_equal(cnt(tcp_frto_spurious), 0);
    assert_int_equal(cnt(tcp_undone), 0);
    clear();
}

TEST(hostile_an_ack_of_everything_at_once_is_no_proof_without_sack)
{
    ten_out(false, 10);
    time_out();
    ack(10);
    assert_int_equal(cnt(tcp_frto_spurious), 0);
    assert_int_equal(tp->ssthresh, 5);
    clear();
}

TEST(a_lost_syn_is_no_business_of_it)
{
    connecting();
    advance(SEC);
    assert_false(tp->frto);
    assert_int_equal(tp->ca_state, CA_OPEN);
    clear();
    peer(SYN | ACK, 0, 1, 0);
    assert_int_equal(cnt(tcp_undone), 0);
    assert_int_equal(tp->cwnd, 10);
    clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(it_can_be_switched_off),
        T(new_data_may_be_written_after_the_time_out),
        T(a_short_last_segment_is_new_data_too),
        T(from_disorder_it_is_tried),
        T(after_a_spurious_time_out_the_next_one_is_tried_again),
        T(a_duplicate_before_the_first_sack_leaves_the_sack_variant_in_step_2),
        T(a_retransmission_that_was_needed_is_not_taken_for_the_original),
        T(hostile_an_ack_of_everything_at_once_is_no_proof_without_sack),
        T(a_lost_syn_is_no_business_of_it),
    };

    return cmocka_run_group_tests_name("frto", tests, NULL, NULL);
}
