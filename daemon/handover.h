/* SPDX-License-Identifier: MIT */
/*
 * Frames that one worker has read and another one owns: a bounded ring of copies with one giver and
 * one taker, each in its own thread, without a lock. The device learns from what each queue sends
 * where a connection's frames belong, so this is the way of the first ones only, of what comes
 * after a long silence, and of what all are to have.
 */
#ifndef TS_DAEMON_HANDOVER_H
#define TS_DAEMON_HANDOVER_H

#include "proto/frame.h"

#include <stdbool.h>
#include <stdint.h>

#define HANDOVER_SLOTS 256u /**< a power of two */

struct handover {
    _Alignas(64) uint32_t taken; /**< the taker's count */
    _Alignas(64) uint32_t given; /**< the giver's */
    _Alignas(64) struct frame *slots[HANDOVER_SLOTS];
};

/** A copy of a frame from the device, without spans. False: full, or no memory. */
bool handover_give(struct handover *h, const struct frame *f);
/** The oldest one, to be freed by free(3); NULL: there is none. */
struct frame *handover_take(struct handover *h);

#endif
