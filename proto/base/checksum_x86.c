/* SPDX-License-Identifier: MIT */
/*
 * Checksums by vectors: a vector is added as 32-bit words into 64-bit lanes, its even and odd words
 * apart, so no lane overflows before 2^32 vectors and no carry is looked at inside the loop.
 */
#include "proto/base/checksum_blocks.h"

#if defined(__x86_64__)

#include <immintrin.h>

/* --- AVX2 --------------------------------------------------------------------------------------
 */

#define AVX2 __attribute__((target("avx2")))

static bool avx2_usable(void)
{
    return __builtin_cpu_supports("avx2");
}

AVX2 static inline __m256i avx2_load(const uint8_t *p)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

AVX2 static inline void avx2_store(uint8_t *p, __m256i v)
{
    _mm256_storeu_si256((__m256i *)(void *)p, v);
}

/* sum += the even 32-bit words of v, and its odd ones. */
AVX2 static inline __m256i avx2_add(__m256i sum, __m256i v)
{
    __m256i even = _mm256_and_si256(v, _mm256_set1_epi64x(UINT32_MAX));

    return _mm256_add_epi64(sum, _mm256_add_epi64(even, _mm256_srli_epi64(v, 32)));
}

AVX2 static inline uint64_t avx2_total(__m256i a, __m256i b)
{
    uint64_t lane[4];

    _mm256_storeu_si256((__m256i *)(void *)lane, _mm256_add_epi64(a, b));
    return lane[0] + lane[1] + lane[2] + lane[3];
}

AVX2 static uint64_t avx2_sum(const uint8_t *p, size_t n)
{
    __m256i a = _mm256_setzero_si256(), b = a;

    for (; n; n -= CSUM_BLOCK, p += CSUM_BLOCK) {
        a = avx2_add(a, avx2_load(p));
        b = avx2_add(b, avx2_load(p + 32));
        a = avx2_add(a, avx2_load(p + 64));
        b = avx2_add(b, avx2_load(p + 96));
    }
    return avx2_total(a, b);
}

AVX2 static uint64_t avx2_copy(uint8_t *dst, const uint8_t *p, size_t n)
{
    __m256i a = _mm256_setzero_si256(), b = a;

    for (; n; n -= CSUM_BLOCK, p += CSUM_BLOCK, dst += CSUM_BLOCK) {
        __m256i v0 = avx2_load(p), v1 = avx2_load(p + 32);
        __m256i v2 = avx2_load(p + 64), v3 = avx2_load(p + 96);

        avx2_store(dst, v0);
        avx2_store(dst + 32, v1);
        avx2_store(dst + 64, v2);
        avx2_store(dst + 96, v3);
        a = avx2_add(avx2_add(a, v0), v2);
        b = avx2_add(avx2_add(b, v1), v3);
    }
    return avx2_total(a, b);
}

const struct csum_blocks csum_avx2 = {"avx2", avx2_usable, avx2_sum, avx2_copy};

/* --- SSE2: every processor of this kind has it -------------------------------------------------
 */

static bool sse2_usable(void)
{
    return true;
}

static inline __m128i sse2_load(const uint8_t *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

static inline void sse2_store(uint8_t *p, __m128i v)
{
    _mm_storeu_si128((__m128i *)(void *)p, v);
}

static inline __m128i sse2_add(__m128i sum, __m128i v)
{
    __m128i even = _mm_and_si128(v, _mm_set1_epi64x(UINT32_MAX));

    return _mm_add_epi64(sum, _mm_add_epi64(even, _mm_srli_epi64(v, 32)));
}

static inline uint64_t sse2_total(__m128i a, __m128i b)
{
    uint64_t lane[2];

    sse2_store((uint8_t *)lane, _mm_add_epi64(a, b));
    return lane[0] + lane[1];
}

static uint64_t sse2_sum(const uint8_t *p, size_t n)
{
    __m128i a = _mm_setzero_si128(), b = a;

    for (; n; n -= 32, p += 32) {
        a = sse2_add(a, sse2_load(p));
        b = sse2_add(b, sse2_load(p + 16));
    }
    return sse2_total(a, b);
}

static uint64_t sse2_copy(uint8_t *dst, const uint8_t *p, size_t n)
{
    __m128i a = _mm_setzero_si128(), b = a;

    for (; n; n -= 32, p += 32, dst += 32) {
        __m128i v0 = sse2_load(p), v1 = sse2_load(p + 16);

        sse2_store(dst, v0);
        sse2_store(dst + 16, v1);
        a = sse2_add(a, v0);
        b = sse2_add(b, v1);
    }
    return sse2_total(a, b);
}

const struct csum_blocks csum_sse2 = {"sse2", sse2_usable, sse2_sum, sse2_copy};

#endif
