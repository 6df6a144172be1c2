/* SPDX-License-Identifier: MIT */
/* RFC 5682: F-RTO. Without timestamps, so that nothing else can tell a spurious time-out. */
#include "tests/unit/tcp/fixture.h"

#define MSS 1460u

/* Ten segments in flight, `more` wait; then the time-out. */
static void time_out(bool sack, unsigned more)
{
    fx.c->ts = false;
    fx.c->sack = sack;
    fx.rtt = 50 * MS; /* what comes sooner is not for the retransmission */
    tun.early_retrans = 0;
    passive();
    assert_int_equal(w((10 + more) * MSS), (10 + more) * MSS);
    assert_int_equal(take_bytes(), 10 * MSS);
    advance(tp->rto + 1);
    assert_int_equal(take()->seq, 1);
    assert_int_equal(tp->ca_state, CA_LOSS);
}

static void ack(uint32_t segments)
{
    peer(ACK, 1, 1 + segments * MSS, 0);
}

/* What follows are retransmissions in slow start, from the first segment that is not acknowledged.
 */
static void expect_conventional(void)
{
    assert_int_equal(take()->seq, tp->snd_una - tp->iss);
    assert_int_equal(tp->ca_state, CA_LOSS);
    assert_int_equal(cnt(tcp_frto_spurious), 0);
    assert_int_equal(cnt(tcp_undone), 0);
    clear();
}

TEST(rfc5682_01_step1)
{
    time_out(false, 10);
    expect_none();
    assert_true(tp->frto);
    assert_int_equal(tp->high_seq, tp->snd_nxt);
    assert_int_equal(cnt(tcp_out_retrans), 1);
}

TEST(rfc5682_02_already_recovering)
{
    tun.frto = 0; /* conventional recovery after the first … */
    time_out(false, 10);
    ack(1);
    clear();
    tun.frto = 2;
    advance(tp->rto + 1);
    assert_int_equal(cnt(tcp_rto), 2);
    clear();
    ack(2);
    expect_conventional();
    peer(RST | ACK, 1, 1, 0);
    close_it();

    peer_use(1); /* nor when nothing has moved since */
    time_out(false, 10);
    advance(tp->rto + 1);
    assert_int_equal(take()->seq, 1);
    ack(1);
    expect_conventional();
}

TEST(rfc5682_03_step2a)
{
    time_out(false, 10);
    ack(0); /* a duplicate; what comes later is no longer looked at */
    assert_false(tp->frto);
    clear();
    ack(1);
    expect_conventional();
    peer(RST | ACK, 1, 1, 0);
    close_it();

    peer_use(1);
    time_out(false, 10);
    ack(10); /* exactly what was sent before */
    assert_int_equal(cnt(tcp_frto_spurious), 0);
    assert_int_equal(cnt(tcp_undone), 0);
    assert_in_range(tp->cwnd, 2, 11);
    assert_int_equal(tp->ssthresh, 5);
    clear();
    peer(RST | ACK, 1, 1, 0);
    close_it();

    peer_use(2);
    time_out(false, 10);
    peer(ACK, 1, 1 + MSS - 1, 0); /* not all of the retransmission */
    assert_false(tp->frto);
    clear();
    ack(2);
    expect_conventional();
}

TEST(rfc5682_04_step2b)
{
    time_out(false, 10);
    ack(1);
    expect(ACK, 1 + 10 * MSS, 1, MSS);
    expect(ACK, 1 + 11 * MSS, 1, MSS);
    expect_none();
    peer(RST | ACK, 1, 1, 0);
    close_it();

    peer_use(1); /* no more of them when the ACK is for many */
    time_out(false, 10);
    ack(6);
    assert_int_equal(take()->seq, 1 + 10 * MSS);
    assert_int_equal(take_bytes(), MSS);
}

TEST(rfc5682_05_step2b_nodata)
{
    time_out(false, 0);
    ack(1);
    expect_conventional();
    peer(RST | ACK, 1, 1, 0);
    close_it();

    peer_use(1); /* nor a window */
    fx.c->wscale = 0;
    fx.c->window = 10 * MSS;
    time_out(false, 10);
    peer(ACK, 1, 1 + MSS, 0, .win = 9 * MSS);
    expect_conventional();
}

TEST(rfc5682_06_step3a)
{
    time_out(false, 10);
    ack(1);
    assert_int_equal(take_bytes(), 2 * MSS);
    ack(1);
    assert_true(tp->cwnd <= 3);
    expect_conventional();
}

TEST(rfc5682_07_step3b)
{
    time_out(false, 10);
    ack(1);
    assert_int_equal(take_bytes(), 2 * MSS);
    ack(2);
    assert_int_equal(tp->ca_state, CA_OPEN);
    assert_int_equal(cnt(tcp_frto_spurious), 1);
    assert_int_equal(tp->lost_out, 0);
    assert_int_equal(cnt(tcp_out_retrans), 1); /* that of the time-out, and no other */
    assert_int_equal(tp->ssthresh, TCP_INIT_SSTHRESH);
    clear();
    /* recover = SND.UNA: a loss that follows is a new one */
    for (int i = 0; i < 3; i++)
        ack(2);
    assert_int_equal(tp->ca_state, CA_RECOVERY);
    clear();
}

TEST(rfc5682_08_sack_variant)
{
    time_out(true, 10);
    peer(ACK, 1, 1, 0, .sack = "1461:2921"); /* sent before the time-out, once */
    assert_int_equal(cnt(tcp_frto_spurious), 1);
    clear();
    peer(RST | ACK, 1, 1, 0);
    close_it();

    peer_use(1);
    time_out(true, 10);
    ack(1);
    assert_int_equal(take()->seq, 1 + 10 * MSS);
    clear();
    ack(2);
    assert_int_equal(cnt(tcp_frto_spurious), 2);
    assert_int_equal(tp->ca_state, CA_OPEN);
    clear();
    peer(RST | ACK, 1, 1, 0);
    close_it();

    peer_use(2); /* only the new data has arrived: the loss was real */
    time_out(true, 10);
    ack(1);
    clear();
    peer(ACK, 1, 1 + MSS, 0, .sack = "14601:16061");
    assert_int_equal(cnt(tcp_frto_spurious), 2);
    assert_true(tp->ca_state >= CA_RECOVERY);
    assert_int_equal(take()->seq, 1 + MSS);
    clear();
}

TEST(rfc5682_09_not_in_recovery)
{
    fx.c->ts = false;
    passive();
    assert_int_equal(w(20 * MSS), 20 * MSS);
    for (int i = 0; i < 3; i++)
        ack(0);
    assert_int_equal(tp->ca_state, CA_RECOVERY);
    clear();
    advance(tp->rto + 1);
    assert_int_equal(tp->ca_state, CA_LOSS);
    assert_false(tp->frto);
    clear();
    ack(1);
    expect_conventional();
}

TEST(rfc5682_10_ignore_other_acks)
{
    fx.c->window = 50000;
    time_out(false, 10);
    peer(ACK, 1, 1, 0, .win = 60000); /* the window moves */
    peer(PSH | ACK, 1, 1, 10);        /* data */
    assert_int_equal(cnt(tcp_in_dup_acks), 0);
    assert_true(tp->frto);
    take_bytes();
    peer(ACK, 11, 1 + MSS, 0);
    assert_int_equal(take()->seq, 1 + 10 * MSS);
    clear();
    peer(ACK, 11, 1 + MSS, 0, .win = 65000);
    peer(PSH | ACK, 11, 1 + MSS, 10);
    assert_int_equal(cnt(tcp_out_retrans), 1);
    clear();
    peer(ACK, 21, 1 + 2 * MSS, 0);
    assert_int_equal(cnt(tcp_frto_spurious), 1);
    clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(rfc5682_01_step1),           T(rfc5682_02_already_recovering),
        T(rfc5682_03_step2a),          T(rfc5682_04_step2b),
        T(rfc5682_05_step2b_nodata),   T(rfc5682_06_step3a),
        T(rfc5682_07_step3b),          T(rfc5682_08_sack_variant),
        T(rfc5682_09_not_in_recovery), T(rfc5682_10_ignore_other_acks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
