/* SPDX-License-Identifier: MIT */
/* Life of connections: memory, tables, transmit completion; every allocation may fail (hostile.md
 * 40). */
#include "tests/unit/tcp/fixture.h"

/* Objects of all kinds that are out, and storage of streams. */
static size_t in_use(void)
{
    const struct tcp_table *t = &fx.st->tcp;

    return t->tcb_pool.in_use + t->sock_pool.in_use + t->segment_pool.in_use +
           t->range_pool.in_use + t->request_pool.in_use + t->timewait_pool.in_use +
           t->listener_pool.in_use + t->bind_pool.in_use + t->call_pool.in_use +
           fx.st->extents.in_use;
}

/* What a client does; every step may fail. */
static void client_session(void)
{
    struct ip_endpoint e = fx_peer_endpoint();

    if (sock_create(fx.st, false, &fx.s) != 0)
        return;
    if (sock_connect(fx.s, &e, fx.now) == -EINPROGRESS) {
        run();
        peer(SYN | ACK, 0, 1, 0);
        for (int i = 0; i < 20; i++) {
            wflags(3000, i % 2 ? MSG_MORE : 0);
            peer(ACK, 1 + (uint32_t)i * 1000, tp->snd_nxt - tp->iss, 1000);
            peer(ACK, 1 + (uint32_t)(i + 2) * 1000, tp->snd_nxt - tp->iss, 500);
            advance(300 * MS);
            fx.no_pattern = true; /* what was refused does not come again here */
            r(5000);
        }
    }
    sock_close(fx.s, fx.now);
    fx.s = NULL;
    run();
    peer(FIN | ACK, 21001, 60002, 0);
    peer(RST, 20001, 0, 0);
}

static void server_session(void)
{
    struct ip_endpoint e = fx_endpoint("0.0.0.0", FX_PORT);

    if (sock_create(fx.st, false, &fx.lst) != 0)
        return;
    if (sock_bind(fx.lst, &e, fx.now) == 0 && sock_listen(fx.lst, 4, fx.now) == 0) {
        fx.c->our_port = FX_PORT;
        peer(SYN, 0, 0, 0);
        peer(PSH | ACK, 1, 1, 100);
        if (accept_one() == 0) {
            wflags(10000, 0);
            peer(ACK, 201, 1, 100);
            peer(ACK, 1, 5000, 200);
            r(1000);
            sock_close(fx.s, fx.now);
            fx.s = NULL;
            run();
            peer(FIN | ACK, 301, 10002, 0);
        }
    }
    sock_close(fx.lst, fx.now);
    fx.lst = NULL;
    run();
}

static void sweep(void (*session)(void))
{
    uint64_t n = 0;

    for (bool failed = true; failed; n++) {
        uint64_t first;

        fx_restart();
        memset(fx.events, 0, sizeof(fx.events));
        fx.n_events = 0;
        fx.no_pattern = true;
        fx.c->tsval_seen = 0;
        first = fx.allocs;
        fx.fail_at = first + n + 1;
        session();
        failed = fx.allocs >= fx.fail_at;
        fx.fail_at = 0;
        advance(400 * SEC); /* TIME-WAIT, orphans and requests are gone */
        clear();
        assert_int_equal(in_use(), 0);
        assert_int_equal(fx.st->tcp.n_tcbs, 0);
        assert_int_equal(fx.st->tcp.n_requests, 0);
        assert_int_equal(fx.st->tcp.n_timewait, 0);
        assert_int_equal(hash_count(&fx.st->tcp.conns), 0);
        assert_int_equal(hash_count(&fx.st->tcp.binds), 0);
        assert_int_equal(hash_count(&fx.st->tcp.listeners), 0);
        for (unsigned i = 0; i < fx.n_segs; i++)
            free(fx.segs[i].payload);
        fx.n_segs = fx.next = 0;
    }
    assert_true(n > 5);
}

TEST(hostile_40_the_nth_allocation_of_a_client_s_session_fails_for_every_n)
{
    sweep(client_session);
}

TEST(hostile_40_the_nth_allocation_of_a_server_s_session_fails_for_every_n)
{
    sweep(server_session);
}

TEST(from_the_nth_allocation_on_every_one_fails)
{
    for (uint64_t n = 0; n < 30; n++) {
        fx_restart();
        fx.n_events = 0;
        fx.no_pattern = true;
        fx.fail_at = fx.allocs + n + 1;
        if (sock_create(fx.st, false, &fx.s) == 0) {
            struct ip_endpoint e = fx_peer_endpoint();

            if (sock_connect(fx.s, &e, fx.now) == -EINPROGRESS) {
                run();
                peer(SYN | ACK, 0, 1, 0);
                fx.fail_all = fx.allocs >= fx.fail_at;
                for (int i = 0; i < 10; i++) {
                    w(20000);
                    peer(ACK, 1, tp->snd_nxt - tp->iss, 1448);
                }
            }
            sock_close(fx.s, fx.now);
            run();
            fx.fail_all = false;
        }
        advance(500 * SEC);
        assert_int_equal(in_use(), 0);
    }
}

TEST(a_session_gives_all_of_its_memory_back)
{
    size_t before;

    client_session();
    advance(100 * SEC);
    before = fx.st->mem.used;
    for (unsigned i = 1; i < 20; i++) {
        peer_use(i);
        client_session();
        advance(100 * SEC);
        clear();
        assert_int_equal(in_use(), 0);
        assert_int_equal(fx.st->mem.used, before);
    }
}

TEST(memory_is_bounded_by_configuration)
{
    struct sock *s;
    unsigned n = 0;

    fx.config.memory_limit = 256 << 10;
    fx_restart();
    while (sock_create(fx.st, false, &s) == 0)
        n++;
    assert_in_range(n, 10, 2000);
    assert_int_equal(cnt(sock_no_memory), 1);
    assert_true(fx.st->mem.used <= 256 << 10);
}

TEST(max_sockets)
{
    struct sock *s;

    fx.config.max_sockets = 3;
    fx_restart();
    for (int i = 0; i < 3; i++)
        assert_int_equal(sock_create(fx.st, false, &s), 0);
    assert_int_equal(sock_create(fx.st, false, &fx.s), -ENFILE);
    sock_close(s, fx.now);
    assert_int_equal(sock_create(fx.st, false, &s), 0);
}

TEST(other_limits_count_at_once_and_take_nothing_away)
{
    struct stack_usage u;
    struct sock *s;
    int rc;

    passive();
    assert_int_equal(sock_create(fx.st, false, &s), 0);
    stack_set_limits(fx.st, 1 << 20, 1);
    stack_usage(fx.st, &u);
    assert_int_equal(u.memory_limit, 1 << 20);
    assert_int_equal(sock_create(fx.st, false, &s), -ENFILE);
    assert_int_equal(w(1000), 1000);
    stack_set_limits(fx.st, 1 << 20, 100);
    assert_int_equal(sock_create(fx.st, false, &s), 0);
    stack_set_limits(fx.st, 1, 100000); /* all of it is in use, but for what the pools have */
    for (rc = 0; rc == 0;)
        rc = sock_create(fx.st, false, &s);
    assert_int_equal(rc, -ENOMEM);
}

TEST(completions_for_a_connection_that_is_gone_are_ignored)
{
    uint64_t owner;

    passive();
    fx.device = 1;
    assert_int_equal(w(1000), 1000);
    owner = take()->owner;
    assert_int_equal(tp->device_queued, 1000);
    sock_abort(fx.s, fx.now);
    run();
    stack_transmitted(fx.st, owner, 1000, fx.now);
    stack_transmitted(fx.st, 123456, 1000, fx.now);
    run();
}

TEST(more_completions_than_were_queued_do_no_harm)
{
    passive();
    fx.device = 1;
    assert_int_equal(w(1000), 1000);
    stack_transmitted(fx.st, take()->owner, 99999, fx.now);
    assert_int_equal(tp->device_queued, 0);
}

TEST(ids_are_never_reused)
{
    struct sock *a = fx_socket(), *b;
    uint64_t id = sock_id(a);

    close_sock(&a);
    b = fx_socket();
    assert_true(sock_id(b) > id);
}

TEST(usage_counts_what_there_is)
{
    struct stack_usage u;

    listening(4);
    peer_connects();
    peer_use(1);
    fx.c->our_port = FX_PORT;
    peer(SYN, 0, 0, 0);
    stack_usage(fx.st, &u);
    assert_int_equal(u.sockets, 2);
    assert_int_equal(u.connections, 2);
    assert_int_equal(u.requests, 1);
    assert_int_equal(u.memory_used, fx.st->mem.used);
    stack_give_back(fx.st);
    stack_usage(fx.st, &u);
    assert_int_equal(u.memory_kept, 0);
    assert_int_equal(u.memory_used, fx.st->mem.used);
    assert_true(u.tx_frames > 0 && u.rx_frames > 0);
}

TEST(shutdown_of_the_stack_closes_everything)
{
    struct sock *s;

    listening(4);
    peer_connects();
    assert_int_equal(accept_one(), 0);
    s = fx_socket();
    (void)s;
    peer_use(1);
    peer_connects();
    stack_shutdown(fx.st, fx.now);
    run();
    fx.s = fx.lst = NULL;
    assert_int_equal(take()->flags, RST | ACK); /* nobody had accepted that one */
    expect(FIN | ACK, 1, 1, 0);
    assert_int_equal(fx.st->n_sockets, 0);
}

TEST(a_reset_gives_the_buffers_back_while_the_program_holds_the_socket)
{
    passive();
    assert_int_equal(w(1000), 1000);
    assert_int_not_equal(fx.st->extents.in_use, 0);
    peer(RST, 1, 0, 0);
    assert_int_equal(fx.st->extents.in_use, 0);
    clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(hostile_40_the_nth_allocation_of_a_client_s_session_fails_for_every_n),
        T(hostile_40_the_nth_allocation_of_a_server_s_session_fails_for_every_n),
        T(from_the_nth_allocation_on_every_one_fails),
        T(a_session_gives_all_of_its_memory_back),
        T(memory_is_bounded_by_configuration),
        T(max_sockets),
        T(other_limits_count_at_once_and_take_nothing_away),
        T(completions_for_a_connection_that_is_gone_are_ignored),
        T(more_completions_than_were_queued_do_no_harm),
        T(ids_are_never_reused),
        T(usage_counts_what_there_is),
        T(shutdown_of_the_stack_closes_everything),
        T(a_reset_gives_the_buffers_back_while_the_program_holds_the_socket),
    };

    return cmocka_run_group_tests_name("tcb", tests, NULL, NULL);
}
