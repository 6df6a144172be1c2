/* SPDX-License-Identifier: MIT */
/*
 * The per-thread control descriptor and the exchange of messages; client/lib/control.h has the
 * theory.
 */
#include "client/lib/control.h"

#include "client/include/tapstack.h"
#include "client/lib/path.h"
#include "ipc/codec.h"
#include "ipc/fdpass.h"
#include "ipc/name.h"
#include "ipc/native.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

struct control {
    int fd; /* valid when open */
    bool open;
    bool busy;
    pid_t busy_pid;
    bool registered; /* the destructor will run at this thread's end */
    pid_t pid;
    unsigned generation;
    uint64_t cookie;
    uint32_t last_id;
};

bool control_waits;

/* initial-exec: no allocation on the way to it, so that a signal handler may come here too. */
static _Thread_local struct control mine __attribute__((tls_model("initial-exec")));

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static bool has_key;

static void (*at_open)(bool begin);

void control_at_open(void (*hook)(bool begin))
{
    at_open = hook;
}

/* ---- the descriptor ---- */

static bool still_ours(const struct control *c)
{
    uint64_t cookie;
    socklen_t len = sizeof(cookie);

    return c->open && native_getsockopt(c->fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) == 0 &&
           cookie == c->cookie;
}

/* A number that belongs to something else by now is not ours to close. */
static void shut(struct control *c)
{
    if (still_ours(c))
        close(c->fd);
    c->open = false;
}

static void at_thread_end(void *arg)
{
    shut(arg);
}

static void make_key(void)
{
    has_key = pthread_key_create(&key, at_thread_end) == 0;
}

/*
 * Out of the way of programs that count on small numbers, yet below FD_SETSIZE: the kernel's table
 * is as long as the highest number in it, so the very top would cost memory and time at each fork.
 */
static int move_high(int fd)
{
    struct rlimit lim;
    int floor = 960, high;

    if (getrlimit(RLIMIT_NOFILE, &lim) == 0 && lim.rlim_cur < 1024)
        floor = (int)(lim.rlim_cur - lim.rlim_cur / 8);
    high = fcntl(fd, F_DUPFD_CLOEXEC, floor);
    if (high < 0)
        return fd;
    close(fd);
    return high;
}

static int open_socket(struct control *c)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    socklen_t len = sizeof(c->cookie);
    int r, fd;

    c->generation = path_generation();
    r = path_get(un.sun_path);
    if (r < 0)
        return r;
    fd = native_socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (at_open)
        at_open(true);
    do {
        r = native_connect(fd, (struct sockaddr *)&un, sizeof(un));
    } while (r < 0 && errno == EINTR);
    if (at_open) {
        int error = errno;

        at_open(false);
        errno = error;
    }
    if (r == 0) {
        fd = move_high(fd);
        r = native_getsockopt(fd, SOL_SOCKET, SO_COOKIE, &c->cookie, &len);
    }
    if (r < 0) {
        r = -errno;
        close(fd);
        return r;
    }
    c->fd = fd;
    c->open = true;
    c->pid = c->busy_pid;
    return 0;
}

/* *reused: it was open before, so that a broken connection may be worth a second try. */
static int ensure_open(struct control *c, bool *reused)
{
    *reused = false;
    if (c->open && (c->pid != c->busy_pid || c->generation != path_generation()))
        shut(c);
    if (c->open && still_ours(c)) {
        *reused = true;
        return 0;
    }
    c->open = false;
    return open_socket(c);
}

/* The thread's own connection, or, when we are a signal handler in the middle of its use, *spare.
 */
static struct control *enter(struct control *spare)
{
    pid_t pid = getpid();

    /* A child that was forked by a handler did not interrupt anything. */
    if (mine.busy && mine.busy_pid == pid) {
        *spare = (struct control){.busy = true, .busy_pid = pid, .registered = true};
        return spare;
    }
    mine.busy_pid = pid;
    mine.busy = true;
    if (!mine.registered) {
        pthread_once(&once, make_key);
        mine.registered = !has_key || pthread_setspecific(key, &mine) == 0;
    }
    return &mine;
}

static void leave(struct control *c)
{
    if (c != &mine)
        shut(c);
    c->busy = false;
}

/* ---- messages ---- */

static int64_t now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* Until something can be received. Without a time-out recvmsg waits by itself, and SA_RESTART works
 * as in connect(2). */
static int wait_reply(int fd, int64_t deadline)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int64_t left;
    int r;

    if (deadline == 0)
        return 0;
    left = deadline - now_us();
    if (left <= 0)
        return -ETIMEDOUT;
    /* Rounded up, so that the last millisecond does not spin; a long wait goes in pieces. */
    left = (left + 999) / 1000;
    r = poll(&p, 1, left < 60000 ? (int)left : 60000);
    if (r < 0)
        return -errno;
    return r == 0 ? -EAGAIN : 0;
}

static int send_request(struct control *c, const struct control_request *rq, uint32_t flags,
                        uint32_t id)
{
    WIRE_BUFFER(buf);
    ssize_t n = wire_encode(buf, sizeof(buf), rq->op, id, flags, 0, rq->body, rq->len);
    ssize_t sent;

    if (n < 0)
        return (int)n;
    do {
        sent = fdpass_send(c->fd, buf, (size_t)n, rq->fd, 0);
    } while (sent == -EINTR);
    return sent < 0 ? (int)sent : 0;
}

static bool hung_up(int r)
{
    return r == -ECONNRESET || r == -EPIPE || r == -ENOTCONN;
}

/* One message, checked. Descriptors that are not expected are closed: only a good reply to SOCKET
 * and RENEW brings one. */
static int receive_one(struct control *c, const struct control_request *rq, uint32_t id,
                       unsigned char *buf, struct wire_header *hdr, const void **body, int *fd)
{
    int fds[FDPASS_MAX], flags;
    size_t n_fds;
    ssize_t n = fdpass_recv(c->fd, buf, WIRE_MAX, fds, &n_fds, 0, &flags);
    bool ours, with_fd;
    int r = 0;

    if (n <= 0)
        return n == 0 ? -ECONNRESET : (int)n;
    if ((flags & MSG_TRUNC) || wire_decode(buf, (size_t)n, hdr, body) < 0 ||
        !(hdr->flags & WIRE_REPLY))
        r = -EPROTO;
    ours = r == 0 && hdr->id == id;
    with_fd = ours && hdr->error == 0 && wire_op_brings_fd(rq->op);
    if (r == 0 && !ours)
        r = -EAGAIN; /* an interrupted call's: late */
    else if (ours && hdr->op != rq->op)
        r = -EPROTO;
    else if (ours && (flags & MSG_CTRUNC))
        r = -EMFILE;
    else if (ours && n_fds != (with_fd ? 1 : 0))
        r = -EPROTO;
    if (r == 0 && with_fd)
        *fd = fds[0];
    else
        fdpass_close(fds, n_fds);
    return r;
}

/* connect(2) is a cancellation point: its reply brings nothing that could be lost, and this
 * connection ends with the thread. */
static int receive_connected(struct control *c, const struct control_request *rq, uint32_t id,
                             unsigned char *buf, struct wire_header *hdr, const void **body,
                             int *fd)
{
    int type, r;

    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
    r = receive_one(c, rq, id, buf, hdr, body, fd);
    pthread_setcanceltype(type, NULL);
    return r;
}

/* The next reply with our id. */
static int receive(struct control *c, const struct control_request *rq, uint32_t id,
                   int64_t deadline, unsigned char *buf, struct wire_header *hdr, const void **body,
                   int *fd)
{
    int r;

    *fd = -1;
    do {
        r = wait_reply(c->fd, deadline);
        if (r == 0)
            r = (rq->interruptible ? receive_connected : receive_one)(c, rq, id, buf, hdr, body,
                                                                      fd);
    } while (r == -EAGAIN || (r == -EINTR && !rq->interruptible));
    if (hung_up(r) || r == -EPROTO)
        shut(c);
    return hung_up(r) ? -ECONNRESET : r;
}

/*
 * Send, and receive the first reply. When a connection from earlier turns out to be dead, the
 * daemon was restarted: what it did with the request died with it, so the request is sent once
 * more.
 */
static int exchange(struct control *c, const struct control_request *rq, unsigned char *buf,
                    struct wire_header *hdr, const void **body, int *fd)
{
    int64_t deadline = rq->timeout_us > 0 ? now_us() + rq->timeout_us : 0;
    bool reused = true;
    int r = -ECONNRESET;

    for (int attempt = 0; attempt < 2 && reused; attempt++) {
        uint32_t id, flags = rq->flags;

        r = ensure_open(c, &reused);
        if (r < 0)
            return r;
        /* What comes by a connection that is still to be accepted could be overtaken by another
         * thread's next request: who wants no answer waits for one this once. */
        if (!reused || control_waits)
            flags &= ~WIRE_NO_REPLY;
        id = ++c->last_id;
        r = send_request(c, rq, flags, id);
        if (hung_up(r)) {
            shut(c);
            r = -ECONNRESET;
        } else if (r == 0 && !(flags & WIRE_NO_REPLY)) {
            r = receive(c, rq, id, deadline, buf, hdr, body, fd);
        }
        if (r != -ECONNRESET)
            return r;
    }
    return r;
}

void control_forget(void)
{
    int saved = errno;

    if (!mine.busy && mine.pid == getpid())
        shut(&mine);
    errno = saved;
}

int control_call(const struct control_request *rq, struct control_reply *rp)
{
    WIRE_BUFFER(buf);
    struct wire_header hdr = {0};
    const void *body = NULL;
    struct control spare, *c;
    int saved = errno, fd = -1, r;

    c = enter(&spare);
    r = exchange(c, rq, buf, &hdr, &body, &fd);
    leave(c);
    errno = saved;
    if (rp) {
        rp->len = 0;
        rp->fd = r == 0 ? fd : -1;
    }
    if (r < 0)
        return r;
    if (hdr.error == 0 && rp && rp->body && hdr.len > 0) {
        rp->len = hdr.len < rp->cap ? hdr.len : rp->cap;
        memcpy(rp->body, body, rp->len);
    }
    return hdr.error;
}

int control_each(uint16_t op, void (*each)(void *ctx, const void *body), void *ctx)
{
    WIRE_BUFFER(buf);
    struct control_request rq = {.op = op, .fd = -1};
    struct wire_header hdr = {0};
    const void *body = NULL;
    struct control spare, *c;
    int saved = errno, fd, r;

    c = enter(&spare);
    r = exchange(c, &rq, buf, &hdr, &body, &fd);
    while (r == 0 && hdr.error == 0) {
        if (hdr.len > 0)
            each(ctx, body);
        if (!(hdr.flags & WIRE_MORE))
            break;
        r = receive(c, &rq, hdr.id, 0, buf, &hdr, &body, &fd);
    }
    leave(c);
    errno = saved;
    return r < 0 ? r : hdr.error;
}

int control_result(int r)
{
    if (r > 0)
        return r == ESTALE ? -ENOTCONN : -r; /* of a daemon that is gone */
    switch (r) {
    case 0:
    case -EBADF:
    case -EINTR:
    case -ETIMEDOUT:
    case -EMFILE:
    case -ENFILE:
    case -ENOMEM:
    case -ENOBUFS:
        return r;
    case -ETOOMANYREFS: /* too many descriptors under way: it will pass */
        return -ENOBUFS;
    default:
        return -ENOTCONN;
    }
}

int control_ask(uint16_t op, int fd, const void *body, size_t len, void *out, size_t cap)
{
    struct control_request rq = {.op = op, .fd = fd, .body = body, .len = len};
    struct control_reply rp = {.body = out, .cap = cap};
    int r = control_result(control_call(&rq, &rp));

    return r < 0 ? r : (int)rp.len;
}

int control_kind(int fd)
{
    enum name_kind kind = name_kind_of(fd);
    int saved = errno, bad;

    if (kind != NAME_FOREIGN)
        return (int)kind;
    bad = fcntl(fd, F_GETFD) < 0;
    errno = saved;
    return bad ? -EBADF : -ENOTSOCK;
}
