/* SPDX-License-Identifier: MIT */
/*
 * The thread, its poll(2) loop and the default answers.
 */
#include "tests/unit/client/fake_daemon.h"

#include "client/include/tapstack.h"
#include "ipc/fdpass.h"
#include "ipc/name.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#define CHECK(ok)                                                                                  \
    do {                                                                                           \
        if (!(ok)) {                                                                               \
            fprintf(stderr, "fake daemon: %s: %s\n", #ok, strerror(errno));                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

void fake_daemon_reply(const struct fake_request *rq, int error, const void *body, size_t len,
                       int fd)
{
    WIRE_BUFFER(buf);
    ssize_t n = wire_encode(buf, sizeof(buf), rq->hdr.op, rq->hdr.id, WIRE_REPLY, error, body, len);

    fdpass_send(rq->conn, buf, (size_t)n, fd, 0);
}

static void answer_pair(struct fake_daemon *d, const struct fake_request *rq, bool v6)
{
    int s[2];

    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s) == 0);
    for (int i = 0; i < 2; i++)
        CHECK(name_mark_family(s[i], NAME_SOCKET, v6) == 0);
    d->ends[d->n_ends++] = s[0];
    fake_daemon_reply(rq, 0, NULL, 0, s[1]);
    close(s[1]);
}

static void answer_socket(struct fake_daemon *d, const struct fake_request *rq)
{
    struct wire_socket body;

    memcpy(&body, rq->body, sizeof(body));
    answer_pair(d, rq, body.family == AF_INET6);
}

static void answer_option(const struct fake_request *rq)
{
    struct wire_option body = {.len = 4, .value = {42}};

    fake_daemon_reply(rq, 0, &body, WIRE_OPTION_HEAD + 4, -1);
}

static void answer(struct fake_daemon *d, const struct fake_request *rq)
{
    static const struct wire_info info = {.state = 1, .state_name = "ESTAB", .send_queue = 5};
    static const struct wire_hello hello = {.mtu = 1500};
    static const struct wire_outq outq = {.unacked = 7, .unsent = 3};

    switch (rq->hdr.op) {
    case WIRE_OP_HELLO:
        fake_daemon_reply(rq, 0, &hello, sizeof(hello), -1);
        return;
    case WIRE_OP_RENEW: /* as a daemon that was started anew */
        fake_daemon_reply(rq, ESTALE, NULL, 0, -1);
        return;
    case WIRE_OP_SOCKET:
        answer_socket(d, rq);
        return;
    case WIRE_OP_LISTEN:
        CHECK(name_mark(rq->fd, NAME_LISTENER) == 0);
        break;
    case WIRE_OP_GETSOCKOPT:
        answer_option(rq);
        return;
    case WIRE_OP_INFO:
        fake_daemon_reply(rq, 0, &info, sizeof(info), -1);
        return;
    case WIRE_OP_OUTQ:
        fake_daemon_reply(rq, 0, &outq, sizeof(outq), -1);
        return;
    default:
        break;
    }
    if (!(rq->hdr.flags & WIRE_NO_REPLY))
        fake_daemon_reply(rq, 0, NULL, 0, -1);
}

/* Returns false at the end of the connection. */
static bool serve(struct fake_daemon *d, int conn)
{
    WIRE_BUFFER(buf);
    struct fake_request rq = {.conn = conn, .fd = -1};
    int fds[FDPASS_MAX], i = d->n_log;
    const void *body;
    size_t n_fds;
    fake_hook hook;
    ssize_t n = fdpass_recv(conn, buf, sizeof(buf), fds, &n_fds, 0, NULL);

    if (n <= 0)
        return false;
    CHECK(wire_decode(buf, (size_t)n, &rq.hdr, &body) == 0);
    CHECK(n_fds == (wire_op_takes_fd(rq.hdr.op) ? 1 : 0));
    memcpy(rq.body, body, rq.hdr.len);
    if (n_fds)
        rq.fd = fds[0];
    CHECK(i < FAKE_LOG);
    d->log[i] = rq.hdr;
    if (rq.hdr.op == WIRE_OP_SEND_MARK)
        memcpy(&d->marks[i], rq.body, sizeof(d->marks[i]));
    d->n_log = i + 1;
    hook = d->hook;
    if (!hook || !hook(d, &rq))
        answer(d, &rq);
    fdpass_close(fds, n_fds);
    return true;
}

static void *run(void *arg)
{
    struct fake_daemon *d = arg;
    struct pollfd p[FAKE_CONNS + 2];

    for (;;) {
        int n = d->n_conns;

        p[0] = (struct pollfd){.fd = d->stop[0], .events = POLLIN};
        p[1] = (struct pollfd){.fd = d->listener, .events = POLLIN};
        for (int i = 0; i < n; i++)
            p[i + 2] = (struct pollfd){.fd = d->conns[i], .events = POLLIN};
        CHECK(poll(p, (nfds_t)n + 2, -1) > 0);
        if (p[0].revents)
            return NULL;
        for (int i = n - 1; i >= 0; i--) {
            if (p[i + 2].revents && !serve(d, d->conns[i])) {
                close(d->conns[i]);
                d->conns[i] = d->conns[--d->n_conns];
            }
        }
        if (p[1].revents) {
            CHECK(d->n_conns < FAKE_CONNS);
            d->conns[d->n_conns] = accept4(d->listener, NULL, NULL, SOCK_CLOEXEC);
            CHECK(d->conns[d->n_conns] >= 0);
            d->n_conns++;
            d->accepted++;
        }
    }
}

void fake_daemon_resume(struct fake_daemon *d)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};

    memcpy(un.sun_path, d->path, strlen(d->path));
    d->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    CHECK(d->listener >= 0);
    CHECK(bind(d->listener, (struct sockaddr *)&un, sizeof(un)) == 0);
    CHECK(listen(d->listener, 16) == 0);
    CHECK(pipe(d->stop) == 0);
    CHECK(pthread_create(&d->thread, NULL, run, d) == 0);
}

void fake_daemon_halt(struct fake_daemon *d)
{
    CHECK(write(d->stop[1], "x", 1) == 1);
    pthread_join(d->thread, NULL);
    for (int i = 0; i < d->n_conns; i++)
        close(d->conns[i]);
    d->n_conns = 0;
    close(d->stop[0]);
    close(d->stop[1]);
    close(d->listener);
    unlink(d->path);
}

int fake_daemon_start(void **state)
{
    struct fake_daemon *d = calloc(1, sizeof(*d));

    CHECK(d);
    strcpy(d->dir, "/tmp/tapstack-fake-XXXXXX");
    CHECK(mkdtemp(d->dir));
    snprintf(d->path, sizeof(d->path), "%s/sock", d->dir);
    fake_daemon_resume(d);
    *state = d;
    return ts_set_socket_path(d->path);
}

int fake_daemon_stop(void **state)
{
    struct fake_daemon *d = *state;

    fake_daemon_halt(d);
    for (int i = 0; i < d->n_ends; i++)
        close(d->ends[i]);
    rmdir(d->dir);
    free(d);
    return 0;
}

int fake_daemon_count(struct fake_daemon *d, uint16_t op)
{
    int n = 0;

    for (int i = 0; i < d->n_log; i++)
        n += d->log[i].op == op;
    return n;
}

void fake_daemon_wait(struct fake_daemon *d, uint16_t op, int n)
{
    for (int i = 0; fake_daemon_count(d, op) < n; i++) {
        CHECK(i < 5000);
        usleep(1000);
    }
}

int fake_daemon_deliver(int listener_end, const struct wire_addr *local,
                        const struct wire_addr *remote)
{
    struct wire_accept record = {.magic = WIRE_MAGIC, .local = *local, .remote = *remote};
    int s[2];

    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s) == 0);
    CHECK(name_mark(s[1], NAME_SOCKET) == 0);
    CHECK(fdpass_send(listener_end, &record, sizeof(record), s[1], 0) == sizeof(record));
    close(s[1]);
    return s[0];
}
