/* SPDX-License-Identifier: MIT */
/* A fuzzer's bytes, taken from the front; zeros when they are used up, so every input means
 * something. */
#ifndef TS_TESTS_FUZZ_INPUT_H
#define TS_TESTS_FUZZ_INPUT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct input {
    const uint8_t *at, *end;
};

static inline size_t input_left(const struct input *in)
{
    return (size_t)(in->end - in->at);
}

static inline uint8_t input_u8(struct input *in)
{
    return in->at < in->end ? *in->at++ : 0;
}

static inline uint16_t input_u16(struct input *in)
{
    uint8_t high = input_u8(in);

    return (uint16_t)(high << 8 | input_u8(in));
}

static inline uint32_t input_u32(struct input *in)
{
    uint32_t high = input_u16(in);

    return high << 16 | input_u16(in);
}

/** Up to n bytes into dst; returns how many there were. */
static inline size_t input_bytes(struct input *in, void *dst, size_t n)
{
    if (n > input_left(in))
        n = input_left(in);
    memcpy(dst, in->at, n);
    in->at += n;
    return n;
}

#endif
