/* SPDX-License-Identifier: MIT */
/*
 * connect(2), for the shim and the supervisor.
 */
#ifndef TS_CLIENT_LIB_CONNECT_H
#define TS_CLIENT_LIB_CONNECT_H

#include "client/lib/place.h"

#include <sys/socket.h>

/** ts_connect on a socket that lives in `place`. Returns 0 or a negative errno value; errno is
 * preserved. */
int connect_at(const struct place *place, int fd, const struct sockaddr *addr, socklen_t len);

#endif
