/* SPDX-License-Identifier: MIT */
/*
 * Random numbers from a seed: SipHash-2-4 over a counter, keyed by the seed.
 * The core reads no entropy itself: the daemon seeds it from the system, a simulation from a fixed
 * number. The same seed gives the same numbers on every host, so a recorded run replays bit for
 * bit.
 */
#ifndef TS_PROTO_BASE_RNG_H
#define TS_PROTO_BASE_RNG_H

#include <stdint.h>

#include "proto/base/siphash.h"

struct rng {
    struct siphash_key key;
    uint64_t counter; /* numbers drawn so far */
};

/* Start from 16 bytes of seed, which must be secret where the numbers must be. */
void rng_init(struct rng *rng, const uint8_t seed[16]);

/* The next 32 random bits. */
uint32_t rng_u32(struct rng *rng);

/* The next 64 random bits. */
uint64_t rng_u64(struct rng *rng);

/* A number in [0, n), each equally likely; n > 0. */
uint64_t rng_below(struct rng *rng, uint64_t n);

/* A number in [lo, hi], both included, each equally likely; lo <= hi. */
uint64_t rng_between(struct rng *rng, uint64_t lo, uint64_t hi);

#endif
