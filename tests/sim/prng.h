/* SPDX-License-Identifier: MIT */
/* The simulator's own random numbers (splitmix64): quick, and the same on every host for the same
 * seed. */
#ifndef TS_TESTS_SIM_PRNG_H
#define TS_TESTS_SIM_PRNG_H

#include <stdbool.h>
#include <stdint.h>

struct prng {
    uint64_t state;
};

static inline uint64_t prng_next(struct prng *p)
{
    uint64_t z = (p->state += 0x9e3779b97f4a7c15ull);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

/** A number in [0, n), n > 0; the bias is beyond what a test could see. */
static inline uint64_t prng_below(struct prng *p, uint64_t n)
{
    return prng_next(p) % n;
}

/** A number in [lo, hi]. */
static inline uint64_t prng_between(struct prng *p, uint64_t lo, uint64_t hi)
{
    return lo + prng_below(p, hi - lo + 1);
}

/** True in `ppm` of a million cases. */
static inline bool prng_chance(struct prng *p, uint32_t ppm)
{
    return ppm && prng_below(p, 1000000) < ppm;
}

/** A number in [lo, hi], each power of two about as likely as the others. */
static inline uint64_t prng_log(struct prng *p, uint64_t lo, uint64_t hi)
{
    uint64_t floor = lo ? lo : 1, span;
    int bits = 0;

    while (bits < 62 && (floor << (bits + 1)) <= hi)
        bits++;
    floor <<= prng_below(p, (uint64_t)bits + 1);
    span = floor > hi - floor ? hi - floor : floor;
    return floor + prng_below(p, span + 1);
}

#endif
