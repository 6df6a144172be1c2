/* SPDX-License-Identifier: MIT */
/* The simulated device carries frames between peers that a test plays, and marks them. */
#include "proto/base/checksum.h"
#include "proto/ip/wire.h"
#include "tests/sim/sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct seen {
    unsigned n;
    uint8_t ecn[8];
    bool bad_sum;
};

static struct sim sim;
static struct seen seen;

static void note(struct sim_host *h, const struct sim_packet *p)
{
    struct seen *s = h->receive_ctx;
    const uint8_t *ip = p->data + ETH_HEADER;

    s->ecn[s->n++] = ip[IPV4_TOS] & 3;
    s->bad_sum = s->bad_sum || csum_fold(csum_partial(ip, IPV4_HEADER, 0)) != 0;
}

/* An IPv4 packet of 1,000 bytes from host 0 to host 1, protocol 253 (RFC 3692). */
static void send_packet(uint8_t ecn)
{
    uint8_t f[ETH_HEADER + 1000] = {0}, *ip = f + ETH_HEADER;
    uint16_t sum;

    memcpy(f, sim.host[1].mac, 6);
    memcpy(f + ETH_SOURCE, sim.host[0].mac, 6);
    wire_put16(f + ETH_TYPE, ETH_TYPE_IPV4);
    ip[0] = 0x45;
    ip[IPV4_TOS] = ecn;
    wire_put16(ip + IPV4_TOTAL, 1000);
    ip[IPV4_TTL] = 64;
    ip[IPV4_PROTO] = 253;
    wire_put32(ip + IPV4_SRC, 0x0a000001);
    wire_put32(ip + IPV4_DST, 0x0a000002);
    sum = csum_fold(csum_partial(ip, IPV4_HEADER, 0));
    memcpy(ip + IPV4_CHECKSUM, &sum, 2);
    sim_send(&sim.host[0], f, sizeof(f));
}

static int setup(void **state)
{
    struct sim_host_config hc = {.out = {.rate_bps = 1000000, .delay_us = 100, .mark_bytes = 1500}};

    (void)state;
    memset(&seen, 0, sizeof(seen));
    sim_init(&sim, 1, false);
    sim_add_peer(&sim, &hc, note, &seen);
    sim_add_peer(&sim, &hc, note, &seen);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sim_destroy(&sim);
    return 0;
}

static void capable_packets_are_marked_when_the_queue_grows(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++)
        send_packet(2);
    sim_run_for(&sim, SIM_SECOND);
    assert_int_equal(seen.n, 4);
    assert_memory_equal(seen.ecn, ((uint8_t[]){2, 2, 3, 3}), 4);
    assert_false(seen.bad_sum);
}

static void other_packets_are_left_alone(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++)
        send_packet(0);
    sim_run_for(&sim, SIM_SECOND);
    assert_int_equal(seen.n, 4);
    assert_memory_equal(seen.ecn, ((uint8_t[]){0, 0, 0, 0}), 4);
    assert_string_equal(sim.failure, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(capable_packets_are_marked_when_the_queue_grows, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(other_packets_are_left_alone, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
