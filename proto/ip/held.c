/* SPDX-License-Identifier: MIT */
/*
 * Flattened copies of frames that have to wait: for a neighbour's address, or for ip_run_local.
 * A frame's spans are only valid during the call that brings it, so waiting means copying; offload
 * marks are kept, and headers stay apart from payload as in the frame.
 */
#include "proto/ip/ip_internal.h"

/* Ethernet's 14 bytes, and two more so that the IP header is aligned. */
#define HELD_HEADROOM 16

uint32_t held_size(const struct frame *f)
{
    return (uint32_t)sizeof(struct held_packet) + HELD_HEADROOM + frame_total(f);
}

struct held_packet *held_copy(struct stack *st, const struct frame *f, const struct ip_addr *dst)
{
    struct held_packet *h = mem_alloc(&st->mem, held_size(f));

    if (!h)
        return NULL;
    list_init(&h->link);
    h->dst = *dst;
    h->size = held_size(f);
    h->headers = f->len;
    h->len = frame_total(f);
    h->gso = f->gso;
    h->csum = f->csum;
    h->ecn = f->ecn;
    h->cwr_all = f->cwr_all;
    h->gso_size = f->gso_size;
    h->csum_start = f->csum_start;
    h->csum_offset = f->csum_offset;
    h->owner = f->owner;
    h->data = h->bytes + HELD_HEADROOM;
    frame_flatten(f, h->data);
    return h;
}

void held_frame(struct held_packet *h, struct frame *f)
{
    frame_init(f);
    f->data = h->data;
    f->len = h->headers;
    f->gso = h->gso;
    f->csum = h->csum;
    f->ecn = h->ecn;
    f->cwr_all = h->cwr_all;
    f->gso_size = h->gso_size;
    f->csum_start = h->csum_start;
    f->csum_offset = h->csum_offset;
    f->owner = h->owner;
    if (h->len > h->headers) {
        f->n_spans = 1;
        f->span_len = h->len - h->headers;
        f->spans[0] = (struct iovec){.iov_base = h->data + h->headers, .iov_len = f->span_len};
    }
}

void held_free(struct stack *st, struct held_packet *h)
{
    mem_free(&st->mem, h, h->size);
}
