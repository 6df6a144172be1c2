/* SPDX-License-Identifier: MIT */
/* The stream buffer against a flat array of the whole stream. */
#include "proto/base/bytestream.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "proto/base/rng.h"
#include "tests/unit/base/mem_failing.h"

#define WINDOW (1u << 20) /* the model keeps this much of the stream around the tail */
#define MAX    (192u << 10)

static uint8_t model[WINDOW];
static uint8_t known[WINDOW]; /* which bytes have been written, per offset modulo WINDOW */
static uint8_t scratch[MAX];
static const uint8_t seed[16] = "bytestream";

struct run {
    struct bytestream b;
    struct rng rng;
    uint64_t end;      /* reserved up to here */
    uint64_t occupied; /* one beyond the last byte written, or tail */
    unsigned grown_to_two, refused, failed, drained;
};

static void check_all(struct run *r)
{
    size_t len = r->occupied - r->b.tail;

    bytestream_read(&r->b, r->b.tail, scratch, len);
    for (size_t i = 0; i < len; i++)
        if (known[(r->b.tail + i) % WINDOW])
            assert_int_equal(scratch[i], model[(r->b.tail + i) % WINDOW]);
}

static void do_reserve(struct run *r)
{
    struct bytestream before = r->b;
    uint64_t end = r->b.tail + rng_below(&r->rng, MAX >> rng_below(&r->rng, 8)) + 1;
    int err;

    if (rng_below(&r->rng, 50) == 0)
        end = r->b.tail + MAX + 1 + rng_below(&r->rng, 10000);
    err = bytestream_reserve(&r->b, r->occupied, end);
    if (err) {
        assert_true(err == -ENOBUFS || err == -ENOMEM);
        assert_memory_equal(&r->b, &before, sizeof(before));
        if (end - r->b.tail > MAX)
            assert_int_equal(err, -ENOBUFS);
        else if (err == -ENOBUFS)
            assert_true(before.ext[1].base && r->occupied > before.boundary &&
                        end > before.boundary + before.ext[1].size);
        r->refused += err == -ENOBUFS;
        r->failed += err == -ENOMEM;
        return;
    }
    assert_true(end - r->b.tail <= MAX);
    assert_true(bytestream_capacity_end(&r->b) >= end);
    r->grown_to_two += !before.ext[1].base && r->b.ext[1].base;
    if (r->b.ext[1].base) {
        assert_true(r->b.boundary - r->b.tail <= r->b.ext[0].size);
        assert_true(r->b.ext[1].size > r->b.ext[0].size || before.ext[1].base);
    }
    if (end > r->end)
        r->end = end;
}

static void do_write(struct run *r)
{
    size_t room = r->end - r->b.tail, at, len;
    uint64_t salt = rng_u64(&r->rng);

    if (room == 0)
        return;
    at = rng_below(&r->rng, room);
    /* Mostly near the front, so that the stream gets on. */
    if (rng_below(&r->rng, 2) && r->occupied - r->b.tail < room)
        at = r->occupied - r->b.tail;
    len = rng_below(&r->rng, room - at) + 1;
    for (size_t i = 0; i < len; i++) {
        scratch[i] = (uint8_t)((salt + i) * 0x9e3779b97f4a7c15 >> 56);
        model[(r->b.tail + at + i) % WINDOW] = scratch[i];
        known[(r->b.tail + at + i) % WINDOW] = 1;
    }
    bytestream_write(&r->b, r->b.tail + at, scratch, len);
    if (r->b.tail + at + len > r->occupied)
        r->occupied = r->b.tail + at + len;
}

static void do_release(struct run *r)
{
    bool two = r->b.ext[1].base != NULL;
    size_t len = rng_below(&r->rng, r->occupied - r->b.tail + 1);

    if (rng_below(&r->rng, 10) == 0)
        len = r->occupied - r->b.tail;
    for (size_t i = 0; i < len; i++)
        known[(r->b.tail + i) % WINDOW] = 0;
    bytestream_release(&r->b, r->b.tail + len);
    r->drained += two && !r->b.ext[1].base;
    assert_true(bytestream_capacity_end(&r->b) >= r->occupied);
    /* What was reserved stays so. */
    assert_true(bytestream_capacity_end(&r->b) >= r->end);
    if (r->occupied == r->b.tail && rng_below(&r->rng, 4) == 0) {
        bytestream_give_back(&r->b);
        assert_int_equal(bytestream_footprint(&r->b), 0);
        assert_true(bytestream_capacity_end(&r->b) == r->b.tail);
        r->end = r->b.tail;
    }
}

/* Random use over a mem whose allocations fail with this probability in percent. */
static void run_model(struct run *r, struct mem *m, struct failing *f, unsigned fail_percent,
                      uint64_t start)
{
    struct extent_pool pool;
    struct account account;

    memset(r, 0, sizeof(*r));
    memset(known, 0, sizeof(known));
    rng_init(&r->rng, seed);
    extent_pool_init(&pool, m, fail_percent ? 0 : 64 << 10);
    account_init(&account, &pool, 0);
    bytestream_init(&r->b, &account, start, MAX);
    r->end = r->occupied = start;
    for (int step = 0; step < 5000; step++) {
        f->fail_at = rng_below(&r->rng, 100) < fail_percent ? f->calls + 1 : 0;
        switch (rng_below(&r->rng, 4)) {
        case 0:
            do_reserve(r);
            break;
        case 1:
        case 2:
            do_write(r);
            break;
        default:
            do_release(r);
            break;
        }
        if (step % 8 == 0)
            check_all(r);
        assert_int_equal(bytestream_footprint(&r->b), pool.in_use);
    }
    bytestream_destroy(&r->b);
    extent_pool_destroy(&pool);
    assert_int_equal(m->used, 0);
}

static void random_use_agrees_with_a_flat_stream(void **state)
{
    static const uint64_t starts[] = {0, 1, 4095, UINT64_C(0xfffff123), UINT64_C(1) << 62};
    static struct run r;

    (void)state;
    for (size_t i = 0; i < sizeof(starts) / sizeof(*starts); i++) {
        struct failing f = {0};
        struct mem m = failing_mem(&f);

        run_model(&r, &m, &f, 0, starts[i]);
        assert_true(r.grown_to_two > 10 && r.drained > 10 && r.refused > 10);
        assert_int_equal(r.failed, 0);
    }
}

static void allocation_failure_leaves_the_stream_as_it_was(void **state)
{
    static struct run r;
    struct failing f = {0};
    struct mem m = failing_mem(&f);

    (void)state;
    run_model(&r, &m, &f, 50, 99);
    assert_true(r.failed > 10 && r.grown_to_two > 10);
}

static void growth_adds_a_second_extent_and_drains_the_first(void **state)
{
    struct mem m;
    struct extent_pool p;
    struct account a;
    struct bytestream b;
    struct iovec v[4];
    uint8_t *first;

    (void)state;
    mem_init(&m, 0);
    extent_pool_init(&p, &m, 0);
    account_init(&a, &p, 0);
    bytestream_init(&b, &a, 3000, 64 << 10);
    assert_int_equal(bytestream_footprint(&b), 0);
    assert_int_equal(bytestream_reserve(&b, 3000, 3000), 0);
    assert_int_equal(bytestream_footprint(&b), 0);
    assert_int_equal(bytestream_reserve(&b, 3000, 3001), 0);
    assert_int_equal(bytestream_footprint(&b), 4096);
    assert_true(bytestream_capacity_end(&b) == 3000 + 4096);
    first = b.ext[0].base;
    assert_int_equal(bytestream_reserve(&b, 7000, 7097), 0);
    assert_int_equal(bytestream_footprint(&b), 4096 + 8192);
    assert_ptr_equal(b.ext[0].base, first);
    assert_true(bytestream_capacity_end(&b) == 7000 + 8192);

    /* Older: 3000 to 4096, 4096 to 7000; newer: 7000 to 8192, 8192 to 9000. */
    assert_int_equal(bytestream_spans(&b, 3000, 6000, v), 4);
    assert_ptr_equal(v[0].iov_base, first + 3000);
    assert_int_equal(v[0].iov_len, 1096);
    assert_ptr_equal(v[1].iov_base, first);
    assert_int_equal(v[1].iov_len, 2904);
    assert_ptr_equal(v[2].iov_base, b.ext[1].base + 7000);
    assert_int_equal(v[2].iov_len, 1192);
    assert_ptr_equal(v[3].iov_base, b.ext[1].base);
    assert_int_equal(v[3].iov_len, 808);
    assert_int_equal(bytestream_spans(&b, 3000, 0, v), 0);
    assert_int_equal(bytestream_spans(&b, 7000, 1, v), 1);

    /* The newer one is in use and too small: wait. Still empty: it is replaced. */
    assert_int_equal(bytestream_reserve(&b, 7001, 15193), -ENOBUFS);
    assert_int_equal(bytestream_reserve(&b, 7000, 15193), 0);
    assert_int_equal(bytestream_footprint(&b), 4096 + 16384);
    bytestream_release(&b, 6999);
    assert_int_equal(bytestream_footprint(&b), 4096 + 16384);
    bytestream_release(&b, 7000);
    assert_int_equal(bytestream_footprint(&b), 16384);
    bytestream_release(&b, 10);
    assert_true(b.tail == 7000);
    bytestream_destroy(&b);
    assert_int_equal(m.used, 0);
}

static void an_empty_stream_grows_by_replacement(void **state)
{
    struct mem m;
    struct extent_pool p;
    struct account a;
    struct bytestream b;

    (void)state;
    mem_init(&m, 0);
    extent_pool_init(&p, &m, 0);
    account_init(&a, &p, 0);
    bytestream_init(&b, &a, 0, 20000);
    assert_int_equal(bytestream_reserve(&b, 0, 100), 0);
    assert_int_equal(bytestream_reserve(&b, 0, 4097), 0);
    assert_int_equal(bytestream_footprint(&b), 8192);
    assert_int_equal(bytestream_reserve(&b, 0, 20000), 0);
    assert_int_equal(bytestream_footprint(&b), 32768);
    assert_int_equal(bytestream_reserve(&b, 0, 20001), -ENOBUFS);
    bytestream_release(&b, 20000);
    bytestream_give_back(&b);
    assert_int_equal(m.used, 0);
    assert_int_equal(bytestream_reserve(&b, 20000, 20001), 0);
    assert_true(bytestream_capacity_end(&b) == 20000 + 4096);
    bytestream_destroy(&b);
    assert_int_equal(m.used, 0);
}

/* --- moving ------------------------------------------------------------------------------------
 */

static uint8_t byte_at(uint64_t off)
{
    return (uint8_t)(off * 131 + (off >> 8) * 7);
}

static void fill(struct bytestream *b, uint64_t from, uint64_t to)
{
    for (uint64_t off = from; off < to; off++) {
        uint8_t c = byte_at(off);

        bytestream_write(b, off, &c, 1);
    }
}

static void expect_filled(const struct bytestream *b, uint64_t from, uint64_t to)
{
    for (uint64_t off = from; off < to; off++) {
        uint8_t c;

        bytestream_read(b, off, &c, 1);
        assert_int_equal(c, byte_at(off));
    }
}

static void move(struct bytestream *b, uint64_t occupied, struct account *to, uint32_t least)
{
    struct extent e = account_extent_get(to, bytestream_move_size(b, least));

    assert_non_null(e.base);
    bytestream_move(b, occupied, to, e);
}

struct two_accounts {
    struct mem m;
    struct extent_pool from_pool, to_pool;
    struct account from, to;
};

static void begin(struct two_accounts *t)
{
    mem_init(&t->m, 0);
    extent_pool_init(&t->from_pool, &t->m, 0);
    extent_pool_init(&t->to_pool, &t->m, 0);
    account_init(&t->from, &t->from_pool, 0);
    account_init(&t->to, &t->to_pool, 0);
}

static void a_move_takes_live_bytes_of_both_extents_to_the_other_pool(void **state)
{
    struct two_accounts t;
    struct bytestream b;

    (void)state;
    begin(&t);
    bytestream_init(&b, &t.from, 3000, 64 << 10);
    assert_int_equal(bytestream_reserve(&b, 3000, 7000), 0);
    fill(&b, 3000, 7000);
    assert_int_equal(bytestream_reserve(&b, 7000, 12000), 0); /* the second one, of 16 KiB */
    fill(&b, 7000, 11000);
    bytestream_release(&b, 3500);
    move(&b, 11000, &t.to, 4096);
    assert_int_equal(t.from_pool.in_use, 0);
    assert_int_equal(t.from.used, 0);
    assert_ptr_equal(b.account, &t.to);
    assert_true(b.tail == 3500);
    /* no less than it could hold before: up to 7000 + 16384 */
    assert_int_equal(bytestream_footprint(&b), 32768);
    expect_filled(&b, 3500, 11000);
    assert_int_equal(bytestream_reserve(&b, 11000, 60000), 0); /* and it goes on from there */
    expect_filled(&b, 3500, 11000);
    bytestream_destroy(&b);
    assert_int_equal(t.to_pool.in_use, 0);
    assert_int_equal(t.to.used, 0);
    assert_int_equal(t.m.used, 0);
}

static void an_empty_stream_moves_to_what_is_wanted_at_least(void **state)
{
    struct two_accounts t;
    struct bytestream b;

    (void)state;
    begin(&t);
    bytestream_init(&b, &t.from, UINT64_C(1) << 40, 64 << 10);
    move(&b, b.tail, &t.to, 100000);
    assert_int_equal(bytestream_footprint(&b), 131072);
    bytestream_destroy(&b);
    move(&b, b.tail, &t.from, 0);
    assert_int_equal(bytestream_footprint(&b), EXTENT_MIN);
    bytestream_destroy(&b);
    assert_int_equal(t.m.used, 0);
}

/* Two extents together can hold more than the largest one does; what may be used of them fits. */
static void a_stream_of_the_largest_extents_can_be_moved(void **state)
{
    struct two_accounts t;
    struct bytestream b;

    (void)state;
    begin(&t);
    bytestream_init(&b, &t.from, 0, EXTENT_MAX);
    assert_int_equal(bytestream_reserve(&b, 0, EXTENT_MAX / 2), 0);
    assert_int_equal(bytestream_reserve(&b, 5000, EXTENT_MAX), 0);
    assert_true(bytestream_capacity_end(&b) > EXTENT_MAX);
    fill(&b, 0, 5000);
    move(&b, 5000, &t.to, 0);
    assert_int_equal(bytestream_footprint(&b), EXTENT_MAX);
    expect_filled(&b, 0, 5000);
    bytestream_destroy(&b);
    assert_int_equal(t.m.used, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_use_agrees_with_a_flat_stream),
        cmocka_unit_test(allocation_failure_leaves_the_stream_as_it_was),
        cmocka_unit_test(growth_adds_a_second_extent_and_drains_the_first),
        cmocka_unit_test(an_empty_stream_grows_by_replacement),
        cmocka_unit_test(a_move_takes_live_bytes_of_both_extents_to_the_other_pool),
        cmocka_unit_test(an_empty_stream_moves_to_what_is_wanted_at_least),
        cmocka_unit_test(a_stream_of_the_largest_extents_can_be_moved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
