/* SPDX-License-Identifier: MIT */
/*
 * Hierarchical timing wheel (Varghese and Lauck, 1987): O(1) timers with a tick of 1 us.
 * Eleven levels of 64 slots, six bits of the deadline each, cover all 64 bits. A timer sits on the
 * level of the highest bit in which its deadline differs from the wheel's now, and moves down as
 * now enters its slot, so each moves at most ten times. A bitmap per level finds the next slot
 * without a loop over ticks. A wheel points into itself: it must not be moved or copied once set
 * up.
 */
#ifndef TS_PROTO_BASE_WHEEL_H
#define TS_PROTO_BASE_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/list.h"

#define WHEEL_BITS   6
#define WHEEL_SLOTS  (1 << WHEEL_BITS)
#define WHEEL_LEVELS 11

/* A timer, inside the caller's struct. A zeroed node is unarmed. */
struct wheel_node {
    struct list link;
    uint64_t deadline; /* us, as given to wheel_arm */
    uint8_t level, slot;
    uint8_t kind; /* the owner's own, never touched here */
};

struct wheel {
    /* private */
    uint64_t now;      /* us; never goes back; no timer with an earlier slot is left */
    uint64_t overdue;  /* not later than any deadline in the past, UINT64_MAX when there is none */
    uint32_t occupied; /* bit per level: it has timers */
    uint64_t bits[WHEEL_LEVELS]; /* bit per slot: it has timers */
    struct list slots[WHEEL_LEVELS][WHEEL_SLOTS];
};

/* Make an empty wheel that starts at now (us). */
void wheel_init(struct wheel *w, uint64_t now);

/*
 * Arm node for deadline (us); if it is armed (in this wheel), it is re-armed. A deadline in the
 * past fires at the next wheel_expire. The node stays the caller's, who must disarm it before
 * freeing it.
 */
void wheel_arm(struct wheel *w, struct wheel_node *node, uint64_t deadline);

/* Disarm node; nothing happens when it is not armed. */
void wheel_disarm(struct wheel *w, struct wheel_node *node);

/* Whether node is armed. */
bool wheel_armed(const struct wheel_node *node);

/*
 * When to call wheel_expire next (us): never later than the earliest deadline, and earlier only for
 * a timer further off than the lowest level, whose slot then has to be opened. UINT64_MAX when no
 * timer is armed.
 */
uint64_t wheel_next(const struct wheel *w);

/*
 * Disarm and return one node whose deadline is not later than now (us), NULL when there is none;
 * call it until it returns NULL. Nodes come in the order of their deadlines, those of one tick in
 * no particular order. A now before an earlier one counts as that earlier one. The cost does not
 * depend on the length of the jump.
 */
struct wheel_node *wheel_expire(struct wheel *w, uint64_t now);

#endif
