/* SPDX-License-Identifier: MIT */
/*
 * The calls with MSG_ZEROCOPY of a ring: their numbers, and which of them are complete. Linux's
 * form (Documentation/networking/msg_zerocopy.rst): a 32-bit counter, completions in order, ranges
 * of consecutive numbers of one code.
 */
#ifndef TS_CLIENT_LIB_ZEROCOPY_H
#define TS_CLIENT_LIB_ZEROCOPY_H

#include <stdbool.h>
#include <stdint.h>

/** Calls that are told apart. */
#define ZEROCOPY_CALLS 256
/** Beyond that, unfinished neighbours of one code become one while they have so many bytes at most;
 * as in Linux (msg_zerocopy_realloc). */
#define ZEROCOPY_MERGE (512u << 10)

/** Calls `first` to `last`, whose bytes lie in [start, end) of the stream. */
struct zerocopy_range {
    uint64_t start, end;
    uint32_t first, last;
    uint8_t code; /**< SO_EE_CODE_ZEROCOPY_COPIED, or 0 */
};

struct zerocopy {
    struct zerocopy_range *ranges; /**< ZEROCOPY_CALLS of them, from the first call on */
    unsigned head, n;
    uint32_t next; /**< the next call's number */
};

/** Make room for one more; `acked`: bytes below are with the peer. False: there is none. */
bool zerocopy_make_room(struct zerocopy *z, uint64_t acked);
/** A call has taken the bytes [start, end); there is room. */
void zerocopy_add(struct zerocopy *z, uint64_t start, uint64_t end, uint8_t code);
/** The offset that must be acknowledged before anything is complete; UINT64_MAX: nothing is under
 * way. */
uint64_t zerocopy_due_at(const struct zerocopy *z);
/** The next that are complete. False: none. */
bool zerocopy_take(struct zerocopy *z, uint64_t acked, struct zerocopy_range *out);
void zerocopy_free(struct zerocopy *z);

#endif
