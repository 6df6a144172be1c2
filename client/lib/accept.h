/* SPDX-License-Identifier: MIT */
/*
 * accept(2), for the shim and the supervisor.
 */
#ifndef TS_CLIENT_LIB_ACCEPT_H
#define TS_CLIENT_LIB_ACCEPT_H

#include "client/lib/place.h"

#include <sys/socket.h>

/** ts_accept4 on a listener that lives in `place`. Returns a descriptor or a negative errno value;
 * errno is preserved. */
int accept_at(const struct place *place, int fd, struct sockaddr *addr, socklen_t *len, int flags);

#endif
