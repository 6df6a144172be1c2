/* SPDX-License-Identifier: MIT */
/*
 * accept(2), for the shim and the supervisor.
 */
#ifndef TS_CLIENT_LIB_ACCEPT_H
#define TS_CLIENT_LIB_ACCEPT_H

#include "client/lib/place.h"

#include <stdint.h>
#include <sys/socket.h>

/** ts_accept4 on a listener that lives in `place` and has this mark (name_mark_of). Returns a
 * descriptor or a negative errno value; errno is preserved. */
int accept_marked(const struct place *place, int fd, uint64_t mark, struct sockaddr *addr,
                  socklen_t *len, int flags);
/** The same, when its mark is not known yet. */
int accept_at(const struct place *place, int fd, struct sockaddr *addr, socklen_t *len, int flags);
/** The same, but -EAGAIN where that would wait, whatever the descriptor's flags say. */
int accept_now(const struct place *place, int fd, struct sockaddr *addr, socklen_t *len, int flags);

#endif
