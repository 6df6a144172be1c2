/* SPDX-License-Identifier: MIT */
/* Frames from one worker to another, the directory of descriptors, and each thread's counters. */
#include "daemon/directory.h"
#include "daemon/handover.h"
#include "daemon/stats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>

static struct frame frame_of(uint8_t *bytes, uint32_t len)
{
    struct frame f;

    frame_init(&f);
    f.data = bytes;
    f.len = len;
    return f;
}

static void a_frame_arrives_as_it_was(void **state)
{
    static struct handover h;
    uint8_t bytes[100];
    struct frame f = frame_of(bytes, sizeof(bytes)), *got;

    (void)state;
    memset(bytes, 7, sizeof(bytes));
    f.gso = FRAME_GSO_TCP4;
    f.gso_size = 1448;
    f.csum = FRAME_CSUM_PARTIAL;
    f.csum_start = 34;
    f.csum_offset = 16;
    assert_null(handover_take(&h));
    assert_true(handover_give(&h, &f));
    memset(bytes, 0, sizeof(bytes)); /* the device's buffer is used again */
    got = handover_take(&h);
    assert_non_null(got);
    assert_int_equal(got->len, sizeof(bytes));
    assert_int_equal(got->gso, FRAME_GSO_TCP4);
    assert_int_equal(got->gso_size, 1448);
    assert_int_equal(got->csum_start, 34);
    assert_int_equal(got->csum_offset, 16);
    assert_int_equal(got->n_spans, 0);
    assert_int_equal((uintptr_t)(got->data + 14) % 4, 0);
    for (size_t i = 0; i < sizeof(bytes); i++)
        assert_int_equal(got->data[i], 7);
    free(got);
    assert_null(handover_take(&h));
}

static void a_full_ring_takes_no_more(void **state)
{
    static struct handover h;
    uint8_t byte = 1;
    struct frame f = frame_of(&byte, 1), *got;

    (void)state;
    for (unsigned i = 0; i < HANDOVER_SLOTS; i++)
        assert_true(handover_give(&h, &f));
    assert_false(handover_give(&h, &f));
    got = handover_take(&h);
    assert_non_null(got);
    free(got);
    assert_true(handover_give(&h, &f));
    while ((got = handover_take(&h)) != NULL)
        free(got);
}

enum { MANY = 100000 };

static void *give_many(void *arg)
{
    struct handover *h = arg;

    for (uint32_t i = 0; i < MANY;) {
        uint8_t bytes[8];
        struct frame f = frame_of(bytes, sizeof(bytes));

        memcpy(bytes, &i, sizeof(i));
        if (handover_give(h, &f))
            i++;
        else
            sched_yield();
    }
    return NULL;
}

static void two_threads_lose_nothing_and_keep_the_order(void **state)
{
    static struct handover h;
    uint32_t next = 0, value;
    pthread_t giver;

    (void)state;
    assert_int_equal(pthread_create(&giver, NULL, give_many, &h), 0);
    while (next < MANY) {
        struct frame *f = handover_take(&h);

        if (!f) {
            sched_yield();
            continue;
        }
        memcpy(&value, f->data, sizeof(value));
        assert_int_equal(value, next++);
        free(f);
    }
    pthread_join(giver, NULL);
    assert_null(handover_take(&h));
}

static void the_directory_knows_who_has_what(void **state)
{
    struct directory d;

    (void)state;
    directory_init(&d);
    assert_int_equal(directory_find(&d, 5), -1);
    assert_int_equal(directory_put(&d, 5, 0), 0);
    assert_int_equal(directory_put(&d, 6, 3), 0);
    assert_int_equal(directory_find(&d, 5), 0);
    assert_int_equal(directory_find(&d, 6), 3);
    assert_int_equal(directory_put(&d, 5, 2), 0); /* it has moved */
    assert_int_equal(directory_find(&d, 5), 2);
    directory_remove(&d, 5);
    assert_int_equal(directory_find(&d, 5), -1);
    directory_destroy(&d);
}

static void *count(void *arg)
{
    stats_count_in(*(unsigned *)arg);
    for (int i = 0; i < 1000; i++)
        stats_add(STAT_loop_rounds, 2);
    return NULL;
}

static void threads_count_apart_and_are_added_up(void **state)
{
    unsigned tables[3] = {1, 2, STATS_TABLES - 1};
    uint64_t before = stats_total(STAT_loop_rounds);
    pthread_t t[3];

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&t[i], NULL, count, &tables[i]), 0);
    stats_add(STAT_loop_rounds, 1);
    for (int i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
    assert_int_equal(stats_total(STAT_loop_rounds), before + 6001);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_arrives_as_it_was),
        cmocka_unit_test(a_full_ring_takes_no_more),
        cmocka_unit_test(two_threads_lose_nothing_and_keep_the_order),
        cmocka_unit_test(the_directory_knows_who_has_what),
        cmocka_unit_test(threads_count_apart_and_are_added_up),
    };

    return cmocka_run_group_tests_name("handover", tests, NULL, NULL);
}
