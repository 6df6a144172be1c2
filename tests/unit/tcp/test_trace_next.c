/* SPDX-License-Identifier: MIT */
/* One ring that waits in several stacks for the next connection: who takes it, who forgets it, and
 * that what is in it is one connection's. */
#include "tests/unit/tcp/fixture.h"

#include <pthread.h>

#define SLOTS 256u

static struct trace_slot slots[SLOTS];
static _Atomic uint64_t head;
static uint64_t ticks;
static struct trace_ring ring;
static struct fixture aside; /* the stack that is not in `fx` */
static const struct trace_match any = {0};

static uint64_t tick(void *ctx)
{
    (void)ctx;
    return ++ticks;
}

/* The other stack's turn. */
static void turn(void)
{
    static struct fixture t;

    t = fx;
    fx = aside;
    aside = t;
}

static int setup_two(void **state)
{
    memset(slots, 0, sizeof(slots));
    head = 0;
    ring = (struct trace_ring){.slots = slots, .n_slots = SLOTS, .head = &head, .clock = tick};
    fx_setup(state);
    aside = fx;
    return fx_setup(state);
}

static int teardown_two(void **state)
{
    fx_teardown(state);
    turn();
    return fx_teardown(state);
}

#define T2(name) cmocka_unit_test_setup_teardown(name, setup_two, teardown_two)

static void arm_both(void)
{
    assert_int_equal(stack_trace_next(aside.st, &any, &ring), 0);
    assert_int_equal(stack_trace_next(fx.st, &any, &ring), 0);
}

static unsigned count(enum trace_event event)
{
    unsigned n = 0;

    assert_true(head <= SLOTS);
    for (uint64_t i = 0; i < head; i++)
        n += slots[i].event == event;
    return n;
}

/* Every segment that came in is of the peer's connection n. */
static void is_of(unsigned n)
{
    for (uint64_t i = 0; i < head; i++) {
        if (slots[i].event == TRACE_tcp_input)
            assert_in_range(slots[i].v[0], fx.conns[n].irs, fx.conns[n].irs + 0xffff);
        if (slots[i].event == TRACE_begin)
            assert_int_equal(slots[i].v[1], fx.conns[n].irs);
    }
}

/* The peer's connection n, up to its SYN-ACK. */
static void half_open(unsigned n)
{
    peer_use(n);
    if (!fx.lst)
        listening(16);
    fx.c->our_port = FX_PORT;
    peer(SYN, 0, 0, 0);
    expect(SYN | ACK, 0, 1, 0);
}

static void whole(unsigned n)
{
    peer_use(n);
    passive();
}

static void nobody_waits(void)
{
    assert_int_equal(fx.st->traces.n, 0);
    assert_int_equal(fx.st->traces.waiting, 0);
}

TEST(the_first_that_fits_takes_the_ring)
{
    uint64_t before;

    arm_both();
    whole(0);
    assert_int_equal(count(TRACE_begin), 1);
    is_of(0);
    before = head;
    turn();
    whole(1);
    assert_int_equal(w(100), 100);
    assert_int_equal(head, before);
    turn();
    assert_int_equal(w(100), 100);
    assert_true(head > before);
}

TEST(the_others_forget_it_at_their_next_frame)
{
    arm_both();
    whole(0);
    assert_int_equal(aside.st->traces.waiting, 1);
    turn();
    peer(ACK, 1, 1, 0); /* for nobody */
    clear();
    nobody_waits();
}

TEST(an_active_open_takes_it_too)
{
    uint64_t before;

    arm_both();
    connecting();
    assert_int_equal(slots[0].event, TRACE_begin);
    before = head;
    turn();
    connecting();
    assert_int_equal(head, before);
    assert_false(tp->traced);
}

TEST(a_second_attempt_is_still_the_first_one_s_trace)
{
    struct ip_endpoint again = fx_peer_endpoint();
    struct trace_ring second = ring;
    static struct trace_slot more_slots[SLOTS];
    static _Atomic uint64_t more_head;

    second.slots = more_slots;
    second.head = &more_head;
    assert_int_equal(stack_trace_next(fx.st, &any, &ring), 0);
    connecting();
    peer(RST | ACK, 0, 1, 0);
    clear();
    assert_int_equal(sock_connect(fx.s, &again, fx.now), -ECONNREFUSED);
    assert_int_equal(stack_trace_next(fx.st, &any, &second), 0);
    connecting();
    close_it();
    assert_true(ring.over);
    assert_int_equal(more_head, 0);
    stack_trace_stop(fx.st, &second);
    nobody_waits();
}

TEST(a_half_open_one_has_it_until_it_is_whole)
{
    uint64_t before;

    arm_both();
    half_open(0);
    assert_int_equal(count(TRACE_tcp_input), 1);
    before = head;
    turn();
    whole(1);
    fx.s = NULL;
    peer_use(3);
    connecting();
    assert_int_equal(head, before);
    assert_int_equal(fx.st->traces.waiting, 1);
    turn();
    whole(2); /* of the same stack neither */
    assert_int_equal(head, before);
    peer_use(0);
    peer(ACK, 1, 1, 0);
    assert_int_equal(count(TRACE_begin), 1);
    is_of(0);
}

TEST(a_half_open_one_that_ends_gives_it_back)
{
    arm_both();
    half_open(0);
    peer(RST, 1, 0, 0);
    assert_int_equal(count(TRACE_begin), 0);
    turn();
    head = ring.written = 0;
    whole(1);
    assert_int_equal(count(TRACE_begin), 1);
    is_of(1);
}

TEST(a_listener_that_is_closed_gives_it_back)
{
    arm_both();
    half_open(0);
    close_sock(&fx.lst);
    turn();
    head = ring.written = 0;
    whole(1);
    is_of(1);
    assert_int_equal(count(TRACE_begin), 1);
}

TEST(who_does_not_answer_a_syn_ack_in_time_gives_it_back)
{
    arm_both();
    half_open(0);
    advance(SEC + 1);
    assert_int_equal(count(TRACE_tcp_transmit_segment), 2); /* of the second one is told still */
    clear();
    turn();
    head = ring.written = 0;
    whole(1);
    assert_int_equal(count(TRACE_begin), 1);
    is_of(1);
}

TEST(who_answers_late_may_have_it_if_nobody_else_does)
{
    arm_both();
    half_open(0);
    advance(SEC + 1);
    clear();
    peer(ACK, 1, 1, 0);
    assert_int_equal(count(TRACE_begin), 1);
    is_of(0);
}

TEST(a_connection_stays_with_the_ring_of_its_syn)
{
    static struct trace_slot more_slots[SLOTS];
    static _Atomic uint64_t more_head;
    struct trace_ring first = ring;

    first.slots = more_slots;
    first.head = &more_head;
    assert_int_equal(stack_trace_next(fx.st, &any, &first), 0);
    assert_int_equal(stack_trace_next(fx.st, &any, &ring), 0);
    half_open(1);
    half_open(0);
    assert_int_equal(count(TRACE_tcp_input), 1);
    peer_use(1);
    peer(RST, 1, 0, 0); /* the first ring is free again */
    more_head = first.written = 0;
    peer_use(0);
    peer(ACK, 1, 1, 0);
    assert_int_equal(more_head, 0);
    assert_int_equal(count(TRACE_begin), 1);
    is_of(0);
    stack_trace_stop(fx.st, &first);
}

TEST(a_syn_that_is_not_kept_holds_nothing)
{
    tun.syncookies = 2;
    arm_both();
    half_open(0); /* a cookie remembers nobody */
    assert_int_equal(count(TRACE_tcp_input), 1);
    turn();
    head = ring.written = 0;
    whole(1);
    assert_int_equal(count(TRACE_begin), 1);
    is_of(1);
}

TEST(a_cookie_that_comes_back_takes_it)
{
    tun.syncookies = 2;
    arm_both();
    listening(1);
    fx.lst->listener->overflow_at = fx.now;
    half_open(0);
    peer(ACK, 1, 1, 0);
    assert_int_equal(cnt(tcp_cookies_taken), 1);
    assert_int_equal(count(TRACE_begin), 1);
    is_of(0);
}

TEST(a_connection_that_is_over_leaves_it_to_nobody)
{
    uint64_t before;

    arm_both();
    whole(0);
    peer(RST | ACK, 1, 1, 0);
    close_it();
    assert_true(ring.over);
    before = head;
    turn();
    whole(1);
    assert_int_equal(head, before);
    nobody_waits();
}

TEST(a_stack_that_is_armed_late_does_not_wait_for_a_ring_that_is_taken)
{
    assert_int_equal(stack_trace_next(fx.st, &any, &ring), 0);
    whole(0);
    turn();
    assert_int_equal(stack_trace_next(fx.st, &any, &ring), 0);
    nobody_waits();
}

/* Stop it in both, first where it is (or is not) being written. */
static void stop_both(bool first_the_other)
{
    uint64_t before = head;

    for (unsigned i = 0; i < 2; i++) {
        bool other = first_the_other == (i == 0);

        stack_trace_stop(other ? aside.st : fx.st, &ring);
        if (i == 0) {
            turn();
            whole(7);
            turn();
            assert_int_equal(head, before);
        }
    }
    assert_int_equal(w(100), 100);
    assert_int_equal(head, before);
    nobody_waits();
    turn();
    nobody_waits();
    whole(8);
    assert_int_equal(head, before);
}

TEST(stopped_where_it_is_written_first_the_other_stack_does_not_take_it)
{
    arm_both();
    whole(0);
    stop_both(false);
}

TEST(stopped_where_it_is_not_written_first)
{
    arm_both();
    whole(0);
    stop_both(true);
}

TEST(stopped_while_a_half_open_one_has_it)
{
    arm_both();
    half_open(0);
    stack_trace_stop(fx.st, &ring);
    advance(SEC + 1);
    clear();
    head = 0;
    turn();
    whole(1);
    assert_int_equal(head, 0);
    stack_trace_stop(fx.st, &ring);
    nobody_waits();
    turn();
    nobody_waits();
}

TEST(what_others_have_taken_is_no_place_that_is_full)
{
    static struct trace_ring more[TCP_TRACES];

    for (unsigned i = 0; i < TCP_TRACES; i++) {
        more[i] = ring;
        assert_int_equal(stack_trace_next(aside.st, &any, &more[i]), 0);
        assert_int_equal(stack_trace_next(fx.st, &any, &more[i]), 0);
    }
    assert_int_equal(stack_trace_next(fx.st, &any, &ring), -ENOSPC);
    for (unsigned i = 0; i < TCP_TRACES; i++)
        whole(i);
    assert_int_equal(stack_trace_next(fx.st, &any, &ring), -ENOSPC); /* they are here */
    turn();
    assert_int_equal(fx.st->traces.waiting, TCP_TRACES);
    assert_int_equal(stack_trace_next(fx.st, &any, &ring), 0);
    assert_int_equal(fx.st->traces.waiting, 1);
    for (unsigned i = 0; i < TCP_TRACES; i++)
        stack_trace_stop(aside.st, &more[i]);
}

/* --- whatever happens
 */

#undef tp /* a field's name from here on */

enum { MANY = 3 };

static struct trace_ring many[MANY];
static _Atomic uint64_t heads[MANY];
static struct trace_slot many_slots[MANY][SLOTS];

static uint32_t draw(uint32_t n)
{
    static uint32_t x = 1;

    x = x * 1664525 + 1013904223;
    return (x >> 8) % n;
}

static bool holds(const struct stack *st, const struct trace_ring *of)
{
    for (unsigned i = 0; i < st->traces.n; i++) {
        if (st->traces.of[i].ring == of)
            return st->traces.of[i].tp || st->traces.of[i].half_open;
    }
    return false;
}

static void one_has_each(void)
{
    assert_null(stack_check(aside.st));
    for (unsigned i = 0; i < MANY; i++)
        assert_false(holds(fx.st, &many[i]) && holds(aside.st, &many[i]));
}

static void anew(unsigned i)
{
    stack_trace_stop(fx.st, &many[i]);
    stack_trace_stop(aside.st, &many[i]);
    assert_false(holds(fx.st, &many[i]) || holds(aside.st, &many[i]));
    many[i] = (struct trace_ring){
        .slots = many_slots[i], .n_slots = SLOTS, .head = &heads[i], .clock = tick};
    assert_int_equal(stack_trace_next(fx.st, &any, &many[i]), 0);
    assert_int_equal(stack_trace_next(aside.st, &any, &many[i]), 0);
}

static void something(void)
{
    switch (draw(8)) {
    case 0:
    case 1:
        peer(SYN, 0, 0, 0);
        break;
    case 2:
    case 3:
        peer(ACK, 1, 1, draw(2) * 100);
        break;
    case 4:
        peer(RST, 1, 0, 0);
        break;
    case 5:
        advance(draw(3) * SEC);
        break;
    case 6:
        if (fx.s)
            close_it();
        else if (accept_one() != 0)
            connecting();
        break;
    default:
        anew(draw(MANY));
    }
    clear();
}

TEST(whatever_happens_one_has_it)
{
    unsigned took = 0;

    for (unsigned i = 0; i < MANY; i++)
        anew(i);
    for (unsigned n = 0; n < 3000; n++) {
        if (draw(4) == 0)
            turn();
        if (!fx.lst)
            listening(16);
        peer_use(draw(4));
        fx.c->our_port = FX_PORT;
        something();
        one_has_each();
        for (unsigned i = 0; i < MANY; i++)
            took += holds(fx.st, &many[i]) || holds(aside.st, &many[i]);
    }
    assert_true(took > 100);
    for (unsigned i = 0; i < MANY; i++) {
        stack_trace_stop(fx.st, &many[i]);
        stack_trace_stop(aside.st, &many[i]);
    }
}

/* --- at the same moment
 */

#define RINGS 20000u

static struct trace_ring contested[RINGS];
static _Atomic unsigned ready;

static void *contend(void *arg)
{
    unsigned *won = arg;

    atomic_fetch_add(&ready, 1);
    while (atomic_load(&ready) < 2)
        ;
    for (unsigned i = 0; i < RINGS; i++) {
        if (trace_hold(&contested[i], TRACE_TAKEN)) {
            contested[i].written++; /* the winner's alone */
            ++*won;
        }
    }
    return NULL;
}

TEST(of_two_cores_at_the_same_moment_one_gets_it)
{
    unsigned won[2] = {0};
    pthread_t thread[2];

    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, contend, &won[i]), 0);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(pthread_join(thread[i], NULL), 0);
    assert_int_equal(won[0] + won[1], RINGS);
    for (unsigned i = 0; i < RINGS; i++)
        assert_int_equal(contested[i].written, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T2(the_first_that_fits_takes_the_ring),
        T2(the_others_forget_it_at_their_next_frame),
        T2(an_active_open_takes_it_too),
        T2(a_second_attempt_is_still_the_first_one_s_trace),
        T2(a_half_open_one_has_it_until_it_is_whole),
        T2(whatever_happens_one_has_it),
        T2(a_half_open_one_that_ends_gives_it_back),
        T2(a_listener_that_is_closed_gives_it_back),
        T2(who_does_not_answer_a_syn_ack_in_time_gives_it_back),
        T2(who_answers_late_may_have_it_if_nobody_else_does),
        T2(a_connection_stays_with_the_ring_of_its_syn),
        T2(a_syn_that_is_not_kept_holds_nothing),
        T2(a_cookie_that_comes_back_takes_it),
        T2(a_connection_that_is_over_leaves_it_to_nobody),
        T2(a_stack_that_is_armed_late_does_not_wait_for_a_ring_that_is_taken),
        T2(stopped_where_it_is_written_first_the_other_stack_does_not_take_it),
        T2(stopped_where_it_is_not_written_first),
        T2(stopped_while_a_half_open_one_has_it),
        T2(what_others_have_taken_is_no_place_that_is_full),
        cmocka_unit_test(of_two_cores_at_the_same_moment_one_gets_it),
    };

    return cmocka_run_group_tests_name("trace_next", tests, NULL, NULL);
}
