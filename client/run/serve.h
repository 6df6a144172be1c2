/* SPDX-License-Identifier: MIT */
/*
 * Serving one call: the same functions as the shim's, on a borrowed copy of the descriptor.
 */
#ifndef TS_CLIENT_RUN_SERVE_H
#define TS_CLIENT_RUN_SERVE_H

#include "client/run/target.h"

/** Do it, and answer. */
void serve(struct target *t);

/**
 * connect(2) to the `len` bytes at `address`. TARGET_CONTINUE: the descriptor there is a kernel
 * socket now, and the call is for it.
 */
int64_t serve_connect_to(struct target *t, int fd, uint64_t address, uint64_t len);

/** The calls on data (client/run/serve_data.c): a result, a negative errno value, TARGET_CONTINUE.
 */
int64_t serve_sendto(struct target *t, int fd);
int64_t serve_sendmsg(struct target *t, int fd);
int64_t serve_sendmmsg(struct target *t, int fd);
int64_t serve_recvfrom(struct target *t, int fd);
int64_t serve_recvmsg(struct target *t, int fd);
int64_t serve_recvmmsg(struct target *t, int fd);

#endif
