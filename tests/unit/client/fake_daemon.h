/* SPDX-License-Identifier: MIT */
/*
 * A daemon for tests of the client: a thread that listens on a control socket of its own and
 * answers each request.
 *
 * By default it makes real pairs and says 0 to everything; a test's hook may answer a request
 * otherwise, late, twice or wrongly. What came in is kept in a log.
 */
#ifndef TS_TESTS_UNIT_CLIENT_FAKE_DAEMON_H
#define TS_TESTS_UNIT_CLIENT_FAKE_DAEMON_H

#include "ipc/codec.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#define FAKE_LOG   256
#define FAKE_ENDS  64
#define FAKE_CONNS 64

/* One request as it came in. */
struct fake_request {
    int conn; /* the descriptor to answer on */
    struct wire_header hdr;
    _Alignas(uint64_t) unsigned char body[WIRE_MAX];
    int fd; /* came along, or -1; closed after the hook */
};

struct fake_daemon;
/* Returns true when it has answered (or wants no answer). */
typedef bool (*fake_hook)(struct fake_daemon *d, const struct fake_request *rq);

struct fake_daemon {
    char dir[64], path[100];
    int listener, stop[2];
    int conns[FAKE_CONNS];
    int n_conns;
    pthread_t thread;
    _Atomic(fake_hook) hook;
    atomic_int accepted; /* control connections ever made */
    atomic_int n_log;
    struct wire_header log[FAKE_LOG];
    struct wire_mark marks[FAKE_LOG]; /* of SEND_MARK requests, same index */
    atomic_int n_ends;
    int ends[FAKE_ENDS]; /* the daemon's ends of the pairs, in order */
    atomic_int step;     /* the hooks' own */
};

/* Start, and point this process at it (ts_set_socket_path). For cmocka: *state is the daemon. */
int fake_daemon_start(void **state);
int fake_daemon_stop(void **state);

/* End the thread, its listener and all its connections; begin anew at the same path. */
void fake_daemon_halt(struct fake_daemon *d);
void fake_daemon_resume(struct fake_daemon *d);

/* Answer; fd -1 for none. */
void fake_daemon_reply(const struct fake_request *rq, int error, const void *body, size_t len,
                       int fd);

/* How many requests of this kind came in so far. */
int fake_daemon_count(struct fake_daemon *d, uint16_t op);

/* Wait until there were n (a request without a reply takes its time). */
void fake_daemon_wait(struct fake_daemon *d, uint16_t op, int n);

/* Put a connection into a listener's queue, as the daemon does; returns the daemon's end of the
 * connection. */
int fake_daemon_deliver(int listener_end, const struct wire_addr *local,
                        const struct wire_addr *remote);

#endif
