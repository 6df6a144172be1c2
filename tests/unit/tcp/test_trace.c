/* SPDX-License-Identifier: MIT */
/* Traces: the ring, the steps of the send path and of the way in, their reasons, beginning and end.
 */
#include "tests/unit/tcp/fixture.h"

#define SLOTS 256u

static struct trace_slot slots[SLOTS];
static _Atomic uint64_t head;
static uint64_t ticks;
static struct trace_ring ring;

static uint64_t tick(void *ctx)
{
    (void)ctx;
    return ++ticks;
}

static void new_ring(uint32_t n)
{
    memset(slots, 0, sizeof(slots));
    head = 0;
    ring = (struct trace_ring){.slots = slots, .n_slots = n, .head = &head, .clock = tick};
}

static void trace_this(void)
{
    new_ring(SLOTS);
    assert_int_equal(stack_trace(fx.st, sock_id(fx.s), &ring), 0);
}

/* The n-th event of its kind, NULL: there is none. */
static const struct trace_slot *find(enum trace_event event, unsigned n)
{
    for (uint64_t i = head > SLOTS ? head - SLOTS : 0; i < head; i++) {
        if (slots[i % SLOTS].event == event && n-- == 0)
            return &slots[i % SLOTS];
    }
    return NULL;
}

static void has(enum trace_event event, enum trace_why why)
{
    for (unsigned n = 0; find(event, n); n++) {
        if (find(event, n)->why == why)
            return;
    }
    fail_msg("no %s with the reason '%s'", trace_name(event), trace_why_name(why));
}

/* These follow each other, others may stand between them. */
static void follow(const enum trace_event *events, unsigned n)
{
    unsigned done = 0;

    for (uint64_t i = 0; i < head && done < n; i++)
        done += slots[i].event == events[done];
    if (done < n)
        fail_msg("%s does not follow", trace_name(events[done]));
}

TEST(the_ring_keeps_the_newest_events)
{
    const uint32_t v[TRACE_VALUES] = {7};

    new_ring(4);
    for (unsigned i = 0; i < 10; i++)
        trace_emit(&ring, i, TRACE_timer, TRACE_WHY_none, v);
    assert_int_equal(head, 10);
    for (unsigned i = 6; i < 10; i++) {
        assert_int_equal(slots[i % 4].at_ns, i);
        assert_int_equal(slots[i % 4].v[0], 7);
    }
}

TEST(every_event_and_every_reason_has_a_name)
{
    for (unsigned i = 0; i < TRACE_COUNT; i++) {
        unsigned fields = 1;

        assert_true(trace_name(i)[0] && trace_step(i)[0] && trace_help(i)[0]);
        for (const char *c = trace_fields(i); *c; c++)
            fields += *c == ',';
        assert_true(fields <= TRACE_VALUES);
    }
    for (unsigned i = 1; i < TRACE_WHY_COUNT; i++)
        assert_true(trace_why_name(i)[0] && trace_why_text(i)[0]);
    assert_string_equal(trace_why_name(TRACE_WHY_stop_nagle), "nagle");
    assert_string_equal(trace_why_name(TRACE_WHY_timer_delack), "delack");
    assert_null(trace_name(TRACE_COUNT));
    assert_null(trace_why_name(TRACE_WHY_COUNT));
}

TEST(a_write_goes_down_step_by_step)
{
    static const enum trace_event steps[] = {
        TRACE_begin,        TRACE_tcp_sendmsg,    TRACE_tcp_send_mss,         TRACE_skb_entail,
        TRACE_tcp_push,     TRACE_tcp_write_xmit, TRACE_tcp_transmit_segment, TRACE_ip_output,
        TRACE_neigh_output, TRACE_dev_queue_xmit, TRACE_device_done,          TRACE_tcp_write_xmit};

    passive();
    trace_this();
    assert_int_equal(w(100), 100);
    follow(steps, sizeof(steps) / sizeof(steps[0]));
    has(TRACE_tcp_write_xmit, TRACE_WHY_goes);
    has(TRACE_tcp_write_xmit, TRACE_WHY_stop_empty);
    has(TRACE_device_done, TRACE_WHY_taken);
    assert_int_equal(find(TRACE_tcp_sendmsg, 0)->v[0], 100);
    assert_int_equal(find(TRACE_tcp_transmit_segment, 0)->v[0], tp->snd_una);
    assert_int_equal(find(TRACE_tcp_transmit_segment, 0)->v[1], 100);
    for (uint64_t i = 1; i < head; i++)
        assert_true(slots[i].at_ns > slots[i - 1].at_ns);
}

TEST(a_segment_goes_up_step_by_step)
{
    static const enum trace_event steps[] = {TRACE_netdev_read, TRACE_tcp_input, TRACE_tcp_ack,
                                             TRACE_tcp_data_queue, TRACE_tcp_ack_decide};

    passive();
    trace_this();
    peer(PSH | ACK, 1, 1, 500);
    run();
    follow(steps, sizeof(steps) / sizeof(steps[0]));
    has(TRACE_tcp_data_queue, TRACE_WHY_in_order);
    assert_int_equal(find(TRACE_tcp_data_queue, 0)->v[1], 500);
    peer(PSH | ACK, 1001, 1, 500);
    has(TRACE_tcp_data_queue, TRACE_WHY_out_of_order);
    peer(PSH | ACK, 1, 1, 500);
    has(TRACE_tcp_data_queue, TRACE_WHY_old);
}

TEST(each_stop_says_its_reason)
{
    passive();
    trace_this();
    assert_int_equal(w(100), 100);
    assert_int_equal(w(100), 100);
    has(TRACE_tcp_write_xmit, TRACE_WHY_stop_nagle);
    peer(ACK, 1, 101, 0, .win = -1);
    assert_int_equal(w(100), 100);
    has(TRACE_tcp_write_xmit, TRACE_WHY_stop_rwnd);
    has(TRACE_tcp_ack, TRACE_WHY_advances);
    peer(ACK, 1, 101, 0);
    assert_int_equal(w(60000), 60000);
    has(TRACE_tcp_write_xmit, TRACE_WHY_stop_cwnd);
    advance(10 * SEC);
    has(TRACE_timer, TRACE_WHY_timer_rexmt);
    has(TRACE_tcp_transmit_segment, TRACE_WHY_retransmission);
    assert_non_null(find(TRACE_tcp_set_ca_state, 0));
}

TEST(a_connection_that_is_waited_for_is_traced_from_its_syn_on)
{
    const struct trace_match this = {.port = FX_PORT};
    static const enum trace_event steps[] = {TRACE_tcp_input,      TRACE_tcp_transmit_segment,
                                             TRACE_dev_queue_xmit, TRACE_tcp_input,
                                             TRACE_begin,          TRACE_tcp_set_state};

    new_ring(SLOTS);
    assert_int_equal(stack_trace_next(fx.st, &this, &ring), 0);
    passive();
    follow(steps, sizeof(steps) / sizeof(steps[0]));
    assert_int_equal(find(TRACE_tcp_input, 0)->v[3], SYN);
    assert_int_equal(find(TRACE_tcp_transmit_segment, 0)->v[3], SYN | ACK);
}

TEST(another_port_is_not_what_is_waited_for)
{
    const struct trace_match m = {.port = 9};

    new_ring(SLOTS);
    assert_int_equal(stack_trace_next(fx.st, &m, &ring), 0);
    passive();
    assert_int_equal(head, 0);
}

TEST(who_may_see_only_his_own_connections_gets_no_other)
{
    struct trace_match m = {.only_owner = true, .owner = 1000};

    new_ring(SLOTS);
    assert_int_equal(stack_trace_next(fx.st, &m, &ring), 0);
    passive(); /* the fixture's sockets are user 0's */
    assert_int_equal(head, 0);
}

TEST(the_trace_ends_with_its_connection)
{
    passive();
    trace_this();
    assert_int_equal(stack_trace(fx.st, sock_id(fx.s), &ring), -EBUSY);
    peer(RST | ACK, 1, 1, 0);
    assert_false(ring.over);
    sock_close(fx.s, fx.now);
    fx.s = NULL;
    assert_true(ring.over);
    assert_int_equal(slots[head - 1].event, TRACE_end);
    assert_int_equal(stack_trace(fx.st, 12345, &ring), -ENOENT);
}

TEST(a_trace_that_is_stopped_says_no_more)
{
    uint64_t before;

    passive();
    trace_this();
    stack_trace_stop(fx.st, &ring);
    before = head;
    assert_int_equal(w(100), 100);
    assert_int_equal(head, before);
    assert_int_equal(stack_trace(fx.st, sock_id(fx.s), &ring), 0);
    assert_int_equal(head, before + 1);
}

TEST(so_many_and_no_more)
{
    struct trace_ring more[TCP_TRACES];
    const struct trace_match m = {.port = 9};

    new_ring(SLOTS);
    for (unsigned i = 0; i < TCP_TRACES; i++) {
        more[i] = ring;
        assert_int_equal(stack_trace_next(fx.st, &m, &more[i]), 0);
    }
    assert_int_equal(stack_trace_next(fx.st, &m, &ring), -ENOSPC);
    for (unsigned i = 0; i < TCP_TRACES; i++)
        stack_trace_stop(fx.st, &more[i]);
    assert_int_equal(stack_trace_next(fx.st, &m, &ring), 0);
    stack_trace_stop(fx.st, &ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_ring_keeps_the_newest_events),
        T(every_event_and_every_reason_has_a_name),
        T(a_write_goes_down_step_by_step),
        T(a_segment_goes_up_step_by_step),
        T(each_stop_says_its_reason),
        T(a_connection_that_is_waited_for_is_traced_from_its_syn_on),
        T(another_port_is_not_what_is_waited_for),
        T(who_may_see_only_his_own_connections_gets_no_other),
        T(the_trace_ends_with_its_connection),
        T(a_trace_that_is_stopped_says_no_more),
        T(so_many_and_no_more),
    };

    return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
