/* SPDX-License-Identifier: MIT */
/*
 * Captures of all frames, both ways, as the device sees them: any number of sinks, each of which is
 * given every frame in one piece with its time. Frames that carry a partial checksum are completed
 * in the capture's copy, so that no reader sees a bad one; an offloaded frame is the one large
 * frame that it is. capture_file.c is the sink of --capture, capture_ring.c that of `tapstack
 * capture`. While there is no sink, a frame costs one comparison. All workers' frames come here,
 * one at a time; sinks are made and ended, and rounds are, in the first worker's thread.
 */
#ifndef TS_DAEMON_CAPTURE_H
#define TS_DAEMON_CAPTURE_H

#include "proto/stack.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct capture_packet {
    uint8_t *data; /**< a partial checksum is completed by capture_complete() */
    uint32_t len;
    uint32_t direction;        /**< CAPTURE_IN or CAPTURE_OUT, ipc/capture.h */
    uint64_t ns;               /**< since 1970 */
    const struct frame *frame; /**< private: what it was made of; NULL: it is complete */
};

struct capture_sink {
    /** One more frame; never waits. */
    void (*packet)(struct capture_sink *s, struct capture_packet *p);
    /** The end of a round in which there were frames; may end the sink. Or NULL. */
    void (*round)(struct capture_sink *s);
    /** Give what is buffered away: once in a second, and on request. NULL: nothing is. */
    void (*flush)(struct capture_sink *s);
    TAILQ_ENTRY(capture_sink) link;
};

TAILQ_HEAD(capture_sinks, capture_sink);

struct captures {
    pthread_mutex_t lock; /**< a sink may be ended in its round: recursive */
    bool any;             /**< atomic: there are sinks */
    struct capture_sinks sinks;
    uint8_t *copy; /**< of the frame at hand */
    bool news;     /**< there were frames in this round */
};

void captures_init(struct captures *c);
/** The sinks have gone before. */
void captures_destroy(struct captures *c);

/** 0 or -ENOMEM. */
int captures_add(struct captures *c, struct capture_sink *s);
void captures_remove(struct captures *c, struct capture_sink *s);

static inline bool captures_any(const struct captures *c)
{
    return __atomic_load_n(&c->any, __ATOMIC_RELAXED);
}

/** A frame of this direction, now; only while there are any sinks. */
void captures_frame(struct captures *c, const struct frame *f, uint32_t direction);

/** Before a sink takes bytes of it: their checksum as it is on the wire. Filters run before that
 * (as in the kernel: what a frame costs that nobody takes is one copy). */
void capture_complete(struct capture_packet *p);

/** Were there frames since the last round? */
bool captures_have_news(struct captures *c);

/** The end of a round. */
void captures_round(struct captures *c);

/** Flush all sinks. True when one of them wants that regularly. */
bool captures_flush(struct captures *c);

#endif
