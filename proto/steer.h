/* SPDX-License-Identifier: MIT */
/*
 * Several stacks on one address, each with connections of its own: which of them a tuple, and so a
 * frame, belongs to. A keyed hash that is the same seen from either end, so both ends of a
 * connection to ourselves meet in one stack, and nobody keeps a table.
 */
#ifndef TS_PROTO_STEER_H
#define TS_PROTO_STEER_H

#include "proto/base/siphash.h"
#include "proto/frame.h"
#include "proto/ip/addr.h"

#include <stdbool.h>
#include <stdint.h>

/** Not one stack's business: ARP, whose answers all wait for, and fragments, which do not say. */
#define STEER_ALL UINT32_MAX

struct steer {
    struct siphash_key key; /**< the same for all */
    uint32_t index; /**< of this stack; the first one answers what is nobody's in particular */
    uint32_t count; /**< of stacks; 0 or 1: it is alone */
};

/** Whose connection that is, by both of its ends in either order: 0 to count - 1. */
uint32_t steer_tuple(const struct steer *s, const struct ip_endpoint *a,
                     const struct ip_endpoint *b);

/** Is it this one's? */
static inline bool steer_is_ours(const struct steer *s, const struct ip_endpoint *a,
                                 const struct ip_endpoint *b)
{
    return s->count <= 1 || steer_tuple(s, a, b) == s->index;
}

/**
 * Who is to have a frame from the device: the owner of its tuple, of an ICMP error the owner of
 * what it quotes, STEER_ALL, or 0 for everything else. Looks at what it needs only: the stack
 * checks.
 */
uint32_t steer_frame(const struct steer *s, const struct frame *f);

#endif
