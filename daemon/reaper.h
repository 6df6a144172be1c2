/* SPDX-License-Identifier: MIT */
/*
 * A thread that does nothing but close descriptors.
 * Dropping the last reference to a descriptor that is not ours can take as long as whoever made it
 * likes (a lingering TCP socket, FUSE), so the event loop never does it. Handing one over never
 * blocks: what does not fit the queue waits in a list.
 */
#ifndef TS_DAEMON_REAPER_H
#define TS_DAEMON_REAPER_H

#include <stddef.h>

struct reaper;

/** Returns 0 or a negative errno value. The thread blocks all signals. */
int reaper_new(struct reaper **out);
/** Ends without waiting for a descriptor that blocks: what is left is closed by the end of the
 * process. */
void reaper_free(struct reaper *r);

/** The descriptor belongs to the reaper now. */
void reaper_close(struct reaper *r, int fd);
/** Descriptors that wait to be closed, the one being closed included: the caller takes nothing more
 * when there are many. */
size_t reaper_waiting(struct reaper *r);

#endif
