/* SPDX-License-Identifier: MIT */
/* RFC 6928: the initial window of ten segments. */
#include "tests/unit/tcp/fixture.h"

#define MSS 1448u

TEST(rfc6928_01_iw_formula)
{
    static const struct {
        int mss;
        uint32_t segments;
    } rows[] = {{536, 10}, {1000, 10}, {1460, 10}, {1461, 9}, {2000, 7}, {4380, 3}, {8960, 2}};

    fx.config.mtu = 9000;
    fx.config.features = 0;
    fx_restart();
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        peer_use(i);
        fx.c->ts = false;
        fx.c->mss = rows[i].mss;
        passive();
        tp->sndbuf = 8000000;
        assert_int_equal(w(200000), 200000);
        assert_int_equal(take_bytes(), rows[i].segments * (uint64_t)rows[i].mss);
        peer(RST | ACK, 1, 1, 0);
        close_it();
    }
}

TEST(rfc6928_03_syn_retry_tolerance)
{
    connecting();
    advance(SEC);
    assert_int_equal(clear(), 2);
    peer(SYN | ACK, 0, 1, 0);
    clear();
    assert_int_equal(w(20000), 20000);
    assert_int_equal(take_bytes(), 10 * MSS);
    peer(RST | ACK, 1, 1, 0);

    peer_use(1);
    listening(5);
    fx.c->our_port = FX_PORT;
    peer(SYN, 0, 0, 0);
    advance(SEC);
    assert_int_equal(clear(), 2);
    peer(ACK, 1, 1, 0);
    assert_int_equal(accept_one(), 0);
    assert_int_equal(w(20000), 20000);
    assert_int_equal(take_bytes(), 10 * MSS);
}

TEST(rfc6928_04_loss_window_unchanged)
{
    passive();
    assert_int_equal(w(20 * MSS), 20 * MSS);
    assert_int_equal(take_bytes(), 10 * MSS);
    advance(tp->rto + 1);
    assert_int_equal(tp->cwnd, 1);
    assert_int_equal(take_bytes(), MSS);
}

/* What leaves after a long pause with a window of cwnd. */
static uint64_t after_pause(uint32_t cwnd)
{
    tp->cwnd = cwnd;
    advance(100 * SEC);
    assert_int_equal(w(60 * MSS), 60 * MSS);
    return take_bytes();
}

TEST(rfc6928_05_rw_bounded)
{
    fx.config.features = 0;
    fx_restart();
    passive();
    bulk(20 * MSS);
    assert_int_equal(after_pause(200), 10 * MSS);
    peer(RST | ACK, 1, 1, 0);
    close_it();
    clear();
    peer_use(1);
    passive();
    bulk(20 * MSS);
    assert_int_equal(after_pause(3), 3 * MSS);
}

TEST(rfc6928_06_rw_fallback)
{
    fx.config.features = 0;
    fx_restart();
    passive();
    assert_int_equal(w(10 * MSS), 10 * MSS);
    for (int i = 0; i < 3; i++)
        peer(ACK, 1, 1, 0);
    assert_int_equal(tp->ca_state, CA_RECOVERY);
    peer(ACK, 1, 1 + 10 * MSS, 0);
    clear();
    assert_int_equal(after_pause(200), 3 * MSS); /* 4380 bytes */
    peer(RST | ACK, 1, 1, 0);
    close_it();
    clear();

    peer_use(1); /* 4 KB or less had been sent */
    passive();
    assert_int_equal(w(2 * MSS), 2 * MSS);
    advance(tp->rto + 1);
    peer(ACK, 1, 1 + 2 * MSS, 0);
    clear();
    assert_int_equal(after_pause(200), 10 * MSS);
}

TEST(rfc6928_07_timer_restart_each_ack)
{
    fx.rtt = 50 * MS;
    passive();
    assert_int_equal(w(10 * MSS), 10 * MSS);
    clear();
    for (uint32_t i = 1; i < 10; i++) {
        uint64_t rto = tp->rto;

        advance(rto - 1 * MS); /* from the last ACK on */
        expect_none();
        peer(ACK, 1, 1 + i * MSS, 0);
    }
    advance(tp->rto - 1);
    expect_none();
    advance(1);
    assert_int_equal(take()->seq, 1 + 9 * MSS);
    assert_int_equal(cnt(tcp_rto), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(rfc6928_01_iw_formula),
        T(rfc6928_03_syn_retry_tolerance),
        T(rfc6928_04_loss_window_unchanged),
        T(rfc6928_05_rw_bounded),
        T(rfc6928_06_rw_fallback),
        T(rfc6928_07_timer_restart_each_ack),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
