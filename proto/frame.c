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

void frame_complete_csum(struct frame *f)
{
    uint32_t covered, sum;
    uint16_t folded;

    if (f->csum != FRAME_CSUM_PARTIAL || f->csum_start > f->len)
        return;
    covered = f->len - f->csum_start;
    if (f->csum_offset + 2u > covered)
        return;
    /* The field's pseudo-header sum is part of what is summed. */
    sum = csum_partial(f->data + f->csum_start, covered, 0);
    sum = csum_combine(sum, csum_iov(f->spans, f->n_spans, 0), covered);
    folded = csum_fold(sum);
    memcpy(f->data + f->csum_start + f->csum_offset, &folded, 2);
    f->csum = FRAME_CSUM_NONE;
}
