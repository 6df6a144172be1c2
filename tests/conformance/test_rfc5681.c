/* SPDX-License-Identifier: MIT */
/* RFC 5681: slow start, congestion avoidance, fast retransmit and fast recovery; reno. What the
 * wire alone shows is in tests/scripts/conformance/. */
#include "tests/unit/tcp/cc/bare.h"

#define MSS 1448u

/* A connection whose device takes single packets, so that no burst waits for its rest. */
static void begin(void)
{
    fx.config.features = 0;
    if (!fx.lst)
        fx_restart();
    passive();
    tp->sndbuf = 8000000;
}

static void cwnd_is(uint32_t cwnd, uint32_t ssthresh)
{
    tp->cwnd = cwnd;
    tp->ssthresh = ssthresh;
    tp->cwnd_stamp = fx.st->now; /* in use until now */
}

/* n segments in flight. */
static void out(unsigned n)
{
    assert_int_equal(w((size_t)n * MSS), (ssize_t)n * MSS);
    assert_int_equal(take_bytes(), (uint64_t)n * MSS);
}

static void dups(unsigned n, uint32_t ack)
{
    while (n--)
        peer(ACK, 1, ack, 0);
}

/* Everything that a recovery is about is acknowledged, and one segment more. */
static void all_repaired(void)
{
    peer(ACK, 1, tp->high_seq - tp->iss + MSS, 0);
    assert_int_equal(tp->ca_state, CA_OPEN);
}

/* The window by the RFC's rules, in bytes. */
static struct rules {
    uint32_t cwnd, ssthresh, counted;
} rules;

static void rules_ack(uint32_t n)
{
    if (rules.cwnd < rules.ssthresh) {
        rules.cwnd += n < MSS ? n : MSS;
        return;
    }
    rules.counted += n;
    if (rules.counted >= rules.cwnd) {
        rules.counted -= rules.cwnd;
        rules.cwnd += MSS;
    }
}

static uint32_t outstanding(void)
{
    return tp->snd_nxt - tp->snd_una;
}

static void ack_one_by_one(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        peer(ACK, 1, tp->snd_una - tp->iss + MSS, 0);
        rules_ack(MSS);
        if (outstanding() / MSS != rules.cwnd / MSS)
            fail_msg("%u: %u segments are out, %u may be", i, outstanding() / MSS,
                     rules.cwnd / MSS);
    }
    clear();
}

TEST(rfc5681_01_not_more_aggressive)
{
    fx.rtt = 100 * MS;
    begin();
    rules = (struct rules){10 * MSS, 40 * MSS, 0};
    cwnd_is(10, 40);
    assert_int_equal(w(2000 * MSS), 2000 * MSS);
    clear();
    ack_one_by_one(400);
    /* a loss: half of what is in flight */
    rules.ssthresh = outstanding() / 2;
    dups(outstanding() / MSS - 1, tp->snd_una - tp->iss);
    clear();
    peer(ACK, 1, tp->high_seq - tp->iss, 0);
    assert_int_equal(tp->ca_state, CA_RECOVERY); /* NewReno waits for more than that */
    rules.cwnd = rules.ssthresh - rules.ssthresh % MSS;
    rules.counted = 0;
    peer(ACK, 1, tp->snd_una - tp->iss + MSS, 0);
    assert_int_equal(tp->ca_state, CA_OPEN);
    assert_true(outstanding() <= rules.cwnd);
    assert_true(outstanding() >= rules.cwnd - MSS);
    clear();
    for (int i = 0; i < 500; i++) {
        peer(ACK, 1, tp->snd_una - tp->iss + MSS, 0);
        rules_ack(MSS);
        assert_true(outstanding() <= rules.cwnd);
    }
    assert_true(rules.cwnd > rules.ssthresh + 10 * MSS);
    clear();
}

TEST(rfc5681_02_send_limit)
{
    fx.c->wscale = 0;
    passive();
    assert_int_equal(w(60000), 60000);
    assert_int_equal(tp->snd_nxt - tp->snd_una, 10 * MSS); /* cwnd */
    clear();
    peer(ACK, 1, 1 + 10 * MSS, 0, .win = 4 * MSS + 100);
    assert_true(tp->snd_nxt - tp->snd_una <= 4 * MSS + 100); /* rwnd */
    assert_true(tp->snd_nxt - tp->snd_una >= 4 * MSS);
    clear();
}

TEST(rfc5681_03_iw_upper_bound)
{
    static const struct {
        uint16_t mss;
        uint32_t most;
    } rows[] = {{536, 4}, {1095, 4}, {1096, 3}, {1448, 3}, {2190, 3}, {2191, 2}, {8948, 2}};

    tun.initial_cwnd = 3; /* RFC 6928's ten is the default */
    passive();
    assert_int_equal(w(20000), 20000);
    assert_int_equal(take_bytes(), 3 * MSS);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        tp->mss_cache = rows[i].mss;
        assert_in_range(tcp_init_cwnd(tp), 2, rows[i].most);
    }
}

/* More than one loss: a single one is forgiven by RFC 6928 §2. */
TEST(rfc5681_05_syn_loss_iw_one)
{
    connecting();
    advance(2 * SEC);
    clear();
    peer(SYN | ACK, 0, 1, 0);
    assert_int_equal(clear(), 1);
    assert_int_equal(w(20000), 20000);
    assert_int_equal(take_bytes(), MSS);
    peer(RST | ACK, 1, 1, 0);

    peer_use(1);
    listening(5);
    fx.c->our_port = FX_PORT;
    peer(SYN, 0, 0, 0);
    advance(3 * SEC);
    assert_int_equal(clear(), 3); /* the original, after one second, after two more */
    peer(ACK, 1, 1, 0);
    assert_int_equal(accept_one(), 0);
    assert_int_equal(w(20000), 20000);
    assert_int_equal(take_bytes(), MSS);
}

TEST(rfc5681_06_pmtu_scales_cwnd)
{
    passive();
    assert_int_equal(w(100000), 100000);
    assert_int_equal(take_bytes(), 10 * MSS);
    peer_icmp(3, 4, 1000, 1);
    assert_int_equal(tp->mss_cache, 948);
    /* the whole flight goes again, within ten segments of the new size */
    assert_true(take_bytes() <= 10 * 948);
    assert_true(tp->cwnd * tp->mss_cache <= 10 * 948);
    peer(ACK, 1, 1 + 10 * 948, 0);
    assert_true(tcp_in_flight(tp) <= tp->cwnd);
    clear();
}

TEST(rfc5681_07_ssthresh_initial_high)
{
    passive();
    assert_int_equal(tp->ssthresh, 0x7fffffff);
    /* so that slow start finds the window, however large */
    bulk(8000000);
    assert_true(tp->cwnd > 1000);
    assert_true(tcp_in_slow_start(tp));
}

TEST(rfc5681_08_ss_per_ack)
{
    passive();
    assert_int_equal(w(50 * MSS), 50 * MSS);
    clear();
    for (uint32_t i = 1; i <= 10; i++) {
        peer(ACK, 1, 1 + i * MSS, 0);
        assert_int_equal(tp->cwnd, 10 + i);
        assert_int_equal(take_bytes(), 2 * MSS);
    }
    /* less than a segment is not one */
    peer(ACK, 1, 1 + 10 * MSS + 1, 0);
    assert_int_equal(tp->cwnd, 20);
    peer(ACK, 1, 1 + 11 * MSS - 1, 0);
    assert_int_equal(tp->cwnd, 20);
    peer(ACK, 1, 1 + 11 * MSS, 0);
    assert_int_equal(tp->cwnd, 21);
    clear();
}

TEST(rfc5681_10_ca_one_smss_per_rtt)
{
    uint32_t una = 1;

    begin();
    cwnd_is(10, 10);
    assert_int_equal(w(1000 * MSS), 1000 * MSS);
    clear();
    for (uint32_t round = 0; round < 30; round++) {
        uint32_t flight = outstanding() / MSS;

        assert_int_equal(flight, 10 + round);
        for (uint32_t i = 0; i < flight; i++) {
            assert_int_equal(tp->cwnd, 10 + round);
            peer(ACK, 1, una += MSS, 0);
        }
        assert_int_equal(tp->cwnd, 11 + round);
        clear();
    }
}

TEST(rfc5681_11_ca_byte_counting)
{
    begin();
    cwnd_is(10, 10);
    assert_int_equal(w(1000 * MSS), 1000 * MSS);
    clear();
    /* every second segment, then every fifth: what counts is the data */
    for (uint32_t i = 1; i <= 5; i++) {
        assert_int_equal(tp->cwnd, 10);
        peer(ACK, 1, 1 + 2 * i * MSS, 0);
    }
    assert_int_equal(tp->cwnd, 11);
    peer(ACK, 1, 1 + 15 * MSS, 0);
    peer(ACK, 1, 1 + 20 * MSS, 0);
    assert_int_equal(tp->cwnd, 11);
    peer(ACK, 1, 1 + 21 * MSS, 0);
    assert_int_equal(tp->cwnd, 12);
    /* as many ACKs as one likes for a single segment */
    for (uint32_t i = 1; i <= 100; i++)
        peer(ACK, 1, 1 + 21 * MSS + i * 14, 0);
    assert_int_equal(tp->cwnd, 12);
    clear();
}

TEST(rfc5681_12_ca_rounding)
{
    /* SMSS * SMSS / cwnd is nothing in bytes when cwnd is above SMSS * SMSS */
    bare_start(&tcp_cc_reno, 100000, 100 * MS);
    bare.ssthresh = 100000;
    for (int i = 0; i < 99999; i++)
        ack_limited(1, 100 * MS);
    assert_int_equal(bare.cwnd, 100000);
    ack_limited(1, 100 * MS);
    assert_int_equal(bare.cwnd, 100001);
}

TEST(rfc5681_13_rto_ssthresh)
{
    static const unsigned flights[] = {2, 3, 8, 9, 40};

    for (size_t i = 0; i < sizeof(flights) / sizeof(flights[0]); i++) {
        uint32_t half = flights[i] / 2 > 2 ? flights[i] / 2 : 2;

        peer_use((unsigned)i);
        begin();
        cwnd_is(40, 1000);
        out(flights[i]);
        advance(201 * MS);
        assert_int_equal(tp->ca_state, CA_LOSS);
        assert_int_equal(tp->ssthresh, half);
        clear();
        close_it();
        clear();
    }
}

TEST(rfc5681_14_rto_again_ssthresh_held)
{
    begin();
    cwnd_is(40, 1000);
    out(40);
    advance(201 * MS);
    assert_int_equal(tp->ssthresh, 20);
    for (int i = 0; i < 6; i++) {
        advance(tp->rto);
        assert_int_equal(tp->ssthresh, 20);
    }
    assert_int_equal(tp->backoff, 7);
    clear();
}

TEST(rfc5681_15_rto_cwnd_one)
{
    uint32_t una = 1;

    begin();
    cwnd_is(40, 1000);
    out(40);
    advance(201 * MS);
    assert_int_equal(tp->cwnd, 1);
    assert_int_equal(take_bytes(), MSS);
    /* slow start up to the threshold, then one segment a round trip */
    for (uint32_t i = 1; i <= 19; i++) {
        peer(ACK, 1, una += MSS, 0);
        assert_int_equal(tp->cwnd, 1 + i);
        assert_true(tcp_in_flight(tp) <= tp->cwnd);
    }
    peer(ACK, 1, una += MSS, 0);
    assert_int_equal(tp->cwnd, 20);
    clear();
}

TEST(rfc5681_20_fr_ssthresh)
{
    begin();
    assert_int_equal(w(60 * MSS), 60 * MSS);
    clear();
    dups(2, 1);
    assert_int_equal(take_bytes(), 2 * MSS); /* by limited transmit: twelve are out */
    assert_int_equal(outstanding(), 12 * MSS);
    dups(1, 1);
    assert_int_equal(tp->ca_state, CA_RECOVERY);
    assert_int_equal(tp->ssthresh, 5);
    clear();
    close_it();
    clear();

    peer_use(1); /* a window that was not used */
    begin();
    cwnd_is(40, 1000);
    out(8);
    dups(3, 1);
    assert_int_equal(tp->ca_state, CA_RECOVERY);
    assert_int_equal(tp->ssthresh, 4);
    clear();
    close_it();
    clear();

    peer_use(2);
    begin();
    cwnd_is(40, 1000);
    out(4);
    dups(3, 1);
    assert_int_equal(tp->ssthresh, 2);
    clear();
}

/* RFC 9937 stands for the inflation, without SACK as well: the same data leaves for the same
 * duplicates, spread over all of them instead of the second half. */
TEST(rfc5681_21_fr_inflate)
{
    uint32_t sent = 0;

    fx.rtt = 100 * MS;
    begin();
    cwnd_is(20, 20);
    assert_int_equal(w(60 * MSS), 60 * MSS);
    clear();
    for (uint32_t n = 1; n <= 19; n++) {
        dups(1, 1);
        sent += (uint32_t)(take_bytes() / MSS);
        assert_in_range(sent, n < 3 ? n : 3, 3 + n);
    }
    assert_int_equal(tp->ssthresh, 10);
    /* ssthresh + 19 * SMSS is the window, 20 * SMSS were out; and the retransmission */
    assert_int_equal(sent, 10 + 19 - 20 + 1);
    assert_int_equal(tcp_in_flight(tp), 10);
}

TEST(rfc5681_22_fr_deflate)
{
    fx.rtt = 100 * MS;
    begin();
    cwnd_is(20, 20);
    assert_int_equal(w(60 * MSS), 60 * MSS);
    clear();
    dups(19, 1);
    clear();
    all_repaired();
    assert_int_equal(tp->cwnd, 10);
    assert_int_equal(tp->ssthresh, 10);
    assert_true(outstanding() <= 10 * MSS);
    clear();
}

/* What leaves at once after so much idle time with a window of cwnd. */
static uint64_t after_idle(unsigned connection, uint32_t cwnd, unsigned rtos)
{
    uint64_t bytes;

    fx.rtt = 100 * MS;
    peer_use(connection);
    begin();
    bulk(20 * MSS);
    cwnd_is(cwnd, 1000);
    advance(rtos * tp->rto + 1);
    assert_int_equal(w(90 * MSS), 90 * MSS);
    bytes = take_bytes();
    peer(RST | ACK, 1, 1, 0);
    close_it();
    return bytes;
}

TEST(rfc5681_23_idle_restart)
{
    assert_int_equal(after_idle(0, 20, 1), 10 * MSS); /* RW = IW */
    assert_int_equal(after_idle(1, 4, 1), 4 * MSS);   /* … or cwnd */
    /* a larger one loses a half for each RTO, RFC 2861's decay, and is there after a few */
    assert_int_equal(after_idle(2, 80, 1), 40 * MSS);
    assert_int_equal(after_idle(3, 80, 3), 10 * MSS);
    assert_int_equal(after_idle(4, 80, 100), 10 * MSS);
}

static void sacked(const char *blocks)
{
    peer(ACK, 1, 1, 0, .sack = blocks);
}

TEST(rfc5681_26_loss_of_retransmission_two_cuts)
{
    fx.c->sack = true;
    fx.rtt = 100 * MS;
    begin();
    cwnd_is(20, 1000);
    assert_int_equal(w(60 * MSS), 60 * MSS);
    clear();
    advance(100 * MS);
    sacked("1449:4345");
    sacked("1449:5793");
    assert_int_equal(tp->ca_state, CA_RECOVERY);
    assert_int_equal(tp->ssthresh, 10);
    sacked("1449:28961"); /* all of the flight: new data follows the retransmission */
    assert_int_equal(tp->ssthresh, 10);
    assert_true(take_bytes() > 3 * MSS);
    advance(100 * MS);
    sacked("1449:33305"); /* what was sent after the retransmission is there, itself it is not */
    assert_int_equal(tp->ca_state, CA_RECOVERY);
    assert_int_equal(take()->seq, 1);
    assert_int_equal(tp->ssthresh, 5);
    clear();
    peer(ACK, 1, tp->snd_nxt - tp->iss, 0);
    assert_int_equal(tp->ca_state, CA_OPEN);
    assert_int_equal(tp->cwnd, 5);
    clear();
    close_it();
    clear();

    peer_use(1); /* losses in two successive windows */
    begin();
    cwnd_is(20, 1000);
    assert_int_equal(w(60 * MSS), 60 * MSS);
    dups(19, 1);
    assert_int_equal(tp->ssthresh, 10);
    all_repaired();
    clear();
    dups(3, tp->snd_una - tp->iss);
    assert_int_equal(tp->ca_state, CA_RECOVERY);
    assert_int_equal(tp->ssthresh, 5);
    clear();
}

TEST(rfc5681_27_recovery_ca_after)
{
    uint32_t una;

    fx.rtt = 100 * MS;
    begin();
    cwnd_is(20, 20);
    assert_int_equal(w(200 * MSS), 200 * MSS);
    dups(19, 1);
    all_repaired();
    una = tp->snd_una - tp->iss;
    assert_int_equal(tp->cwnd, 10);
    assert_false(tcp_in_slow_start(tp));
    clear();
    for (int i = 0; i < 9; i++) {
        peer(ACK, 1, una += MSS, 0);
        assert_int_equal(tp->cwnd, 10);
    }
    peer(ACK, 1, una += MSS, 0);
    assert_int_equal(tp->cwnd, 11);
    clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(rfc5681_01_not_more_aggressive), T(rfc5681_02_send_limit),
        T(rfc5681_03_iw_upper_bound),      T(rfc5681_05_syn_loss_iw_one),
        T(rfc5681_06_pmtu_scales_cwnd),    T(rfc5681_07_ssthresh_initial_high),
        T(rfc5681_08_ss_per_ack),          T(rfc5681_10_ca_one_smss_per_rtt),
        T(rfc5681_11_ca_byte_counting),    T(rfc5681_12_ca_rounding),
        T(rfc5681_13_rto_ssthresh),        T(rfc5681_14_rto_again_ssthresh_held),
        T(rfc5681_15_rto_cwnd_one),        T(rfc5681_20_fr_ssthresh),
        T(rfc5681_21_fr_inflate),          T(rfc5681_22_fr_deflate),
        T(rfc5681_23_idle_restart),        T(rfc5681_26_loss_of_retransmission_two_cuts),
        T(rfc5681_27_recovery_ca_after),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
