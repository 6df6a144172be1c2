/* SPDX-License-Identifier: MIT */
/*
 * Memory of one script: given out in order, taken back all at once. A script's tree, its packets
 * and its buffers live and die together, so nothing in tests/pkt/ frees single pieces.
 */
#ifndef TS_TESTS_PKT_ARENA_H
#define TS_TESTS_PKT_ARENA_H

#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *first, *current;
};

/** n zeroed bytes, aligned for anything. Ends the program when there is no memory. */
void *arena_alloc(struct arena *a, size_t n);
/** A copy of n characters with a NUL behind them. */
char *arena_text(struct arena *a, const char *s, size_t n);
/** Printf into the arena. */
char *arena_printf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** Everything is free again; the first block is kept for the next script. */
void arena_reset(struct arena *a);
void arena_free(struct arena *a);

#endif
