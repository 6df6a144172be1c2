/* SPDX-License-Identifier: MIT */
/*
 * Filters of captures: classic BPF programs (bpf(4)) that a client sends. They are hostile until
 * checked: what passes runs straight down, so at most WIRE_FILTER_MAX instructions for a frame,
 * touches nothing but the frame and 16 words of its own, and reads no word that it has not written.
 */
#ifndef TS_DAEMON_CAPTURE_FILTER_H
#define TS_DAEMON_CAPTURE_FILTER_H

#include "ipc/wire.h"

#include <stdbool.h>
#include <stdint.h>

struct capture_filter {
    uint32_t count; /**< 0: everything passes */
    struct wire_filter program[WIRE_FILTER_MAX];
};

/** Take a program over if it is sound. 0 or -EINVAL. */
int capture_filter_set(struct capture_filter *f, const struct wire_filter *program, uint32_t count);

bool capture_filter_pass(const struct capture_filter *f, const uint8_t *frame, uint32_t len);

#endif
