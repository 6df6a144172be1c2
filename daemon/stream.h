/* SPDX-License-Identifier: MIT */
/*
 * Descriptor ⇄ sock: a connection of a program is an AF_UNIX stream pair, of which we hold one end.
 *
 *   stream.c          making, watching and ending one
 *   stream_work.c     what moves it: edges, events, which half has work to do
 *   streams.c         all of them
 *   stream_send.c     program → core: the kept byte, marks, closing
 *   stream_recv.c     core → program: what is outstanding in the pair, end of file
 *   stream_connect.c  connect: filling, waiting, names
 *   stream_listen.c   a listener's records
 *
 * The kept byte: our end always has an unread byte while the connection is not cleanly over, so
 * that its death at any moment (ours included) is ECONNRESET at the program and never an end of
 * file. `skip` counts the bytes at the head of our queue that are no news: the marker of birth, the
 * filling of a connecting socket, or bytes that were peeked and given to the core already.
 */
#ifndef TS_DAEMON_STREAM_H
#define TS_DAEMON_STREAM_H

#include "daemon/cookies.h"
#include "daemon/filler.h"
#include "daemon/poller.h"
#include "daemon/policy.h"
#include "daemon/reaper.h"
#include "daemon/ringport.h"
#include "daemon/tombstone.h"
#include "ipc/wire.h"
#include "proto/stack.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

/** Room for what is thrown away (struct streams, scrap). */
#define STREAM_SCRAP (64 * 1024)
/** What one stream may move, each way, in one turn. */
#define STREAM_TURN (512 * 1024)
/** What has come in order is handed to the pair in the middle of a batch of input from so many
 * bytes on: much less costs more wake-ups, much more leaves the processor's cache before it is
 * read. */
#define STREAM_GATHER (128 * 1024)
/** Most payload that waits unread in a pair (as far as SO_SNDBUF lets it). */
#define STREAM_HELD_MAX (1024 * 1024)
/** Send buffer of the program's end: a pinned kept byte leaves POLLOUT from 160 KiB on. */
#define STREAM_SNDBUF (208 * 1024)
/** Send buffer of our end, once more than a little goes in: EPOLLOUT edges come from a quarter of
 * its double down. */
#define STREAM_OUR_SNDBUF (1024 * 1024)
/** Most ranges of SEND_MARK at once. */
#define STREAM_MARKS 32
/** Most requests that may wait for one connect. */
#define STREAM_WAITERS 16

struct client;
struct stream_share;
struct streams;
struct workers;

/** A request with WIRE_WAIT that is answered when the connect has ended. */
struct stream_waiter {
    TAILQ_ENTRY(stream_waiter) of_stream, of_client;
    struct stream *stream; /**< NULL: it has answered */
    struct client *client;
    uint32_t id;
    struct workers *workers; /**< of several: the stream's one is `worker` */
    unsigned worker;
    bool answered; /**< by another worker: waits for worker 0, by of_stream */
    int error;     /**< and what it will say */
};
TAILQ_HEAD(stream_waiters, stream_waiter);

/** Bytes [from, to) of what the program writes carry these MSG_ flags. */
struct stream_mark {
    uint64_t from, to;
    uint32_t flags;
};

enum stream_state {
    STREAM_FRESH,      /**< no connection yet */
    STREAM_CONNECTING, /**< SYN sent */
    STREAM_OPEN,       /**< data flows, or flowed one way */
    STREAM_LISTENING,
    STREAM_DYING, /**< the connection is dead: deliver what came before, then the error */
    STREAM_ENDED, /**< retired */
};

TAILQ_HEAD(stream_list, stream);

struct stream {
    struct watch watch; /**< first */
    struct streams *all;
    struct sock *sock; /**< NULL once its handle is gone */
    int fd;            /**< our end */
    uint8_t state;     /**< enum stream_state */
    bool v6;
    bool ready;        /**< on the ready list */
    bool hup;          /**< the program's end is closed, or shut both ways */
    bool hup_error;    /**< and bytes were left unread */
    bool hup_checked;  /**< and it was an orderly end */
    bool fin_seen;     /**< the program shut down its writing */
    bool fin_done;     /**< and the core knows */
    bool deaf;         /**< the program shut down its reading: what comes is thrown away */
    bool eof_done;     /**< the peer's FIN was passed on */
    bool send_blocked; /**< the core has no room: SOCK_EV_WRITABLE will come */
    bool push_blocked; /**< the pair has no room: an EPOLLOUT edge will come */
    bool finished;     /**< SOCK_EV_CLOSED came */
    bool closing;      /**< the daemon stops: take what was written, then close */
    bool much;         /**< the program writes more at once than is peeked */
    bool urgent;       /**< the program has sent urgent data */
    bool watched;      /**< we are told when the program has read */
    bool big;          /**< our end has STREAM_OUR_SNDBUF */
    bool news;         /**< our queue may hold bytes that the core has not got */
    bool anew;     /**< its connect failed: it may try again, and the tombstone keeps the sock */
    bool starved;  /**< listener: waits for descriptors or quota */
    bool doubtful; /**< in flight when its listener was closed: perhaps no program ever had it */
    uint8_t peeks; /**< messages behind `skip` */
    struct policy_owner owner;
    uint64_t cookie; /**< of the program's end */
    uint64_t inode;  /**< the same: how /proc names it */
    int error;       /**< why it died */

    size_t skip;    /**< bytes at the head of our queue that are no news */
    uint64_t taken; /**< bytes of the stream given to the core */
    size_t written; /**< bytes put into the pair since it was last empty */
    size_t held;    /**< upper bound of those still unread */
    struct stream_mark *marks;
    uint32_t n_marks;

    struct ringport *ring; /**< its bytes do not come by the descriptor any more */

    struct stream_waiters waiters;
    uint32_t n_waiters;

    /* A listener: */
    struct stream_list in_flight; /**< connections whose record is not yet received, oldest first */
    uint64_t records_sent;
    uint32_t records_queued; /**< not yet received by a program */
    int backlog;             /**< as the program asked for */
    bool remembered;         /**< our end has its memo (ipc/memo.h) */
    struct stream_share
        *share;            /**< with several workers: what it has in common with its replicas */
    bool replica;          /**< it is one: of another worker's listener */
    struct stream *parked; /**< a connection whose record found no room */
    int parked_fd;
    /* A connection of a listener: */
    struct stream *listener; /**< of which this one is in flight, or parked */
    uint64_t record;         /**< its number */

    TAILQ_ENTRY(stream) link, ready_link, flight_link, listener_link;
};

struct streams {
    struct workers *workers; /**< of which this is `index`; NULL: there is one worker */
    unsigned index;
    struct stack *stack;
    struct poller *poller;
    struct reaper *reaper;
    struct policy *policy;
    /** Answer a request that waited. */
    void (*answer)(struct stream_waiter *w, int error);
    uint64_t now;

    struct cookies cookies;
    struct tombstones tombs;
    struct filler filler;
    struct stream_list list, ready, listeners;
    struct ringport_list awake, resting;
    size_t count;
    bool stopping;
    bool starved;        /**< some listener is */
    bool rights_refused; /**< the kernel keeps descriptors off our ends (SO_PASSRIGHTS) */
    int record_cost;     /**< what one record of a listener adds to SIOCOUTQ */
    uint32_t record_max; /**< records that may wait in one listener's pair */
    uint8_t *scrap;
};

/* --- streams.c ---------------------------------------------------------------------------------
 */

/** Returns 0 or a negative errno value. Probes the kernel. */
int streams_init(struct streams *all, struct stack *stack, struct poller *poller,
                 struct reaper *reaper, struct policy *policy);
void streams_destroy(struct streams *all);

/** The stream whose program's end has this cookie, or NULL. */
struct stream *stream_find(struct streams *all, uint64_t cookie);

/** Have the stream's turn come again in this round. */
void stream_again(struct stream *s);
/** Give their turn to streams that had more to do than one turn. True when there are still some. */
bool streams_run(struct streams *all);

/** The daemon stops: no connection is accepted any more, each one is closed in order. */
void streams_stop(struct streams *all);
/** Reset what is left. */
void streams_abort(struct streams *all);
/** The policy table is another one: rights and quotas of all streams follow it. */
void streams_policy_changed(struct streams *all);

/* --- stream.c ----------------------------------------------------------------------------------
 */

/**
 * A descriptor for `sock`, which the stream owns from success on. *program_fd is the end to pass to
 * the program and then to close. 0, -EMFILE, -ENFILE, -ENOBUFS (the owner's memory), -ENOMEM.
 */
int stream_new(struct streams *all, struct sock *sock, bool v6, struct policy_owner owner,
               struct stream **out, int *program_fd);

/** A stream around an end that exists already, with the listener's or the mover's owner; `sock` is
 * its own from success on. 0 or a negative errno value. */
int stream_around(struct streams *all, struct sock *sock, const struct stream *like, int fd,
                  struct stream **out);
/** The same connection-to-be with another worker: `s` is gone, *out takes its place. */
int stream_move(struct stream *s, struct streams *to, struct stream **out);

/** Options that the program's end `fd` must have as well: SO_OOBINLINE. */
void stream_mirror_options(const struct stream *s, int fd);
/** The same for a fresh one. */
void stream_inherit_options(const struct stream *s, int fd);

/** The program may have read: learn it now, for somebody who asks. */
void stream_refresh(struct stream *s);

/** Be told when the program has read, or do without. */
void stream_watch_reader(struct stream *s, bool on);

/** Give our end its large send buffer: not every connection needs it. */
void stream_big_buffer(struct stream *s);

/** What this kernel can do, tried on a throw-away pair. 0 or a negative errno value. */
int stream_probe(struct streams *all);

enum stream_end {
    STREAM_END_CLEAN, /**< the program, if it is there, reads an end of file */
    STREAM_END_ERROR, /**< … reads ECONNRESET */
};
/** The end: closes our descriptor and, unless gone, the sock's handle; `error` is for the
 * tombstone. */
void stream_end(struct stream *s, enum stream_end how, int error);
/** The end of a connection that nobody has seen: a reset. */
void stream_reset(struct stream *s);

/* --- stream_work.c -----------------------------------------------------------------------------
 */

/** An edge of our end of the pair (watch.ready). */
void stream_ready(struct watch *w, uint32_t events);
/** See what there is to do, both ways. The stream may be gone afterwards. */
void stream_work(struct stream *s);
/** An event of the core. */
void stream_event(struct streams *all, struct sock *sock, uint32_t events);

/* --- stream_send.c -----------------------------------------------------------------------------
 */

/** Bytes in our queue that the core has not got; also when the queue cannot be asked: 0. */
size_t stream_queued(const struct stream *s);
/** Give the core what the program has written, one turn of it. */
void stream_take(struct stream *s);
/** The same where no event told of it: all that was written before. */
void stream_take_exactly(struct stream *s);
/** Read `n` bytes from the head of our queue and forget them. Returns those that were there. */
size_t stream_discard(struct stream *s, size_t n);
/** About to close: may our queue hold foreign descriptors, whose release can block? Nothing can be
 * added any more. */
bool stream_holds_rights(struct stream *s);
/** The next `count` bytes written carry `flags`. 0, -EINVAL, -ENOMEM, -EAGAIN (too many ranges). */
int stream_mark(struct stream *s, int64_t count, uint32_t flags);

/* --- stream_recv.c -----------------------------------------------------------------------------
 */

/** The program may have read: learn how much is still unread. */
void stream_update_held(struct stream *s);
/** Give the program what the core has, one turn of it. */
void stream_push(struct stream *s);
/** stack_ops.deliver: straight from the device's buffer into the pair. */
size_t stream_deliver(struct sock *sock, const struct iovec *iov, int n_iov, size_t *held);
/** Throw away what the core has: the program does not read any more. */
void stream_drop_all(struct stream *s);

/* --- stream_connect.c --------------------------------------------------------------------------
 */

/**
 * connect(2). 0 or a negative errno value for the reply; 1: the waiter will be answered later. `fd`
 * is the program's end; `waiter` is NULL for a connect that does not wait, and the stream's on 1.
 */
int stream_connect(struct stream *s, int fd, const struct ip_endpoint *to,
                   struct stream_waiter *waiter);
void stream_connected(struct stream *s);
void stream_connect_failed(struct stream *s, int error);
/** Answer all who wait. */
void stream_answer(struct stream *s, int error);
/** The client has gone. */
void stream_waiter_drop(struct stream_waiter *w);

/** bind(2). */
int stream_bind(struct stream *s, int fd, const struct ip_endpoint *local);
/** A descriptor for a socket with the options and the bound name of `s`, which ends by a reset. As
 * stream_new(). */
int stream_renew(struct stream *s, struct policy_owner owner, int *program_fd);
/** The same for one that has ended; -ESTALE when nothing is known of it. */
int stream_renew_stale(struct streams *all, struct tombstone *stone, bool v6,
                       struct policy_owner owner, int *program_fd);
/** Before it is said that a port is taken: end the streams there whose programs have closed them.
 * True: there was one. */
bool stream_reclaim_port(struct streams *all, uint16_t port);
/** Give one end of a pair its name: the local address, and the remote one unless NULL. */
int stream_name(int fd, const struct ip_endpoint *local, const struct ip_endpoint *remote);

void stream_to_wire(const struct ip_endpoint *e, struct wire_addr *out);
void stream_from_wire(const struct wire_addr *w, struct ip_endpoint *out);

/* --- stream_listen.c ---------------------------------------------------------------------------
 */

/** What one record costs in a pair's accounting: 0 or a negative errno value. */
int stream_listen_probe(struct streams *all);
/** listen(2); `fd` is the program's end. */
int stream_listen(struct stream *s, int fd, int backlog);
/** Hand out connections, see which records were received. */
void stream_listen_work(struct stream *s);
/** What is set of it now is to be known after our end (ipc/memo.h); the first time counts. */
void stream_listen_remember(struct stream *s);
/** The listener ends: connections that no program has received are reset. */
void stream_listen_end(struct stream *s);
/** A connection leaves its listener: received, or over. */
void stream_leave_listener(struct stream *s);
/** Was its record never received, and its listener closed? */
bool stream_never_accepted(struct stream *s);
/** stack_ops.abandoned */
bool stream_listen_abandoned(void *unused, const struct sock *listener);
/** Descriptors or quota became free. */
void streams_feed_starved(struct streams *all);

/* --- stream_share.c: a listener with several workers -------------------------------------------
 */

/** It listens now: let it listen with all other workers too. 0 or a negative errno value: it does
 * with none but its own. */
int stream_share_begin(struct stream *s);
/** Its backlog, or an option, is another one: tell the replicas. */
void stream_share_backlog(struct stream *s, int backlog);
void stream_share_option(struct stream *s, int level, int name, const void *value, size_t len);
/** End the replicas, before it ends itself for another reason than its program's close. */
void stream_share_recall(struct stream *s);
/** This one, listener or replica, ends. */
void stream_share_leave(struct stream *s);
/** Our end was closed with an error: the others may not see it any more. Returns whether it was. */
bool stream_share_error(struct stream *s, bool error);
/** Records sent by all of them. */
uint64_t stream_share_sent(const struct stream *s);
/** How many of them wait in the pair now. */
void stream_share_queued(struct stream *s, uint32_t n);
/** Send one: 0 and its number, or a negative errno value. */
int stream_share_send(struct stream *s, const struct wire_accept *record, int fd, uint64_t *number);

#endif
