/* SPDX-License-Identifier: MIT */
/*
 * Counter mode over SipHash-2-4; bytes are read and hashed in little-endian order on every host.
 */
#include "proto/base/rng.h"

#include <assert.h>

void rng_init(struct rng *rng, const uint8_t seed[16])
{
    *rng = (struct rng){0};
    for (int i = 0; i < 16; i++)
        rng->key.k[i / 8] |= (uint64_t)seed[i] << (8 * (i % 8));
}

uint64_t rng_u64(struct rng *rng)
{
    uint8_t block[8];

    for (int i = 0; i < 8; i++)
        block[i] = (uint8_t)(rng->counter >> (8 * i));
    rng->counter++;
    return siphash24(&rng->key, block, sizeof(block));
}

uint32_t rng_u32(struct rng *rng)
{
    return (uint32_t)rng_u64(rng);
}

uint64_t rng_below(struct rng *rng, uint64_t n)
{
    uint64_t skip, x;

    assert(n > 0);
    /* 2^64 mod n: without this many numbers the rest divides evenly. */
    skip = -n % n;
    do {
        x = rng_u64(rng);
    } while (x < skip);
    return x % n;
}

uint64_t rng_between(struct rng *rng, uint64_t lo, uint64_t hi)
{
    assert(lo <= hi);
    if (hi - lo == UINT64_MAX)
        return rng_u64(rng);
    return lo + rng_below(rng, hi - lo + 1);
}
