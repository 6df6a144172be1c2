/* SPDX-License-Identifier: MIT */
/* The reader's side of a capture's ring (ipc/capture.h). */
#ifndef TS_CLIENT_CLI_CAPTURE_READER_H
#define TS_CLIENT_CLI_CAPTURE_READER_H

#include "ipc/capture.h"
#include "ipc/wire.h"

#include <signal.h>
#include <stddef.h>

struct capture_reader {
    int fd; /**< of the pair: bytes wake us, the end is the daemon's */
    struct capture_words *words;
    const uint8_t *bytes;
    uint8_t *copy; /**< of a frame that wraps around the ring's end */
    uint32_t size, ticket;
    uint64_t tail;
};

/** Ask the daemon for a capture; `len` bytes of `want` count. 0, a positive errno value (the
 * daemon's word) or a negative one (it could not be asked). */
int capture_reader_open(struct capture_reader *r, const struct wire_capture *want, size_t len);
void capture_reader_close(struct capture_reader *r);

/**
 * The next frame: 1, and *bytes until the next call; 0: there is none now; -EPROTO: the ring makes
 * no sense.
 */
int capture_reader_next(struct capture_reader *r, struct capture_record *out, const void **bytes);

/**
 * Wait for more. `mask` is the signal mask meanwhile. 0: look again; -EPIPE: nobody reads our
 * standard output any more; -ECONNRESET: the daemon has gone; -EINTR.
 */
int capture_reader_wait(struct capture_reader *r, const sigset_t *mask);

#endif
