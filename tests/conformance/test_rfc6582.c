/* SPDX-License-Identifier: MIT */
/* RFC 6582: NewReno, for peers without SACK. */
#include "tests/unit/tcp/fixture.h"

#define MSS 1448u

static uint32_t una(void)
{
    return tp->snd_una - tp->iss;
}

static void dups(unsigned n)
{
    while (n--)
        peer(ACK, 1, una(), 0);
}

/* Ten segments in flight, `more` of them wait. */
static void ten_out(unsigned more)
{
    passive();
    assert_int_equal(w((10 + more) * MSS), (10 + more) * MSS);
    assert_int_equal(take_bytes(), 10 * MSS);
}

/* "recover" starts at the ISS: nothing that was sent on this connection is excluded, wherever the
 * sequence space begins. */
TEST(rfc6582_01_recover_init)
{
    for (unsigned i = 0; i < 8; i++) {
        peer_use(i); /* another ISS each time */
        ten_out(0);
        dups(3);
        expect(ACK, 1, 1, MSS);
        assert_int_equal(tp->ca_state, CA_RECOVERY);
        peer(RST | ACK, 1, 1, 0);
        close_it();
    }
    assert_int_equal(cnt(tcp_recoveries), 8);
}

TEST(rfc6582_02_enter_only_past_recover)
{
    uint32_t recover;

    ten_out(30);
    dups(9);
    clear();
    recover = tp->high_seq - tp->iss;
    assert_in_range(recover, 1 + 10 * MSS, 1 + 13 * MSS); /* the highest sent */
    peer(ACK, 1, recover, 0);
    clear();
    dups(5);
    assert_int_equal(cnt(tcp_recoveries), 1);
    assert_int_equal(cnt(tcp_out_retrans), 1);
    clear();
    /* ACK - 1 is above it: these count */
    peer(ACK, 1, recover + MSS, 0);
    clear();
    dups(3);
    assert_int_equal(cnt(tcp_recoveries), 2);
    assert_int_equal(cnt(tcp_out_retrans), 2);
    assert_int_equal(tp->ca_state, CA_RECOVERY);
    clear();
}

TEST(rfc6582_03_partial_ack_retransmits)
{
    ten_out(0);
    dups(5);
    expect(ACK, 1, 1, MSS);
    for (uint32_t i = 3; i < 10; i += 2) {
        peer(ACK, 1, 1 + i * MSS, 0);
        expect(i == 9 ? PSH | ACK : ACK, 1 + i * MSS, 1, MSS);
        expect_none();
    }
    assert_int_equal(cnt(tcp_rto), 0);
}

/* Packets in flight are counted, so the deflation is implicit: what a partial ACK covers leaves the
 * flight, and what it lets out is the retransmission and one segment (RFC 9937 §6.2). */
TEST(rfc6582_04_partial_ack_deflates)
{
    uint32_t before;

    ten_out(60);
    dups(9); /* the first and, by what follows, the fourth were lost */
    clear();
    before = tcp_in_flight(tp);
    assert_int_equal(tp->ssthresh, 5);
    peer(ACK, 1, 1 + 3 * MSS, 0);
    assert_int_equal(take()->seq, 1 + 3 * MSS);
    assert_true(take_bytes() <= MSS);
    assert_true(tcp_in_flight(tp) <= before + 1);
    assert_true(tcp_in_flight(tp) <= tp->cwnd);
    assert_true(tp->cwnd <= tp->ssthresh + 1);
}

TEST(rfc6582_05_partial_ack_stays)
{
    uint32_t recover;

    ten_out(60);
    dups(9);
    recover = tp->high_seq - tp->iss;
    for (uint32_t i = 1; 1 + i * MSS < recover; i++) {
        peer(ACK, 1, 1 + i * MSS, 0);
        assert_int_equal(tp->ca_state, CA_RECOVERY);
    }
    assert_int_equal(cnt(tcp_recoveries), 1);
    assert_int_equal(tp->ssthresh, 5);
    clear();
}

TEST(rfc6582_07_full_ack_exit)
{
    ten_out(60);
    dups(11); /* for all of the flight: two are limited transmit's */
    clear();
    peer(ACK, 1, tp->high_seq - tp->iss + MSS, 0);
    assert_int_equal(tp->ca_state, CA_OPEN);
    assert_int_equal(tp->cwnd, 5);
    assert_int_equal(tp->ssthresh, 5);
    /* PRR has kept the flight near it: no burst */
    assert_true(take_bytes() <= 3 * MSS);
    assert_true(tcp_in_flight(tp) <= 5);
}

TEST(rfc6582_08_rto_sets_recover)
{
    ten_out(60);
    dups(6);
    assert_int_equal(tp->ca_state, CA_RECOVERY);
    advance(tp->rto + 1);
    assert_int_equal(tp->ca_state, CA_LOSS);
    assert_int_equal(tp->high_seq, tp->snd_nxt);
    assert_int_equal(tp->cwnd, 1);
    clear();
    /* nothing but slow start: partial ACKs do not bring the old recovery back */
    peer(ACK, 1, 1 + 2 * MSS, 0);
    assert_int_equal(tp->ca_state, CA_LOSS);
    dups(5);
    assert_int_equal(tp->ca_state, CA_LOSS);
    assert_int_equal(cnt(tcp_recoveries), 1);
    clear();
}

/* One segment was lost and with it, on the way back, what would have told: go-back-N sends what has
 * long arrived, and each such segment is answered by a duplicate. */
TEST(rfc6582_09_dupacks_after_rto)
{
    tun.frto = 0;
    ten_out(60);
    advance(201 * MS);
    expect(ACK, 1, 1, MSS);
    peer(ACK, 1, 1 + MSS, 0);
    assert_int_equal(take_bytes(), 2 * MSS);
    peer(ACK, 1, 1 + 3 * MSS, 0);
    assert_true(take_bytes() >= 3 * MSS);
    assert_int_equal(una(), 1 + 3 * MSS);
    peer(ACK, 1, tp->high_seq - tp->iss, 0);
    clear();
    dups(6);
    assert_int_equal(cnt(tcp_recoveries), 0);
    assert_int_equal(cnt(tcp_out_fast_retrans), 0);
    assert_true(tp->ca_state != CA_RECOVERY);
    clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(rfc6582_01_recover_init),
        T(rfc6582_02_enter_only_past_recover),
        T(rfc6582_03_partial_ack_retransmits),
        T(rfc6582_04_partial_ack_deflates),
        T(rfc6582_05_partial_ack_stays),
        T(rfc6582_07_full_ack_exit),
        T(rfc6582_08_rto_sets_recover),
        T(rfc6582_09_dupacks_after_rto),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
