/* SPDX-License-Identifier: MIT */
/* Round-trip samples and the RTO that follows from them (RFC 6298 §2, Linux's form). */
#include "tests/unit/tcp/fixture.h"

TEST(the_handshake_is_the_first_sample)
{
    fx.rtt = 30 * MS;
    active();
    assert_int_equal(tp->srtt_us >> 3, 30 * MS);
    assert_int_equal(tp->rto, 230 * MS);
    assert_int_equal(cnt(tcp_rtt_samples), 1);
}

TEST(the_handshake_of_a_passive_open_too)
{
    fx.rtt = 30 * MS;
    passive();
    assert_int_equal(tp->srtt_us >> 3, 30 * MS);
}

TEST(a_large_round_trip_has_a_variance_of_twice_itself)
{
    fx.rtt = 300 * MS;
    active();
    assert_int_equal(tp->rto, 900 * MS);
}

TEST(a_resent_syn_gives_no_sample)
{
    connecting();
    advance(1500 * MS);
    peer(SYN | ACK, 0, 1, 0);
    assert_int_equal(cnt(tcp_rtt_samples), 0);
    assert_int_equal(tp->rto, 3 * SEC);
}

TEST(steady_samples_keep_the_200_ms_floor)
{
    fx.rtt = 50 * MS;
    passive();
    for (uint32_t i = 0; i < 40; i++) {
        assert_int_equal(w(100), 100);
        advance(50 * MS);
        peer(ACK, 1, 101 + i * 100, 0);
    }
    assert_in_range(tp->rto, 250 * MS, 251 * MS);
    assert_int_equal(tp->min_rtt_us, 50 * MS);
}

TEST(a_slower_path_raises_the_rto_at_once)
{
    fx.rtt = 50 * MS;
    passive();
    assert_int_equal(w(100), 100);
    advance(240 * MS);
    clear();
    peer(ACK, 1, 101, 0);
    assert_true(tp->rto > 250 * MS);
    assert_in_range(tp->srtt_us >> 3, 70 * MS, 75 * MS);
}

TEST(karn_no_sample_from_a_retransmission_without_stamps)
{
    fx.c->ts = false;
    passive();
    assert_int_equal(w(100), 100);
    advance(300 * MS);
    peer(ACK, 1, 101, 0);
    assert_int_equal(cnt(tcp_rtt_samples), 1);
    assert_int_equal(tp->srtt_us >> 3, 1);
}

TEST(with_stamps_a_retransmission_is_measured_by_its_echo)
{
    uint32_t sent;

    passive();
    assert_int_equal(w(100), 100);
    advance(201 * MS);
    sent = fx.c->tsval_seen;
    advance(70 * MS);
    peer(ACK, 1, 101, 0, .tsecr = sent);
    assert_int_equal(cnt(tcp_rtt_samples), 2);
    assert_in_range(tp->srtt_us >> 3, 8 * MS, 10 * MS); /* an eighth of 70 ms */
}

TEST(an_echo_from_the_future_is_no_sample)
{
    passive();
    assert_int_equal(w(100), 100);
    advance(300 * MS);
    peer(ACK, 1, 101, 0, .tsecr = fx.c->tsval_seen + 100000);
    assert_int_equal(cnt(tcp_rtt_samples), 1);
}

TEST(an_ack_of_nothing_new_is_no_sample)
{
    passive();
    assert_int_equal(w(100), 100);
    advance(10 * MS);
    peer(ACK, 1, 1, 0);
    assert_int_equal(cnt(tcp_rtt_samples), 1);
}

TEST(one_sample_of_a_cumulative_ack_the_oldest)
{
    passive();
    assert_int_equal(w(1448), 1448);
    advance(20 * MS);
    assert_int_equal(w(1448), 1448);
    advance(20 * MS);
    peer(ACK, 1, 2897, 0);
    assert_int_equal(cnt(tcp_rtt_samples), 2);
    assert_in_range(tp->srtt_us >> 3, 4900, 5100); /* 1 us and an eighth of 40 ms */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_handshake_is_the_first_sample),
        T(the_handshake_of_a_passive_open_too),
        T(a_large_round_trip_has_a_variance_of_twice_itself),
        T(a_resent_syn_gives_no_sample),
        T(steady_samples_keep_the_200_ms_floor),
        T(a_slower_path_raises_the_rto_at_once),
        T(karn_no_sample_from_a_retransmission_without_stamps),
        T(with_stamps_a_retransmission_is_measured_by_its_echo),
        T(an_echo_from_the_future_is_no_sample),
        T(an_ack_of_nothing_new_is_no_sample),
        T(one_sample_of_a_cumulative_ack_the_oldest),
    };

    return cmocka_run_group_tests_name("rtt", tests, NULL, NULL);
}
