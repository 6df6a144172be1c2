/* SPDX-License-Identifier: MIT */
/*
 * A timerfd in an epoll set fires within microseconds of its time, while epoll_wait's own timeout,
 * which is libuv's, counts whole milliseconds. So a timerfd drives the core's deadlines.
 */
#include "tests/platform/platform.h"
#include <sys/epoll.h>
#include <sys/timerfd.h>

#define ROUNDS 101

static int timer, set;

static int open_timer(void **state unused)
{
    struct epoll_event e = {.events = EPOLLIN};
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    set = epoll_create1(EPOLL_CLOEXEC);
    return timer < 0 || set < 0 || epoll_ctl(set, EPOLL_CTL_ADD, timer, &e) ? -1 : 0;
}

static void arm_at(uint64_t us)
{
    struct itimerspec t = {
        .it_value = {.tv_sec = (time_t)(us / 1000000), .tv_nsec = (long)(us % 1000000) * 1000}};
    assert_int_equal(timerfd_settime(timer, TFD_TIMER_ABSTIME, &t, NULL), 0);
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void a_timerfd_wakes_epoll_far_less_than_a_millisecond_late(void **state unused)
{
    static const uint64_t waits[] = {50, 200, 1000, 5000};
    struct epoll_event e;
    uint64_t late[ROUNDS], fired;
    for (size_t w = 0; w < 4; w++) {
        for (int i = 0; i < ROUNDS; i++) {
            uint64_t due = now_us() + waits[w];
            arm_at(due);
            assert_int_equal(epoll_wait(set, &e, 1, 1000), 1);
            uint64_t now = now_us();
            assert_true(now >= due); /* never early */
            late[i] = now - due;
            assert_int_equal(read(timer, &fired, sizeof(fired)), sizeof(fired));
            assert_int_equal(fired, 1);
        }
        qsort(late, ROUNDS, sizeof(late[0]), by_value);
        note("wait of %u us: late by %u us (median), %u (90th), %u (most)", (unsigned)waits[w],
             (unsigned)late[ROUNDS / 2], (unsigned)late[ROUNDS * 9 / 10],
             (unsigned)late[ROUNDS - 1]);
        assert_true(late[ROUNDS / 2] < 500);
    }
}

static void epoll_waits_own_timeout_cannot_be_shorter_than_a_millisecond(void **state unused)
{
    struct epoll_event e;
    uint64_t shortest = UINT64_MAX;
    for (int i = 0; i < 20; i++) {
        uint64_t start = now_us();
        assert_int_equal(epoll_wait(set, &e, 1, 1), 0);
        uint64_t took = now_us() - start;
        shortest = took < shortest ? took : shortest;
    }
    note("epoll_wait of 1 ms takes %u us at least", (unsigned)shortest);
    assert_true(shortest >= 1000);
}

static void a_time_in_the_past_fires_at_once_and_zero_disarms(void **state unused)
{
    struct epoll_event e;
    arm_at(1);
    assert_int_equal(epoll_wait(set, &e, 1, 0), 1);
    arm_at(now_us() + 1000000);
    assert_int_equal(epoll_wait(set, &e, 1, 0), 0); /* arming anew takes an unread tick away */
    arm_at(now_us() + 500);
    arm_at(0);
    usleep(2000);
    assert_int_equal(epoll_wait(set, &e, 1, 0), 0);
}

static void arming_costs_less_than_a_few_microseconds(void **state unused)
{
    enum { MANY = 2000 };
    uint64_t start = now_us();
    for (int i = 0; i < MANY; i++)
        arm_at(start + 1000000 + (uint64_t)i);
    uint64_t took = now_us() - start;
    note("arming a timerfd takes %.2f us", (double)took / MANY);
    arm_at(0);
    assert_true(took < MANY * 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_timerfd_wakes_epoll_far_less_than_a_millisecond_late),
        cmocka_unit_test(epoll_waits_own_timeout_cannot_be_shorter_than_a_millisecond),
        cmocka_unit_test(a_time_in_the_past_fires_at_once_and_zero_disarms),
        cmocka_unit_test(arming_costs_less_than_a_few_microseconds),
    };
    return cmocka_run_group_tests_name("timerfd_resolution", tests, open_timer, NULL);
}
