/* SPDX-License-Identifier: MIT */
/* RFC 6191 §2: the ISN of a connection that takes the place of one in TIME-WAIT. */
#include "tests/unit/tcp/fixture.h"

/* Whatever the clock of the ISNs says, the new one lies above all that the old connection sent, and
 * outside its window. */
TEST(rfc6191_07_new_isn_above_old)
{
    for (unsigned i = 0; i < 32; i++) {
        uint32_t old_nxt, isn;

        peer_use(i);
        passive();
        /* the more was sent, the further SND.NXT is ahead of the clock */
        for (unsigned k = 0; k < i % 8; k++)
            bulk(100000);
        close_it();
        old_nxt = take()->raw_seq + 1;
        peer(FIN | ACK, 1, old_nxt - fx.c->iss, 0);
        clear();
        assert_state(TIME_WAIT);
        fx.now += 1000 * MS * (i % 4) + 2 * MS;
        peer(SYN, 1000, 0, 0);
        assert_int_equal(fx.segs[fx.next].flags, SYN | ACK);
        isn = take()->raw_seq;
        assert_true(seq_gt(isn, old_nxt));
        assert_true(isn - old_nxt > 65535);
        peer(RST, 1001, 0, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(rfc6191_07_new_isn_above_old),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
