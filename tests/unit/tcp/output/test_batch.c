/* SPDX-License-Identifier: MIT */
/* SOCK_SEND_BATCH: what a writer commits that goes on at once, as one through shared rings. */
#include "tests/unit/tcp/fixture.h"

#define MSS 1448

/* The program fills n bytes in their place. */
static void commit(size_t n, int flags)
{
    struct iovec spans[4];
    int n_spans;
    size_t off = 0;

    assert_int_equal(sock_send_spans(fx.s, n, spans, &n_spans), n);
    for (int i = 0; i < n_spans; i++) {
        for (size_t j = 0; j < spans[i].iov_len && off < n; j++, off++)
            ((uint8_t *)spans[i].iov_base)[j] = fx_pattern(fx.c->written + off);
    }
    assert_int_equal(sock_send_commit(fx.s, n, flags, fx.now), n);
    fx.c->written += n;
}

/* One turn of the host's loop. */
static void turn(void)
{
    stack_run(fx.st, fx.now);
}

TEST(nothing_leaves_before_the_run)
{
    passive();
    commit(2 * MSS, SOCK_SEND_BATCH);
    commit(100, SOCK_SEND_BATCH);
    expect_none();
    turn();
    expect(PSH | ACK, 1, 1, 2 * MSS + 100);
    expect_none();
}

TEST(a_small_commit_alone_waits_for_nothing_else)
{
    passive();
    commit(64, SOCK_SEND_BATCH);
    turn();
    expect(PSH | ACK, 1, 1, 64);
    expect_none();
}

TEST(the_tail_behind_full_segments_waits_one_run)
{
    passive();
    commit(5 * MSS, SOCK_SEND_BATCH); /* half of the window is one burst */
    commit(100, SOCK_SEND_BATCH);
    turn();
    expect(PSH | ACK, 1, 1, 5 * MSS);
    expect_none();
    assert_int_equal(stops(autocork), 1);
    assert_int_equal(stack_next_deadline(fx.st), fx.st->now);
    turn();
    expect(PSH | ACK, 1 + 5 * MSS, 1, 100);
    expect_none();
}

TEST(what_is_committed_meanwhile_fills_the_tail)
{
    passive();
    commit(5 * MSS + 100, SOCK_SEND_BATCH);
    turn();
    expect(PSH | ACK, 1, 1, 5 * MSS);
    commit(2 * MSS - 100, SOCK_SEND_BATCH);
    turn();
    expect(PSH | ACK, 1 + 5 * MSS, 1, 2 * MSS);
    expect_none();
}

TEST(the_end_of_a_record_and_of_the_stream_do_not_wait)
{
    passive();
    commit(5 * MSS, SOCK_SEND_BATCH);
    commit(100, SOCK_SEND_BATCH | MSG_EOR);
    turn();
    expect(PSH | ACK, 1, 1, 5 * MSS);
    expect(PSH | ACK, 1 + 5 * MSS, 1, 100);
    peer(ACK, 1, 1 + 5 * MSS + 100, 0);
    commit(3 * MSS + 1, SOCK_SEND_BATCH);
    assert_int_equal(sock_shutdown(fx.s, SHUT_WR, fx.now), 0);
    turn();
    assert_int_equal(take_bytes(), 3 * MSS + 1);
    assert_int_equal(tp->conn.state, TCPS_FIN_WAIT1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(nothing_leaves_before_the_run),
        T(a_small_commit_alone_waits_for_nothing_else),
        T(the_tail_behind_full_segments_waits_one_run),
        T(what_is_committed_meanwhile_fills_the_tail),
        T(the_end_of_a_record_and_of_the_stream_do_not_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
