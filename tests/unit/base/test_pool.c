/* SPDX-License-Identifier: MIT */
/* The object pool. */
#include "proto/base/pool.h"

#include <string.h>

#include "proto/base/rng.h"
#include "tests/unit/base/mem_failing.h"

#define MANY 3000

static const uint8_t seed[16] = "pool";

static void random_use_gives_distinct_zeroed_aligned_objects(void **state)
{
    static const size_t sizes[] = {1, 8, 24, 63, 64, 65, 200, 1000, 4096, 20000};
    static uint8_t *out[MANY];
    static const uint8_t zero[20000];
    struct rng rng;

    (void)state;
    rng_init(&rng, seed);
    for (size_t s = 0; s < sizeof(sizes) / sizeof(*sizes); s++) {
        struct mem m;
        struct pool p;
        size_t size = sizes[s], most = size > 1000 ? 60 : MANY, held = 0;

        mem_init(&m, 0);
        pool_init(&p, &m, size);
        memset(out, 0, sizeof(out));
        for (int step = 0; step < 20000; step++) {
            size_t i = rng_below(&rng, most);

            if (out[i]) {
                /* Nobody else wrote to it. */
                for (size_t k = 0; k < size; k += size / 3 + 1)
                    assert_int_equal(out[i][k], (uint8_t)i | 1);
                pool_put(&p, out[i]);
                out[i] = NULL;
                held--;
            } else {
                out[i] = pool_get(&p);
                assert_non_null(out[i]);
                assert_int_equal((uintptr_t)out[i] % (size >= 64 ? 64 : 16), 0);
                assert_memory_equal(out[i], zero, size);
                memset(out[i], (uint8_t)i | 1, size);
                held++;
            }
            assert_int_equal(p.in_use, held);
            assert_true(p.capacity >= held);
        }
        for (size_t i = 0; i < most; i++)
            pool_put(&p, out[i]);
        assert_int_equal(p.in_use, 0);
        pool_destroy(&p);
        assert_int_equal(m.used, 0);
    }
}

static void free_slabs_beyond_one_go_back(void **state)
{
    static void *out[MANY];
    struct mem m;
    struct pool p;
    size_t one_slab;

    (void)state;
    mem_init(&m, 0);
    pool_init(&p, &m, 100);
    assert_int_equal(m.used, 0);
    out[0] = pool_get(&p);
    one_slab = m.used;
    assert_in_range(one_slab, 8 * 100, 16 << 10);
    for (int i = 1; i < MANY; i++)
        out[i] = pool_get(&p);
    assert_true(m.used > 10 * one_slab);
    for (int i = 0; i < MANY; i++)
        pool_put(&p, out[i]);
    assert_int_equal(m.used, one_slab);
    out[0] = pool_get(&p);
    assert_int_equal(m.used, one_slab);
    pool_destroy(&p);
    assert_int_equal(m.used, 0);
}

static void destroy_takes_objects_still_out(void **state)
{
    struct mem m;
    struct pool p;

    (void)state;
    mem_init(&m, 0);
    pool_init(&p, &m, 500);
    for (int i = 0; i < 500; i++)
        assert_non_null(pool_get(&p));
    pool_destroy(&p);
    assert_int_equal(m.used, 0);
    assert_int_equal(p.capacity, 0);
}

static void get_fails_without_memory_and_recovers(void **state)
{
    struct failing f = {.fail_at = 2, .fail_to = 3};
    struct mem m = failing_mem(&f);
    struct pool p;
    void *obj;
    size_t n = 0;

    (void)state;
    pool_init(&p, &m, 64);
    while ((obj = pool_get(&p)))
        n++;
    assert_int_equal(n, p.capacity);
    assert_int_equal(p.in_use, n);
    assert_null(pool_get(&p));
    assert_non_null(pool_get(&p));
    assert_int_equal(p.in_use, n + 1);
    pool_put(&p, NULL);
    pool_destroy(&p);
    assert_int_equal(m.used, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_use_gives_distinct_zeroed_aligned_objects),
        cmocka_unit_test(free_slabs_beyond_one_go_back),
        cmocka_unit_test(destroy_takes_objects_still_out),
        cmocka_unit_test(get_fails_without_memory_and_recovers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
