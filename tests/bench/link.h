/* SPDX-License-Identifier: MIT */
/*
 * What the measuring programs share: a server that serves one connection after the other and a
 * client that makes one, both plain sockets (the kernel's, or ours under `tapstack run`), and time.
 */
#ifndef TS_TESTS_BENCH_LINK_H
#define TS_TESTS_BENCH_LINK_H

#include <stdint.h>
#include <sys/types.h>

/** Where the kernel sends, it does so with cubic: its default may be one that paces itself to half.
 */
#define LINK_CONGESTION "cubic"

/** Seconds of the monotonic clock. */
double link_now(void);
/** Listen on this port, say so on standard output, serve for ever; ends the process on failure. */
void link_serve(const char *port, void (*serve)(int fd));
/** Connect; ends the process on failure. */
int link_connect(const char *address, const char *port);
/** Read or write all of it; ends the process on failure. */
void link_read(int fd, void *data, size_t len);
void link_write(int fd, const void *data, size_t len);
void link_fail(const char *what) __attribute__((noreturn));

#endif
