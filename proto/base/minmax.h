/* SPDX-License-Identifier: MIT */
/*
 * Windowed minimum and maximum of a series of samples, in constant space: the best, the second and
 * the third best of the window, each newer than the one before (the filter of K. Nichols). Time may
 * be any unit that grows; differences are taken modulo 2^32.
 */
#ifndef TS_PROTO_BASE_MINMAX_H
#define TS_PROTO_BASE_MINMAX_H

#include <stdint.h>

struct minmax_sample {
    uint32_t at, value;
};

struct minmax {
    struct minmax_sample s[3];
};

static inline uint32_t minmax_get(const struct minmax *m)
{
    return m->s[0].value;
}

/* Forget all; the window holds this one sample. Returns its value. */
uint32_t minmax_reset(struct minmax *m, uint32_t at, uint32_t value);
/* One more sample; returns the smallest of the last `window` units of time. */
uint32_t minmax_running_min(struct minmax *m, uint32_t window, uint32_t at, uint32_t value);
/* The same for the largest. */
uint32_t minmax_running_max(struct minmax *m, uint32_t window, uint32_t at, uint32_t value);

#endif
