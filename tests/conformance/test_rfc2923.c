/* SPDX-License-Identifier: MIT */
/* RFC 2923 §2.1 and RFC 4821 §1: paths that swallow large packets and do not say so. */
#include "tests/sim/scene.h"

#define BYTES 400000

static struct program reader, writer;
static struct program_server server;
static uint32_t largest; /* packet from the sender, since it was set to 0 */

static bool note_size(struct sim_host *h, const struct wire_packet *p)
{
    uint32_t total = (uint32_t)p->frame[16] << 8 | p->frame[17];

    (void)h;
    if (p->tcp && p->len && total > largest)
        largest = total;
    return true;
}

static bool done(void *arg)
{
    (void)arg;
    return reader.closed && writer.closed;
}

static void hosts(uint32_t path)
{
    struct sim_host_config c = {.out = {.rate_bps = 20000000, .delay_us = 10000, .mtu = path}};

    scene_hosts(&c, &c);
    expect_equal(stack_tunable_set(scene.a->st, "tcp_mtu_probing", "1"), 0);
    scene.a->filter = note_size;
    largest = 0;
}

/* a sends to b, on a connection of its own. Returns the seconds that it took, or -1. */
static double transfer(uint64_t seed, uint64_t shrinks_after, uint32_t to_mtu, double patience)
{
    static struct program *waiting[1] = {&reader};
    struct program_plan send = {.send = BYTES}, read = {.read_max = 60000};
    uint16_t port = (uint16_t)(1000 + seed);
    struct ip_endpoint to = sim_endpoint(scene.b, port);
    double began = scene_time();
    bool well;

    program_init(&writer, scene.a, &send, seed);
    program_init(&reader, scene.b, &read, seed + 1);
    program_pair(&writer, &reader, seed + 2);
    expect_equal(program_listen(&server, scene.b, port, 4, waiting, 1), 0);
    expect_equal(program_connect(&writer, &to), 0);
    if (shrinks_after) {
        sim_run_for(&scene.sim, shrinks_after);
        expect(reader.received > 0 && reader.received < BYTES);
        scene.a->out.config.mtu = to_mtu;
    }
    well = sim_run_until(&scene.sim, done, NULL, scene.sim.now + (uint64_t)(patience * SIM_SECOND));
    program_server_close(&server);
    if (!well)
        return -1;
    expect_equal(reader.received, BYTES);
    expect_equal(writer.error, 0);
    return scene_time() - began;
}

/* From the first segment on nothing above 1,300 bytes passes, and nobody says so. */
static void rfc4821_01_works_without_icmp(void **state)
{
    double seconds;

    (void)state;
    hosts(1300);
    seconds = transfer(1, 0, 0, 60);
    expect(seconds > 0);
    expect(scene_count(scene.a, CNT_tcp_mtu_black_holes) > 0);
    expect_equal(scene_count(scene.a, CNT_icmp_in), 0);
    /* probes have found more than the size to fall back to */
    expect(scene_count(scene.a, CNT_tcp_mtu_probe_success) > 0);
}

/* The same without probing: it hangs, as it does in Linux by default. */
static void without_probing_it_hangs(void **state)
{
    (void)state;
    hosts(1300);
    expect_equal(stack_tunable_set(scene.a->st, "tcp_mtu_probing", "0"), 0);
    expect(transfer(1, 0, 0, 60) < 0);
    expect_equal(reader.received, 0);
}

/* The path narrows under a transfer: time-outs of full segments lead to smaller ones. */
static void rfc2923_01_black_hole_detect(void **state)
{
    static const uint32_t mtus[] = {1400, 1000, 600, 300};

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        hosts(0);
        expect(transfer(10 * i + 1, 80000, mtus[i], 200) > 0);
        expect(scene_count(scene.a, CNT_tcp_mtu_black_holes) > 0);
    }
}

/* The next connections on that path begin below the hole at once, for ten minutes; then it is tried
 * again, and a path that was mended is used whole. */
static void rfc2923_02_black_hole_memory(void **state)
{
    double first, next;
    uint64_t holes;

    (void)state;
    hosts(1200);
    first = transfer(1, 0, 0, 60);
    holes = scene_count(scene.a, CNT_tcp_mtu_black_holes);
    expect(first > 3);
    expect(holes > 0);
    next = transfer(11, 0, 0, 60);
    expect(next > 0 && next < 3);
    expect_equal(scene_count(scene.a, CNT_tcp_mtu_black_holes), holes);
    /* nothing but probes of the search is larger than what passed */
    scene_wait(300);
    next = transfer(21, 0, 0, 60);
    expect(next > 0 && next < 3);
    expect_equal(scene_count(scene.a, CNT_tcp_mtu_black_holes), holes);
    scene_wait(700);
    scene.a->out.config.mtu = 0;
    largest = 0;
    next = transfer(31, 0, 0, 60);
    expect(next > 0 && next < 3);
    expect_equal(largest, 1500);
    expect_equal(scene_count(scene.a, CNT_tcp_mtu_black_holes), holes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scene_test(rfc4821_01_works_without_icmp),
        {"rfc4821_01_works_without_icmp-off", without_probing_it_hangs, scene_setup, scene_teardown,
         NULL},
        scene_test(rfc2923_01_black_hole_detect),
        scene_test(rfc2923_02_black_hole_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
