/* SPDX-License-Identifier: MIT */
/*
 * A capture of the daemon's frames: the words and the ring that the daemon and the reader share.
 *
 * The reply to CAPTURE carries one end of a socket pair, whose first message brings a memory file,
 * sealed against shrinking and growing: a page with struct capture_words, then a ring of `size`
 * bytes. Records lie in it one behind the other, each at a multiple of 8, and may wrap around its
 * end. Positions count bytes since the start and never wrap; `position & (size - 1)` is the place.
 *
 * The daemon never waits: a record that finds no room between `head` and `tail` is counted as
 * dropped. It trusts nothing that the reader can write; a tail that cannot be true ends the
 * capture. Before it sleeps the reader puts a new number into `ticket` and looks again; the daemon
 * answers each number once, by one byte in the pair, after it has moved `head`. Either side ends
 * the capture by closing its end.
 */
#ifndef TS_IPC_CAPTURE_H
#define TS_IPC_CAPTURE_H

#include <stdint.h>

#define CAPTURE_MAGIC 0x74735031u /* "tsP1" */
/** Where the ring begins in the file. */
#define CAPTURE_WORDS_SIZE 4096u
/** Bytes of a ring: a power of two. */
#define CAPTURE_RING_MIN (64u << 10)
#define CAPTURE_RING_MAX (16u << 20)
/** The largest frame, and so the largest snapshot. */
#define CAPTURE_SNAPLEN 262144u

#define CAPTURE_IN  1u
#define CAPTURE_OUT 2u

struct capture_words {
    uint32_t magic;
    uint32_t size; /**< of the ring */
    /* the daemon's */
    _Alignas(64) uint64_t head; /**< the end of what was written */
    uint64_t matched;           /**< frames that the filter let through, the dropped ones too */
    uint64_t dropped;           /**< of them: there was no room */
    /* the reader's */
    _Alignas(64) uint64_t tail; /**< the end of what was read */
    uint32_t ticket;
};

/** Before the bytes of each frame. */
struct capture_record {
    uint64_t ns;        /**< since 1970 */
    uint32_t caplen;    /**< bytes that follow */
    uint32_t len;       /**< of the frame on the wire */
    uint32_t direction; /**< CAPTURE_IN or CAPTURE_OUT */
    uint32_t reserved;
};

/** What a record takes of the ring. */
static inline uint32_t capture_record_size(uint32_t caplen)
{
    return (uint32_t)((sizeof(struct capture_record) + caplen + 7) & ~(uint32_t)7);
}

#endif
