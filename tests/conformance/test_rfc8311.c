/* SPDX-License-Identifier: MIT */
/* RFC 8311: what experiments may relax is as RFC 3168 has it while none is on. */
#include "tests/unit/tcp/ecn.h"

/* The SYN as well, also when it is repeated. */
static void our_syns(void)
{
    for (int64_t mode = 0; mode <= 5; mode++) {
        tun.ecn = mode;
        connecting();
        advance(3 * SEC);
        while (fx.next < fx.n_segs)
            assert_int_equal(ecn_of(take()), NOT_ECT);
        fx_restart();
        fx.s = NULL;
        clear();
    }
}

/* Every segment that is no fresh data: SYN-ACK, ACK, probe, retransmission, FIN, whatever the
 * tunables of ECN say. */
TEST(rfc8311_02_relaxations_off_by_default)
{
    for (int64_t mode = 1; mode <= 5; mode++) {
        tun.ecn = mode;
        listening(4);
        fx.c->our_port = FX_PORT;
        peer(SYN | ECE | CWR, 0, 0, 0);
        assert_int_equal(ecn_of(&fx.segs[fx.n_segs - 1]), NOT_ECT);
        fx.c->iss = take()->raw_seq;
        peer(ACK, 1, 1, 0);
        assert_int_equal(accept_one(), 0);
        peer(PSH | ACK, 1, 1, 100, .tos = ECT0);
        advance(SEC);
        assert_int_equal(ecn_of(take()), NOT_ECT);
        assert_int_equal(w(100), 100);
        assert_int_equal(ecn_of(take()), ECT0); /* the connection uses ECN */
        advance(SEC);
        while (fx.next < fx.n_segs)
            assert_int_equal(ecn_of(take()), NOT_ECT);
        peer(ACK, 101, 101, 0, .win = -1);
        assert_int_equal(w(100), 100);
        advance(2 * SEC);
        assert_true(fx.next < fx.n_segs);
        while (fx.next < fx.n_segs)
            assert_int_equal(ecn_of(take()), NOT_ECT);
        fx_restart();
        fx.s = fx.lst = NULL;
        clear();
    }
    our_syns();
}

/* The threshold after an ECE, or after a loss, of a window of ten. */
static uint32_t ssthresh_after(const char *cc, bool abe, bool mark)
{
    uint32_t ssthresh;

    fx_restart();
    fx.s = fx.lst = NULL;
    assert_int_equal(stack_tunable_set(fx.st, "tcp_congestion_control", cc), 0);
    tun.abe = abe;
    classic();
    assert_int_equal(w(14600), 14600);
    clear();
    if (mark)
        peer(ACK | ECE, 1, 1461, 0);
    else
        for (int i = 0; i < 3; i++)
            peer(ACK, 1, 1, 0);
    ssthresh = tp->ssthresh;
    clear();
    return ssthresh;
}

/* Alone where RFC 8511's experiment is switched on is a mark less than a loss. */
TEST(rfc8311_04_abe_optional)
{
    assert_int_equal(ssthresh_after("reno", false, true), 5);
    assert_int_equal(ssthresh_after("reno", true, true), 8);
    assert_int_equal(ssthresh_after("reno", true, false), 5);
    assert_int_equal(ssthresh_after("cubic", false, true), 7);
    assert_int_equal(ssthresh_after("cubic", true, true), 8);
    assert_int_equal(ssthresh_after("cubic", true, false), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(rfc8311_02_relaxations_off_by_default),
        T(rfc8311_04_abe_optional),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
