/* SPDX-License-Identifier: MIT */
/*
 * The rule that all rests on: a timer on level L agrees with now in all bits above level L's six,
 * and its slot there is later than now's (on level 0: not earlier). So the first slot of the lowest
 * occupied level holds the earliest timers, and now may move up to the start of that slot without
 * breaking the rule. Timers whose deadline is past stand in now's own slot on level 0; while one is
 * there, now does not move.
 */
#include "proto/base/wheel.h"

#include <stddef.h>

/* The first tick of a slot, seen from now. */
static uint64_t slot_start(const struct wheel *w, unsigned level, unsigned slot)
{
    unsigned shift = level * WHEEL_BITS;
    unsigned above = shift + WHEEL_BITS;
    uint64_t high = above < 64 ? w->now >> above << above : 0;

    return high | (uint64_t)slot << shift;
}

static void place(struct wheel *w, struct wheel_node *node)
{
    uint64_t at = node->deadline;

    if (at < w->now) {
        if (at < w->overdue)
            w->overdue = at;
        at = w->now;
    }
    node->level = (uint8_t)((63 - __builtin_clzll((at ^ w->now) | (WHEEL_SLOTS - 1))) / WHEEL_BITS);
    node->slot = at >> (node->level * WHEEL_BITS) & (WHEEL_SLOTS - 1);
    list_add_tail(&w->slots[node->level][node->slot], &node->link);
    w->bits[node->level] |= UINT64_C(1) << node->slot;
    w->occupied |= 1u << node->level;
}

static void unplace(struct wheel *w, struct wheel_node *node)
{
    unsigned level = node->level;
    unsigned slot = node->slot;

    list_del(&node->link);
    if (!list_empty(&w->slots[level][slot]))
        return;
    w->bits[level] &= ~(UINT64_C(1) << slot);
    if (!w->bits[level])
        w->occupied &= ~(1u << level);
    if (level == 0 && slot == (w->now & (WHEEL_SLOTS - 1)))
        w->overdue = UINT64_MAX;
}

void wheel_init(struct wheel *w, uint64_t now)
{
    w->now = now;
    w->overdue = UINT64_MAX;
    w->occupied = 0;
    for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
        w->bits[level] = 0;
        for (unsigned slot = 0; slot < WHEEL_SLOTS; slot++)
            list_init(&w->slots[level][slot]);
    }
}

void wheel_arm(struct wheel *w, struct wheel_node *node, uint64_t deadline)
{
    wheel_disarm(w, node);
    node->deadline = deadline;
    place(w, node);
}

void wheel_disarm(struct wheel *w, struct wheel_node *node)
{
    if (wheel_armed(node))
        unplace(w, node);
}

bool wheel_armed(const struct wheel_node *node)
{
    return list_linked(&node->link);
}

uint64_t wheel_next(const struct wheel *w)
{
    unsigned level;
    uint64_t start;

    if (!w->occupied)
        return UINT64_MAX;
    level = (unsigned)__builtin_ctz(w->occupied);
    start = slot_start(w, level, (unsigned)__builtin_ctzll(w->bits[level]));
    return start < w->overdue ? start : w->overdue;
}

struct wheel_node *wheel_expire(struct wheel *w, uint64_t now)
{
    struct wheel_node *node;
    struct list *link;
    unsigned level, slot;
    uint64_t start;

    if (now < w->now)
        now = w->now;
    while (w->occupied) {
        level = (unsigned)__builtin_ctz(w->occupied);
        slot = (unsigned)__builtin_ctzll(w->bits[level]);
        start = slot_start(w, level, slot);
        if (start > now)
            break;
        w->now = start;
        if (level == 0) {
            node = container_of(list_first(&w->slots[0][slot]), struct wheel_node, link);
            unplace(w, node);
            return node;
        }
        /* now has entered the slot: each of its timers belongs on a lower level. */
        while ((link = list_first(&w->slots[level][slot]))) {
            node = container_of(link, struct wheel_node, link);
            unplace(w, node);
            place(w, node);
        }
    }
    w->now = now;
    return NULL;
}
