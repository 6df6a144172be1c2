/* SPDX-License-Identifier: MIT */
/*
 * A connection's shared rings (ipc/ring.h), the daemon's side: shared words ⇄ core.
 *
 * Each word of the program is read once and checked before it is used; one that cannot be true
 * resets the connection. The storage lives as long as the core needs it, the rest as long as the
 * stream.
 *
 * A ring is awake from the moment that its program rings until a round of the loop finds nothing to
 * do in it; meanwhile its words are looked at in every round, and nobody has to ring.
 *
 *   ringport.c        words and bytes, both ways
 *   ringport_life.c   from the attach to the end; rest
 */
#ifndef TS_DAEMON_RINGPORT_H
#define TS_DAEMON_RINGPORT_H

#include "ipc/ring.h"
#include "ipc/wire.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct ringport;
struct stream;
struct streams;

TAILQ_HEAD(ringport_list, ringport);

/** An idle ring keeps its storage for so long. */
#define RINGPORT_IDLE_US 1000000

/**
 * Give an established connection its rings; once is enough, a second time changes nothing. What the
 * program wrote before still goes first; from now on it can write no more. 0, -ENOTCONN, -ENOMEM,
 * -EMFILE, -ENFILE.
 */
int ringport_attach(struct stream *s, const struct wire_ring *want);
/** The memory file and the eventfd; they stay ours. */
int ringport_file(const struct ringport *r);
int ringport_bell(const struct ringport *r);

/** Nothing can come by the descriptor any more, and all that came is with the core. */
bool ringport_is_alone(const struct ringport *r);

/** How far the program is with what came by the descriptor before: RING_EARLY_, or 0. */
uint32_t ringport_early(const struct stream *s);

/** Give the core what is committed, and the program room for more. The stream may end. */
void ringport_take(struct stream *s);
/** Say what the peer has acknowledged, and wake who waits for it. */
void ringport_tell_acked(struct stream *s);
/** Take back what was consumed, and show what is here. The stream may end. */
void ringport_push(struct stream *s);
/** The connection is dead: `error` follows what the program has not read yet. */
void ringport_die(struct stream *s, int error);
/** The stream ends. */
void ringport_end(struct stream *s, int error);

/** Look at all that are awake. Returns how many had something to do. */
unsigned ringports_run(struct streams *all);
/** Before the loop sleeps: put them to sleep. True: one has work after all. */
bool ringports_sleep(struct streams *all);
/** From time to time: idle rings give their storage back. True: there are some to come back for. */
bool ringports_tick(struct streams *all);

#endif
