/* SPDX-License-Identifier: MIT */
/* RFC 9293 §3.8.6.3, §3.10.7.4: when acknowledgements go out, and how many. */
#include "tests/unit/tcp/fixture.h"

/* Sent by the peer at times of all kinds, read or not: the ACK is there in less than half a second.
 */
TEST(rfc9293_must_40_delack_below_500ms)
{
    static const uint32_t gaps[] = {1 * MS,   3 * MS,   20 * MS,  45 * MS,
                                    150 * MS, 400 * MS, 900 * MS, 3000 * MS};
    uint32_t seq = 1, mine = 1;
    uint64_t longest = 0;

    fx.rtt = 300 * MS;
    passive();
    for (unsigned i = 0; i < 400; i++) {
        uint32_t len = i % 7 == 0 ? 1448 : 1 + i % 200;
        uint64_t at = fx.now, waited = 0;

        peer(PSH | ACK, seq, mine, len);
        seq += len;
        if (i % 3)
            r(5000);
        while (fx.next == fx.n_segs && waited < 600 * MS) {
            advance(MS);
            waited = fx.now - at;
        }
        assert_int_equal(take()->ack, seq);
        longest = waited > longest ? waited : longest;
        assert_true(waited < 500 * MS);
        if (i % 16 < 8) { /* an interactive time: the program answers */
            assert_int_equal(w(10), 10);
            mine += 10;
        }
        clear();
        peer(ACK, seq, mine, 0);
        advance(gaps[i % 8]);
        clear();
    }
    assert_true(longest >= 30 * MS); /* some were delayed */
}

/* At least one ACK for two full segments, however they come; the sender's segments are smaller than
 * what we offered. */
TEST(rfc9293_shld_19_ack_every_second)
{
    static const uint32_t sizes[] = {1448, 1000, 536};

    for (unsigned k = 0; k < 3; k++) {
        uint32_t seq = 1, acked = 1;

        peer_use(k);
        fx.c->read = 0;
        passive();
        for (unsigned i = 0; i < 200; i++) {
            peer(ACK, seq, 1, sizes[k]);
            seq += sizes[k];
            while (fx.next < fx.n_segs)
                acked = take()->ack;
            assert_true(seq - acked < 2 * sizes[k]);
            if (i % 4 == 3)
                r(100000);
            while (fx.next < fx.n_segs)
                acked = take()->ack;
            advance(MS);
            while (fx.next < fx.n_segs)
                acked = take()->ack;
        }
    }
}

/* Segments of one batch of input: one ACK for all of them. */
TEST(rfc9293_must_58_ack_aggregation)
{
    uint32_t seq = 1;

    passive();
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 8; i++, seq += 1448)
            peer(ACK, seq, 1, 1448, .later = i < 7);
        expect(ACK, 1, seq, 0);
        expect_none();
        assert_int_equal(r(100000), 8 * 1448);
        clear();
    }
}

/* The batch is processed to its end before the ACK: data and the FIN are all in it. */
TEST(rfc9293_must_59_queue_before_ack)
{
    passive();
    peer(ACK, 1, 1, 100, .later = true);
    peer(ACK, 101, 1, 100, .later = true);
    peer(PSH | ACK, 201, 1, 100, .later = true);
    peer(FIN | ACK, 301, 1, 0);
    advance(50 * MS);
    expect(ACK, 1, 302, 0);
    expect_none();
    assert_int_equal(r(1000), 300);
    assert_int_equal(r(1000), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(rfc9293_must_40_delack_below_500ms),
        T(rfc9293_shld_19_ack_every_second),
        T(rfc9293_must_58_ack_aggregation),
        T(rfc9293_must_59_queue_before_ack),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
