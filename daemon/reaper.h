/* SPDX-License-Identifier: MIT */
/*
 * Threads that do nothing but close descriptors.
 * Dropping the last reference to a descriptor that is not ours can take as long as whoever made it
 * likes (a lingering TCP socket, FUSE), so the event loop never does it. Handing one over never
 * blocks: what does not fit the queue waits in a list. Each user has one thread at most at a time,
 * so one whose descriptors block holds up nobody else's.
 */
#ifndef TS_DAEMON_REAPER_H
#define TS_DAEMON_REAPER_H

#include <stddef.h>
#include <sys/types.h>

/** As many users may hold a descriptor that blocks before others have to wait. */
#define REAPER_THREADS 8

struct reaper;

/** Returns 0 or a negative errno value. The threads block all signals. */
int reaper_new(struct reaper **out);
/** Ends without waiting for a descriptor that blocks: what is left is closed by the end of the
 * process. */
void reaper_free(struct reaper *r);

/** The descriptor, which came from this user, belongs to the reaper now. */
void reaper_close(struct reaper *r, int fd, uid_t uid);
/** Descriptors that wait to be closed, those being closed included: the caller takes nothing more
 * when there are many. */
size_t reaper_waiting(struct reaper *r);
/** Of this user. */
size_t reaper_waiting_of(struct reaper *r, uid_t uid);

#endif
