/* SPDX-License-Identifier: MIT */
/*
 * Sequence numbers: 32 bits that wrap, compared modulo 2^32 (RFC 9293 section 3.4).
 * a is before b when the signed distance b - a is positive; the answers mean something only while
 * the two numbers are less than 2^31 apart, which the largest window (2^30, RFC 7323) ensures.
 */
#ifndef TS_PROTO_BASE_SEQ_H
#define TS_PROTO_BASE_SEQ_H

#include <stdbool.h>
#include <stdint.h>

/* The signed distance from b to a: a - b, in bytes; negative when a is before b. */
static inline int32_t seq_diff(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b);
}

/* Whether a is before b. */
static inline bool seq_lt(uint32_t a, uint32_t b)
{
    return seq_diff(a, b) < 0;
}

/* Whether a is before b or equal to it. */
static inline bool seq_leq(uint32_t a, uint32_t b)
{
    return seq_diff(a, b) <= 0;
}

/* Whether a is after b. */
static inline bool seq_gt(uint32_t a, uint32_t b)
{
    return seq_diff(a, b) > 0;
}

/* Whether a is after b or equal to it. */
static inline bool seq_geq(uint32_t a, uint32_t b)
{
    return seq_diff(a, b) >= 0;
}

/* Whether x lies in the closed range: lo <= x <= hi. Right for ranges of any length below 2^32. */
static inline bool seq_between(uint32_t lo, uint32_t x, uint32_t hi)
{
    return x - lo <= hi - lo;
}

/* The later of a and b. */
static inline uint32_t seq_max(uint32_t a, uint32_t b)
{
    return seq_gt(a, b) ? a : b;
}

/* The earlier of a and b. */
static inline uint32_t seq_min(uint32_t a, uint32_t b)
{
    return seq_lt(a, b) ? a : b;
}

#endif
