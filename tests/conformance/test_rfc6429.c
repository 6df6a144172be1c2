/* SPDX-License-Identifier: MIT */
/* RFC 6429 and RFC 1122 §4.2.2.17: a connection whose peer keeps its window closed and answers. */
#include "tests/unit/tcp/fixture.h"

/* Answer every probe for `hours`; returns how many came. */
static unsigned answer_probes(unsigned hours, uint32_t ack)
{
    uint64_t until = fx.now + hours * 3600 * SEC;
    unsigned n = 0;

    while (fx.now < until) {
        advance(SEC);
        while (fx.next < fx.n_segs) {
            const struct fx_seg *g = take();

            assert_int_equal(g->flags & RST, 0);
            peer(ACK, 1, ack, 0, .win = -1);
            n++;
        }
        /* forget what was recorded: a day has many probes */
        for (unsigned i = 0; i < fx.n_segs; i++)
            free(fx.segs[i].payload);
        fx.n_segs = fx.next = 0;
    }
    return n;
}

/* Two days without a window: a probe at least every two minutes, never an end, and then the data
 * goes out. */
TEST(rfc6429_01_persist_acked_stays)
{
    unsigned n;

    passive();
    peer(ACK, 1, 1, 0, .win = -1);
    assert_int_equal(w(1000), 1000);
    expect_none();
    n = answer_probes(48, 1);
    assert_in_range(n, 48 * 30, 48 * 3600);
    assert_state(ESTABLISHED);
    assert_int_equal(get_int(SOL_SOCKET, SO_ERROR), 0);
    peer(ACK, 1, 1, 0);
    expect(PSH | ACK, 1, 1, 1000);
}

/* The same when the window closes over data in flight, which is then sent again as the probe. */
TEST(rfc1122tcp_01_persist_not_timed_out)
{
    passive();
    assert_int_equal(w(2896), 2896);
    assert_int_equal(take_bytes(), 2896);
    peer(ACK, 1, 1449, 0, .win = -1);
    answer_probes(48, 1449);
    assert_state(ESTABLISHED);
    assert_int_equal(get_int(SOL_SOCKET, SO_ERROR), 0);
    peer(ACK, 1, 1449, 0);
    advance(121 * SEC);
    expect(PSH | ACK, 1449, 1, 1448);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(rfc6429_01_persist_acked_stays),
        T(rfc1122tcp_01_persist_not_timed_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
