/* SPDX-License-Identifier: MIT */
/*
 * Giving memory back to the machine. What is freed stays with malloc(3): a slab that is free lies
 * between others, and only the heap's end goes back by itself, so the memory of the busiest minute
 * would be kept for ever. When much less is in use than was, malloc_trim(3) gives the pages of what
 * is free back. Each page is paid for once, when it goes and when it comes again.
 */
#ifndef TS_DAEMON_TRIM_H
#define TS_DAEMON_TRIM_H

#include <stdbool.h>
#include <stdint.h>

/** How long it must stay so: connections that come and go are not to fetch their pages each time.
 */
#define TRIM_REST_MS 5000
/** Less than this is not worth the walk over what is free. */
#define TRIM_BYTES (1u << 20)

struct trim {
    uint64_t most; /**< in use at any time since memory was given back */
};

/** `used` bytes are in use now. Returns whether that is less than half of what was. */
bool trim_due(struct trim *t, uint64_t used);

/** Give back. */
void trim_now(struct trim *t, uint64_t used);

#endif
