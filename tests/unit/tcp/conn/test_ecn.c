/* SPDX-License-Identifier: MIT */
/* Negotiation (RFC 3168 §6.1.1, RFC 9768 §3.1): every pair of answers. */
#include "tests/unit/tcp/ecn.h"

/* What a listener makes of a SYN: the flags of its SYN-ACK as a number. */
static unsigned synack(int64_t tunable, unsigned ace, uint8_t tos, uint8_t reserved)
{
    static unsigned n;
    const struct fx_seg *g;
    unsigned flags;

    tun.ecn = tunable;
    if (!fx.lst)
        listening(60);
    peer_use(n++ % FX_CONNS);
    fx.c->our_port = FX_PORT;
    peer(SYN | ACE(ace), 0, 0, 0, .tos = tos, .reserved = reserved);
    g = take();
    flags = ace_of(g);
    return flags;
}

TEST(a_listener_answers_by_its_tunable)
{
    /* of SYNs 000 … 111 */
    static const uint8_t expected[6][8] = {
        {0, 0, 0, 0, 0, 0, 0, 0}, {0, 0, 0, 1, 0, 0, 0, 1}, {0, 0, 0, 1, 0, 0, 0, 1},
        {0, 2, 2, 1, 2, 2, 2, 2}, {0, 2, 2, 1, 2, 2, 2, 2}, {0, 2, 2, 1, 2, 2, 2, 2},
    };

    for (unsigned t = 0; t < 6; t++)
        for (unsigned ace = 0; ace < 8; ace++)
            assert_int_equal(synack(t, ace, 0, 0), expected[t][ace]);
}

TEST(a_marked_syn_is_refused_unless_reserved_bits_say_otherwise)
{
    assert_int_equal(synack(2, 3, ECT0, 0), 0);
    assert_int_equal(synack(2, 3, CE, 0), 0);
    assert_int_equal(synack(2, 3, ECT0, 1), 1);
    assert_int_equal(synack(3, 7, CE, 0), 6);
}

/* What a client is in after a SYN-ACK. */
static uint8_t client(int64_t tunable, unsigned ace)
{
    uint8_t mode;

    tun.ecn = tunable;
    connecting();
    clear();
    fx.c->iss = tp->iss;
    peer(SYN | ACK | ACE(ace), 0, 1, 0);
    assert_state(ESTABLISHED);
    mode = tp->ecn.mode;
    close_it();
    fx.s = NULL;
    fx_restart();
    clear();
    return mode;
}

TEST(a_client_believes_only_what_fits_its_question)
{
    static const uint8_t plain[8] = {0, 1, 0, 0, 0, 1, 0, 0};
    static const uint8_t accecn[8] = {0, 1, 2, 2, 2, 1, 2, 0};

    for (unsigned ace = 0; ace < 8; ace++) {
        assert_int_equal(client(0, ace), TCP_ECN_OFF);
        assert_int_equal(client(2, ace), TCP_ECN_OFF);
        assert_int_equal(client(5, ace), TCP_ECN_OFF);
        assert_int_equal(client(1, ace), plain[ace]);
        assert_int_equal(client(4, ace), plain[ace]);
        assert_int_equal(client(3, ace), accecn[ace]);
    }
}

/* Simultaneous open: the SYN-ACK says what both have asked for. */
static unsigned crossing(int64_t tunable, unsigned ace, uint8_t *mode)
{
    const struct fx_seg *g;
    unsigned flags;

    tun.ecn = tunable;
    connecting();
    clear();
    fx.c->iss = tp->iss;
    peer(SYN | ACE(ace), 0, 0, 0);
    g = take();
    flags = ace_of(g);
    peer(ACK, 1, 1, 0);
    assert_state(ESTABLISHED);
    *mode = tp->ecn.mode;
    close_it();
    fx.s = NULL;
    fx_restart();
    clear();
    return flags;
}

TEST(crossing_syns_agree_on_the_lesser_question)
{
    uint8_t mode;

    assert_int_equal(crossing(2, 3, &mode), 0);
    assert_int_equal(mode, TCP_ECN_OFF);
    assert_int_equal(crossing(1, 3, &mode), 1);
    assert_int_equal(mode, TCP_ECN_CLASSIC);
    assert_int_equal(crossing(1, 0, &mode), 0);
    assert_int_equal(mode, TCP_ECN_OFF);
    assert_int_equal(crossing(3, 7, &mode), 2);
    assert_int_equal(mode, TCP_ECN_ACCURATE);
    assert_int_equal(crossing(3, 3, &mode), 1);
    assert_int_equal(mode, TCP_ECN_CLASSIC);
    assert_int_equal(crossing(4, 7, &mode), 1);
    assert_int_equal(mode, TCP_ECN_CLASSIC);
}

/* A SYN cookie: the peer's timestamp remembers ECN, the ACK's own flags AccECN. */
static uint8_t by_cookie(int64_t tunable, unsigned ace, unsigned ack_ace, bool ts)
{
    uint8_t mode;

    tun.ecn = tunable;
    tun.syncookies = 2;
    fx.c->ts = ts;
    listening(16);
    fx.c->our_port = FX_PORT;
    peer(SYN | ACE(ace), 0, 0, 0);
    fx.c->iss = take()->raw_seq;
    peer(ACK | ACE(ack_ace), 1, 1, 0);
    assert_int_equal(accept_one(), 0);
    mode = tp->ecn.mode;
    close_it();
    fx.s = fx.lst = NULL;
    fx_restart();
    clear();
    return mode;
}

TEST(a_cookie_remembers_ecn)
{
    assert_int_equal(by_cookie(2, 3, 0, true), TCP_ECN_CLASSIC);
    assert_int_equal(by_cookie(2, 3, 0, false), TCP_ECN_OFF);
    assert_int_equal(by_cookie(0, 3, 0, true), TCP_ECN_OFF);
    assert_int_equal(by_cookie(3, 7, 2, false), TCP_ECN_ACCURATE);
    assert_int_equal(by_cookie(3, 7, 2, true), TCP_ECN_ACCURATE);
    assert_int_equal(by_cookie(3, 3, 0, true), TCP_ECN_CLASSIC);
    assert_int_equal(by_cookie(3, 3, 1, true), TCP_ECN_CLASSIC);
    assert_int_equal(by_cookie(3, 0, 0, true), TCP_ECN_OFF);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_listener_answers_by_its_tunable),
        T(a_marked_syn_is_refused_unless_reserved_bits_say_otherwise),
        T(a_client_believes_only_what_fits_its_question),
        T(crossing_syns_agree_on_the_lesser_question),
        T(a_cookie_remembers_ecn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
