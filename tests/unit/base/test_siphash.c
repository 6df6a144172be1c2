/* SPDX-License-Identifier: MIT */
/* SipHash against the vectors of its authors: key 00 .. 0f, message 00, 01, 02, ... */
#include "proto/base/siphash.h"

#include <string.h>

#include "tests/unit/base/mem_failing.h"

static const struct siphash_key key = {{0x0706050403020100, 0x0f0e0d0c0b0a0908}};
static const uint64_t vectors24[] = {
    0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a, 0x85676696d7fb7e2d,
    0xcf2794e0277187b7, 0x18765564cd99a68d, 0xcbc9466e58fee3ce, 0xab0200f58b01d137,
    0x93f5f5799a932462, 0x9e0082df0ba9e4b0, 0x7a5dbbc594ddb9f3, 0xf4b32f46226bada7,
    0x751e8fbc860ee5fb, 0x14ea5627c0843d90, 0xf723ca908e7af2ee, 0xa129ca6149be45e5,
};

static const uint64_t vectors13[] = {
    0xabac0158050fc4dc, 0xc9f49bf37d57ca93, 0x82cb9b024dc7d44d, 0x8bf80ab8e7ddf7fb,
    0xcf75576088d38328, 0xdef9d52f49533b67, 0xc50d2b50c59f22a7, 0xd3927d989bb11140,
    0x369095118d299a8e, 0x25a48eb36c063de4, 0x79de85ee92ff097f, 0x70c118c1f94dc352,
    0x78a384b157b4d9a2, 0x306f760c1229ffa7, 0x605aa111c0f95d34, 0xd320d86d2a519956,
    0xcc4fdd1a7d908b66, 0x9cf2689063dbd80c, 0x8ffc389cb473e63e, 0xf21f9de58d297d1c,
};

static void fill(uint8_t *message)
{
    for (int i = 0; i < 64; i++)
        message[i] = (uint8_t)i;
}

static void siphash24_matches_the_reference_vectors(void **state)
{
    uint8_t message[64];

    (void)state;
    fill(message);
    for (size_t n = 0; n < sizeof(vectors24) / sizeof(*vectors24); n++)
        assert_true(siphash24(&key, message, n) == vectors24[n]);
    assert_true(siphash24(&key, message, 63) == 0x958a324ceb064572);
}

static void siphash13_matches_the_reference_vectors(void **state)
{
    uint8_t message[64];

    (void)state;
    fill(message);
    for (size_t n = 0; n < sizeof(vectors13) / sizeof(*vectors13); n++)
        assert_true(siphash13(&key, message, n) == vectors13[n]);
}

static void any_alignment_gives_the_same_hash(void **state)
{
    uint8_t message[64], shifted[80];

    (void)state;
    fill(message);
    for (int shift = 1; shift < 16; shift++) {
        memcpy(shifted + shift, message, sizeof(message));
        assert_true(siphash24(&key, shifted + shift, 63) == 0x958a324ceb064572);
    }
    assert_true(siphash24(&key, NULL, 0) == vectors24[0]);
}

static void keys_and_rounds_matter(void **state)
{
    struct siphash_key other = key;

    (void)state;
    other.k[1] ^= 1;
    assert_true(siphash24(&key, "tap", 3) != siphash24(&other, "tap", 3));
    assert_true(siphash13(&key, "tap", 3) != siphash13(&other, "tap", 3));
    assert_true(siphash13(&key, "tap", 3) != siphash24(&key, "tap", 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(siphash24_matches_the_reference_vectors),
        cmocka_unit_test(siphash13_matches_the_reference_vectors),
        cmocka_unit_test(any_alignment_gives_the_same_hash),
        cmocka_unit_test(keys_and_rounds_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
