/* SPDX-License-Identifier: MIT */
/* The intrusive list. */
#include "proto/base/list.h"

#include "tests/unit/base/mem_failing.h"

struct item {
    int value;
    struct list link;
};

/* The values of a list as a decimal number, first to last, read both ways. */
static long long digits(const struct list *head)
{
    long long forward = 0, backward = 0, unit = 1;

    for (struct list *n = list_first(head); n; n = list_next(head, n))
        forward = forward * 10 + container_of(n, struct item, link)->value;
    for (struct list *n = list_last(head); n; n = list_prev(head, n), unit *= 10)
        backward += unit * container_of(n, struct item, link)->value;
    assert_int_equal(forward, backward);
    return forward;
}

static void links_keep_the_order_they_are_put_in(void **state)
{
    struct item it[7] = {{.value = 1}, {.value = 2}, {.value = 3}, {.value = 4},
                         {.value = 5}, {.value = 6}, {.value = 7}};
    struct list head;

    (void)state;
    list_init(&head);
    assert_true(list_empty(&head));
    assert_null(list_first(&head));
    assert_null(list_last(&head));
    list_add_tail(&head, &it[3].link);
    list_add_tail(&head, &it[5].link);
    list_add_head(&head, &it[0].link);
    list_add_after(&it[0].link, &it[1].link);
    list_add_before(&it[3].link, &it[2].link);
    list_add_before(&it[5].link, &it[4].link);
    list_add_after(&it[5].link, &it[6].link);
    assert_int_equal(digits(&head), 1234567);
    assert_false(list_empty(&head));
}

static void unlinking_is_idempotent_and_shows(void **state)
{
    struct item a = {.value = 1}, b = {.value = 2}, zero = {.value = 0};
    struct list head;

    (void)state;
    list_init(&head);
    assert_false(list_linked(&zero.link));
    list_del(&zero.link);
    assert_false(list_linked(&zero.link));
    list_add_tail(&head, &a.link);
    list_add_tail(&head, &b.link);
    assert_true(list_linked(&a.link));
    list_del(&a.link);
    list_del(&a.link);
    assert_false(list_linked(&a.link));
    assert_int_equal(digits(&head), 2);
    assert_ptr_equal(list_pop(&head), &b.link);
    assert_false(list_linked(&b.link));
    assert_null(list_pop(&head));
}

static void splice_moves_all_in_order(void **state)
{
    struct item it[4] = {{.value = 1}, {.value = 2}, {.value = 3}, {.value = 4}};
    struct list one, two;

    (void)state;
    list_init(&one);
    list_init(&two);
    list_splice_tail(&one, &two);
    assert_true(list_empty(&one));
    list_add_tail(&two, &it[0].link);
    list_add_tail(&two, &it[1].link);
    list_splice_tail(&one, &two);
    assert_int_equal(digits(&one), 12);
    assert_true(list_empty(&two));
    list_add_tail(&two, &it[2].link);
    list_add_tail(&two, &it[3].link);
    list_splice_tail(&one, &two);
    assert_int_equal(digits(&one), 1234);
    assert_true(list_empty(&two));
}

static void safe_walk_survives_unlinking(void **state)
{
    struct item it[6] = {{.value = 1}, {.value = 2}, {.value = 3},
                         {.value = 4}, {.value = 5}, {.value = 6}};
    struct list head, *pos, *tmp;
    int seen = 0;

    (void)state;
    list_init(&head);
    for (int i = 0; i < 6; i++)
        list_add_tail(&head, &it[i].link);
    list_for_each_safe (pos, tmp, &head) {
        if (container_of(pos, struct item, link)->value % 2)
            list_del(pos);
    }
    assert_int_equal(digits(&head), 246);
    list_for_each (pos, &head) {
        seen++;
    }
    assert_int_equal(seen, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(links_keep_the_order_they_are_put_in),
        cmocka_unit_test(unlinking_is_idempotent_and_shows),
        cmocka_unit_test(splice_moves_all_in_order),
        cmocka_unit_test(safe_walk_survives_unlinking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
