/* SPDX-License-Identifier: MIT */
/*
 * The Nth allocation fails, for every N, in whole lives of a connection. Whatever the calls answer
 * then: no crash, no broken invariant, and nothing is left at the end. Pools are made to give one
 * object per allocation.
 */
#include "tests/unit/tcp/fixture.h"

#define MOST 500 /* allocations of one life */

static void every_object_is_an_allocation(void)
{
    struct tcp_table *t = &fx.st->tcp;
    struct pool *pools[] = {&t->tcb_pool,     &t->sock_pool,     &t->segment_pool,  &t->range_pool,
                            &t->request_pool, &t->timewait_pool, &t->listener_pool, &t->bind_pool,
                            &t->call_pool,    &t->bbr_pool};

    for (size_t i = 0; i < sizeof(pools) / sizeof(pools[0]); i++)
        pools[i]->per_slab = 1;
    fx.st->extents.cache_limit = 0;
}

static void forget_segments(void)
{
    for (unsigned i = 0; i < fx.n_segs; i++)
        free(fx.segs[i].payload);
    fx.n_segs = fx.next = 0;
}

/* The peer acknowledges all that it has seen. */
static void peer_acks(void)
{
    uint32_t end = 1;

    for (unsigned i = 0; i < fx.n_segs; i++) {
        const struct fx_seg *g = &fx.segs[i];
        uint32_t g_end = g->seq + g->len + !!(g->flags & FIN) + !!(g->flags & SYN);

        if (!(g->flags & RST) && seq_gt(g_end, end))
            end = g_end;
    }
    peer(ACK, fx.c->read + 1, end, 0);
}

static void nothing_is_left(void)
{
    const struct tcp_table *t = &fx.st->tcp;

    assert_int_equal(t->n_tcbs + t->n_requests + t->n_timewait + t->n_orphans, 0);
    assert_int_equal(t->tcb_pool.in_use + t->sock_pool.in_use + t->listener_pool.in_use, 0);
    assert_int_equal(t->segment_pool.in_use + t->range_pool.in_use + t->bind_pool.in_use, 0);
    assert_int_equal(t->request_pool.in_use + t->timewait_pool.in_use + t->call_pool.in_use, 0);
    assert_int_equal(t->bbr_pool.in_use, 0);
    assert_int_equal(fx.st->extents.in_use, 0);
}

/* Both ways, with a hole that is filled, then our FIN and the peer's. */
static void transfer_and_close(void)
{
    (void)w(5000);
    peer_acks();
    peer(PSH | ACK, 1001, 1, 1000);
    peer(PSH | ACK, 1, 1, 1000);
    advance(300 * MS);
    (void)r(3000);
    peer_acks();
    advance(3 * SEC);
    peer_acks();
    close_it();
    peer_acks();
    peer(FIN | ACK, fx.c->read + 1, 5002, 0);
}

static void an_active_life(void)
{
    struct ip_endpoint e = fx_peer_endpoint();

    if (sock_create(fx.st, false, &fx.s) != 0) {
        fx.s = NULL;
        return;
    }
    (void)sock_connect(fx.s, &e, fx.now);
    advance(1100 * MS);
    peer(SYN | ACK, 0, 1, 0);
    transfer_and_close();
}

/* Bursts with holes, which SACK cuts to pieces; a probe, a time-out, reneging, a narrower path. */
static void a_life_of_losses(void)
{
    struct ip_endpoint e = fx_peer_endpoint();

    fx.c->sack = true;
    if (sock_create(fx.st, false, &fx.s) != 0) {
        fx.s = NULL;
        return;
    }
    (void)sock_connect(fx.s, &e, fx.now);
    advance(1100 * MS);
    peer(SYN | ACK, 0, 1, 0);
    for (int i = 0; i < 6; i++)
        (void)w(5000);
    advance(40 * MS);
    peer(ACK, 1, 1, 0, .sack = "2897:5793");
    peer(ACK, 1, 1, 0, .sack = "7241:8689 2897:5793");
    advance(10 * MS);
    peer(ACK, 1, 1449, 0, .sack = "10137:14481 7241:8689 2897:5793");
    peer_icmp(3, 4, 1000, 8689);
    advance(500 * MS);
    peer(ACK, 1, 1449, 0);
    advance(3 * SEC);
    peer(ACK, 1, 5793, 0, .sack = "1449:2897");
    advance(SEC);
    transfer_and_close();
}

static void a_life_of_losses_with_bbr(void)
{
    tun.congestion_control = 2;
    a_life_of_losses();
}

static void a_life_of_losses_without_rack(void)
{
    tun.congestion_control = 1;
    tun.recovery = 0;
    a_life_of_losses();
}

static void a_passive_life(void)
{
    struct ip_endpoint e = fx_endpoint("0.0.0.0", FX_PORT);

    if (sock_create(fx.st, false, &fx.lst) != 0) {
        fx.lst = NULL;
        return;
    }
    (void)sock_bind(fx.lst, &e, fx.now);
    (void)sock_listen(fx.lst, 4, fx.now);
    fx.c->our_port = FX_PORT;
    peer(SYN, 0, 0, 0);
    advance(1100 * MS);
    peer(ACK, 1, 1, 0);
    if (sock_accept(fx.lst, &fx.s, fx.now) == 0)
        transfer_and_close();
    close_sock(&fx.lst);
}

/* Live it again and again, until there are fewer allocations than N. */
static unsigned for_every_allocation(void (*life)(void))
{
    unsigned n = 0;

    do {
        fx_restart();
        every_object_is_an_allocation();
        fx.s = fx.lst = NULL;
        fx.c->read = fx.c->written = 0;
        fx.allocs = 0;
        fx.fail_at = ++n;
        life();
        advance(600 * SEC);
        nothing_is_left();
        forget_segments();
        assert_true(n < MOST);
    } while (fx.allocs >= n);
    fx.fail_at = 0;
    return n - 1;
}

TEST(hostile_40_each_allocation_of_an_active_connection_may_fail)
{
    assert_true(for_every_allocation(an_active_life) >= 10);
}

TEST(hostile_40_each_allocation_of_a_passive_connection_may_fail)
{
    assert_true(for_every_allocation(a_passive_life) >= 10);
}

TEST(hostile_40_each_allocation_of_a_recovery_may_fail)
{
    assert_true(for_every_allocation(a_life_of_losses) >= 20);
    assert_true(cnt(tcp_out_split) >= 1);
}

TEST(hostile_40_each_allocation_of_a_recovery_with_bbr_may_fail)
{
    assert_true(for_every_allocation(a_life_of_losses_with_bbr) >= 20);
}

TEST(hostile_40_each_allocation_of_a_recovery_without_rack_may_fail)
{
    assert_true(for_every_allocation(a_life_of_losses_without_rack) >= 20);
}

static const struct stack_ops no_device;

TEST(hostile_40_a_stack_without_memory_is_not_made)
{
    struct stack *st = NULL;
    int err;

    for (fx.config.memory_limit = 1;; fx.config.memory_limit += 256) {
        err = stack_new(&fx.config, &no_device, NULL, fx.now, &st);
        if (!err)
            break;
        assert_int_equal(err, -ENOMEM);
        assert_null(st);
    }
    assert_true(fx.config.memory_limit > 2000);
    stack_free(st);
    fx.config.memory_limit = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(hostile_40_each_allocation_of_an_active_connection_may_fail),
        T(hostile_40_each_allocation_of_a_passive_connection_may_fail),
        T(hostile_40_each_allocation_of_a_recovery_may_fail),
        T(hostile_40_each_allocation_of_a_recovery_with_bbr_may_fail),
        T(hostile_40_each_allocation_of_a_recovery_without_rack_may_fail),
        T(hostile_40_a_stack_without_memory_is_not_made),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
