/* SPDX-License-Identifier: MIT */
/*
 * One frame: headers, payload spans, segmentation and checksum offload.
 *
 * The same type serves the device, the capture and the simulator. On the way out the headers are
 * built from the back of `room` towards its front while the payload stays where it lies in the
 * stream buffer; on the way in `data` points at the device's own buffer and there are no spans. The
 * offload fields say what the virtio-net header says (Virtual I/O Device 1.2 §5.1.6), without its
 * encoding.
 */
#ifndef TS_PROTO_FRAME_H
#define TS_PROTO_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>

/** Ethernet 14 + IPv6 40 + TCP 60, rounded up. */
#define FRAME_ROOM 128
/** Payload spans: a stream range is at most four. */
#define FRAME_SPANS 4
/** The largest IP packet that its header can tell the length of. */
#define FRAME_MAX_PACKET 65535
/** The largest that goes out to be cut by a device that takes such (STACK_TX_BIG4): above
 * FRAME_MAX_PACKET the length in its header is 0, and the frame's own counts. */
#define FRAME_MAX_BURST 131072

enum frame_gso { FRAME_GSO_NONE, FRAME_GSO_TCP4, FRAME_GSO_TCP6 };

enum frame_csum {
    FRAME_CSUM_NONE,    /**< in: to be verified; out: complete in the packet */
    FRAME_CSUM_PARTIAL, /**< the sum over [csum_start, end) is still to be put at csum_start +
                           csum_offset; the field holds the folded pseudo-header sum */
    FRAME_CSUM_VALID,   /**< in: the device has verified it */
};

struct frame {
    uint8_t *data; /**< first byte of the outermost header */
    uint32_t len;  /**< contiguous bytes at data: on input the whole frame, on output the headers */
    uint8_t n_spans;
    uint8_t gso;          /**< enum frame_gso */
    uint8_t csum;         /**< enum frame_csum */
    bool ecn;             /**< the segments carry CWR on the first only (GSO_ECN) */
    bool cwr_all;         /**< … on all of them (AccECN): no device can do that */
    bool more;            /**< out: the next piece of the same burst follows at once */
    uint16_t gso_size;    /**< payload bytes per segment when gso is set */
    uint16_t csum_start;  /**< from data */
    uint16_t csum_offset; /**< from csum_start */
    uint32_t span_len;    /**< payload bytes in the spans */
    uint64_t owner;       /**< out: the connection to name in stack_transmitted(), 0 for none */
    struct iovec spans[FRAME_SPANS];
    uint8_t room[FRAME_ROOM];
};

/** Make an empty outgoing frame: no headers, no spans, headers grow downward from the end of room.
 */
static inline void frame_init(struct frame *f)
{
    memset(f, 0, offsetof(struct frame, spans));
    f->data = f->room + FRAME_ROOM;
}

/** Prepend n header bytes (n <= what is left of room); returns the new first byte. csum_start
 * follows. */
static inline uint8_t *frame_push(struct frame *f, uint32_t n)
{
    f->data -= n;
    f->len += n;
    if (f->csum == FRAME_CSUM_PARTIAL)
        f->csum_start = (uint16_t)(f->csum_start + n);
    return f->data;
}

/** Bytes of the whole frame. */
static inline uint32_t frame_total(const struct frame *f)
{
    return f->len + f->span_len;
}

/** Copy the frame's bytes, headers first, into dst (frame_total(f) bytes). */
void frame_flatten(const struct frame *f, uint8_t *dst);

/** Memory for a private copy: headers, and the largest payload behind them. */
#define FRAME_SCRATCH (FRAME_ROOM + FRAME_MAX_PACKET + 1)

/**
 * Complete a partial checksum in software: the result is written into the headers, csum becomes
 * NONE. Only for frames whose csum field lies in [data, data + len). The payload may lie where a
 * client can write, so it is copied while it is summed and the span is then the copy: scratch,
 * FRAME_SCRATCH bytes that live as long as the frame (NULL is allowed without spans). Headers that
 * fit stand right in front of it, so that the frame is one run of bytes.
 */
void frame_complete_csum(struct frame *f, uint8_t *scratch);

/** Where frame_segment hands each piece: returns 0 or a negative errno value that ends the walk. */
typedef int (*frame_emit_fn)(void *ctx, struct frame *f);

/**
 * Cut a TCP segmentation-offload frame (Ethernet + IP + TCP headers in data, payload in spans or
 * behind the headers) into frames of gso_size payload bytes, as hardware does: IP length,
 * identification, TCP sequence number advance; FIN and PSH stay with the last, CWR with the first
 * (unless cwr_all); checksums are complete. Each piece is built in scratch (FRAME_SCRATCH bytes),
 * its payload copied there while it is summed (it may lie where a client can write), in one run
 * behind its headers; it is gone with the next one. Returns the payload bytes handed over with
 * success: all of them, or fewer when emit failed in the middle (a piece with `more` may thus be
 * the last one); a negative errno value when
 * nothing went out (-EINVAL for a malformed frame).
 */
int64_t frame_segment(const struct frame *f, uint8_t *scratch, frame_emit_fn emit, void *ctx);

/** A frame that grows by the TCP segments that follow it (frame_merge.c). */
struct frame_merge {
    uint8_t *frame; /**< its first byte: the first segment's headers, then all payload */
    uint32_t len;   /**< of all; the next payload belongs at frame + len */
    uint32_t headers_len, size, pieces; /**< bytes of headers, payload bytes of a piece, pieces */
    bool open;                          /**< another one may follow */
    bool verified, push;                /**< checksums were right; the last one had PSH */
};

/** Begin with the len bytes at frame. False: a frame that nothing joins (frame_merge_end it). */
bool frame_merge_begin(struct frame_merge *m, uint8_t *frame, uint32_t len);
/** Another frame, its first headers_len bytes at headers, the other n already at frame + len. True:
 * it has joined. False: it is a frame of its own. */
bool frame_merge_add(struct frame_merge *m, const uint8_t *headers, uint32_t n);
/** The same for a frame of len bytes that lies elsewhere and whole: its payload is copied to frame
 * + len, where there must be room for a piece. */
bool frame_merge_copy(struct frame_merge *m, const uint8_t *frame, uint32_t len);
/** The frame as a device with receive offload would give it: of several pieces one with a GSO size
 * and a partial checksum. */
void frame_merge_end(const struct frame_merge *m, struct frame *out);

#endif
