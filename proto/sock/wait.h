/* SPDX-License-Identifier: MIT */
/*
 * Blocking calls in virtual time: what a thread of a program would do in the kernel, as an object.
 *
 * A call is started, ends at once or waits; events of its socket, its time-out (SO_RCVTIMEO,
 * SO_SNDTIMEO) or a signal (sock_call_interrupt) end it later. The semantics are those of send(2),
 * recv(2), connect(2), accept(2): a send that is cut short reports what was accepted; only a call
 * that has done nothing yet fails with EAGAIN or EINTR (send path, steps 4 and 12). A close always
 * returns 0: the handle is gone when it starts, MSG_DONTWAIT does not keep it from waiting, and a
 * signal or the linger time only end the wait (socket(7), SO_LINGER).
 */
#ifndef TS_PROTO_SOCK_WAIT_H
#define TS_PROTO_SOCK_WAIT_H

#include "proto/sock/sock.h"

struct sock_call;

enum sock_call_op {
    SOCK_CALL_SEND,
    SOCK_CALL_RECV,
    SOCK_CALL_CONNECT,
    SOCK_CALL_ACCEPT,
    SOCK_CALL_CLOSE, /**< close(2), which with SO_LINGER of n seconds waits (socket(7)) */
};

struct sock_call_args {
    enum sock_call_op op;
    void *buf; /**< SEND: read from; RECV: written to; must live as long as the call */
    size_t len;
    int flags; /**< MSG_*; MSG_DONTWAIT makes the call end at once; MSG_WAITALL waits for all of len
                */
    struct ip_endpoint remote; /**< CONNECT */
    struct sock *accepted;     /**< ACCEPT: the result */
};

/**
 * Start a call on s. Returns 0 and *out (which the caller frees with sock_call_free), or -ENOMEM:
 * nothing happened, so for a CLOSE sock_close() is still to be called. The call may already be
 * over: ask sock_call_done().
 */
int sock_call_start(struct sock *s, const struct sock_call_args *args, uint64_t now,
                    struct sock_call **out);

/** True when it has ended; *result is what the call returned (bytes, 0, or a negative errno value).
 */
bool sock_call_done(const struct sock_call *c, ssize_t *result);

/** ACCEPT that succeeded: the connection; NULL when it was closed meanwhile (stack_shutdown). */
struct sock *sock_call_accepted(const struct sock_call *c);

/** A signal arrives. */
void sock_call_interrupt(struct sock_call *c, uint64_t now);

/**
 * A signal arrives whose handler has SA_RESTART (sigaction(2)): a call that has done nothing yet
 * goes on, unless it has a time limit (signal(7): SO_RCVTIMEO, SO_SNDTIMEO); any other is
 * interrupted.
 */
void sock_call_restart(struct sock_call *c, uint64_t now);

/** Forget the call, done or not. */
void sock_call_free(struct sock_call *c);

#endif
