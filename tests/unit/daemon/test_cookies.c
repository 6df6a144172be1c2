/* SPDX-License-Identifier: MIT */
/* Cookies and tombstones. */
#include "daemon/cookies.h"
#include "daemon/tombstone.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>

#include <cmocka.h>

#define unused __attribute__((unused))

static void random_operations_agree_with_a_plain_array(void **state unused)
{
    enum { KEYS = 3000 };
    static void *model[KEYS];
    struct cookies t;

    cookies_init(&t);
    srand(1);
    for (int i = 0; i < 200000; i++) {
        uint64_t key = (uint64_t)(rand() % KEYS);
        void *value = &model[rand() % KEYS];
        switch (rand() % 3) {
        case 0:
            assert_int_equal(cookies_put(&t, key, value), 0);
            model[key] = value;
            break;
        case 1:
            assert_ptr_equal(cookies_remove(&t, key), model[key]);
            model[key] = NULL;
            break;
        default:
            assert_ptr_equal(cookies_get(&t, key), model[key]);
        }
    }
    for (size_t i = 0, n = 0; i <= KEYS; i++) {
        if (i == KEYS)
            assert_int_equal(t.used, n);
        else
            n += model[i] != NULL;
    }
    cookies_destroy(&t);
}

static void an_empty_table_finds_and_removes_nothing(void **state unused)
{
    struct cookies t;

    cookies_init(&t);
    assert_null(cookies_get(&t, 7));
    assert_null(cookies_remove(&t, 7));
    cookies_destroy(&t);
}

static void a_tombstone_is_found_until_it_expires(void **state unused)
{
    struct tombstones t;

    assert_int_equal(tombstones_init(&t), 0);
    tombstone_put(&t, 5, ETIMEDOUT, NULL, 1000);
    assert_int_equal(tombstone_find(&t, 5, 1000)->error, ETIMEDOUT);
    assert_non_null(tombstone_find(&t, 5, 1000 + TOMBSTONE_US - 1));
    assert_null(tombstone_find(&t, 5, 1000 + TOMBSTONE_US));
    assert_null(tombstone_find(&t, 5, 1000));
    tombstones_destroy(&t, 0);
}

static void expired_tombstones_are_forgotten_in_order(void **state unused)
{
    struct tombstones t;

    assert_int_equal(tombstones_init(&t), 0);
    assert_true(tombstones_expire(&t, 0) == UINT64_MAX);
    for (uint64_t i = 1; i <= TOMBSTONE_MAX + 10; i++) /* round the ring */
        tombstone_put(&t, i, ECONNRESET, NULL, i);
    assert_null(tombstone_find(&t, 20, 20 + TOMBSTONE_US)); /* forgotten out of turn */
    assert_true(tombstones_expire(&t, 30 + TOMBSTONE_US) == 31 + TOMBSTONE_US);
    assert_int_equal(t.count, TOMBSTONE_MAX - 20);
    assert_int_equal(t.index.used, TOMBSTONE_MAX - 20);
    assert_non_null(tombstone_find(&t, 31, 31));
    assert_true(tombstones_expire(&t, 2 * TOMBSTONE_US) == UINT64_MAX);
    assert_int_equal(t.count, 0);
    assert_int_equal(t.index.used, 0);
    tombstone_put(&t, 7, EPIPE, NULL, 0);
    assert_true(tombstones_expire(&t, 0) == TOMBSTONE_US);
    tombstones_destroy(&t, 0);
}

static void the_oldest_tombstone_makes_room(void **state unused)
{
    struct tombstones t;

    assert_int_equal(tombstones_init(&t), 0);
    for (uint64_t i = 1; i <= TOMBSTONE_MAX + 10; i++)
        tombstone_put(&t, i, ECONNRESET, NULL, i);
    assert_null(tombstone_find(&t, 10, 1));
    assert_non_null(tombstone_find(&t, 11, 1));
    assert_non_null(tombstone_find(&t, TOMBSTONE_MAX + 10, 1));
    assert_int_equal(t.index.used, TOMBSTONE_MAX);
    tombstones_destroy(&t, 0);
}

static void a_second_tombstone_of_one_cookie_replaces_the_first(void **state unused)
{
    struct tombstones t;

    assert_int_equal(tombstones_init(&t), 0);
    tombstone_put(&t, 5, ETIMEDOUT, NULL, 0);
    tombstone_put(&t, 5, ECONNRESET, NULL, 0);
    for (uint64_t i = 100; i < 100 + TOMBSTONE_MAX - 1; i++)
        tombstone_put(&t, i, EPIPE, NULL, 0); /* overwrites the first */
    assert_int_equal(tombstone_find(&t, 5, 0)->error, ECONNRESET);
    tombstones_destroy(&t, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_operations_agree_with_a_plain_array),
        cmocka_unit_test(an_empty_table_finds_and_removes_nothing),
        cmocka_unit_test(a_tombstone_is_found_until_it_expires),
        cmocka_unit_test(expired_tombstones_are_forgotten_in_order),
        cmocka_unit_test(the_oldest_tombstone_makes_room),
        cmocka_unit_test(a_second_tombstone_of_one_cookie_replaces_the_first),
    };
    return cmocka_run_group_tests_name("cookies", tests, NULL, NULL);
}
