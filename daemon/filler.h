/* SPDX-License-Identifier: MIT */
/*
 * Filling a descriptor's send buffer, so that a connecting socket does not poll writable.
 * The bytes come by sendfile(2) from one sealed memory file that all share: 1.3 KiB of kernel
 * memory a socket. The descriptor's holder may make it blocking, or fill it, at any moment: an
 * interval timer's signal then ends the call.
 */
#ifndef TS_DAEMON_FILLER_H
#define TS_DAEMON_FILLER_H

struct filler {
    int file;
};

/** Returns 0 or a negative errno value. Installs a handler for SIGALRM. */
int filler_init(struct filler *f);
void filler_destroy(struct filler *f);

/** Send through fd, a non-blocking stream socket, until it is not writable. Best effort. */
void filler_fill(const struct filler *f, int fd);

#endif
