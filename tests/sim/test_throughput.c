/* SPDX-License-Identifier: MIT */
/* What one connection makes of a link: buffers, windows and recovery together. */
#include "tests/sim/program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct bulk {
    struct sim sim;
    struct program a, b;
    struct program_server server;
    uint64_t half_at;
};

static bool both_closed(void *arg)
{
    struct bulk *k = arg;

    if (!k->half_at && k->b.received >= k->a.plan.send / 2)
        k->half_at = k->sim.now;
    return k->a.closed && k->b.closed;
}

/* Bits per second over the second half of a transfer of `bytes`. */
static uint64_t run_bulk(const struct link_config *link, uint64_t bytes, uint32_t features)
{
    static struct bulk k;
    struct sim_host_config hc = {
        .out = *link, .features = features, .large_frames = false, .device_queue = true};
    struct program_plan send = {.send = bytes, .write_min = 65536, .write_max = 65536}, none = {0};
    struct program *waiting[1] = {&k.b};
    struct ip_endpoint to;
    uint64_t rate;

    memset(&k, 0, sizeof(k));
    sim_init(&k.sim, 7, true);
    k.sim.check_every = 16;
    sim_add_host(&k.sim, &hc);
    sim_add_host(&k.sim, &hc);
    program_init(&k.a, &k.sim.host[0], &send, 1);
    program_init(&k.b, &k.sim.host[1], &none, 2);
    program_pair(&k.a, &k.b, 3);
    assert_int_equal(program_listen(&k.server, &k.sim.host[1], 80, 16, waiting, 1), 0);
    to = sim_endpoint(&k.sim.host[1], 80);
    assert_int_equal(program_connect(&k.a, &to), 0);
    if (!sim_run_until(&k.sim, both_closed, &k, k.sim.now + 600 * SIM_SECOND) || k.sim.failure[0]) {
        const char *file = sim_write_capture(&k.sim, NULL);

        fail_msg("%s: received %llu; capture %s",
                 k.sim.failure[0] ? k.sim.failure : "not done in ten minutes",
                 (unsigned long long)k.b.received, file ? file : "-");
    }
    assert_int_equal(k.b.received, bytes);
    rate = (bytes - bytes / 2) * 8 * SIM_SECOND / (k.b.last_at - k.half_at);
    print_message("# %llu of %llu kbit/s, %llu retransmitted\n", (unsigned long long)rate / 1000,
                  (unsigned long long)link->rate_bps / 1000,
                  (unsigned long long)stack_counters(k.sim.host[0].st)->v[CNT_tcp_out_retrans]);
    program_server_close(&k.server);
    sim_destroy(&k.sim);
    return rate;
}

static void one_connection_fills_a_gigabit_at_20_ms(void **state)
{
    struct link_config link = {.rate_bps = 1000000000, .delay_us = 10000};

    (void)state;
    assert_true(run_bulk(&link, 120u << 20, STACK_TX_CSUM | STACK_TX_TSO4) >= 900000000);
}

static void without_offload_it_fills_100_megabit_at_20_ms(void **state)
{
    struct link_config link = {.rate_bps = 100000000, .delay_us = 10000};

    (void)state;
    assert_true(run_bulk(&link, 10u << 20, 0) >= 90000000);
}

static void one_percent_loss_at_1_ms_leaves_a_fifth_of_100_megabit(void **state)
{
    struct link_config link = {.rate_bps = 100000000, .delay_us = 500, .loss_ppm = 10000};

    (void)state;
    assert_true(run_bulk(&link, 10u << 20, STACK_TX_CSUM | STACK_TX_TSO4) >= 20000000);
}

static void a_small_queue_at_10_megabit_is_used_well(void **state)
{
    struct link_config link = {.rate_bps = 10000000, .delay_us = 10000, .queue_bytes = 32768};

    (void)state;
    assert_true(run_bulk(&link, 4u << 20, STACK_TX_CSUM | STACK_TX_TSO4) >= 8000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_connection_fills_a_gigabit_at_20_ms),
        cmocka_unit_test(without_offload_it_fills_100_megabit_at_20_ms),
        cmocka_unit_test(one_percent_loss_at_1_ms_leaves_a_fifth_of_100_megabit),
        cmocka_unit_test(a_small_queue_at_10_megabit_is_used_well),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
