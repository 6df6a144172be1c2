/* SPDX-License-Identifier: MIT */
/* RFC 9937, proportional rate reduction, counted in packets: segments of 1000 bytes. */
#include "tests/unit/tcp/fixture.h"

#include <stdio.h>

static void start(bool sack)
{
    fx.c->sack = sack;
    fx.c->ts = false;
    fx.c->mss = 1000;
    fx.rtt = 100 * MS;
    tun.early_retrans = 0;
    tun.min_tso_segs = 1;
    passive();
}

/* A flight of n = 10 or 20 segments that fills the window, and the time until its first ACK. */
static void flight(unsigned n, bool sack)
{
    start(sack);
    tp->cwnd = n;
    assert_int_equal(w(1000 * n), 1000 * n);
    assert_int_equal(take_bytes(), 1000 * n);
    advance(fx.rtt);
}

static void ack(uint32_t upto, const char *blocks)
{
    peer(ACK, 1, upto, 0, .sack = blocks);
}

/* Everything from `from` (in segments, from 0) up to `upto` is SACKed. */
static const char *run_of(unsigned from, unsigned upto)
{
    static char text[40];

    snprintf(text, sizeof(text), "%u:%u", 1 + 1000 * from, 1 + 1000 * upto);
    return text;
}

/* The second episode begins as the first did. */
TEST(rfc9937_01_init_state)
{
    flight(10, true);
    ack(1, run_of(1, 4));
    assert_int_equal(tp->prr.delivered, 3);
    assert_int_equal(tp->prr.out, take_bytes() / 1000);
    advance(fx.rtt);
    ack(10001, NULL);
    assert_int_equal(tp->ca_state, CA_OPEN);
    assert_int_equal(w(5000), 5000);
    clear();
    advance(fx.rtt);
    ack(10001, run_of(11, 14));
    assert_int_equal(tp->ca_state, CA_RECOVERY);
    assert_int_equal(tp->prr.delivered, 3);
    assert_int_equal(tp->prr.out, take_bytes() / 1000);
    assert_int_equal(tp->prr.recover_fs, 5);
}

/* Ten outstanding, two SACKed before, one by the ACK that begins it. */
TEST(rfc9937_02_recoverfs_value)
{
    flight(10, true);
    ack(1, run_of(1, 2));
    ack(1, run_of(1, 3));
    assert_int_equal(tp->ca_state, CA_DISORDER);
    ack(1, run_of(1, 4));
    assert_int_equal(tp->ca_state, CA_RECOVERY);
    assert_int_equal(tp->prr.recover_fs, 8);
    ack(1, run_of(1, 6));
    ack(1001, run_of(5, 6));
    assert_int_equal(tp->prr.recover_fs, 8);
}

TEST(rfc9937_03_zero_delivered_noop)
{
    uint32_t cwnd, delivered, out;

    flight(20, true);
    assert_int_equal(w(5000), 5000);
    ack(1, run_of(1, 4));
    clear();
    cwnd = tp->cwnd;
    delivered = tp->prr.delivered;
    out = tp->prr.out;
    for (int i = 0; i < 5; i++)
        ack(1, run_of(1, 4));
    assert_int_equal(tp->cwnd, cwnd);
    assert_int_equal(tp->prr.delivered, delivered);
    assert_int_equal(tp->prr.out, out);
    expect_none();
}

/* What the acknowledgement moves over, less what was SACKed of it before, and what is SACKed anew.
 */
TEST(rfc9937_04_delivered_sack)
{
    flight(20, true);
    ack(1, run_of(1, 4));
    assert_int_equal(tp->prr.delivered, 3);
    ack(1, run_of(1, 6));
    assert_int_equal(tp->prr.delivered, 5);
    advance(fx.rtt);
    ack(6001, run_of(8, 9)); /* 6 acknowledged, 5 of them SACKed; 1 new */
    assert_int_equal(tp->prr.delivered, 5 + 6 + 1 - 5);
}

/* One for each duplicate; the acknowledgement then counts what the duplicates had not. */
TEST(rfc9937_05_delivered_nosack)
{
    flight(20, false);
    for (int i = 0; i < 3; i++)
        ack(1, NULL);
    assert_int_equal(tp->ca_state, CA_RECOVERY);
    assert_int_equal(tp->prr.delivered, 1); /* the third begins it */
    ack(1, NULL);
    ack(1, NULL);
    assert_int_equal(tp->prr.delivered, 3);
    advance(fx.rtt);
    ack(8001, NULL); /* eight, of which five were told of */
    assert_int_equal(tp->ca_state, CA_RECOVERY);
    assert_int_equal(tp->prr.delivered, 3 + 3);
}

/* A thousand duplicates that nothing caused, between acknowledgements that make room for more. */
TEST(rfc9937_06_delivered_cap_nosack)
{
    flight(20, false);
    tp->sndbuf = 1 << 20;
    for (int i = 0; i < 3; i++)
        ack(1, NULL);
    assert_int_equal(tp->prr.recover_fs, 20 - 3 + 1);
    for (unsigned n = 1; n < 6; n++) {
        assert_int_not_equal(w(1000), 0);
        for (int i = 0; i < 200; i++)
            ack(1 + 1000 * (n - 1), NULL);
        ack(1 + 1000 * n, NULL);
        assert_true(tp->prr.delivered <= tp->prr.recover_fs);
    }
    assert_int_equal(tp->ca_state, CA_RECOVERY);
    assert_int_equal(tp->prr.delivered, tp->prr.recover_fs);
}

/* Half of what is delivered goes out, rounded up, as long as more than ssthresh is in flight. */
TEST(rfc9937_07_proportional)
{
    unsigned rounds = 0;

    flight(20, true);
    assert_int_equal(w(20000), 20000);
    clear();
    ack(1, run_of(1, 4));
    assert_int_equal(tp->ssthresh, 10);
    for (unsigned n = 5; n < 20; n++) {
        uint32_t delivered = tp->prr.delivered;

        advance(2 * MS);
        ack(1, run_of(1, n));
        assert_int_equal(tp->prr.delivered, delivered + 1);
        if (tcp_in_flight(tp) <= tp->ssthresh)
            break;
        assert_int_equal(tp->prr.out,
                         (tp->prr.delivered * 10 + tp->prr.recover_fs - 1) / tp->prr.recover_fs);
        rounds++;
    }
    assert_true(rounds > 4);
}

/* Less than ssthresh is in flight: as much goes out as was delivered. */
TEST(rfc9937_08_crb)
{
    flight(10, true);
    ack(1, run_of(7, 10)); /* seven lost, nothing in flight */
    assert_int_equal(tp->lost_out, 7);
    assert_int_equal(take_bytes(), 3000);
}

/* The ACK of the first retransmission shows the last four lost: no more than was delivered. At the
 * next one nothing is found lost: one more. */
TEST(rfc9937_09_ssrb_safe_ack)
{
    flight(20, true);
    ack(1, run_of(13, 16));
    assert_int_equal(take_bytes(), 3000);
    advance(fx.rtt);
    ack(1001, run_of(13, 16));
    assert_int_equal(tp->lost_total, 13 + 4);
    assert_int_equal(take_bytes(), 1000);
    ack(2001, run_of(13, 16));
    assert_int_equal(tp->lost_total, 13 + 4);
    assert_int_equal(take_bytes(), 2000);
}

TEST(rfc9937_10_cap_to_ssthresh)
{
    flight(20, true);
    ack(1, run_of(10, 13)); /* ten lost, seven in flight */
    assert_int_equal(tp->ssthresh, 10);
    assert_int_equal(take_bytes(), 3000);
    advance(fx.rtt);
    ack(1, run_of(10, 20)); /* seven delivered, seven go: ten are in flight */
    assert_int_equal(take_bytes(), 7000);
    assert_int_equal(tp->cwnd, 10);
    ack(2001, run_of(10, 20)); /* two delivered, one on top of that would be eleven */
    assert_int_equal(tcp_in_flight(tp), 8);
    assert_int_equal(tp->cwnd, 10);
}

/* As many in flight as there shall be: the first retransmission goes all the same. */
TEST(rfc9937_11_force_first_rexmit)
{
    flight(10, true);
    ack(1, run_of(2, 5));
    assert_int_equal(tp->ssthresh, 5);
    assert_int_equal(tp->lost_out, 2);
    assert_int_equal(tp->cwnd, 6);
    expect(ACK, 1, 1, 1000);
    expect_none();
}

TEST(rfc9937_12_cwnd_set)
{
    uint32_t in_flight;

    flight(10, true);
    ack(1, run_of(7, 10));
    assert_int_equal(tp->cwnd, 0 + 3);
    clear();
    advance(fx.rtt);
    in_flight = tcp_in_flight(tp);
    assert_int_equal(in_flight, 3);
    ack(1001, run_of(7, 10));
    assert_int_equal(tp->cwnd, in_flight - 1 + 2);
}

/* Retransmissions and new data alike. */
TEST(rfc9937_13_prr_out_counts_all)
{
    unsigned sent;
    uint64_t again = 0, fresh = 0;

    flight(10, true);
    assert_int_equal(w(10000), 10000);
    clear();
    ack(1, run_of(1, 4));
    for (unsigned n = 5; n <= 10; n++) {
        advance(2 * MS);
        ack(1, run_of(1, n));
    }
    sent = fx.n_segs - fx.next;
    while (fx.next < fx.n_segs) {
        const struct fx_seg *g = take();

        *(g->seq > 10000 ? &fresh : &again) += g->len / 1000;
    }
    assert_true(sent && again == 1 && fresh > 1);
    assert_int_equal(tp->prr.out, again + fresh);
}

TEST(rfc9937_14_exit_cwnd)
{
    flight(20, true);
    ack(1, run_of(1, 4));
    clear();
    advance(fx.rtt);
    ack(20001, NULL);
    assert_int_equal(tp->ca_state, CA_OPEN);
    assert_int_equal(tp->ssthresh, 10);
    assert_int_equal(tp->cwnd, 10);
}

/* Each duplicate takes one off what is in flight, never more than was outstanding. */
TEST(rfc9937_15_nosack_pipe)
{
    flight(10, false);
    ack(1, NULL);
    ack(1, NULL);
    assert_int_equal(tcp_in_flight(tp), 8);
    ack(1, NULL);
    assert_int_equal(tp->ca_state, CA_RECOVERY);
    assert_int_equal(tcp_in_flight(tp), 10 - 3 - 1 + 1); /* the hole is lost and sent again */
    for (int i = 0; i < 100; i++)
        ack(1, NULL);
    assert_int_equal(tcp_in_flight(tp), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(rfc9937_01_init_state),          T(rfc9937_02_recoverfs_value),
        T(rfc9937_03_zero_delivered_noop), T(rfc9937_04_delivered_sack),
        T(rfc9937_05_delivered_nosack),    T(rfc9937_06_delivered_cap_nosack),
        T(rfc9937_07_proportional),        T(rfc9937_08_crb),
        T(rfc9937_09_ssrb_safe_ack),       T(rfc9937_10_cap_to_ssthresh),
        T(rfc9937_11_force_first_rexmit),  T(rfc9937_12_cwnd_set),
        T(rfc9937_13_prr_out_counts_all),  T(rfc9937_14_exit_cwnd),
        T(rfc9937_15_nosack_pipe),
    };

    return cmocka_run_group_tests_name("rfc9937", tests, NULL, NULL);
}
