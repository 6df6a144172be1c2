/* SPDX-License-Identifier: MIT */
/* The simulated link does to packets what its configuration says, and nothing else. */
#include "tests/sim/link.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MBIT 1000000ull

static const struct link_packet data = {.bytes = 1514}, ack = {.bytes = 66, .empty = true};

static struct link make(struct link_config config)
{
    struct link l;

    link_init(&l, &config, 5);
    return l;
}

/* Offer n packets, one each `gap` microseconds; returns how many arrive. */
static unsigned offer(struct link *l, const struct link_packet *p, unsigned n, uint64_t gap)
{
    unsigned arrived = 0;

    for (unsigned i = 0; i < n; i++)
        arrived += link_offer(l, p, 1000000 + i * gap).copies > 0;
    return arrived;
}

static void expect_about(double got, double want, double tolerance)
{
    if (got < want * (1 - tolerance) || got > want * (1 + tolerance))
        fail_msg("%f instead of about %f", got, want);
}

static void a_rate_spaces_packets(void **state)
{
    static const uint64_t rates[] = {64000, 1 * MBIT, 100 * MBIT, 10000 * MBIT};

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct link l = make((struct link_config){.rate_bps = rates[i], .delay_us = 25});
        uint64_t last = 0;

        for (unsigned n = 0; n < 1000; n++)
            last = link_offer(&l, &data, 0).arrives[0];
        expect_about((double)(last - 25), 1000 * 1514 * 8 * 1e6 / (double)rates[i], 0.01);
    }
}

static void a_full_queue_drops_the_tail(void **state)
{
    struct link l = make((struct link_config){.rate_bps = 10 * MBIT, .queue_bytes = 30000});

    (void)state;
    assert_in_range(offer(&l, &data, 100, 0), 20, 22);
    assert_in_range(l.dropped, 78, 80);
    assert_in_range(link_backlog(&l, 1000000), 29000, 33000);
}

static void only_capable_packets_are_marked(void **state)
{
    struct link l = make((struct link_config){.rate_bps = 10 * MBIT, .mark_bytes = 5000});
    struct link_packet ect = data;
    unsigned marked = 0;

    (void)state;
    ect.ect = true;
    for (unsigned i = 0; i < 10; i++)
        assert_false(link_offer(&l, &data, 0).ce);
    for (unsigned i = 0; i < 10; i++)
        marked += link_offer(&l, &ect, 0).ce;
    assert_int_equal(marked, 10);
    assert_int_equal(l.marked, 10);
    assert_false(link_offer(&l, &ect, 1000000).ce);
}

static void a_policer_lets_its_rate_through(void **state)
{
    struct link l = make((struct link_config){
        .rate_bps = 1000 * MBIT, .police_bps = 10 * MBIT, .police_bytes = 20000});

    (void)state;
    /* 100 Mbit/s for 12 s */
    expect_about(offer(&l, &data, 100000, 121), 10.0 * MBIT * 12.1 / 8 / 1514, 0.01);
    assert_int_equal(l.lost + l.dropped, 0);
}

static void a_policer_lets_a_burst_through(void **state)
{
    struct link l = make(
        (struct link_config){.rate_bps = 1000 * MBIT, .police_bps = 64000, .police_bytes = 20000});

    (void)state;
    assert_int_equal(offer(&l, &data, 100, 0), 20000 / 1514);
}

static void loss_is_as_often_as_configured(void **state)
{
    struct link l = make((struct link_config){.loss_ppm = 200000});

    (void)state;
    expect_about(offer(&l, &data, 100000, 10), 80000, 0.01);
}

static void ack_loss_spares_data(void **state)
{
    struct link l = make((struct link_config){.ack_loss_ppm = 300000});

    (void)state;
    assert_int_equal(offer(&l, &data, 1000, 10), 1000);
    expect_about(offer(&l, &ack, 100000, 10), 70000, 0.01);
}

/* Mean lengths of good and bad times are the inverse of the two chances. */
static void bursts_have_the_lengths_of_gilberts_channel(void **state)
{
    struct link l = make((struct link_config){
        .burst = {.begin_ppm = 10000, .end_ppm = 200000, .loss_ppm = 1000000, .most_us = 1000000}});
    unsigned lost = 0, bursts = 0;
    bool before = false;

    (void)state;
    for (unsigned i = 0; i < 200000; i++) {
        bool gone = !link_offer(&l, &data, 1000000 + i).copies;

        lost += gone;
        bursts += gone && !before;
        before = gone;
    }
    expect_about((double)lost / bursts, 5, 0.1);
    expect_about((double)lost / 200000, 5.0 / 105, 0.1);
}

static void silence_ends_a_burst(void **state)
{
    struct link l = make(
        (struct link_config){.burst = {.begin_ppm = 1000000, .loss_ppm = 1000000, .most_us = 500}});

    (void)state;
    assert_int_equal(link_offer(&l, &data, 1000).copies, 0);
    assert_int_equal(link_offer(&l, &data, 1499).copies, 0);
    l.config.burst.begin_ppm = 0;
    assert_int_equal(link_offer(&l, &data, 1500).copies, 1);
}

static void acks_leave_in_bunches(void **state)
{
    struct link l = make((struct link_config){.delay_us = 100, .ack_hold_us = 10000});
    uint64_t bunches = 0, last = 0;

    (void)state;
    for (uint64_t now = 0; now < 100000; now += 500) {
        uint64_t at = link_offer(&l, &ack, now).arrives[0];

        assert_int_equal(at % 10000, 0);
        assert_in_range(at - now, 100, 10100);
        bunches += at != last;
        last = at;
    }
    assert_in_range(bunches, 10, 11);
}

static void jitter_keeps_the_order_and_reordering_does_not(void **state)
{
    struct link calm = make((struct link_config){.delay_us = 1000, .jitter_us = 900});
    struct link wild =
        make((struct link_config){.delay_us = 1000, .reorder_ppm = 1000000, .reorder_us = 900});
    uint64_t last = 0, overtaken = 0, now;

    (void)state;
    for (now = 0; now < 100000; now += 100) {
        uint64_t at = link_offer(&calm, &data, now).arrives[0];

        assert_true(at >= last && at >= now + 1000);
        last = at;
    }
    last = 0;
    for (now = 0; now < 100000; now += 100) {
        uint64_t at = link_offer(&wild, &data, now).arrives[0];

        assert_in_range(at, now + 1000, now + 1900);
        overtaken += at < last;
        last = at;
    }
    assert_in_range(overtaken, 300, 700);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rate_spaces_packets),
        cmocka_unit_test(a_full_queue_drops_the_tail),
        cmocka_unit_test(only_capable_packets_are_marked),
        cmocka_unit_test(a_policer_lets_its_rate_through),
        cmocka_unit_test(a_policer_lets_a_burst_through),
        cmocka_unit_test(loss_is_as_often_as_configured),
        cmocka_unit_test(ack_loss_spares_data),
        cmocka_unit_test(bursts_have_the_lengths_of_gilberts_channel),
        cmocka_unit_test(silence_ends_a_burst),
        cmocka_unit_test(acks_leave_in_bunches),
        cmocka_unit_test(jitter_keeps_the_order_and_reordering_does_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
