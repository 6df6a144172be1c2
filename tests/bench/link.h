/* SPDX-License-Identifier: MIT */
/*
 * What the measuring programs share: a server that serves one connection after the other and a
 * client that makes one, both plain sockets (the kernel's, or ours under `tapstack run`), and time.
 * A client may instead have a socket of libtapstack with its shared rings.
 */
#ifndef TS_TESTS_BENCH_LINK_H
#define TS_TESTS_BENCH_LINK_H

#include "client/include/tapstack.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/** Where the kernel sends, it does so with cubic: its default may be one that paces itself to half.
 */
#define LINK_CONGESTION "cubic"

/** Seconds of the monotonic clock. */
double link_now(void);
/** Listen on this port, say so on standard output, serve for ever; ends the process on failure. */
void link_serve(const char *port, void (*serve)(int fd));
/** How a client's bytes go: by its descriptor, or by rings, copied there or made and used in place.
 */
enum link_way { LINK_PLAIN, LINK_COPY, LINK_ZERO };
/** "copy", "zero"; anything else is plain. */
enum link_way link_way(const char *name);
struct link {
    int fd;
    struct ts_ring *ring; /**< or NULL */
    bool zero;
};
/** Connect; ends the process on failure. */
int link_connect(const char *address, const char *port);
/** The same with rings, if that is the way. */
struct link link_open(const char *address, const char *port, enum link_way way);
/** Send n bytes of data; where the way is in place, n bytes as they happen to be there. */
void link_send(const struct link *l, const void *data, size_t n);
/** What is there, up to n bytes of it, into data or left where it is; 0 at the end. */
size_t link_recv(const struct link *l, void *data, size_t n);
/** No more will be sent. */
void link_end(const struct link *l);
/** Read or write all of it; ends the process on failure. */
void link_read(int fd, void *data, size_t len);
void link_write(int fd, const void *data, size_t len);
void link_fail(const char *what) __attribute__((noreturn));

#endif
