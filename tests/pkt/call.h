/* SPDX-License-Identifier: MIT */
/*
 * A socket call between the script and whoever carries it out: arguments in the types of the system
 * call, whichever side (the core in virtual time, the kernel in a thread). call_prepare() fills one
 * from a script line, the target runs it, call_check() holds what came back against the line.
 */
#ifndef TS_TESTS_PKT_CALL_H
#define TS_TESTS_PKT_CALL_H

#include "tests/pkt/ast.h"

#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define CALL_MAX_FD   64 /**< descriptors as scripts number them */
#define CALL_MAX_IOV  16
#define CALL_MAX_POLL 16
#define CALL_OPT_ROOM 512

enum call_op {
#define CALL(name, form) CALL_##name,
#include "tests/pkt/calls.def"
#undef CALL
    CALL_COUNT
};

struct call {
    const struct event *event;
    enum call_op op;
    int script_fd;         /**< -1: the call has none */
    int fd, fd2;           /**< as the target numbers them */
    int a, b, c;           /**< plain integers, in the order of the call */
    unsigned long request; /**< ioctl */
    struct iovec iov[CALL_MAX_IOV];
    int n_iov;
    uint8_t *buf; /**< the iovecs' bytes, one behind the other */
    size_t len;
    int flags; /**< MSG_*; recvmsg: what came back in msg_flags too */
    int msg_flags;
    struct sockaddr_in addr;
    socklen_t addr_len; /**< 0: NULL was passed */
    uint8_t opt[CALL_OPT_ROOM];
    socklen_t opt_len;
    struct pollfd poll[CALL_MAX_POLL];
    struct epoll_event epoll[CALL_MAX_POLL];
    int n_poll, timeout_ms;

    long result;                  /**< as the system call's, or a negative errno value */
    uint64_t started_at, done_at; /**< script time */
    atomic_bool done;
    bool may_block;
    void *target; /**< the target's own */
};

struct call_fd {
    bool used;
    int fd;                     /**< as the target numbers it */
    uint64_t written, consumed; /**< bytes of the streams so far: where the patterns go on */
    bool unchecked;             /**< urgent data took bytes out of the stream */
};

struct call_state {
    struct arena *arena;
    const struct script *script;
    struct call_fd fd[CALL_MAX_FD];
    int last_fd; /**< of the last connect or accept: what TCP_INFO assertions look at */
};

/** Fill c from the event. NULL, or why that cannot be done. */
const char *call_prepare(struct call_state *s, const struct event *e, struct call *c);
/** After it is done: NULL, or how it differs from the script. Learns new descriptors, advances the
 * patterns. */
const char *call_check(struct call_state *s, struct call *c);
/** "read() = -1 ECONNRESET" */
const char *call_result_text(struct arena *a, const struct call *c);
const char *call_name(enum call_op op);

#endif
