/* SPDX-License-Identifier: MIT */
/* The Internet checksum against the sum written down word by word. */
#include "proto/base/checksum.h"

#include <string.h>

#include "proto/base/checksum_blocks.h"
#include "proto/base/rng.h"
#include "tests/unit/base/mem_failing.h"

#define ROOM 70000

static uint8_t data[ROOM + 64];
static const uint8_t seed[16] = "checksum";

/* RFC 1071 section 4.1, over big-endian words; the result in network byte order. */
static uint16_t naive(const uint8_t *p, size_t n)
{
    uint64_t sum = 0;
    uint16_t net;

    for (size_t i = 0; i < n; i++)
        sum += (uint64_t)p[i] << (i % 2 ? 0 : 8);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    ((uint8_t *)&net)[0] = (uint8_t)(~sum >> 8);
    ((uint8_t *)&net)[1] = (uint8_t)~sum;
    return net;
}

static void randomise(struct rng *rng)
{
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)rng_u64(rng);
}

static void the_example_of_rfc_1071_comes_out(void **state)
{
    const uint8_t p[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    const uint8_t expected[] = {0x22, 0x0d};
    uint16_t sum = csum_fold(csum_partial(p, sizeof(p), 0));

    (void)state;
    assert_memory_equal(&sum, expected, 2);
}

static void every_length_and_alignment_agrees(void **state)
{
    struct rng rng;

    (void)state;
    rng_init(&rng, seed);
    randomise(&rng);
    for (size_t at = 0; at < 17; at++)
        for (size_t n = 0; n < 300; n++)
            assert_int_equal(csum_fold(csum_partial(data + at, n, 0)), naive(data + at, n));
    for (int i = 0; i < 300; i++) {
        size_t at = rng_below(&rng, 64), n = rng_below(&rng, ROOM);

        assert_int_equal(csum_fold(csum_partial(data + at, n, 0)), naive(data + at, n));
    }
}

static void carries_are_never_lost(void **state)
{
    (void)state;
    memset(data, 0xff, sizeof(data));
    for (size_t n = 0; n < 200; n++) {
        assert_int_equal(csum_fold(csum_partial(data, n, 0)), naive(data, n));
        assert_int_equal(csum_fold(csum_partial(data, n, UINT32_MAX)), n % 2 ? naive(data, n) : 0);
    }
    assert_int_equal(csum_fold(csum_partial(data, ROOM, 0)), 0);
    memset(data, 0, sizeof(data));
    assert_int_equal(csum_fold(csum_partial(data, ROOM, 0)), 0xffff);
    assert_int_equal(csum_fold(UINT32_MAX), 0);
    assert_int_equal(csum_fold(0xfffeffff), 1);
}

static void any_split_gives_the_same_sum(void **state)
{
    struct rng rng;
    struct iovec iov[12];

    (void)state;
    rng_init(&rng, seed);
    randomise(&rng);
    for (int round = 0; round < 20000; round++) {
        size_t at = rng_below(&rng, 64), total = rng_below(&rng, 2) ? 3000 : 40, n = 0;
        size_t end = at + rng_below(&rng, total), start = at;
        uint32_t chained = 0;

        for (; n < 11; n++) {
            size_t len = rng_below(&rng, 3) ? rng_below(&rng, end - at + 1) : 0;

            iov[n] = (struct iovec){.iov_base = data + at, .iov_len = len};
            chained = csum_combine(chained, csum_partial(data + at, len, 0), at - start);
            at += len;
        }
        iov[n] = (struct iovec){.iov_base = data + at, .iov_len = end - at};
        chained = csum_combine(chained, csum_partial(data + at, end - at, 0), at - start);
        assert_int_equal(csum_fold(chained), naive(data + start, end - start));
        assert_int_equal(csum_fold(csum_iov(iov, 12, 0)), naive(data + start, end - start));
    }
    assert_int_equal(csum_iov(iov, 0, 77), 77);
}

static void even_pieces_chain_through_the_sum(void **state)
{
    struct rng rng;
    struct iovec iov;

    (void)state;
    rng_init(&rng, seed);
    randomise(&rng);
    for (int round = 0; round < 1000; round++) {
        size_t cut = 2 * rng_below(&rng, 500), rest = rng_below(&rng, 1000);
        uint32_t sum = csum_partial(data, cut, 0);

        iov = (struct iovec){.iov_base = data + cut, .iov_len = rest};
        assert_int_equal(csum_fold(csum_partial(data + cut, rest, sum)), naive(data, cut + rest));
        assert_int_equal(csum_fold(csum_iov(&iov, 1, sum)), naive(data, cut + rest));
    }
}

static void a_stored_checksum_verifies_to_zero(void **state)
{
    struct rng rng;
    uint16_t sum;

    (void)state;
    rng_init(&rng, seed);
    randomise(&rng);
    for (size_t n = 20; n < 1500; n += 7) {
        memset(data + 16, 0, 2);
        sum = csum_fold(csum_partial(data, n, 0));
        memcpy(data + 16, &sum, 2);
        assert_int_equal(csum_fold(csum_partial(data, n, 0)), 0);
    }
}

static void the_pseudo_headers_are_those_of_the_rfcs(void **state)
{
    struct rng rng;
    uint8_t flat[40];

    (void)state;
    rng_init(&rng, seed);
    for (int round = 0; round < 1000; round++) {
        uint32_t len = rng_u32(&rng);
        uint8_t proto = (uint8_t)rng_u32(&rng);

        for (int i = 0; i < 40; i++)
            flat[i] = (uint8_t)rng_u32(&rng);
        /* IPv6: addresses, length in 32 bits, three zeroes, protocol. */
        memcpy(flat + 32, (uint8_t[]){len >> 24, len >> 16 & 255, len >> 8 & 255, len & 255}, 4);
        memcpy(flat + 36, (uint8_t[]){0, 0, 0, proto}, 4);
        assert_int_equal(csum_fold(csum_pseudo(flat, flat + 16, 16, proto, len)), naive(flat, 40));
        /* IPv4: addresses, a zero, protocol, length in 16 bits. */
        len &= 0xffff;
        memcpy(flat + 8, (uint8_t[]){0, proto, len >> 8, len & 255}, 4);
        assert_int_equal(csum_fold(csum_pseudo(flat, flat + 4, 4, proto, len)), naive(flat, 12));
    }
}

static void an_ipv4_header_sums_up_as_any_twenty_bytes_do(void **state)
{
    static uint8_t ones[20];
    struct rng rng;

    (void)state;
    memset(ones, 0xff, sizeof(ones));
    assert_int_equal(csum_fold(csum_ipv4_header(ones)), naive(ones, 20));
    randomise(&rng);
    for (int round = 0; round < 3000; round++) {
        size_t at = rng_below(&rng, 1000);

        assert_int_equal(csum_fold(csum_ipv4_header(data + at)), naive(data + at, 20));
    }
}

static void every_version_of_the_inner_loop_agrees(void **state)
{
    static uint8_t copy[ROOM + 64];
    struct rng rng;

    (void)state;
    rng_init(&rng, seed);
    randomise(&rng);
    for (int round = 0; round < 2000; round++) {
        size_t at = rng_below(&rng, 64), to = rng_below(&rng, 64);
        size_t n = CSUM_BLOCK * rng_below(&rng, round % 10 ? 16 : ROOM / CSUM_BLOCK);

        for (int i = 0; csum_all_blocks[i]; i++) {
            const struct csum_blocks *b = csum_all_blocks[i];

            if (!b->usable())
                continue;
            assert_int_equal(b->sum(data + at, n) % 0xffff,
                             csum_portable.sum(data + at, n) % 0xffff);
            memset(copy, 0, sizeof(copy));
            assert_int_equal(b->copy(copy + to, data + at, n) % 0xffff,
                             csum_portable.sum(data + at, n) % 0xffff);
            assert_memory_equal(copy + to, data + at, n);
            assert_int_equal(copy[to + n], 0);
        }
    }
}

static void no_version_loses_a_carry(void **state)
{
    (void)state;
    memset(data, 0xff, sizeof(data));
    for (int i = 0; csum_all_blocks[i]; i++)
        if (csum_all_blocks[i]->usable())
            assert_int_equal(csum_all_blocks[i]->sum(data + 1, 512 * CSUM_BLOCK) % 0xffff, 0);
}

static void a_copy_is_the_bytes_and_their_sum(void **state)
{
    static uint8_t copy[ROOM + 64];
    struct rng rng;

    (void)state;
    rng_init(&rng, seed);
    randomise(&rng);
    for (int round = 0; round < 3000; round++) {
        size_t at = rng_below(&rng, 64), to = rng_below(&rng, 64);
        size_t n = rng_below(&rng, round % 10 ? 2000 : ROOM - 64);

        memset(copy, 0x55, sizeof(copy));
        assert_int_equal(csum_fold(csum_copy(copy + to, data + at, n)), naive(data + at, n));
        assert_memory_equal(copy + to, data + at, n);
        assert_int_equal(copy[to + n], 0x55);
        if (to)
            assert_int_equal(copy[to - 1], 0x55);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_rfc_1071_comes_out),
        cmocka_unit_test(every_length_and_alignment_agrees),
        cmocka_unit_test(carries_are_never_lost),
        cmocka_unit_test(any_split_gives_the_same_sum),
        cmocka_unit_test(even_pieces_chain_through_the_sum),
        cmocka_unit_test(a_stored_checksum_verifies_to_zero),
        cmocka_unit_test(the_pseudo_headers_are_those_of_the_rfcs),
        cmocka_unit_test(an_ipv4_header_sums_up_as_any_twenty_bytes_do),
        cmocka_unit_test(every_version_of_the_inner_loop_agrees),
        cmocka_unit_test(no_version_loses_a_carry),
        cmocka_unit_test(a_copy_is_the_bytes_and_their_sum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
