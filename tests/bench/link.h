/* SPDX-License-Identifier: MIT */
/*
 * What the measuring programs share: a server of several threads, a connection that is the
 * kernel's, ours (by its descriptor under `tapstack run`, or by libtapstack's shared rings) or
 * lwIP's, and time.
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
/** Listen on this port, say so on standard output, serve for ever, `threads` connections at once;
 * ends the process on failure. Each connection is closed when serve() returns. */
void link_serve(const char *port, unsigned threads, void (*serve)(int fd));

/** Another stack's blocking sockets; each function as the one of section 2. */
struct link_calls {
    /** A connected socket, with TCP_NODELAY if it is tuned; ends the process on failure. */
    int (*connect)(const char *address, const char *port, bool tuned);
    ssize_t (*read)(int fd, void *data, size_t n);
    ssize_t (*write)(int fd, const void *data, size_t n);
    int (*shutdown)(int fd, int how);
    int (*close)(int fd);
};
/** lwIP on the TAP interface $BENCH_LWIP_TAP; only in programs that are linked with lwip.c. */
extern const struct link_calls link_lwip __attribute__((weak));

/** How a client's bytes go: by its descriptor, by rings (copied there, or made and used in place),
 * or by lwIP. */
enum link_way { LINK_PLAIN, LINK_COPY, LINK_ZERO, LINK_LWIP };
/** "plain", "copy", "zero", "lwip"; ends the process when it is none, or not in this program. */
enum link_way link_way(const char *name);
struct link {
    int fd;
    const struct link_calls *calls;
    struct ts_ring *ring; /**< or NULL */
    bool zero;
    bool served; /**< what goes wrong with it is its end, and not the process's */
};
/** Connect that way, with TCP_NODELAY; ends the process on failure. */
struct link link_open(const char *address, const char *port, enum link_way way);
/** The same for LINK_PLAIN and LINK_LWIP without any option: socket(2), connect(2). */
struct link link_open_bare(const char *address, const char *port, enum link_way way);
/** The server's end of a connection. */
struct link link_accepted(int fd);
/* Failures of these end the process, unless the link is a server's: */
/** Send n bytes of data; where the way is in place, n bytes as they happen to be there. */
void link_send(const struct link *l, const void *data, size_t n);
/** Send these very bytes, also by a ring that is used in place. */
void link_say(const struct link *l, const void *data, size_t n);
/** What is there, up to n bytes of it, into data or left where it is; 0 at the end. */
size_t link_recv(const struct link *l, void *data, size_t n);
/** n bytes; false if the stream ended before. */
bool link_recv_all(const struct link *l, void *data, size_t n);
/** No more will be sent. */
void link_end(const struct link *l);
void link_close(struct link *l);
void link_fail(const char *what) __attribute__((noreturn));

#endif
