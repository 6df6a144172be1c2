/* SPDX-License-Identifier: MIT */
/* RFC 4015: the answer to a spurious time-out. It is found by Eifel detection: the ACK echoes a
 * timestamp from before the retransmission. */
#include "tests/unit/tcp/fixture.h"

#define MSS 1448u

/* n segments in flight of a window of cwnd, the first of them sent again. Returns the timestamp of
 * the originals. */
static uint32_t time_out(uint32_t n, uint32_t cwnd, uint32_t ssthresh)
{
    const struct fx_seg *g;
    uint32_t original;

    fx.rtt = 100 * MS;
    fx.config.features = 0;
    if (!fx.lst)
        fx_restart();
    fx.c->sack = true;
    tun.early_retrans = 0;
    passive();
    tp->sndbuf = 8000000;
    tp->cwnd = cwnd;
    tp->ssthresh = ssthresh;
    tp->cwnd_stamp = fx.st->now;
    assert_int_equal(w(n * MSS), n * MSS);
    original = take()->tsval;
    clear();
    advance(tp->rto + 1);
    g = take();
    assert_int_equal(g->seq, 1);
    assert_true(g->tsval > original);
    assert_int_equal(tp->ca_state, CA_LOSS);
    return original;
}

static void late(uint32_t segments, uint32_t original)
{
    peer(ACK, 1, 1 + segments * MSS, 0, .tsecr = original);
}

static void over(void)
{
    peer(RST | ACK, 1, 1, 0);
    close_it();
    clear();
}

TEST(rfc4015_01_snapshot)
{
    uint32_t original = time_out(20, 20, 8), srtt = tp->srtt_us, rttvar = tp->rttvar_us;

    assert_int_equal(tp->eifel.pipe, 20); /* FlightSize is more than ssthresh */
    assert_int_equal(tp->eifel.srtt_us, srtt);
    assert_int_equal(tp->eifel.rttvar_us, rttvar);
    assert_int_equal(tp->ssthresh, 10);
    /* the next one of the episode changes nothing: not half of a half is what was before */
    advance(tp->rto + 1);
    clear();
    assert_int_equal(tp->eifel.pipe, 20);
    late(1, original);
    assert_int_equal(tp->ssthresh, 20);
    over();

    peer_use(1);
    original = time_out(10, 20, 60);
    assert_int_equal(tp->eifel.pipe, 60); /* or ssthresh is */
    late(1, original);
    assert_int_equal(tp->ssthresh, 60);
    over();
}

TEST(rfc4015_02_undo)
{
    uint32_t original = time_out(20, 40, 30);

    late(3, original);
    assert_int_equal(cnt(tcp_undone), 1);
    assert_int_equal(tp->ca_state, CA_OPEN);
    assert_int_equal(tcp_in_flight(tp), 17);
    /* FlightSize + min(bytes_acked, IW) */
    assert_int_equal(tp->cwnd, 17 + 3);
    assert_int_equal(tp->ssthresh, 30);
    over();

    peer_use(1);
    original = time_out(40, 60, 30);
    late(30, original);
    assert_int_equal(tcp_in_flight(tp), 10);
    assert_int_equal(tp->cwnd, 10 + 10); /* the initial window at most */
    assert_int_equal(tp->ssthresh, 45);  /* Linux: three quarters of a window above it */
    over();
}

/* No ECN is negotiated: what the state machine does with the mark. */
TEST(rfc4015_03_undo_not_on_ece)
{
    uint32_t original = time_out(20, 20, 8);
    struct tcp_ack_state as = tcp_ack_begin(tp);

    as.ece = true;
    tcp_fastretrans_alert(tp, &as);
    late(3, original);
    assert_int_equal(cnt(tcp_undone), 0);
    assert_int_equal(tp->ssthresh, 10);
    assert_true(tp->cwnd <= 10);
    over();
}

TEST(rfc4015_04_resume_new_data)
{
    uint32_t original = time_out(20, 20, 100);

    assert_int_equal(w(20 * MSS), 20 * MSS);
    expect_none();
    advance(10 * MS);
    late(1, original);
    assert_int_equal(take()->seq, 1 + 20 * MSS);
    while (fx.next < fx.n_segs)
        assert_true(take()->seq > 1 + 20 * MSS);
    assert_int_equal(cnt(tcp_out_retrans), 1);
    over();
}

/* The originals come 300 ms late; then the path is fast again, which the RTO must not trust at
 * once.
 */
TEST(rfc4015_05_rto_adapt)
{
    uint32_t original = time_out(4, 20, 100), end;

    advance(300 * MS);
    late(4, original);
    assert_int_equal(cnt(tcp_undone), 1);
    clear();
    assert_int_equal(tp->eifel.srtt_us >> 3, 100 * MS);
    end = tp->snd_nxt - tp->iss;
    assert_int_equal(w(MSS), MSS);
    clear();
    advance(700 * MS); /* still slow */
    peer(ACK, 1, end + MSS, 0);
    assert_int_equal(tp->srtt_us >> 3, 700 * MS);
    assert_true(tp->rttvar_us >= 4 * 350 * MS);
    assert_int_equal(tp->rto, (tp->srtt_us >> 3) + tp->rttvar_us);
    /* once: the next sample counts as ever */
    assert_int_equal(w(MSS), MSS);
    clear();
    advance(100 * MS);
    peer(ACK, 1, end + 2 * MSS, 0);
    assert_int_equal(tp->srtt_us >> 3, 625 * MS);
    over();

    peer_use(1); /* a quick sample: what was known before the time-out stands */
    original = time_out(4, 20, 100);
    advance(300 * MS);
    late(4, original);
    clear();
    end = tp->snd_nxt - tp->iss;
    assert_int_equal(w(MSS), MSS);
    clear();
    advance(20 * MS);
    peer(ACK, 1, end + MSS, 0);
    assert_int_equal(tp->srtt_us >> 3, 100 * MS);
    assert_true(tp->rttvar_us >= 200 * MS);
    over();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(rfc4015_01_snapshot),        T(rfc4015_02_undo),      T(rfc4015_03_undo_not_on_ece),
        T(rfc4015_04_resume_new_data), T(rfc4015_05_rto_adapt),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
