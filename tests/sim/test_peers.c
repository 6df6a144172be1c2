/* SPDX-License-Identifier: MIT */
/* Each way in which a peer may misbehave, alone: every byte arrives, with every algorithm. */
#include "tests/sim/choose.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define BYTES 2000000

struct talk {
    struct sim sim;
    struct program a;
    struct peer peer;
};

static struct talk talk;

static bool ended(void *arg)
{
    (void)arg;
    return talk.a.closed && (peer_done(&talk.peer) || talk.peer.reset);
}

static const struct peer_plan plain = {.window = 1000000,
                                       .mss = 1460,
                                       .sack = true,
                                       .timestamps = true,
                                       .wscale = 5,
                                       .ack_every = 2,
                                       .ack_delay_us = 40000};

/* 20 Mbit/s, 20 ms, one packet in fifty is lost: there is always something out of order. */
static void run_talk(const struct peer_plan *plan, const char *congestion)
{
    struct sim_host_config hc = {
        .features = STACK_TX_CSUM | STACK_TX_TSO4,
        .out = {.rate_bps = 20000000, .delay_us = 10000, .queue_bytes = 60000, .loss_ppm = 20000}};
    struct program_plan send = {.send = BYTES, .congestion = congestion};
    struct ip_endpoint to;

    sim_init(&talk.sim, 11, true);
    sim_add_host(&talk.sim, &hc);
    peer_init(&talk.peer, &talk.sim, &hc, plan, 12);
    program_init(&talk.a, &talk.sim.host[0], &send, 13);
    talk.a.stream_out = talk.peer.stream = 14;
    to = sim_endpoint(talk.peer.host, 80);
    assert_int_equal(program_connect(&talk.a, &to), 0);
    sim_run_until(&talk.sim, ended, NULL, talk.sim.now + 4000 * SIM_SECOND);
}

static void expect_all_bytes(const char *congestion)
{
    if (talk.sim.failure[0] || talk.a.error || talk.peer.next != BYTES || !ended(NULL)) {
        const char *file = sim_write_capture(&talk.sim, NULL);

        fail_msg("%s: %s: got %llu, error %d; capture %s", congestion, talk.sim.failure,
                 (unsigned long long)talk.peer.next, talk.a.error, file ? file : "-");
    }
}

static void finish(void)
{
    sim_destroy(&talk.sim);
}

/* With each algorithm that the core has; returns how often the peer did it, by `counted`. */
static uint64_t with_each(const struct peer_plan *plan, const uint64_t *counted)
{
    uint64_t n = 0;

    for (unsigned i = 0; algorithm_name(i); i++) {
        if (!algorithm_exists(algorithm_name(i)))
            continue;
        run_talk(plan, algorithm_name(i));
        expect_all_bytes(algorithm_name(i));
        n += counted ? *counted : 1;
        finish();
    }
    return n;
}

static void an_honest_peer_gets_all(void **state)
{
    (void)state;
    assert_true(with_each(&plain, NULL) > 0);
}

static void a_peer_without_options_gets_all(void **state)
{
    struct peer_plan p = plain;

    (void)state;
    p.sack = p.timestamps = false;
    assert_true(with_each(&p, NULL) > 0);
}

static void a_peer_that_reneges_gets_all(void **state)
{
    struct peer_plan p = plain;

    (void)state;
    p.renege_ppm = 100000;
    assert_true(with_each(&p, &talk.peer.reneged) > 5);
}

static void a_peer_that_shrinks_its_window_gets_all(void **state)
{
    struct peer_plan p = plain;

    (void)state;
    p.shrink_ppm = 10000;
    p.shrink_us = 2000000;
    assert_true(with_each(&p, &talk.peer.shrunk) > 2);
}

static void a_peer_with_a_tiny_window_gets_all(void **state)
{
    struct peer_plan p = plain;

    (void)state;
    p.window = 3000;
    p.wscale = 0;
    assert_true(with_each(&p, NULL) > 0);
}

static void a_liar_gets_all(void **state)
{
    struct peer_plan p = plain;
    uintptr_t lie = (uintptr_t)*state;

    p.lie_ppm[lie] = 200000;
    assert_true(with_each(&p, &talk.peer.lies[lie]) > 5);
}

static void a_peer_that_tells_every_lie_gets_all(void **state)
{
    struct peer_plan p = plain;

    (void)state;
    p.renege_ppm = p.shrink_ppm = 5000;
    p.shrink_us = 100000;
    for (unsigned i = 0; i < PEER_LIE_COUNT; i++)
        p.lie_ppm[i] = 50000;
    assert_true(with_each(&p, NULL) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_honest_peer_gets_all),
        cmocka_unit_test(a_peer_without_options_gets_all),
        cmocka_unit_test(a_peer_that_reneges_gets_all),
        cmocka_unit_test(a_peer_that_shrinks_its_window_gets_all),
        cmocka_unit_test(a_peer_with_a_tiny_window_gets_all),
#define PEER_LIE(name, help)                                                                       \
    {"a_peer_gets_all_in_spite_of_" #name, a_liar_gets_all, NULL, NULL,                            \
     (void *)(uintptr_t)PEER_LIE_##name},
#include "tests/sim/lies.def"
#undef PEER_LIE
        cmocka_unit_test(a_peer_that_tells_every_lie_gets_all),
    };

    choose_print_missing(stdout);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
