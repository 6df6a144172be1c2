/* SPDX-License-Identifier: MIT */
/* The windows' common budget: who is idle lends his part to the others, and no edge moves left (RFC
 * 9293 §3.8.6). */
#include "tests/unit/tcp/fixture.h"

#define BUDGET 100000u

static struct sock *socks[2];
static uint32_t at[2];   /* the next sequence number of each peer */
static uint32_t edge[2]; /* the right edge that it has been told of */
static uint32_t initial;

/* What was promised stays promised. */
static void check_edges(unsigned n)
{
    while (fx.next < fx.n_segs) {
        const struct fx_seg *g = take();
        uint32_t right = g->ack + ((uint32_t)g->window << tp->rcv_wscale);

        if (!(g->flags & ACK) || (g->flags & SYN))
            continue;
        assert_true(seq_geq(right, edge[n]));
        edge[n] = right;
    }
    clear();
}

static void use(unsigned n)
{
    fx.s = socks[n];
    peer_use(n);
}

static void two_connections(void)
{
    fx.rtt = 10 * MS;
    fx.config.window_budget = BUDGET;
    fx_restart();
    for (unsigned n = 0; n < 2; n++) {
        fx.s = NULL;
        peer_use(n);
        fx.c->wscale = 7;
        passive();
        socks[n] = fx.s;
        at[n] = edge[n] = 1;
    }
    initial = tp->rcv_ssthresh;
}

/* A burst, which the program reads after a round trip. */
static void burst(unsigned n, uint32_t segments)
{
    use(n);
    for (uint32_t i = 0; i < segments; i++, at[n] += 1448)
        peer(ACK, at[n], 1, 1448, .later = i + 1 < segments);
    advance(fx.rtt);
    r(segments * 1448);
    check_edges(n);
}

static void bulk_to(unsigned n)
{
    for (int i = 0; i < 40; i++)
        burst(n, 20);
}

static void end(void)
{
    sock_abort(socks[0], fx.now);
    sock_abort(socks[1], fx.now);
    fx.s = NULL;
    assert_int_equal(fx.st->tcp.windows_grown, 0);
}

TEST(an_idle_connection_s_part_is_another_s)
{
    two_connections();
    bulk_to(0);
    assert_int_equal(socks[0]->tcb->window_grown, BUDGET);
    bulk_to(1); /* at once: the first is not idle yet */
    assert_int_equal(socks[1]->tcb->window_grown, 0);
    advance(3 * SEC);
    bulk_to(1);
    assert_int_equal(socks[0]->tcb->window_grown, 0);
    assert_int_equal(socks[0]->tcb->rcv_ssthresh, initial);
    assert_int_equal(socks[1]->tcb->window_grown, BUDGET);
    end();
}

TEST(what_it_had_promised_it_still_takes)
{
    uint32_t window;

    two_connections();
    bulk_to(0);
    advance(3 * SEC);
    bulk_to(1);
    use(0);
    window = tcp_receive_window(tp);
    assert_true(window > initial + BUDGET / 2);
    burst(0, window / 1448);
    assert_int_equal(tp->rcv_nxt - tp->irs, at[0]);
    /* it is used up: from here on there is the initial window */
    for (int i = 0; i < 10; i++)
        burst(0, 20);
    assert_in_range(tcp_receive_window(tp), initial / 2, initial + 128);
    end();
}

TEST(with_budget_left_it_has_its_window_back_at_once)
{
    uint32_t window;

    two_connections();
    bulk_to(0);
    use(0);
    window = tcp_receive_window(tp);
    advance(3 * SEC);
    burst(1, 20);
    burst(1, 20);
    assert_int_equal(socks[0]->tcb->window_grown, 0);
    use(1);
    sock_abort(fx.s, fx.now);
    clear();
    burst(0, 1);
    assert_true(tp->rcv_ssthresh + 1448 + 128 > window);
    burst(0, 20);
    assert_true(tcp_receive_window(tp) + 128 >= window);
    sock_abort(socks[0], fx.now);
    fx.s = NULL;
    assert_int_equal(fx.st->tcp.windows_grown, 0);
}

TEST(one_that_is_over_has_no_part)
{
    two_connections();
    bulk_to(0);
    use(0);
    peer(RST, at[0], 0, 0);
    assert_int_equal(fx.st->tcp.windows_grown, 0);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(an_idle_connection_s_part_is_another_s),
        T(what_it_had_promised_it_still_takes),
        T(with_budget_left_it_has_its_window_back_at_once),
        T(one_that_is_over_has_no_part),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
