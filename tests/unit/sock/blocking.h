/* SPDX-License-Identifier: MIT */
/* Blocking calls (proto/sock/wait.h) of the fixture's program. */
#ifndef TS_TESTS_UNIT_SOCK_BLOCKING_H
#define TS_TESTS_UNIT_SOCK_BLOCKING_H

#include "proto/sock/wait.h"
#include "tests/unit/tcp/fixture.h"

/** Start a call; CONNECT goes to the peer. Bytes go through one buffer that nobody looks at. */
struct sock_call *start(struct sock *s, enum sock_call_op op, size_t len, int flags);
/** It is over, with that result; freed. */
void ended(struct sock_call *c, ssize_t want);
/** It is not. */
void waits(const struct sock_call *c);
/** SO_RCVTIMEO or SO_SNDTIMEO of fx.s. */
void timeout(int name, unsigned ms);

#endif
