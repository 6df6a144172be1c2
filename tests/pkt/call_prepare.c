/* SPDX-License-Identifier: MIT */
/* From a call as written to its arguments; see call.h. Each form of calls.def is one function. */
#include "tests/pkt/call.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

enum call_form {
    FORM_SOCKET,
    FORM_ADDRESS,
    FORM_ACCEPT,
    FORM_INT,
    FORM_FD,
    FORM_DATA,
    FORM_DATA_FLAGS,
    FORM_DATA_TO,
    FORM_VECTOR,
    FORM_MESSAGE,
    FORM_OPTION,
    FORM_FCNTL,
    FORM_IOCTL,
    FORM_POLL,
    FORM_EPOLL_CREATE,
    FORM_EPOLL_CTL,
    FORM_EPOLL_WAIT,
};

static const struct {
    const char *name;
    enum call_form form;
} calls[CALL_COUNT] = {
#define CALL(name, form) [CALL_##name] = {#name, FORM_##form},
#include "tests/pkt/calls.def"
#undef CALL
};

const char *call_name(enum call_op op)
{
    return calls[op].name;
}

static const struct expr *arg(const struct call *c, int i)
{
    return expr_item(c->event->call.args, i);
}

static int64_t number_of(const struct expr *e, int64_t otherwise)
{
    return e && e->kind == EXPR_NUMBER ? e->number : otherwise;
}

static int64_t number(const struct call *c, int i)
{
    return number_of(arg(c, i), 0);
}

static int live_fd(const struct call_state *s, int64_t script_fd)
{
    if (script_fd < 0 || script_fd >= CALL_MAX_FD || !s->fd[script_fd].used)
        return -1;
    return s->fd[script_fd].fd;
}

static void fd_arg(const struct call_state *s, struct call *c)
{
    c->script_fd = (int)number(c, 0);
    c->fd = live_fd(s, c->script_fd);
}

/* --- addresses
 * --------------------------------------------------------------------------------------------- */

/* htons(80), 80, inet_addr("…"), INADDR_ANY */
static uint32_t wrapped_number(const struct expr *e, uint32_t otherwise)
{
    const struct expr *inner = e;
    struct in_addr a;

    if (e && e->kind == EXPR_CALL)
        inner = expr_item(e, 0);
    if (inner && inner->kind == EXPR_STRING && inet_pton(AF_INET, inner->text, &a) == 1)
        return ntohl(a.s_addr);
    return (uint32_t)number_of(inner, otherwise);
}

static void address_arg(const struct call_state *s, struct call *c, int i)
{
    const struct expr *e = arg(c, i);
    bool remote = c->op == CALL_connect;
    uint32_t ip = remote ? s->script->remote_ip : s->script->local_ip;
    uint16_t port = remote ? s->script->connect_port : s->script->bind_port;
    int64_t family = AF_INET;

    if (e && e->kind == EXPR_STRUCT) {
        family = number_of(expr_field(e, "sa_family"), AF_INET);
        port = (uint16_t)wrapped_number(expr_field(e, "sin_port"), port);
        ip = wrapped_number(expr_field(e, "sin_addr"), ip);
    }
    c->addr.sin_family = (sa_family_t)family;
    c->addr.sin_port = htons(port);
    c->addr.sin_addr.s_addr = htonl(ip);
    c->addr_len = (socklen_t)number_of(arg(c, i + 1), sizeof(c->addr));
}

/* --- data
 * --------------------------------------------------------------------------------------------------
 */

static bool sends(enum call_op op)
{
    return op == CALL_write || op == CALL_writev || op == CALL_send || op == CALL_sendto ||
           op == CALL_sendmsg;
}

static void buffers(struct call_state *s, struct call *c, const size_t *sizes, int n)
{
    size_t at = 0;

    for (int i = 0; i < n; i++)
        c->len += sizes[i];
    c->buf = arena_alloc(s->arena, c->len + 1);
    if (sends(c->op) && c->script_fd >= 0 && c->script_fd < CALL_MAX_FD)
        pkt_fill(c->buf, s->fd[c->script_fd].written, (uint32_t)c->len);
    for (c->n_iov = 0; c->n_iov < n; c->n_iov++) {
        c->iov[c->n_iov] = (struct iovec){c->buf + at, sizes[c->n_iov]};
        at += sizes[c->n_iov];
    }
}

static const char *one_buffer(struct call_state *s, struct call *c)
{
    size_t size = (size_t)number(c, 2);

    if (size > 64u << 20)
        return "more than 64 MiB in one call";
    buffers(s, c, &size, 1);
    return NULL;
}

/* [{..., 100}, {..., 200}] */
static const char *vector(struct call_state *s, struct call *c, const struct expr *list)
{
    size_t sizes[CALL_MAX_IOV];
    int n = 0;

    if (!list || list->kind != EXPR_LIST)
        return "expected a list of {..., length}";
    for (const struct expr *e = list->items; e; e = e->next) {
        const struct expr *len = expr_field(e, "iov_len");

        if (n == CALL_MAX_IOV)
            return "too many buffers";
        sizes[n++] = (size_t)number_of(len ? len : expr_item(e, 1), 0);
    }
    buffers(s, c, sizes, n);
    return NULL;
}

static const char *message(struct call_state *s, struct call *c)
{
    const struct expr *m = arg(c, 1);
    const struct expr *name = m ? expr_field(m, "msg_name") : NULL;

    if (!m || m->kind != EXPR_STRUCT)
        return "expected {msg_iov(1)=[{..., length}], …}";
    if (name && name->kind == EXPR_STRUCT)
        return "msg_name must be ...";
    c->flags = (int)number(c, 2);
    return vector(s, c, expr_field(m, "msg_iov"));
}

/* --- options
 * -----------------------------------------------------------------------------------------------
 */

static void put(struct call *c, const void *v, size_t n)
{
    memcpy(c->opt, v, n);
    c->opt_len = (socklen_t)n;
}

static void pair_option(struct call *c, const struct expr *e)
{
    const struct expr *first = expr_field(e, "onoff"), *second = expr_field(e, "linger");

    if (first || second) {
        struct linger l = {(int)number_of(first, 0), (int)number_of(second, 0)};

        put(c, &l, sizeof(l));
    } else {
        struct timeval tv = {number_of(expr_field(e, "tv_sec"), 0),
                             number_of(expr_field(e, "tv_usec"), 0)};

        put(c, &tv, sizeof(tv));
    }
}

/** The value of an option as bytes: [1], [1, 2] (ints), {onoff=1, linger=0}, {tv_sec=1, tv_usec=0},
 * "reno". */
static const char *option_value(struct call *c, const struct expr *e)
{
    c->opt_len = 0;
    if (e->kind == EXPR_LIST) {
        for (const struct expr *i = e->items; i; i = i->next) {
            int v = (int)number_of(i, 0);

            if (i->kind == EXPR_STRUCT) {
                pair_option(c, i);
                return NULL;
            }
            if (c->opt_len + sizeof(v) > CALL_OPT_ROOM)
                return "option value too long";
            memcpy(c->opt + c->opt_len, &v, sizeof(v));
            c->opt_len += sizeof(v);
        }
    } else if (e->kind == EXPR_STRUCT) {
        pair_option(c, e);
    } else if (e->kind == EXPR_STRING) {
        put(c, e->text, strlen(e->text) < CALL_OPT_ROOM ? strlen(e->text) : CALL_OPT_ROOM);
    } else if (e->kind == EXPR_NUMBER) {
        int v = (int)e->number;

        put(c, &v, sizeof(v));
    }
    return NULL;
}

static const char *option(struct call *c)
{
    const struct expr *value = arg(c, 3), *len = arg(c, 4);
    const char *why;

    c->a = (int)number(c, 1);
    c->b = (int)number(c, 2);
    if (!value || !len)
        return "expected five arguments";
    if (c->op == CALL_getsockopt) {
        c->opt_len =
            (socklen_t)number_of(len->kind == EXPR_LIST ? expr_item(len, 0) : len, CALL_OPT_ROOM);
        if (c->opt_len > CALL_OPT_ROOM)
            return "option value too long";
        return NULL;
    }
    why = option_value(c, value);
    c->opt_len = (socklen_t)number_of(len, c->opt_len);
    return c->opt_len > CALL_OPT_ROOM ? "option value too long" : why;
}

static const char *ioctl_args(struct call *c)
{
    const struct expr *e = arg(c, 2);

    c->request = (unsigned long)number(c, 1);
    c->a = (int)number_of(e && e->kind == EXPR_LIST ? expr_item(e, 0) : e, 0);
    return NULL;
}

/* --- waiting
 * -----------------------------------------------------------------------------------------------
 */

static const char *poll_args(struct call_state *s, struct call *c)
{
    const struct expr *list = arg(c, 0);

    if (!list || list->kind != EXPR_LIST || list->n_items > CALL_MAX_POLL)
        return "expected a list of {fd=N, events=…, revents=…}";
    for (const struct expr *e = list->items; e; e = e->next)
        c->poll[c->n_poll++] =
            (struct pollfd){.fd = live_fd(s, number_of(expr_field(e, "fd"), -1)),
                            .events = (short)number_of(expr_field(e, "events"), 0)};
    c->timeout_ms = (int)number(c, 2);
    return NULL;
}

static const char *epoll_ctl_args(struct call_state *s, struct call *c)
{
    const struct expr *e = arg(c, 3);

    c->a = (int)number(c, 1);
    c->b = (int)number(c, 2);
    c->fd2 = live_fd(s, c->b);
    if (e && e->kind == EXPR_STRUCT) {
        c->epoll[0].events = (uint32_t)number_of(expr_field(e, "events"), 0);
        c->epoll[0].data.u64 =
            (uint64_t)number_of(expr_field(e, "fd"), number_of(expr_field(e, "u64"), c->b));
    }
    return NULL;
}

static const char *epoll_wait_args(struct call *c)
{
    c->n_poll = (int)number(c, 2);
    c->timeout_ms = (int)number(c, 3);
    return c->n_poll > CALL_MAX_POLL ? "too many events" : NULL;
}

/* --- all of them
 * ------------------------------------------------------------------------------------------- */

static const char *with_fd(struct call_state *s, struct call *c, enum call_form form)
{
    fd_arg(s, c);
    switch (form) {
    case FORM_ADDRESS:
        address_arg(s, c, 1);
        return NULL;
    case FORM_ACCEPT:
        c->flags = (int)number(c, 3);
        return NULL;
    case FORM_INT:
        c->a = (int)number(c, 1);
        return NULL;
    case FORM_FCNTL:
        c->a = (int)number(c, 1);
        c->b = (int)number(c, 2);
        return NULL;
    case FORM_DATA:
        return one_buffer(s, c);
    case FORM_DATA_FLAGS:
    case FORM_DATA_TO:
        c->flags = (int)number(c, 3);
        return one_buffer(s, c);
    case FORM_VECTOR:
        return vector(s, c, arg(c, 1));
    case FORM_MESSAGE:
        return message(s, c);
    case FORM_OPTION:
        return option(c);
    case FORM_IOCTL:
        return ioctl_args(c);
    case FORM_EPOLL_CTL:
        return epoll_ctl_args(s, c);
    case FORM_EPOLL_WAIT:
        return epoll_wait_args(c);
    default:
        return NULL;
    }
}

static const char *find(struct arena *a, const char *name, enum call_op *op)
{
    for (int i = 0; i < CALL_COUNT; i++) {
        if (strcmp(calls[i].name, name) == 0) {
            *op = (enum call_op)i;
            return NULL;
        }
    }
    return arena_printf(a, "unknown call %s()", name);
}

const char *call_prepare(struct call_state *s, const struct event *e, struct call *c)
{
    enum call_form form;
    const char *why;

    memset(c, 0, sizeof(*c));
    c->event = e;
    c->script_fd = c->fd = c->fd2 = -1;
    c->may_block = e->when.blocking;
    why = find(s->arena, e->call.name, &c->op);
    if (why)
        return why;
    form = calls[c->op].form;
    if (form == FORM_SOCKET) {
        const struct expr *domain = arg(c, 0);

        c->a = (int)number_of(domain, AF_INET);
        c->b = (int)number(c, 1);
        c->c = (int)number(c, 2);
        return NULL;
    }
    if (form == FORM_POLL)
        return poll_args(s, c);
    if (form == FORM_EPOLL_CREATE) {
        c->a = (int)number(c, 0);
        return NULL;
    }
    return with_fd(s, c, form);
}
