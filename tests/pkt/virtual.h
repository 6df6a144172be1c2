/* SPDX-License-Identifier: MIT */
/*
 * The core in virtual time. virtual.c is its wire and its clock: one address, a gateway that
 * answers ARP at once, and time that jumps to the next deadline. virtual_calls.c is its system call
 * layer (descriptors, blocking), virtual_poll.c is poll(2) and epoll(7) over sock_poll() and the
 * core's events.
 */
#ifndef TS_TESTS_PKT_VIRTUAL_H
#define TS_TESTS_PKT_VIRTUAL_H

#include "tests/pkt/target.h"

#include "proto/sock/wait.h"
#include "proto/stack.h"

#define VIRTUAL_FDS     64
#define VIRTUAL_PENDING 16
#define VIRTUAL_ARPS    8

enum vfd_kind { VFD_FREE, VFD_SOCK, VFD_EPOLL };

struct vepoll_item {
    int fd; /**< -1: free */
    struct epoll_event ev;
    bool armed;    /**< something happened since it was last reported (EPOLLET) */
    bool disabled; /**< EPOLLONESHOT was reported */
};

struct vfd {
    enum vfd_kind kind;
    struct sock *sock;
    bool nonblock;
    struct vepoll_item item[CALL_MAX_POLL];
};

/** The core's memory, when a test makes it fail. */
struct virtual_memory {
    bool watched;
    uint64_t allocs, fail_at; /**< the allocation that fails, from 1 */
    int64_t live;             /**< bytes out */
    const char *complaint;    /**< the first thing that was wrong, NULL: nothing */
};

struct virtual
{
    struct target target;
    struct stack *st;
    uint64_t now; /**< script time */
    bool emitted; /**< a packet came out since advance() began */
    struct vfd fd[VIRTUAL_FDS];
    struct {
        struct call *call;
        struct sock_call *waiting; /**< NULL: poll or epoll_wait */
        uint64_t deadline;         /**< of poll's time-out, UINT64_MAX: none */
    } pending[VIRTUAL_PENDING];
    int n_pending;
    uint8_t arp[VIRTUAL_ARPS][42]; /**< answers that wait until the core is not busy */
    int n_arp;
    uint32_t local_ip;
    struct virtual_memory memory;
};

/** The core's clock for a script time: it never stands at zero, which means "off" to it. */
static inline uint64_t virtual_core_time(uint64_t script)
{
    return script + 1000000000u;
}

/** Let the core work at the present time: timers, output, answers to ARP, events, blocked calls. */
void virtual_step(struct virtual *v);

/* virtual_calls.c */
void virtual_start(struct target *t, struct call *c);
void virtual_interrupt(struct target *t, int fd, bool restart);
int virtual_tcp_info(struct target *t, int fd, struct sock_tcp_info *out);
/** See which blocked calls have ended. */
void virtual_check_pending(struct virtual *v);
void virtual_close_all(struct virtual *v);
struct vfd *virtual_fd(struct virtual *v, int fd, enum vfd_kind kind);
int virtual_fd_new(struct virtual *v, enum vfd_kind kind);

/* virtual_poll.c */
/** Fill in revents; returns how many are ready. */
int virtual_poll(struct virtual *v, struct call *c);
int virtual_epoll_ctl(struct virtual *v, const struct call *c);
int virtual_epoll_wait(struct virtual *v, struct call *c);
/** Something happened on a socket: edge-triggered watchers may report it again. */
void virtual_epoll_event(struct virtual *v, const struct sock *s);
void virtual_epoll_forget(struct virtual *v, int fd);

#endif
