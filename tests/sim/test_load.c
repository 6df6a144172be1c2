/* SPDX-License-Identifier: MIT */
/* Many connections at once, and what they do when the device, the path or the memory is short. */
#include "tests/sim/scene.h"

#include <errno.h>

#define MANY 500

static struct program many[2 * MANY];
static unsigned many_n;

static bool all_closed(void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < many_n; i++) {
        if (!many[2 * i].closed || (!many[2 * i + 1].closed && many[2 * i + 1].s))
            return false;
    }
    return true;
}

/* n programs of `from` connect to as many of `to`; the ends of each pair find each other by the
 * order of accept, so all streams of one direction are the same. */
static void run_many(struct sim_host *from, struct sim_host *to, unsigned n, uint64_t bytes,
                     uint64_t back, double seconds)
{
    static struct program *waiting[MANY];
    struct program_plan pa = {.send = bytes, .write_min = 1, .write_max = 5000},
                        pb = {.send = back, .pair = true};
    struct program_server server;
    struct ip_endpoint remote = sim_endpoint(to, 80);

    many_n = n;
    for (unsigned i = 0; i < n; i++) {
        program_init(&many[2 * i], from, &pa, i);
        program_init(&many[2 * i + 1], to, &pb, i + MANY);
        program_pair(&many[2 * i], &many[2 * i + 1], 5);
        waiting[i] = &many[2 * i + 1];
    }
    expect_equal(program_listen(&server, to, 80, 1000, waiting, n), 0);
    for (unsigned i = 0; i < n; i++) {
        int err = program_connect(&many[2 * i], &remote);

        if (err == -ENOMEM || err == -ENOBUFS) {
            many[2 * i].closed = true;
            many[2 * i].error = -err;
            if (many[2 * i].s)
                sock_close(many[2 * i].s, scene.sim.now);
        } else {
            expect_equal(err, 0);
        }
    }
    sim_run_until(&scene.sim, all_closed, NULL, scene.sim.now + (uint64_t)(seconds * 1e6));
    expect(all_closed(NULL));
    program_server_close(&server);
}

static void five_hundred_connections_at_once(void **state)
{
    struct sim_host_config c = {
        .features = STACK_TX_CSUM | STACK_TX_TSO4,
        .device_queue = true,
        .out = {.rate_bps = 100000000, .delay_us = 5000, .loss_ppm = 20000}};

    (void)state;
    scene_hosts(&c, &c);
    scene.sim.check_every = 50; /* each check looks at all of them */
    run_many(scene.a, scene.b, MANY, 20000, 5000, 600);
    for (unsigned i = 0; i < 2 * MANY; i++) {
        expect_equal(many[i].error, 0);
        expect_equal(many[i].received, many[i].expect);
    }
    scene_expect_empty(1000);
}

static void two_programs_on_one_core_need_no_wire(void **state)
{
    (void)state;
    run_many(scene.a, scene.a, 20, 300000, 100000, 60);
    for (unsigned i = 0; i < 40; i++) {
        expect_equal(many[i].error, 0);
        expect_equal(many[i].received, many[i].expect);
    }
    expect_equal(scene.sim.packets, 0);
    scene_expect_empty(62);
}

static void a_device_that_often_refuses_loses_nothing(void **state)
{
    struct sim_host_config c = {.features = STACK_TX_CSUM | STACK_TX_TSO4,
                                .device_queue = true,
                                .device_bytes = 20000,
                                .refuse_ppm = 400000,
                                .refuse_us = 3000,
                                .out = {.rate_bps = 100000000, .delay_us = 500}};

    (void)state;
    scene_hosts(&c, &c);
    run_many(scene.a, scene.b, 10, 200000, 200000, 600);
    for (unsigned i = 0; i < 20; i++) {
        expect_equal(many[i].error, 0);
        expect_equal(many[i].received, many[i].expect);
    }
    expect(scene_count(scene.a, CNT_dev_backpressure) > 100);
    scene_expect_empty(200);
}

static void short_of_memory_transfers_finish_or_fail_cleanly(void **state)
{
    static const uint64_t limits[] = {400000, 700000, 1500000, 4000000};

    (void)state;
    for (unsigned turn = 0; turn < 4; turn++) {
        struct sim_host_config c = {
            .features = STACK_TX_CSUM | STACK_TX_TSO4,
            .memory_limit = limits[turn],
            .out = {.rate_bps = 100000000, .delay_us = 2000, .loss_ppm = 5000}};
        unsigned well = 0;

        scene_hosts(&c, &c);
        scene.sim.check_every = 20;
        run_many(scene.a, scene.b, 60, 200000, 50000, 4000);
        for (unsigned i = 0; i < 60; i++)
            well += !many[2 * i].error && many[2 * i].received == many[2 * i].expect;
        print_message("# %llu bytes: %u of 60 well, %llu allocations failed at the listener\n",
                      (unsigned long long)limits[turn], well,
                      (unsigned long long)scene_count(scene.b, CNT_sock_no_memory));
        expect(turn < 2 || well > 0);
        if (turn == 3)
            expect_equal(well, 60);
        scene_expect_empty(2000);
    }
}

/* Their owner's memory, at both ends: who has a connection gets on with it. */
static void short_of_their_owner_s_memory_transfers_finish(void **state)
{
    static const uint64_t quotas[] = {160000, 1048576, 4000000};

    (void)state;
    for (unsigned turn = 0; turn < 3; turn++) {
        struct sim_host_config c = {
            .features = STACK_TX_CSUM | STACK_TX_TSO4,
            .quota = quotas[turn],
            .out = {.rate_bps = 100000000, .delay_us = 2000, .loss_ppm = 5000}};
        unsigned well = 0, failed = 0;

        scene_hosts(&c, &c);
        scene.sim.check_every = 20;
        run_many(scene.a, scene.b, 60, 200000, 50000, 4000);
        for (unsigned i = 0; i < 60; i++) {
            well += !many[2 * i].error && many[2 * i].received == many[2 * i].expect;
            failed += many[2 * i].error != 0;
        }
        print_message("# %llu bytes: %u of 60 well, %u failed, %llu and %llu times refused\n",
                      (unsigned long long)quotas[turn], well, failed,
                      (unsigned long long)scene_count(scene.a, CNT_quota_refused),
                      (unsigned long long)scene_count(scene.b, CNT_quota_refused));
        /* whom the listener's owner has no room for is told so, some time after the handshake */
        expect_equal(well + failed, 60);
        expect(turn == 0 ? well > 0 : well == 60);
        scene_expect_empty(2000);
    }
}

static void a_smaller_mtu_on_the_way_is_learned(void **state)
{
    static const uint32_t mtus[] = {1499, 1400, 1000, 600};

    (void)state;
    for (unsigned turn = 0; turn < 8; turn++) {
        struct sim_host_config c = {.features = turn % 2 ? STACK_TX_CSUM | STACK_TX_TSO4 : 0,
                                    .too_big_is_told = true,
                                    .out = {.rate_bps = 100000000,
                                            .delay_us = 2000,
                                            .mtu = mtus[turn / 2],
                                            .loss_ppm = turn > 3 ? 10000 : 0}};

        scene_hosts(&c, &c);
        run_many(scene.a, scene.b, 4, 500000, 300000, 60);
        for (unsigned i = 0; i < 8; i++) {
            expect_equal(many[i].error, 0);
            expect_equal(many[i].received, many[i].expect);
        }
        scene_expect_empty(200);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scene_test(five_hundred_connections_at_once),
        scene_test(two_programs_on_one_core_need_no_wire),
        scene_test(a_device_that_often_refuses_loses_nothing),
        scene_test(a_smaller_mtu_on_the_way_is_learned),
        scene_test(short_of_memory_transfers_finish_or_fail_cleanly),
        scene_test(short_of_their_owner_s_memory_transfers_finish),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
