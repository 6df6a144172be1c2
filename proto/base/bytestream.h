/* SPDX-License-Identifier: MIT */
/*
 * Stream buffer: the bytes of one direction of a connection, addressed by stream offset, which
 * never wraps. The live bytes [tail, head) sit in at most two extents: an old one that drains and a
 * new one that fills, so the buffer grows without moving a byte. A segment is a range of offsets;
 * bytestream_spans turns it into iovecs. Which offsets below the head hold bytes (holes,
 * out-of-order data) is the caller's knowledge.
 */
#ifndef TS_PROTO_BASE_BYTESTREAM_H
#define TS_PROTO_BASE_BYTESTREAM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "proto/base/account.h"

/* All fields may be read; only max_size may be set from outside. */
struct bytestream {
    struct account *account; /* that pays for the extents */
    uint64_t boundary;       /* of use only while ext[1] exists */
    uint64_t tail;           /* the oldest live offset */
    struct extent
        ext[2]; /* ext[0] holds offsets below boundary, ext[1] the others; alone, ext[0] all */
    uint32_t max_size; /* most bytes from tail to the end of a reservation */
}
__attribute__((packed, aligned(4))); /* two lie in every connection, with 4 bytes of padding each */

/* Make an empty stream at start_offset, without storage. max_size: bytes, cut to EXTENT_MAX. */
void bytestream_init(struct bytestream *b, struct account *account, uint64_t start_offset,
                     uint32_t max_size);

/*
 * Make sure that [tail, end) has storage. occupied_end (>= tail, and reserved before): no live byte
 * is at or beyond it. Live bytes stay where they are; when the storage grows, offsets from
 * occupied_end on lose their content. Returns 0; -ENOBUFS when end - tail is more than max_size, or
 * when both extents hold live bytes and the newer is too small: wait until the older has drained;
 * -ENOMEM. On failure the state is unchanged.
 */
int bytestream_reserve(struct bytestream *b, uint64_t occupied_end, uint64_t end);

/* The size of the smallest extent for n bytes (the largest there is, when none is large enough). */
uint32_t bytestream_extent_size(uint64_t n);

/* The largest `end` for which [tail, end) has storage now (may be beyond tail + max_size); tail
 * without storage. */
uint64_t bytestream_capacity_end(const struct bytestream *b);

/* The extent that bytestream_move() needs: for all that the stream may use of its present ones, and
 * at least `least` bytes. */
uint32_t bytestream_move_size(const struct bytestream *b, uint32_t least);

/* Move to another account, into `to` from there, of bytestream_move_size() or more. [tail,
 * occupied_end) is copied. */
void bytestream_move(struct bytestream *b, uint64_t occupied_end, struct account *account,
                     struct extent to);

/*
 * The memory of [off, off + len), which must be reserved, as up to four spans in stream order.
 * Returns their number, 0 when len is 0. They are valid until the stream releases, reserves or
 * gives back.
 */
int bytestream_spans(const struct bytestream *b, uint64_t off, size_t len, struct iovec out[4]);

/* Copy len bytes from src to [off, off + len), which must be reserved. */
void bytestream_write(struct bytestream *b, uint64_t off, const void *src, size_t len);

/* Copy len bytes from [off, off + len), which must be reserved, to dst. */
void bytestream_read(const struct bytestream *b, uint64_t off, void *dst, size_t len);

/*
 * Move tail up to `upto`: the bytes below are dead. Gives the older extent back once it has
 * drained. Nothing happens when upto is not beyond tail.
 */
void bytestream_release(struct bytestream *b, uint64_t upto);

/* Give all storage back to the pool; the caller knows that no live bytes are left. Offsets
 * continue. */
void bytestream_give_back(struct bytestream *b);

/* Bytes of storage held. */
size_t bytestream_footprint(const struct bytestream *b);

/* Give all storage back, dead or alive. */
void bytestream_destroy(struct bytestream *b);

#endif
