/* SPDX-License-Identifier: MIT */
/*
 * The inner loop of the checksum, in one version for each instruction set. checksum.c takes the
 * best that the processor has; tests hold all of them against each other.
 */
#ifndef TS_PROTO_BASE_CHECKSUM_BLOCKS_H
#define TS_PROTO_BASE_CHECKSUM_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Bytes of a block: all versions take whole ones only. */
#define CSUM_BLOCK 128u

struct csum_blocks {
    const char *name;
    /** Whether this processor can run it. */
    bool (*usable)(void);
    /** The sum of n bytes (a multiple of CSUM_BLOCK, any alignment), modulo 2^64 - 1. */
    uint64_t (*sum)(const uint8_t *p, size_t n);
    /** The same, and a copy of them at dst: each byte is read once, so the sum is that of the copy
     * even when somebody writes to p meanwhile. */
    uint64_t (*copy)(uint8_t *dst, const uint8_t *p, size_t n);
};

/** All versions, the best first; the last one (portable) is usable everywhere. NULL behind it. */
extern const struct csum_blocks *const csum_all_blocks[];

#if defined(__x86_64__)
extern const struct csum_blocks csum_avx2, csum_sse2; /* checksum_x86.c */
#endif
extern const struct csum_blocks csum_portable; /* checksum.c */

#endif
