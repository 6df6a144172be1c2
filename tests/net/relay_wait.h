/* SPDX-License-Identifier: MIT */
/*
 * The frames that are under way on the emulated link, by the time they arrive: a binary heap.
 * Frames that arrive at the same time come out in the order in which they were put in.
 */
#ifndef TS_TESTS_NET_RELAY_WAIT_H
#define TS_TESTS_NET_RELAY_WAIT_H

#include <stddef.h>
#include <stdint.h>

struct relay_frame {
    uint64_t at, order;
    uint32_t len;
    int side; /* where it arrives */
    uint8_t data[];
};

struct relay_wait {
    struct relay_frame **heap;
    size_t count, room;
    uint64_t order;
};

/** Put a copy of the frame in. Returns 0 or -ENOMEM. */
int relay_wait_push(struct relay_wait *w, uint64_t at, int side, const void *data, uint32_t len);
/** The next one to arrive, or NULL; it stays. */
const struct relay_frame *relay_wait_first(const struct relay_wait *w);
/** Take the next one out; the caller frees it. NULL if there is none. */
struct relay_frame *relay_wait_pop(struct relay_wait *w);
void relay_wait_clear(struct relay_wait *w);

#endif
