/* SPDX-License-Identifier: MIT */
/*
 * Ones' complement sums over 64-bit loads: 2^64 - 1 is a multiple of 0xffff, so a sum modulo 2^64 -
 * 1 (add, and add the carries back) folds to the 16-bit one (RFC 1071 section 2 (C)). Four sums run
 * side by side, so that no addition waits for the one before. Long runs go by vectors where the
 * processor has them, chosen once at start (checksum_blocks.h).
 */
#include "proto/base/checksum.h"

#include "proto/base/checksum_blocks.h"

#include <assert.h>
#include <string.h>

static inline uint64_t load64(const uint8_t *p)
{
    uint64_t x;

    memcpy(&x, p, sizeof(x));
    return x;
}

/* a + b modulo 2^64 - 1. */
static inline uint64_t add64(uint64_t a, uint64_t b)
{
    a += b;
    return a + (a < b);
}

/* The sum of the last 0 to 7 bytes, with a zero behind an odd one. */
static inline uint64_t sum_rest(const uint8_t *p, size_t n)
{
    uint64_t sum = 0;
    uint32_t x4;
    uint16_t x2;

    if (n & 4) {
        memcpy(&x4, p, sizeof(x4));
        sum += x4;
        p += 4;
    }
    if (n & 2) {
        memcpy(&x2, p, sizeof(x2));
        sum += x2;
        p += 2;
    }
    if (n & 1) {
        x2 = 0;
        memcpy(&x2, p, 1);
        sum += x2;
    }
    return sum;
}

/* --- the portable version of the inner loop ----------------------------------------------------
 */

static uint64_t portable_sum(const uint8_t *p, size_t n)
{
    uint64_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    uint64_t carries = 0;

    for (; n; n -= 32, p += 32) {
        uint64_t x0 = load64(p), x1 = load64(p + 8), x2 = load64(p + 16), x3 = load64(p + 24);

        s0 += x0;
        carries += s0 < x0;
        s1 += x1;
        carries += s1 < x1;
        s2 += x2;
        carries += s2 < x2;
        s3 += x3;
        carries += s3 < x3;
    }
    return add64(add64(add64(s0, s1), add64(s2, s3)), carries);
}

static uint64_t portable_copy(uint8_t *dst, const uint8_t *p, size_t n)
{
    memcpy(dst, p, n);
    return portable_sum(dst, n);
}

static bool always(void)
{
    return true;
}

const struct csum_blocks csum_portable = {"portable", always, portable_sum, portable_copy};

const struct csum_blocks *const csum_all_blocks[] = {
#if defined(__x86_64__)
    &csum_avx2,
    &csum_sse2,
#endif
    &csum_portable,
    NULL,
};

static const struct csum_blocks *blocks = &csum_portable;

__attribute__((constructor)) static void choose_blocks(void)
{
    const struct csum_blocks *const *b = csum_all_blocks;

#if defined(__x86_64__)
    __builtin_cpu_init();
#endif
    while (!(*b)->usable())
        b++;
    blocks = *b;
}

/* --- sums --------------------------------------------------------------------------------------
 */

/* What the blocks leave over: fewer than CSUM_BLOCK bytes. */
static inline uint64_t sum_short(const uint8_t *p, size_t n)
{
    uint64_t sum = 0;

    for (; n >= 8; n -= 8, p += 8)
        sum = add64(sum, load64(p));
    return add64(sum, sum_rest(p, n));
}

uint32_t csum_partial(const void *data, size_t n, uint32_t sum)
{
    const uint8_t *p = data;
    size_t whole = n - n % CSUM_BLOCK;
    uint64_t total = sum;

    if (whole)
        total = add64(total, blocks->sum(p, whole));
    return csum_fold64(add64(total, sum_short(p + whole, n - whole)));
}

uint32_t csum_copy(void *dst, const void *src, size_t n)
{
    size_t whole = n - n % CSUM_BLOCK;
    uint8_t *rest = (uint8_t *)dst + whole;
    uint64_t total = whole ? blocks->copy(dst, src, whole) : 0;

    memcpy(rest, (const uint8_t *)src + whole, n - whole);
    return csum_fold64(add64(total, sum_short(rest, n - whole)));
}

uint32_t csum_combine(uint32_t a, uint32_t b, size_t offset)
{
    /* At an odd offset the bytes of every word change places (RFC 1071 section 2 (B)). */
    if (offset & 1)
        b = b << 8 | b >> 24;
    return csum_fold64((uint64_t)a + b);
}

uint32_t csum_iov(const struct iovec *iov, int n, uint32_t sum)
{
    size_t offset = 0;

    for (int i = 0; i < n; i++) {
        sum = csum_combine(sum, csum_partial(iov[i].iov_base, iov[i].iov_len, 0), offset);
        offset += iov[i].iov_len;
    }
    return sum;
}

uint32_t csum_pseudo(const uint8_t *src, const uint8_t *dst, size_t addr_len, uint8_t proto,
                     uint32_t len)
{
    const uint8_t tail[8] = {(uint8_t)(len >> 24),
                             (uint8_t)(len >> 16),
                             (uint8_t)(len >> 8),
                             (uint8_t)len,
                             0,
                             0,
                             0,
                             proto};

    assert(addr_len == 4 || addr_len == 16);
    if (addr_len == 4)
        return csum_pseudo4(src, dst, proto, len);
    return csum_partial(dst, addr_len, csum_partial(src, addr_len, csum_partial(tail, 8, 0)));
}
