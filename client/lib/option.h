/* SPDX-License-Identifier: MIT */
/*
 * getsockopt(2) and setsockopt(2), for the shim, which knows already what kind of descriptor it is.
 */
#ifndef TS_CLIENT_LIB_OPTION_H
#define TS_CLIENT_LIB_OPTION_H

#include <sys/socket.h>

/** As ts_getsockopt and ts_setsockopt, on a descriptor of this kind (control_kind: a negative one
 * is returned). 0 or a negative errno value. */
int option_get(int fd, int kind, int level, int name, void *value, socklen_t *len);
int option_set(int fd, int kind, int level, int name, const void *value, socklen_t len);

#endif
