/* SPDX-License-Identifier: MIT */
/*
 * Traces of the next connection with two workers: the rig's own is the first, the other one has a
 * stack and no thread.
 */
#include "daemon/workers.h"
#include "ipc/tracefile.h"
#include "proto/stack_internal.h"
#include "tests/unit/daemon/rig.h"

#include <errno.h>
#include <unistd.h>

static struct workers *two;
static struct trace_ring others[TCP_TRACES];
static const struct trace_match elsewhere = {.port = 9};

static struct worker *second(void)
{
    return two->list[1];
}

static int setup(void **state)
{
    struct stack_config config = {.mac = {2, 0, 0, 0, 0, 2}, .mtu = 1500};
    static const struct stack_ops ops = {0};
    struct rig *r = rig_new(0);

    assert_int_equal(ip_prefix_parse(RIG_ADDRESS "/24", &config.address), 0);
    assert_int_equal(workers_new(2, &two), 0);
    assert_int_equal(stack_new(&config, &ops, NULL, r->now, &second()->stack), 0);
    second()->streams = (struct streams){.workers = two, .index = 1, .stack = second()->stack};
    r->streams.workers = two;
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    struct rig *r = *state;

    r->streams.workers = NULL;
    rig_free(r);
    stack_free(second()->stack);
    workers_free(two);
    return 0;
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* The daemon's answer to "trace the next one of port 8000"; its descriptor is closed. */
static int ask(struct rig *r, int client)
{
    const struct wire_trace want = {.port = 8000, .events = 64};
    struct rig_reply reply;

    rig_send(r, client, WIRE_OP_TRACE, 0, -1, &want, sizeof(want));
    rig_run(r);
    rig_receive(client, &reply);
    assert_int_equal(reply.fd >= 0, reply.error == 0);
    if (reply.fd >= 0)
        close(reply.fd);
    return reply.error;
}

static void wait_in(const struct rig *r, unsigned first_n, unsigned second_n)
{
    assert_int_equal(r->stack->traces.waiting, first_n);
    assert_int_equal(second()->stack->traces.waiting, second_n);
    assert_int_equal(second()->held, 0);
    assert_int_equal(pthread_mutex_trylock(&second()->lock), 0);
    pthread_mutex_unlock(&second()->lock);
}

static void one_ring_waits_in_every_stack_until_its_client_goes(void **state)
{
    struct rig *r = *state;
    int client = rig_connect(r);

    assert_int_equal(ask(r, client), 0);
    wait_in(r, 1, 1);
    assert_ptr_equal(r->stack->traces.of[0].ring, second()->stack->traces.of[0].ring);
    assert_int_equal(ask(r, client), EBUSY);
    wait_in(r, 1, 1);
    close(client);
    rig_run(r);
    wait_in(r, 0, 0);
}

static void where_one_has_no_place_none_waits(void **state)
{
    struct rig *r = *state;
    int client = rig_connect(r);

    for (unsigned i = 0; i < TCP_TRACES; i++)
        assert_int_equal(stack_trace_next(second()->stack, &elsewhere, &others[i]), 0);
    for (unsigned i = 0; i <= TCP_TRACES; i++)
        assert_int_equal(ask(r, client), ENOSPC);
    wait_in(r, 0, TCP_TRACES);
    for (unsigned i = 0; i < TCP_TRACES; i++)
        stack_trace_stop(second()->stack, &others[i]);
    assert_int_equal(ask(r, client), 0);
    wait_in(r, 1, 1);
    close(client);
    rig_run(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(one_ring_waits_in_every_stack_until_its_client_goes),
        T(where_one_has_no_place_none_waits),
    };

    return cmocka_run_group_tests_name("daemon_trace", tests, NULL, NULL);
}
