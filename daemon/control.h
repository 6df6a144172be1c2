/* SPDX-License-Identifier: MIT */
/*
 * The control socket: a SOCK_SEQPACKET listener and its clients (ipc/wire.h).
 * Clients are hostile until proven otherwise: each message is checked by ipc/codec.h, each
 * descriptor is identified by its cookie before anything else is done with it, what is not ours
 * goes to the reaper, and who misbehaves is disconnected. Nothing here waits: a client that does
 * not read its replies is disconnected as well. control.c receives and replies, requests.c carries
 * out, dump.c streams long answers.
 */
#ifndef TS_DAEMON_CONTROL_H
#define TS_DAEMON_CONTROL_H

#include "daemon/capture_ring.h"
#include "daemon/poller.h"
#include "daemon/stream.h"
#include "ipc/codec.h"
#include "ipc/wire.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

/** Requests of one client in one turn. */
#define CONTROL_TURN 64
/** Descriptors waiting for the reaper beyond which nothing is received. */
#define CONTROL_REAPING 1024
/** The same of one user: from him nothing is received. */
#define CONTROL_REAPING_USER 256

struct dump;
struct notices;
struct reload;
struct settings;

struct client {
    struct watch watch; /**< first */
    struct control *control;
    int fd;
    struct policy_owner owner;
    bool held; /**< the reaper has too much to do for this user */
    struct stream_waiters waiters;
    struct dump *dump;   /**< a long answer under way: no further request is read */
    struct trace *trace; /**< what it looks at (trace.h) */
    TAILQ_ENTRY(client) link;
};

TAILQ_HEAD(client_list, client);

struct control {
    struct watch watch; /**< first */
    int fd;             /**< the listener */
    int reserve; /**< given up to take, and refuse, a connection when there are no descriptors left
                  */
    bool paused; /**< the reaper has too much to do */
    bool held;   /**< some clients are */
    struct poller *poller;
    struct streams *streams;
    struct wire_hello hello;
    struct settings *settings;      /**< set by the caller before the first request */
    struct reload *reload;          /**< the same */
    struct capture_rings *captures; /**< set by who makes it */
    struct client_list clients;
    struct dump *dumps[4];
};

/** `fd` is the bound, listening, non-blocking socket, owned from now on. 0 or a negative errno
 * value. */
int control_init(struct control *c, int fd, struct poller *poller, struct streams *streams,
                 const struct wire_hello *hello);
/** No new connection. */
void control_stop(struct control *c);
void control_destroy(struct control *c);
/** The policy table is another one: who asks, and who has sockets, is looked up anew. The old table
 * may be freed afterwards. */
void control_policy_changed(struct control *c);
/** While paused: look whether the reaper has caught up. */
void control_tick(struct control *c);

/** Reply unless WIRE_NO_REPLY; fd is -1 or goes with it. 0 or a negative errno value: the client
 * may be gone. */
int control_reply(struct client *cl, const struct wire_header *request, int error, const void *body,
                  size_t len, int fd);
/** One message of a long answer. 0, -EAGAIN, or another negative errno value. */
int control_send(struct client *cl, uint16_t op, uint32_t id, uint32_t flags, const void *body,
                 size_t len);
void control_disconnect(struct client *cl);
/** Send what other workers had to answer. */
void control_answers(struct control *c);

/* --- requests.c --------------------------------------------------------------------------------
 */

/** Carry out a request without a descriptor. */
void request_plain(struct client *cl, const struct wire_header *h, const void *body);
/** Carry out a request about a stream; fd is the program's end, which the caller closes. */
void request_stream(struct client *cl, const struct wire_header *h, const void *body,
                    struct stream *s, int fd);
/** A request about a connection that has ended, to the worker that knows it: stone is NULL when
 * nothing is remembered. */
void request_stale(struct client *cl, const struct wire_header *h, const void *body,
                   struct streams *all, struct tombstone *stone, bool v6);
/** Streams' way to answer a connect that waited. */
void request_answer(struct stream_waiter *w, int error);
/** Describe a connection. */
void request_info(const struct sock_info *from, struct wire_info *out);

/* --- dump.c ------------------------------------------------------------------------------------
 */

/** Answer LIST, STATS, CONFIG or RELOAD; the latter when it has ended. */
void dump_begin(struct client *cl, const struct wire_header *h);
/** The client's socket has room again. */
void dump_continue(struct client *cl);
void dump_drop(struct client *cl);
/** The reload that clients wait for has ended. */
void dump_reloaded(struct control *c, const struct notices *notices);

#endif
