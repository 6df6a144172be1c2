/* SPDX-License-Identifier: MIT */
/*
 * Shared rings: the words that the daemon and a program share about one connection.
 *
 * RING_ATTACH gives the program one memory file, sealed against shrinking and growing, RING_BELL an
 * eventfd(2). The file has the words at its start and two areas of extents, one for each way. Bytes
 * are addressed by their offset in the stream, which never wraps: those below `boundary` lie in the
 * extent of size[0], the others in that of size[1], each at offset & (size - 1) of its extent. An
 * extent of n bytes begins at n in its area, so no two overlap. Sizes are powers of two.
 *
 * Each word has one writer, and is aligned to its size. What the daemon writes about an area
 * (struct ring_way) changes together: `generation` is odd meanwhile. The daemon trusts nothing that
 * the program can write; a word that cannot be true ends the connection with a reset.
 *
 * Sending: the program puts bytes at [committed, limit), then moves `committed`. Receiving: it
 * takes bytes at [consumed, limit), then moves `consumed`. It writes to the eventfd when it has
 * moved a word and the daemon sleeps (for `consumed`: only when it has come to `tell_at`). Before
 * it sleeps itself it puts a new ticket, whose low bits say for what, and looks again; the daemon
 * answers a ticket once, by one byte in the connection's descriptor. With a fence between its own
 * word and the other side's on both sides, no wake-up is lost.
 */
#ifndef TS_IPC_RING_H
#define TS_IPC_RING_H

#include <stdint.h>

#define RING_MAGIC 0x74735232u /* "tsR2" */
/** The words' place in the file, and the areas'. */
#define RING_WORDS_SIZE 4096u
#define RING_AREA_SIZE  (32u << 20)
#define RING_SEND_AREA  RING_AREA_SIZE
#define RING_RECV_AREA  (2 * RING_AREA_SIZE)
#define RING_FILE_SIZE  (3 * RING_AREA_SIZE)
#define RING_EXTENT_MIN 4096u
#define RING_EXTENT_MAX (16u << 20)

/** A ticket's low bits. */
#define RING_FOR_DATA  1u
#define RING_FOR_SPACE 2u
#define RING_FOR_ACKS  4u /**< the peer has what is below `ack_at` */
#define RING_FOR_BITS  3

/* ring_words.state */
#define RING_EOF   (1u << 0) /**< nothing comes after the receive limit */
#define RING_ERROR (1u << 1) /**< the connection is dead: `error` */

/* ring_words.begun */
#define RING_EARLY_MOVED 1u /**< what came by the descriptor before has been taken out of it */
#define RING_EARLY_DONE  2u /**< and the program has it: it does not count as unread any more */

/* ring_words.ask */
#define RING_SHUT_WR (1u << 0) /**< after what is committed: FIN */
#define RING_SHUT_RD (1u << 1) /**< what comes is not wanted */

/** One way, written by the daemon. */
struct ring_way {
    uint32_t generation;
    uint32_t size[2];
    uint32_t reserved;
    uint64_t boundary;
    uint64_t limit;
    uint64_t acked; /**< sending: the peer has what is below */
};

struct ring_words {
    uint32_t magic;
    uint32_t reserved;
    uint64_t first_send, first_recv; /**< where the ring begins, in each stream */

    /* the program's */
    _Alignas(64) uint64_t committed;
    uint64_t held;   /**< the program may be writing below this offset; committed when it is not */
    uint32_t more;   /**< what was committed last is not the end of what it has to say (MSG_MORE) */
    uint32_t ask;    /**< RING_SHUT_ */
    uint64_t ack_at; /**< RING_FOR_ACKS is for this offset in the stream */
    _Alignas(64) uint64_t consumed;
    uint32_t ticket;
    uint32_t begun; /**< RING_EARLY_ */

    /* the daemon's */
    _Alignas(64) struct ring_way send;
    _Alignas(64) struct ring_way recv;
    _Alignas(64) uint32_t sleeps;
    uint32_t state;
    int32_t error;
    uint64_t tell_at;
};

_Static_assert(sizeof(struct ring_words) <= RING_WORDS_SIZE, "the words fit into their page");

#endif
