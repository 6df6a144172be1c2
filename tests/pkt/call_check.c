/* SPDX-License-Identifier: MIT */
/* What a call brought back, held against its line; see call.h. */
#include "tests/pkt/call.h"
#include "tests/pkt/names.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

static const struct expr *arg(const struct call *c, int i)
{
    return expr_item(c->event->call.args, i);
}

const char *call_result_text(struct arena *a, const struct call *c)
{
    if (c->result < 0)
        return arena_printf(a, "%s() = -1 %s (%s)", call_name(c->op),
                            name_of_errno((int)-c->result), strerror((int)-c->result));
    return arena_printf(a, "%s() = %ld", call_name(c->op), c->result);
}

static bool makes_fd(enum call_op op)
{
    return op == CALL_socket || op == CALL_accept || op == CALL_accept4 ||
           op == CALL_epoll_create || op == CALL_epoll_create1;
}

static const char *learn_fd(struct call_state *s, const struct call *c, int64_t script_fd)
{
    struct call_fd *f;

    if (script_fd < 0 || script_fd >= CALL_MAX_FD)
        return "descriptor number out of range";
    f = &s->fd[script_fd];
    if (f->used)
        return "that descriptor is in use";
    memset(f, 0, sizeof(*f));
    f->used = true;
    f->fd = (int)c->result;
    if (c->op == CALL_accept || c->op == CALL_accept4)
        s->last_fd = (int)script_fd;
    return NULL;
}

/* Any descriptor counts: its number is the target's own affair. */
static const char *check_result(struct call_state *s, const struct call *c)
{
    const struct call_spec *spec = &c->event->call;
    const char *got = call_result_text(s->arena, c);
    bool same;

    if (spec->any_result)
        return NULL;
    if (spec->result < 0)
        same = c->result == -spec->error;
    else if (makes_fd(c->op))
        same = c->result >= 0;
    else if (c->op == CALL_fcntl && c->result > 0)
        same = (c->result & ~0100000L) == spec->result; /* O_LARGEFILE */
    else
        same = c->result == spec->result;
    return same ? NULL : arena_printf(s->arena, "came %s", got);
}

/* --- data
 * --------------------------------------------------------------------------------------------------
 */

static const char *check_bytes(struct call_state *s, struct call *c)
{
    struct call_fd *f = &s->fd[c->script_fd];
    uint32_t n = (uint32_t)c->result < c->len ? (uint32_t)c->result : (uint32_t)c->len;
    int64_t bad = -1;

    if (c->flags & (MSG_OOB | MSG_ERRQUEUE))
        return f->unchecked = true, NULL;
    if (!(c->flags & MSG_TRUNC) && !f->unchecked)
        bad = pkt_verify(c->buf, f->consumed, n);
    if (bad >= 0)
        return arena_printf(s->arena, "byte %lld that was read is not what the peer sent",
                            (long long)bad);
    if (!(c->flags & MSG_PEEK))
        f->consumed += (uint64_t)c->result;
    return NULL;
}

static const char *check_message(struct call_state *s, const struct call *c)
{
    const struct expr *flags = expr_field(arg(c, 1), "msg_flags");

    if (flags && flags->kind == EXPR_NUMBER && flags->number != c->msg_flags)
        return arena_printf(s->arena, "msg_flags: expected 0x%llx, came 0x%x",
                            (long long)flags->number, c->msg_flags);
    return NULL;
}

/* --- names, options
 * ---------------------------------------------------------------------------------------- */

static const char *check_name(struct call_state *s, const struct call *c)
{
    const struct expr *e = arg(c, 1), *port = expr_field(e, "sin_port"),
                      *ip = expr_field(e, "sin_addr");
    struct in_addr want;

    if (!e || e->kind != EXPR_STRUCT)
        return NULL;
    if (port && port->kind == EXPR_CALL)
        port = expr_item(port, 0);
    if (port && port->kind == EXPR_NUMBER && port->number != ntohs(c->addr.sin_port))
        return arena_printf(s->arena, "port: expected %lld, came %u", (long long)port->number,
                            ntohs(c->addr.sin_port));
    if (ip && ip->kind == EXPR_CALL)
        ip = expr_item(ip, 0);
    if (ip && ip->kind == EXPR_STRING && inet_pton(AF_INET, ip->text, &want) == 1 &&
        want.s_addr != c->addr.sin_addr.s_addr)
        return arena_printf(s->arena, "address: expected %s, came another", ip->text);
    return NULL;
}

static const char *check_ints(struct call_state *s, const struct call *c, const struct expr *list)
{
    int i = 0, got;

    for (const struct expr *e = list->items; e; e = e->next, i++) {
        if (e->kind != EXPR_NUMBER)
            continue;
        if ((size_t)i * sizeof(int) + sizeof(int) > c->opt_len && c->opt_len >= sizeof(int))
            return arena_printf(s->arena, "the value has only %u bytes", c->opt_len);
        memcpy(&got, c->opt + (size_t)i * sizeof(int), sizeof(got));
        if (c->opt_len < sizeof(int))
            got = c->opt[0];
        if (got != (int)e->number)
            return arena_printf(s->arena, "value: expected %d, came %d", (int)e->number, got);
    }
    return NULL;
}

static const char *check_pair(struct call_state *s, const struct call *c, const struct expr *e)
{
    const struct expr *first = expr_field(e, "onoff"), *second = expr_field(e, "linger");
    struct timeval tv;
    struct linger l;

    if (first || second) {
        memcpy(&l, c->opt, sizeof(l));
        if ((!first || l.l_onoff == (int)first->number) &&
            (!second || l.l_linger == (int)second->number))
            return NULL;
        return arena_printf(s->arena, "came {onoff=%d, linger=%d}", l.l_onoff, l.l_linger);
    }
    first = expr_field(e, "tv_sec");
    second = expr_field(e, "tv_usec");
    memcpy(&tv, c->opt, sizeof(tv));
    if (tv.tv_sec == (first ? first->number : 0) && tv.tv_usec == (second ? second->number : 0))
        return NULL;
    return arena_printf(s->arena, "came {tv_sec=%ld, tv_usec=%ld}", (long)tv.tv_sec,
                        (long)tv.tv_usec);
}

static const char *check_option(struct call_state *s, const struct call *c)
{
    const struct expr *e = arg(c, 3);

    if (!e || e->kind == EXPR_ANY)
        return NULL;
    if (e->kind == EXPR_STRING)
        return strncmp((const char *)c->opt, e->text, sizeof(c->opt)) == 0
                   ? NULL
                   : arena_printf(s->arena, "value: expected \"%s\", came \"%.*s\"", e->text,
                                  (int)c->opt_len, (const char *)c->opt);
    if (e->kind == EXPR_LIST && expr_item(e, 0) && expr_item(e, 0)->kind == EXPR_STRUCT)
        e = expr_item(e, 0);
    return e->kind == EXPR_STRUCT ? check_pair(s, c, e) : check_ints(s, c, e);
}

static const char *check_ioctl(struct call_state *s, const struct call *c)
{
    const struct expr *e = arg(c, 2);
    const struct expr *want = e && e->kind == EXPR_LIST ? expr_item(e, 0) : NULL;

    if (c->request == 0x5421 /* FIONBIO takes, it does not tell */ || !want ||
        want->kind != EXPR_NUMBER)
        return NULL;
    return want->number == c->a ? NULL
                                : arena_printf(s->arena, "value: expected %lld, came %d",
                                               (long long)want->number, c->a);
}

/* --- readiness
 * --------------------------------------------------------------------------------------------- */

static const char *check_poll(struct call_state *s, const struct call *c)
{
    int i = 0;

    for (const struct expr *e = arg(c, 0)->items; e; e = e->next, i++) {
        const struct expr *want = expr_field(e, "revents");

        if (want && want->kind == EXPR_NUMBER && (short)want->number != c->poll[i].revents)
            return arena_printf(s->arena, "revents: expected 0x%x, came 0x%x",
                                (unsigned)want->number, (unsigned short)c->poll[i].revents);
    }
    return NULL;
}

static const char *check_epoll(struct call_state *s, const struct call *c)
{
    const struct expr *list = arg(c, 1);
    const struct expr *e = list && list->kind == EXPR_LIST ? list->items : list;

    for (int i = 0; i < c->result; i++, e = e->next) {
        const struct expr *events, *fd;

        if (!e)
            return NULL;
        events = expr_field(e, "events");
        fd = expr_field(e, "fd");
        if (events && events->kind == EXPR_NUMBER && (uint32_t)events->number != c->epoll[i].events)
            return arena_printf(s->arena, "events: expected 0x%x, came 0x%x",
                                (unsigned)events->number, c->epoll[i].events);
        if (fd && fd->kind == EXPR_NUMBER && (uint64_t)fd->number != c->epoll[i].data.u64)
            return arena_printf(s->arena, "descriptor: expected %lld, came %llu",
                                (long long)fd->number, (unsigned long long)c->epoll[i].data.u64);
    }
    return NULL;
}

/* What came with a result that is right. */
static const char *check_rest(struct call_state *s, struct call *c)
{
    switch (c->op) {
    case CALL_read:
    case CALL_readv:
    case CALL_recv:
    case CALL_recvfrom:
        return check_bytes(s, c);
    case CALL_recvmsg:
        return check_message(s, c) ? check_message(s, c) : check_bytes(s, c);
    case CALL_getsockname:
    case CALL_getpeername:
        return check_name(s, c);
    case CALL_getsockopt:
        return check_option(s, c);
    case CALL_ioctl:
        return check_ioctl(s, c);
    case CALL_poll:
        return check_poll(s, c);
    case CALL_epoll_wait:
        return check_epoll(s, c);
    default:
        return NULL;
    }
}

static void remember(struct call_state *s, const struct call *c)
{
    struct call_fd *f =
        c->script_fd >= 0 && c->script_fd < CALL_MAX_FD ? &s->fd[c->script_fd] : NULL;

    if (!f)
        return;
    switch (c->op) {
    case CALL_close:
        f->used = false;
        break;
    case CALL_connect:
        s->last_fd = c->script_fd;
        break;
    case CALL_write:
    case CALL_writev:
    case CALL_send:
    case CALL_sendto:
    case CALL_sendmsg:
        if (c->result > 0)
            f->written += (uint64_t)c->result;
        break;
    default:
        break;
    }
}

const char *call_check(struct call_state *s, struct call *c)
{
    const char *why = check_result(s, c);

    if (why)
        return why;
    if (makes_fd(c->op) && c->result >= 0)
        return learn_fd(s, c, c->event->call.result);
    remember(s, c);
    return c->result < 0 ? NULL : check_rest(s, c);
}
