/* SPDX-License-Identifier: MIT */
/*
 * What software does with a frame when nobody else will: one run of bytes, and a completed checksum
 * (Virtual I/O Device 1.2 §5.1.6.2, RFC 1071). Cutting is in frame_segment.c.
 */
#include "proto/frame.h"

#include "proto/base/checksum.h"

void frame_flatten(const struct frame *f, uint8_t *dst)
{
    memcpy(dst, f->data, f->len);
    dst += f->len;
    for (unsigned i = 0; i < f->n_spans; i++) {
        if (f->spans[i].iov_len == 0)
            continue;
        memcpy(dst, f->spans[i].iov_base, f->spans[i].iov_len);
        dst += f->spans[i].iov_len;
    }
}

/* Let the payload be a copy in scratch, with the headers in front of it if they fit; its sum. */
static uint32_t frame_copy_spans(struct frame *f, uint8_t *scratch)
{
    uint8_t *to = scratch + FRAME_ROOM;
    uint32_t sum = 0;
    size_t at = 0;

    for (unsigned i = 0; i < f->n_spans; i++) {
        size_t n = f->spans[i].iov_len;

        if (n)
            sum = csum_combine(sum, csum_copy(to + at, f->spans[i].iov_base, n), at);
        at += n;
    }
    f->spans[0] = (struct iovec){to, at};
    f->n_spans = 1;
    if (f->len <= FRAME_ROOM)
        f->data = memcpy(to - f->len, f->data, f->len);
    return sum;
}

void frame_complete_csum(struct frame *f, uint8_t *scratch)
{
    uint32_t covered, sum, payload = 0;
    uint16_t folded;

    if (f->csum != FRAME_CSUM_PARTIAL || f->csum_start > f->len)
        return;
    covered = f->len - f->csum_start;
    if (f->csum_offset + 2u > covered || f->span_len > FRAME_MAX_PACKET)
        return;
    if (f->n_spans)
        payload = frame_copy_spans(f, scratch);
    /* The field's pseudo-header sum is part of what is summed. */
    sum = csum_partial(f->data + f->csum_start, covered, 0);
    folded = csum_fold(csum_combine(sum, payload, covered));
    memcpy(f->data + f->csum_start + f->csum_offset, &folded, 2);
    f->csum = FRAME_CSUM_NONE;
}
