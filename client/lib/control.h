/* SPDX-License-Identifier: MIT */
/*
 * Talking to the daemon: one request, its reply.
 *
 * Each thread has a control descriptor of its own, opened at its first request. It is
 * close-on-exec, kept at a high number, and before each use known again by its SO_COOKIE, because
 * programs close descriptors that they do not know and reuse their numbers. It is opened anew after
 * fork, after ts_set_socket_path and after the daemon went away. Replies are matched by id, so one
 * that an interrupted call left behind is dropped. A signal handler that comes in while its thread
 * waits for a reply uses a connection of its own.
 */
#ifndef TS_CLIENT_LIB_CONTROL_H
#define TS_CLIENT_LIB_CONTROL_H

#include "ipc/wire.h"

#include <stdbool.h>
#include <stddef.h>

struct control_request {
    uint16_t op;
    bool interruptible; /**< a signal ends the wait for the reply with -EINTR */
    uint32_t flags;     /**< WIRE_WAIT, WIRE_NO_REPLY */
    int fd;             /**< the descriptor that goes along, or -1 */
    const void *body;
    size_t len;
    int64_t timeout_us; /**< for the reply; 0: as long as it takes. -ETIMEDOUT */
};

struct control_reply {
    void *body; /**< room for the reply's body, or NULL */
    size_t cap;
    size_t len; /**< set: bytes of it */
    int fd;     /**< set: the descriptor that came along (SOCKET), close-on-exec, or -1 */
};

/** Set by who serves one program by several threads: no request goes without waiting for its
 * answer, or the next thread's could overtake it. */
extern bool control_waits;

/**
 * Send a request and wait for its reply (not with WIRE_NO_REPLY). Returns 0 when the daemon said 0;
 * a positive errno value when the daemon said that; a negative one when it did not come to that:
 * -ENOENT, -ECONNREFUSED, -EACCES … from connect(2), -ECONNRESET (the daemon hung up), -EPROTO,
 * -EINTR, -ETIMEDOUT, -EMFILE. errno is preserved.
 */
int control_call(const struct control_request *rq, struct control_reply *rp);

/** Have `hook` called around the making of each connection: true before, false after. For a
 * supervisor, which makes it as somebody else. */
void control_at_open(void (*hook)(bool begin));

/** Give up this thread's connection to the daemon, and with it every request that still waits. */
void control_forget(void);

/**
 * The usual case: a request about fd, whose reply has a body of at most cap bytes. Returns the
 * reply's length or a negative errno value: what the daemon said, or -ENOTCONN when it could not be
 * asked.
 */
int control_ask(uint16_t op, int fd, const void *body, size_t len, void *out, size_t cap);

/** As errno for a request about a descriptor: of what control_call returned, 0 or a negative value.
 */
int control_result(int r);

/** A request that has many replies (LIST, STATS): each body goes to `each`. Returns as
 * control_call. */
int control_each(uint16_t op, void (*each)(void *ctx, const void *body), void *ctx);

/** -EBADF, -ENOTSOCK or the kind (enum name_kind) of one of our descriptors. errno is preserved. */
int control_kind(int fd);

#endif
