/* SPDX-License-Identifier: MIT */
/* Windows between cores that differ in what they offer. */
#include "tests/sim/scene.h"

#define BYTES 300000

static struct program reader, writer;

static bool done(void *arg)
{
    (void)arg;
    return reader.closed && writer.closed;
}

/* a connects with a large receive buffer, b sends. */
static void send_to_large_buffer(void)
{
    static struct program *waiting[1] = {&writer};
    struct program_plan read = {.rcvbuf = 1600000, .read_max = 1000}, send = {.send = BYTES};
    struct ip_endpoint to = sim_endpoint(scene.b, 80);
    struct program_server server;

    program_init(&reader, scene.a, &read, 1);
    program_init(&writer, scene.b, &send, 2);
    program_pair(&reader, &writer, 3);
    expect_equal(program_listen(&server, scene.b, 80, 4, waiting, 1), 0);
    expect_equal(program_connect(&reader, &to), 0);
    expect(sim_run_until(&scene.sim, done, NULL, scene.sim.now + 60 * SIM_SECOND));
    expect_equal(reader.received, BYTES);
    program_server_close(&server);
}

/* The SYN could promise 65,535 bytes only, whatever the buffer holds (RFC 7323 §2.2). */
static void a_large_buffer_is_no_larger_promise_to_a_peer_that_does_not_scale(void **state)
{
    (void)state;
    expect_equal(stack_tunable_set(scene.b->st, "tcp_window_scaling", "0"), 0);
    send_to_large_buffer();
}

static void a_large_buffer_without_scaling_of_our_own(void **state)
{
    (void)state;
    expect_equal(stack_tunable_set(scene.a->st, "tcp_window_scaling", "0"), 0);
    send_to_large_buffer();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scene_test(a_large_buffer_is_no_larger_promise_to_a_peer_that_does_not_scale),
        scene_test(a_large_buffer_without_scaling_of_our_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
