/* SPDX-License-Identifier: MIT */
/*
 * What must hold: with one extent, all of [tail, tail + size) is storage; with two, [tail,
 * boundary) lies in the older and [boundary, boundary + its size) in the newer. ext[1] never exists
 * without ext[0].
 */
#include "proto/base/bytestream.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

static bool has_two(const struct bytestream *b)
{
    return b->ext[1].base != NULL;
}

void bytestream_init(struct bytestream *b, struct account *account, uint64_t start_offset,
                     uint32_t max_size)
{
    *b = (struct bytestream){.account = account, .tail = start_offset};
    b->max_size = max_size < EXTENT_MAX ? max_size : EXTENT_MAX;
}

uint64_t bytestream_capacity_end(const struct bytestream *b)
{
    if (has_two(b))
        return b->boundary + b->ext[1].size;
    return b->tail + b->ext[0].size;
}

uint32_t bytestream_extent_size(uint64_t n)
{
    uint32_t size = EXTENT_MIN;

    while (size < n && size < EXTENT_MAX)
        size *= 2;
    return size;
}

int bytestream_reserve(struct bytestream *b, uint64_t occupied_end, uint64_t end)
{
    uint64_t capacity_end = bytestream_capacity_end(b);
    struct extent e;

    assert(occupied_end >= b->tail && occupied_end <= capacity_end);
    if (end <= b->tail)
        return 0;
    if (end - b->tail > b->max_size || end - b->tail > EXTENT_MAX)
        return -ENOBUFS;
    if (end <= capacity_end)
        return 0;
    if (has_two(b) && occupied_end > b->boundary)
        return -ENOBUFS;

    /* More than the newest extent holds, hence a power of two that is at least its double. */
    e = account_extent_get(b->account, bytestream_extent_size(end - b->tail));
    if (!e.base)
        return -ENOMEM;
    if (occupied_end == b->tail) {
        bytestream_give_back(b);
        b->ext[0] = e;
    } else {
        account_extent_put(b->account, b->ext[1]); /* if it exists, it holds no live byte */
        b->ext[1] = e;
        b->boundary = occupied_end;
    }
    return 0;
}

/* The spans of a range inside one extent, one or two as it wraps. */
static int ring_spans(const struct extent *e, uint64_t off, size_t len, struct iovec *out)
{
    size_t at = off & (e->size - 1);
    size_t first = e->size - at;

    if (len == 0)
        return 0;
    out[0] = (struct iovec){.iov_base = e->base + at, .iov_len = len};
    if (len <= first)
        return 1;
    out[0].iov_len = first;
    out[1] = (struct iovec){.iov_base = e->base, .iov_len = len - first};
    return 2;
}

int bytestream_spans(const struct bytestream *b, uint64_t off, size_t len, struct iovec out[4])
{
    size_t older = len;
    int n;

    if (len == 0)
        return 0;
    assert(off >= b->tail && off + len >= off && off + len <= bytestream_capacity_end(b));
    if (has_two(b)) {
        older = 0;
        if (off < b->boundary)
            older = b->boundary - off < len ? b->boundary - off : len;
    }
    n = ring_spans(&b->ext[0], off, older, out);
    if (older == len)
        return n;
    return n + ring_spans(&b->ext[1], off + older, len - older, out + n);
}

void bytestream_write(struct bytestream *b, uint64_t off, const void *src, size_t len)
{
    const uint8_t *from = src;
    struct iovec span[4];
    int n = bytestream_spans(b, off, len, span);

    for (int i = 0; i < n; i++) {
        memcpy(span[i].iov_base, from, span[i].iov_len);
        from += span[i].iov_len;
    }
}

void bytestream_read(const struct bytestream *b, uint64_t off, void *dst, size_t len)
{
    uint8_t *to = dst;
    struct iovec span[4];
    int n = bytestream_spans(b, off, len, span);

    for (int i = 0; i < n; i++) {
        memcpy(to, span[i].iov_base, span[i].iov_len);
        to += span[i].iov_len;
    }
}

uint32_t bytestream_move_size(const struct bytestream *b, uint32_t least)
{
    uint64_t n = bytestream_capacity_end(b) - b->tail;

    if (n < least)
        n = least;
    /* two extents may hold more, but nothing is ever reserved beyond that */
    return bytestream_extent_size(n < EXTENT_MAX ? n : EXTENT_MAX);
}

void bytestream_move(struct bytestream *b, uint64_t occupied_end, struct account *account,
                     struct extent to)
{
    struct bytestream moved = {.account = account, .tail = b->tail, .max_size = b->max_size};
    struct iovec span[4];
    uint64_t off = b->tail;
    int n;

    assert(occupied_end >= b->tail && occupied_end - b->tail <= to.size);
    moved.ext[0] = to;
    n = bytestream_spans(b, off, (size_t)(occupied_end - off), span);
    for (int i = 0; i < n; i++) {
        bytestream_write(&moved, off, span[i].iov_base, span[i].iov_len);
        off += span[i].iov_len;
    }
    bytestream_give_back(b);
    *b = moved;
}

void bytestream_release(struct bytestream *b, uint64_t upto)
{
    if (upto <= b->tail)
        return;
    b->tail = upto;
    if (has_two(b) && upto >= b->boundary) {
        account_extent_put(b->account, b->ext[0]);
        b->ext[0] = b->ext[1];
        b->ext[1] = (struct extent){0};
    }
}

void bytestream_give_back(struct bytestream *b)
{
    for (int i = 0; i < 2; i++) {
        account_extent_put(b->account, b->ext[i]);
        b->ext[i] = (struct extent){0};
    }
}

size_t bytestream_footprint(const struct bytestream *b)
{
    return (size_t)b->ext[0].size + b->ext[1].size;
}

void bytestream_destroy(struct bytestream *b)
{
    bytestream_give_back(b);
}
