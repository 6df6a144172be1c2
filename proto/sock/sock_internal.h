/* SPDX-License-Identifier: MIT */
/* The socket as the core sees it. Only proto/ includes this file. */
#ifndef TS_PROTO_SOCK_SOCK_INTERNAL_H
#define TS_PROTO_SOCK_SOCK_INTERNAL_H

#include "proto/sock/sock.h"
#include "proto/tcp/tcp.h"

/** What only a listener needs. */
struct listener {
    struct list requests; /**< struct tcp_request.link */
    struct list accepted; /**< struct sock.accept_link: established, not yet taken */
    uint32_t n_requests, n_accepted, held;
    uint32_t backlog;
    struct sock_backlog *common; /**< the same of all, when several stacks accept; or NULL */
    uint64_t overflow_at;        /**< the SYN queue was full and a cookie went out; 0: never */
    struct hash_node node;       /**< in tcp_table.listeners, by port */
    struct sock *sock;
};

/** Connections that no program has received yet. */
static inline uint32_t listener_waiting(const struct listener *l)
{
    if (!l->common)
        return l->n_accepted + l->held;
    return __atomic_load_n(&l->common->accepted, __ATOMIC_RELAXED) +
           __atomic_load_n(&l->common->held, __ATOMIC_RELAXED);
}

/** One more, or one less, in the core's queue. */
static inline void listener_count(struct listener *l, int by)
{
    l->n_accepted += (uint32_t)by;
    if (l->common)
        __atomic_fetch_add(&l->common->accepted, (uint32_t)by, __ATOMIC_RELAXED);
}

/** A negative SO_RCVTIMEO or SO_SNDTIMEO (Linux: sock_set_timeout). */
#define SOCK_NEVER_WAITS UINT64_MAX

struct sock {
    struct stack *st;
    struct tcb *tcb; /**< always there; CLOSED when unconnected */
    struct listener *listener;
    void *user;
    struct list event_link;
    struct list
        accept_link;     /**< in the listener's queue while nobody has taken it, then its call's */
    struct sock *parent; /**< the listener, while in its queue */
    struct list calls;   /**< struct sock_call: blocked calls */
    uint64_t rcv_timeout_us, snd_timeout_us; /**< 0: for ever; SOCK_NEVER_WAITS */
    int error;                               /**< pending, positive; 0: none */
    int32_t linger_s;
    uint32_t rcvlowat;
    uint8_t events; /**< SOCK_EV_* not yet reported */
    uint8_t tclass; /**< IPV6_TCLASS */
    bool v6 : 1, v6only : 1, want_write : 1, connecting : 1, linger : 1, was_connected : 1;
    bool lingers : 1; /**< closed, but the closer waits (sock/wait.c): no handle any more */
    bool reuse_addr : 1, reuse_port : 1, bound_addr : 1;
    bool oob_inline : 1; /**< SO_OOBINLINE */
    bool no_port : 1;    /**< IP_BIND_ADDRESS_NO_PORT */
    bool want_acked : 1; /**< tell of the next acknowledged bytes (sock/share.c) */
    bool retired : 1;    /**< dead, of a program that may still ask, or another one's replica: not
                            counted or listed */
};

/*
 * An idle connection is these two records, each in a pool that puts a word behind it: 1.5 KiB in
 * all, of which 512 bytes are hot (tcb.h). Its streams have given their storage back.
 */
_Static_assert(sizeof(struct tcb) + sizeof(struct sock) + 2 * sizeof(void *) <= 1536,
               "an idle connection fits into 1.5 KiB");

/** sock/share.c: the streams' storage goes back to the host, with what it holds. */
void tcp_unshare(struct tcb *tp);
/** Somebody else pays for it from now on. */
void tcp_share_payer(struct tcb *tp, struct account *payer);
/** Note an event for stack_next_event() and wake blocked calls. */
void sock_event(struct sock *s, uint32_t events);
/** Have stack_next_event() report what has happened. */
void sock_report(struct sock *s);
/** Make a sock around an existing connection (a listener's child). NULL: no memory. */
struct sock *sock_wrap(struct stack *st, struct tcb *tp);
/** The options that an accepted connection has from its listener, a clone from its original. */
void tcp_inherit_options(struct tcb *tp, const struct tcb *from);
/** It is no socket of a program's any more, or never was. */
void sock_uncount(struct sock *s);
/** Free the sock (not the connection). */
void sock_free(struct sock *s);
/** Tell the program's side that the connection died; 0: it ended well. */
void sock_dead(struct sock *s, int error);
/**
 * close(2) with SO_LINGER of n seconds (socket(7)): the handle is gone, our FIN on its way. True:
 * the closer has to wait for it, then sock_close(). False: there is nothing to wait for, and
 * nothing was done.
 */
bool sock_linger(struct sock *s);
/** The FIN is not acknowledged yet (Linux: sk_stream_closing). */
bool sock_is_closing(const struct sock *s);
/**
 * The listener for a peer's segment: the exact address first, then the wildcard. Of several with
 * SO_REUSEPORT the tuple's hash chooses, the same one as long as it is there.
 * One that its program has closed, as the host says when asked, does not listen any more.
 */
struct sock *listener_find(struct stack *st, const struct ip_endpoint *local,
                           const struct ip_endpoint *remote);
void listener_destroy(struct sock *s);
/** sock/wait.c */
void sock_call_pool_init(struct stack *st);
void sock_calls_wake(struct sock *s);
void sock_calls_cancel(struct sock *s);
struct stack_timer;
void sock_call_timer(struct stack *st, struct stack_timer *t);

#endif
