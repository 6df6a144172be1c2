/* SPDX-License-Identifier: MIT */
/*
 * SipHash-c-d: c rounds per word of the message, d rounds at the end.
 */
#include "proto/base/siphash.h"

#include <string.h>

struct sip_state {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotl(uint64_t x, int n)
{
    return x << n | x >> (64 - n);
}

static inline uint64_t from_le64(uint64_t x)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return __builtin_bswap64(x);
#else
    return x;
#endif
}

/* c and d are constants, so that no round is a turn of a loop */
static inline __attribute__((always_inline)) void sip_rounds(struct sip_state *s, int n)
{
#pragma GCC unroll 4
    for (int i = 0; i < n; i++) {
        s->v0 += s->v1;
        s->v1 = rotl(s->v1, 13) ^ s->v0;
        s->v0 = rotl(s->v0, 32);
        s->v2 += s->v3;
        s->v3 = rotl(s->v3, 16) ^ s->v2;
        s->v0 += s->v3;
        s->v3 = rotl(s->v3, 21) ^ s->v0;
        s->v2 += s->v1;
        s->v1 = rotl(s->v1, 17) ^ s->v2;
        s->v2 = rotl(s->v2, 32);
    }
}

static inline __attribute__((always_inline)) uint64_t
siphash(const struct siphash_key *key, const uint8_t *p, size_t len, int c, int d)
{
    struct sip_state s = {
        key->k[0] ^ 0x736f6d6570736575,
        key->k[1] ^ 0x646f72616e646f6d,
        key->k[0] ^ 0x6c7967656e657261,
        key->k[1] ^ 0x7465646279746573,
    };
    uint64_t last = (uint64_t)len << 56;
    uint64_t m;
    int shift = 0;

    for (; len >= 8; len -= 8, p += 8) {
        memcpy(&m, p, 8);
        m = from_le64(m);
        s.v3 ^= m;
        sip_rounds(&s, c);
        s.v0 ^= m;
    }
    if (len & 4) {
        m = (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24;
        last |= m;
        shift = 32;
        p += 4;
    }
    for (len &= 3; len; len--, shift += 8)
        last |= (uint64_t)*p++ << shift;
    s.v3 ^= last;
    sip_rounds(&s, c);
    s.v0 ^= last;
    s.v2 ^= 0xff;
    sip_rounds(&s, d);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

uint64_t siphash24(const struct siphash_key *key, const void *data, size_t len)
{
    return siphash(key, data, len, 2, 4);
}

uint64_t siphash13(const struct siphash_key *key, const void *data, size_t len)
{
    return siphash(key, data, len, 1, 3);
}
