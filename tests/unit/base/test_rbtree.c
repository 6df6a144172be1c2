/* SPDX-License-Identifier: MIT */
/* The red-black tree against a sorted array. */
#include "proto/base/rbtree.h"

#include <string.h>

#include "proto/base/list.h"
#include "proto/base/rng.h"
#include "tests/unit/base/mem_failing.h"

#define MANY 400

struct item {
    struct rb_node node;
    unsigned key;
    unsigned stamp; /* order of insertion, 0 when out of the tree */
};

static struct item items[MANY];
static struct item *sorted[MANY];
static size_t count;
static const uint8_t seed[16] = "rbtree";

static struct item *item_of(const struct rb_node *node)
{
    return container_of(node, struct item, node);
}

static bool less(const struct rb_node *a, const struct rb_node *b)
{
    return item_of(a)->key < item_of(b)->key;
}

/* The number of black nodes down from node; checks colours and parents. */
static int black_height(const struct rb_node *node)
{
    int left, right;

    if (!node)
        return 1;
    if (node->red) {
        assert_false(node->left && node->left->red);
        assert_false(node->right && node->right->red);
    }
    assert_true(!node->left || node->left->parent == node);
    assert_true(!node->right || node->right->parent == node);
    left = black_height(node->left);
    right = black_height(node->right);
    assert_int_equal(left, right);
    return left + !node->red;
}

static void check(const struct rb_root *root)
{
    struct rb_node *node;
    size_t i = 0;

    assert_true(rb_empty(root) == (count == 0));
    if (root->node) {
        assert_false(root->node->red);
        assert_null(root->node->parent);
    }
    black_height(root->node);
    for (node = rb_first(root); node; node = rb_next(node))
        assert_ptr_equal(item_of(node), sorted[i++]);
    assert_int_equal(i, count);
    for (node = rb_last(root); node; node = rb_prev(node))
        assert_ptr_equal(item_of(node), sorted[--i]);
    assert_int_equal(i, 0);
}

static void model_insert(struct item *it)
{
    size_t i = count++;

    for (; i > 0 && sorted[i - 1]->key > it->key; i--)
        sorted[i] = sorted[i - 1];
    sorted[i] = it;
}

static void model_erase(const struct item *it)
{
    size_t i = 0;

    while (sorted[i] != it)
        i++;
    memmove(&sorted[i], &sorted[i + 1], (--count - i) * sizeof(*sorted));
}

static void run_model(unsigned keys, size_t most)
{
    struct rb_root root = {0};
    struct rng rng;

    rng_init(&rng, seed);
    memset(items, 0, sizeof(items));
    count = 0;
    for (unsigned step = 1; step <= 10000; step++) {
        struct item *it = &items[rng_below(&rng, most)];

        if (it->stamp) {
            it->stamp = 0;
            model_erase(it);
            rb_erase(&root, &it->node);
        } else {
            it->stamp = step;
            it->key = (unsigned)rng_below(&rng, keys);
            model_insert(it);
            rb_insert(&root, &it->node, less);
        }
        if (most < 50 || step % 20 == 0)
            check(&root);
    }
    while (root.node) {
        struct item *it = item_of(root.node);

        model_erase(it);
        rb_erase(&root, &it->node);
        check(&root);
    }
}

static void random_use_agrees_with_a_sorted_array(void **state)
{
    (void)state;
    run_model(1000000, MANY);
    run_model(1000000, 12);
}

static void equal_keys_keep_the_order_of_insertion(void **state)
{
    (void)state;
    run_model(5, MANY);
    run_model(2, 20);
}

static void ascending_and_descending_keys_stay_balanced(void **state)
{
    struct rb_root root = {0};

    (void)state;
    count = 0;
    for (unsigned i = 0; i < MANY; i++) {
        items[i].key = i < MANY / 2 ? i : 2 * MANY - i;
        model_insert(&items[i]);
        rb_insert(&root, &items[i].node, less);
        check(&root);
    }
    assert_in_range(black_height(root.node), 4, 10);
}

static void link_takes_a_place_found_by_the_caller(void **state)
{
    struct rb_root root = {0};

    (void)state;
    count = 0;
    memset(items, 0, sizeof(items));
    rb_link(&root, &items[0].node, NULL, false);
    model_insert(&items[0]);
    for (unsigned i = 1; i < MANY; i++) {
        items[i].key = i;
        rb_link(&root, &items[i].node, rb_last(&root), false);
        model_insert(&items[i]);
        check(&root);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_use_agrees_with_a_sorted_array),
        cmocka_unit_test(equal_keys_keep_the_order_of_insertion),
        cmocka_unit_test(ascending_and_descending_keys_stay_balanced),
        cmocka_unit_test(link_takes_a_place_found_by_the_caller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
