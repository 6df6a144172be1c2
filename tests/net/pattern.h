/* SPDX-License-Identifier: MIT */
/*
 * What the test programs send: a fixed pseudo-random stream, the same at both ends, so that each
 * byte is checked where it arrives and a lost, doubled or moved piece is found at its offset.
 */
#ifndef TS_TESTS_NET_PATTERN_H
#define TS_TESTS_NET_PATTERN_H

#include <stddef.h>
#include <stdint.h>

/* A prime: no power of two divides it, so a piece that moved by a buffer's size is seen. */
#define PATTERN_PERIOD 1048573u

void pattern_init(void);
/** Up to *len bytes of the stream from this offset on; *len is cut to what is there in one piece,
 * at least PATTERN_PERIOD bytes. */
const uint8_t *pattern_at(uint64_t offset, size_t *len);
/** The first of len bytes at data that differs from the stream at offset, or -1. */
int64_t pattern_differs(uint64_t offset, const uint8_t *data, size_t len);

#endif
