/* SPDX-License-Identifier: MIT */
/* RFC 9293 §3.8.3: R1 and R2, on the wire (ARP for the next hop, the last retransmission) and for
 * the program. */
#include "tests/unit/tcp/fixture.h"

/* Let time pass until the next hop is asked for again; returns how many segments were sent before.
 */
static unsigned sent_before_the_next_hop_is_asked(uint64_t most)
{
    uint64_t until = fx.now + most;

    fx.deaf = true;
    fx.arp_asked = false;
    while (!fx.arp_asked && fx.now < until)
        advance(MS);
    assert_true(fx.arp_asked);
    fx.deaf = false;
    fx_answer_arp();
    fx.arp_asked = false;
    run();
    return clear();
}

/* Time passes until the socket has an error, which is returned; *took says how long. */
static int wait_for_the_end(uint64_t most, uint64_t *took)
{
    uint64_t start = fx.now;
    int error = 0;

    while (!error && fx.now < start + most) {
        advance(SEC / 10);
        error = sock_error(fx.s, true);
    }
    *took = fx.now - start;
    return error;
}

TEST(rfc9293_must_20_r1_r2_actions)
{
    uint64_t took;

    passive();
    assert_int_equal(w(100), 100);
    sent_before_the_next_hop_is_asked(20 * SEC);
    assert_int_equal(wait_for_the_end(2000 * SEC, &took), ETIMEDOUT);
    assert_state(CLOSED);
    clear();
    advance(500 * SEC);
    expect_none();
}

TEST(rfc9293_shld_10_r1_at_least_3)
{
    passive();
    assert_int_equal(w(100), 100);
    expect(PSH | ACK, 1, 1, 100);
    assert_in_range(sent_before_the_next_hop_is_asked(20 * SEC), 3, 5);
}

TEST(rfc9293_shld_11_r2_at_least_100s)
{
    uint64_t took;

    passive();
    assert_int_equal(w(100), 100);
    assert_int_equal(wait_for_the_end(2000 * SEC, &took), ETIMEDOUT);
    assert_in_range(took, 100 * SEC, 1100 * SEC);
}

/* TCP_USER_TIMEOUT is R2 of one connection; its largest value is 24 days. */
TEST(rfc9293_must_21_r2_settable)
{
    uint64_t took;

    passive();
    assert_int_equal(set_int(IPPROTO_TCP, TCP_USER_TIMEOUT, 30000), 0);
    assert_int_equal(w(100), 100);
    assert_int_equal(wait_for_the_end(2000 * SEC, &took), ETIMEDOUT);
    assert_in_range(took, 30 * SEC, 32 * SEC);
    close_it();
    peer_use(1);
    clear();
    passive();
    assert_int_equal(set_int(IPPROTO_TCP, TCP_USER_TIMEOUT, INT32_MAX), 0);
    assert_int_equal(w(100), 100);
    assert_int_equal(wait_for_the_end(7 * 24 * 3600 * SEC, &took), 0);
    assert_in_range(clear(), 7 * 24 * 30, 7 * 24 * 31);
    peer(ACK, 1, 101, 0);
    assert_int_equal(sock_unacked(fx.s), 0);
}

/* At R1 of a SYN the next hop is asked for again, at R2 the program is told. */
TEST(rfc9293_must_22_syn_uses_r1_r2)
{
    uint64_t took;

    connecting();
    expect(SYN, 0, 0, 0);
    assert_in_range(sent_before_the_next_hop_is_asked(20 * SEC), 1, 5);
    assert_int_equal(wait_for_the_end(2000 * SEC, &took), ETIMEDOUT);
    assert_state(CLOSED);
}

/* Linux gives up after 131 s; one retransmission more (tcp_syn_retries 7) makes it four minutes. */
TEST(rfc9293_must_23_syn_r2_3min)
{
    uint64_t start = fx.now, last = 0, took;

    tun.syn_retries = 7;
    connecting();
    assert_int_equal(wait_for_the_end(2000 * SEC, &took), ETIMEDOUT);
    while (fx.next < fx.n_segs)
        last = take()->at;
    assert_in_range(took, 180 * SEC, 300 * SEC);
    assert_in_range(last - start, 120 * SEC, 300 * SEC);
}

/* The peer took its window back over data in flight and says so whenever asked: R2 does not count.
 */
TEST(rfc9293_shld_17_shrink_no_timeout_outside)
{
    passive();
    assert_int_equal(w(4344), 4344);
    assert_int_equal(take_bytes(), 4344);
    peer(ACK, 1, 1449, 0, .win = -1);
    for (uint64_t end = fx.now + 24 * 3600 * SEC; fx.now < end;) {
        advance(SEC);
        if (clear())
            peer(ACK, 1, 1449, 0, .win = -1);
    }
    assert_state(ESTABLISHED);
    assert_int_equal(sock_error(fx.s, false), 0);
    peer(ACK, 1, 1449, 0);
    advance(121 * SEC);
    assert_true(take()->seq == 1449);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(rfc9293_must_20_r1_r2_actions),
        T(rfc9293_shld_10_r1_at_least_3),
        T(rfc9293_shld_11_r2_at_least_100s),
        T(rfc9293_must_21_r2_settable),
        T(rfc9293_must_22_syn_uses_r1_r2),
        T(rfc9293_must_23_syn_r2_3min),
        T(rfc9293_shld_17_shrink_no_timeout_outside),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
