/* SPDX-License-Identifier: MIT */
/* The emulated link's model in virtual time; tests/net/relay_link.h, relay_wait.h. */
#include "tests/net/relay_link.h"
#include "tests/net/relay_wait.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LEN   1250 /* 100 us at 100 Mbit/s */
#define US    1000ull
#define START (5 * RELAY_S)

static struct relay_link make(const char *text)
{
    struct relay_config c = {0};
    struct relay_link l;
    const char *wrong = NULL;

    assert_int_equal(relay_config_parse(&c, text, &wrong), 0);
    assert_null(wrong);
    relay_link_init(&l, &c);
    return l;
}

static struct relay_fate offer(struct relay_link *l, uint64_t now, uint32_t nth)
{
    return relay_link_offer(l, now, LEN, false, 1, nth);
}

static void frames_leave_at_the_rate_and_arrive_after_the_delay(void **state)
{
    struct relay_link l = make("rate=100M,delay=10ms");

    (void)state;
    for (uint32_t i = 0; i < 1000; i++) {
        struct relay_fate f = offer(&l, START, i);
        assert_int_equal(f.copies, 1);
        assert_int_equal(f.at[0], START + (i + 1) * 100 * US + 10 * RELAY_MS);
    }
    assert_int_equal(relay_link_backlog(&l, START), 1000 * LEN);
    assert_int_equal(relay_link_backlog(&l, START + 50 * RELAY_MS), 500 * LEN);
    /* An idle line owes nothing. */
    assert_int_equal(offer(&l, START + RELAY_S, 1000).at[0],
                     START + RELAY_S + 100 * US + 10 * RELAY_MS);
}

static void the_queue_drops_its_tail_and_no_more(void **state)
{
    struct relay_link l = make("rate=100M,queue=1ms"); /* ten frames */

    (void)state;
    for (uint32_t i = 0; i < 10; i++)
        assert_int_equal(offer(&l, START, i).copies, 1);
    assert_int_equal(offer(&l, START, 10).copies, 0);
    assert_int_equal(offer(&l, START, 11).drop, RELAY_DROP_queue);
    assert_int_equal(l.queue_max, 10 * LEN);
    /* One has left: there is room for one. */
    assert_int_equal(offer(&l, START + 100 * US, 12).copies, 1);
    assert_int_equal(offer(&l, START + 100 * US, 13).copies, 0);
}

static void a_bloated_queue_holds_frames_for_its_whole_time(void **state)
{
    struct relay_link l = make("rate=20M,delay=10ms,queue=200ms");
    uint64_t latest = 0;
    uint32_t taken = 0;

    (void)state;
    for (uint32_t i = 0; i < 2000; i++) {
        struct relay_fate f = offer(&l, START, i);
        taken += f.copies;
        if (f.copies)
            latest = f.at[0];
    }
    assert_int_equal(taken, 400); /* 200 ms at 20 Mbit/s */
    assert_int_equal(latest, START + 210 * RELAY_MS);
}

static unsigned lost(const struct relay_link *model, uint32_t flow, uint8_t mask[1000])
{
    struct relay_link l = *model;
    unsigned n = 0;

    for (uint32_t i = 0; i < 1000; i++) {
        struct relay_fate f = relay_link_offer(&l, START + i, LEN, false, flow, i);
        mask[i] = f.copies == 0;
        n += mask[i];
        assert_true(f.copies == 1 || f.drop == RELAY_DROP_loss);
    }
    return n;
}

static void losses_are_as_many_as_asked_for(void **state)
{
    struct relay_link l = make("loss=30,seed=7");
    uint8_t mask[1000];
    unsigned n = 0;

    (void)state;
    for (uint32_t flow = 1; flow <= 100; flow++)
        n += lost(&l, flow, mask);
    assert_in_range(n, 2800, 3200); /* 3000, standard deviation 54 */
    l = make("seed=7");
    assert_int_equal(lost(&l, 1, mask), 0);
    l = make("loss=1000");
    assert_int_equal(lost(&l, 1, mask), 1000);
}

static void the_same_seed_flow_and_frame_meet_the_same_fate(void **state)
{
    struct relay_link a = make("loss=100,seed=1"), b = make("loss=100,seed=1,rate=10M"),
                      c = make("loss=100,seed=2");
    uint8_t one[1000], other[1000];

    (void)state;
    lost(&a, 1, one);
    lost(&b, 1, other); /* another speed, other times */
    assert_memory_equal(one, other, sizeof(one));
    lost(&c, 1, other);
    assert_memory_not_equal(one, other, sizeof(one));
    lost(&a, 2, other);
    assert_memory_not_equal(one, other, sizeof(one));
}

static void exempt_frames_meet_no_chance(void **state)
{
    struct relay_link l = make("loss=1000,dup=1000,reorder=1000:1ms");
    struct relay_fate f = relay_link_offer(&l, START, 60, true, 0, 0);

    (void)state;
    assert_int_equal(f.copies, 1);
    assert_false(f.reordered);
    assert_int_equal(f.at[0], START);
}

static void a_lost_frame_took_its_time_on_the_wire(void **state)
{
    struct relay_link l = make("rate=100M,loss=1000");

    (void)state;
    assert_int_equal(offer(&l, START, 0).drop, RELAY_DROP_loss);
    assert_int_equal(relay_link_backlog(&l, START), LEN);
}

static void reordered_frames_are_late_and_the_others_are_not(void **state)
{
    struct relay_link l = make("rate=100M,reorder=100:5ms,seed=3");
    unsigned late = 0;

    (void)state;
    for (uint32_t i = 0; i < 10000; i++) {
        struct relay_fate f = offer(&l, START, i);
        uint64_t due = START + (i + 1) * 100 * US;
        assert_int_equal(f.at[0], f.reordered ? due + 5 * RELAY_MS : due);
        late += f.reordered;
    }
    assert_in_range(late, 900, 1100);
}

static void jitter_varies_the_delay_and_keeps_the_order(void **state)
{
    struct relay_link l = make("delay=10ms,jitter=4ms,seed=3");
    uint64_t before = 0, least = UINT64_MAX, most = 0;

    (void)state;
    for (uint32_t i = 0; i < 1000; i++) {
        uint64_t now = START + i * 10 * RELAY_MS, at = offer(&l, now, i).at[0];
        assert_in_range(at - now, 10 * RELAY_MS, 14 * RELAY_MS);
        assert_true(at >= before);
        before = at;
        least = at - now < least ? at - now : least;
        most = at - now > most ? at - now : most;
    }
    assert_true(most - least > 3 * RELAY_MS);
    for (uint32_t i = 1000; i < 2000; i++) { /* closer than the jitter */
        uint64_t at = offer(&l, START + 20 * RELAY_S + i * US, i).at[0];
        assert_true(at >= before);
        before = at;
    }
}

static void duplicates_arrive_twice_at_once(void **state)
{
    struct relay_link l = make("dup=50,delay=1ms");
    unsigned twice = 0;

    (void)state;
    for (uint32_t i = 0; i < 10000; i++) {
        struct relay_fate f = offer(&l, START, i);
        assert_int_equal(f.at[0], f.at[1]);
        twice += f.copies == 2;
    }
    assert_in_range(twice, 420, 580);
}

static void the_policer_lets_a_burst_pass_and_then_its_rate(void **state)
{
    struct relay_link l = make("police=10M:12500"); /* ten frames; one a millisecond */
    unsigned passed = 0;

    (void)state;
    for (uint32_t i = 0; i < 100; i++) {
        struct relay_fate f = offer(&l, START, i);
        passed += f.copies;
        assert_int_equal(f.copies ? f.at[0] : START, START); /* no queue: at once or never */
        assert_true(f.copies || f.drop == RELAY_DROP_policer);
    }
    assert_int_equal(passed, 10);
    for (uint32_t i = 0; i < 10000; i++) /* ten times its rate for a second */
        passed += offer(&l, START + i * 100 * US, i).copies;
    assert_in_range(passed, 1008, 1011);
    /* Rest fills the bucket, no further than the burst. */
    passed = 0;
    for (uint32_t i = 0; i < 100; i++)
        passed += offer(&l, START + 60 * RELAY_S, i).copies;
    assert_int_equal(passed, 10);
}

static void the_outage_counts_from_the_start_of_data(void **state)
{
    struct relay_link l = make("outage=2s:3s");

    (void)state;
    assert_int_equal(offer(&l, START + 2 * RELAY_S, 0).copies, 1); /* not started */
    relay_link_start(&l, START + 10 * RELAY_S);
    relay_link_start(&l, START + 11 * RELAY_S); /* the first one holds */
    assert_int_equal(offer(&l, START + 12 * RELAY_S - 1, 1).copies, 1);
    assert_int_equal(offer(&l, START + 12 * RELAY_S, 2).drop, RELAY_DROP_outage);
    assert_int_equal(offer(&l, START + 13 * RELAY_S - 1, 3).copies, 0);
    assert_int_equal(offer(&l, START + 13 * RELAY_S, 4).copies, 1);
}

static void descriptions_are_read_or_refused(void **state)
{
    static const char *const bad[] = {"rate",       "rate=",     "rate=x",     "rate=5Q",
                                      "loss=1001",  "delay=5",   "reorder=20", "police=1M",
                                      "outage=1s:", "rate=-1",   "speed=1",    "queue=5ms",
                                      ",",          "rate=1M,,", "loss=1.5"};
    struct relay_config c = {0};
    const char *wrong;

    (void)state;
    assert_int_equal(relay_config_parse(&c,
                                        "queue=100ms,rate=8M,delay=250us,jitter=1ms,loss=1,dup=2,"
                                        "reorder=3:4ms,police=5K:6K,outage=1s:1500ms,seed=9",
                                        &wrong),
                     0);
    assert_int_equal(c.rate, 8000000);
    assert_int_equal(c.queue, 100000);
    assert_int_equal(c.delay, 250 * US);
    assert_int_equal(c.jitter, RELAY_MS);
    assert_int_equal(c.loss, 1);
    assert_int_equal(c.dup, 2);
    assert_int_equal(c.reorder, 3);
    assert_int_equal(c.reorder_by, 4 * RELAY_MS);
    assert_int_equal(c.police_rate, 5000);
    assert_int_equal(c.police_burst, 6144);
    assert_int_equal(c.outage_from, RELAY_S);
    assert_int_equal(c.outage_to, RELAY_S + 500 * RELAY_MS);
    assert_int_equal(c.seed, 9);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        memset(&c, 0, sizeof(c));
        assert_true(relay_config_parse(&c, bad[i], &wrong) < 0);
        assert_non_null(wrong);
    }
    assert_int_equal(relay_config_parse(&c, "", &wrong), 0);
}

static void frames_come_out_by_time_and_else_in_order(void **state)
{
    struct relay_wait w = {0};
    uint32_t x = 1;
    uint64_t before = 0, order = 0;

    (void)state;
    assert_null(relay_wait_pop(&w));
    for (uint32_t i = 0; i < 5000; i++) {
        x = x * 1664525 + 1013904223;
        assert_int_equal(relay_wait_push(&w, x >> 24, (int)(i & 1), &i, sizeof(i)), 0);
    }
    for (uint32_t i = 0; i < 5000; i++) {
        struct relay_frame *f;
        uint32_t number;

        assert_non_null(relay_wait_first(&w));
        f = relay_wait_pop(&w);
        memcpy(&number, f->data, sizeof(number));
        assert_true(f->at > before || (f->at == before && (i == 0 || f->order > order)));
        assert_int_equal(f->order, number);
        assert_int_equal(f->side, number & 1);
        before = f->at;
        order = f->order;
        free(f);
    }
    assert_null(relay_wait_first(&w));
    assert_int_equal(relay_wait_push(&w, 1, 0, "x", 1), 0);
    relay_wait_clear(&w);
    assert_null(relay_wait_first(&w));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_leave_at_the_rate_and_arrive_after_the_delay),
        cmocka_unit_test(the_queue_drops_its_tail_and_no_more),
        cmocka_unit_test(a_bloated_queue_holds_frames_for_its_whole_time),
        cmocka_unit_test(losses_are_as_many_as_asked_for),
        cmocka_unit_test(the_same_seed_flow_and_frame_meet_the_same_fate),
        cmocka_unit_test(exempt_frames_meet_no_chance),
        cmocka_unit_test(a_lost_frame_took_its_time_on_the_wire),
        cmocka_unit_test(reordered_frames_are_late_and_the_others_are_not),
        cmocka_unit_test(jitter_varies_the_delay_and_keeps_the_order),
        cmocka_unit_test(duplicates_arrive_twice_at_once),
        cmocka_unit_test(the_policer_lets_a_burst_pass_and_then_its_rate),
        cmocka_unit_test(the_outage_counts_from_the_start_of_data),
        cmocka_unit_test(descriptions_are_read_or_refused),
        cmocka_unit_test(frames_come_out_by_time_and_else_in_order),
    };

    return cmocka_run_group_tests_name("relay_link", tests, NULL, NULL);
}
