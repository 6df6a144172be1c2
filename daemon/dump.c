/* SPDX-License-Identifier: MIT */
/*
 * Long answers, LIST, STATS, CONFIG and RELOAD: one reply per line, continued whenever the client's
 * socket has room. LIST is a snapshot in memory, so only a few are under way at once: one that has
 * stalled makes room for the next. RELOAD waits for its end first.
 */
#include "daemon/control.h"

#include "daemon/notices.h"
#include "daemon/reload.h"
#include "daemon/settings.h"
#include "daemon/stats.h"
#include "daemon/workers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define DUMP_SLOTS    (sizeof(((struct control *)0)->dumps) / sizeof(struct dump *))
#define DUMP_TURN     64
#define DUMP_STALL_US 2000000ull

struct dump {
    struct client *client;
    uint16_t op;
    uint32_t id;
    size_t next, count;
    uint64_t moved; /* when something was sent last */
    struct wire_info *list;
    size_t room;
    bool failed;
    bool waiting; /* for the end of a reload */
    bool policy;  /* may see the policy table */
    struct wire_notice *notices;
    struct stack_usage usage;
    struct counters core;
};

/* --- what there is to say ----------------------------------------------------------------------
 */

static void collect(void *ctx, const struct sock_info *info)
{
    struct dump *d = ctx;

    if (d->count == d->room) {
        size_t room = d->room ? 2 * d->room : 64;
        struct wire_info *more = realloc(d->list, room * sizeof(*more));
        if (!more) {
            d->failed = true;
            return;
        }
        d->list = more;
        d->room = room;
    }
    request_info(info, &d->list[d->count++]);
}

static const struct {
    const char *name, *help;
    size_t offset;
    bool wide, counts;
} gauges[] = {
#define USAGE(field, wide, counts, help)                                                           \
    {                                                                                              \
        "usage_" #field, help, offsetof(struct stack_usage, field), wide, counts                   \
    }
#define GAUGE(field, wide, help) USAGE(field, wide, false, help)
    GAUGE(memory_used, true, "bytes of buffers and connections in use"),
    GAUGE(memory_limit, true, "bytes of buffers and connections allowed"),
    GAUGE(sockets, false, "sockets that a program has"),
    GAUGE(connections, false, "full connections, orphans included"),
    GAUGE(orphans, false, "connections that no program has any more"),
    GAUGE(requests, false, "half-open connections"),
    GAUGE(time_wait, false, "TIME-WAIT records"),
    USAGE(tx_frames, true, true, "frames sent"),
    USAGE(rx_frames, true, true, "frames received"),
};
#define GAUGES (sizeof(gauges) / sizeof(gauges[0]))

static uint64_t gauge(const struct dump *d, size_t i)
{
    const char *at = (const char *)&d->usage + gauges[i].offset;
    uint64_t wide;
    uint32_t narrow;

    memcpy(&narrow, at, sizeof(narrow));
    if (!gauges[i].wide)
        return narrow;
    memcpy(&wide, at, sizeof(wide));
    return wide;
}

static void counter(const struct dump *d, size_t i, struct wire_counter *out)
{
    const char *name, *help;

    memset(out, 0, sizeof(*out));
    if (i < CNT_COUNT) {
        out->value = d->core.v[i];
        name = counter_name((unsigned)i);
        help = counter_help((unsigned)i);
    } else if (i < CNT_COUNT + (size_t)STAT_COUNT) {
        out->value = stats_total((enum statistic)(i - CNT_COUNT));
        name = stats_name((unsigned)(i - CNT_COUNT));
        help = stats_help((unsigned)(i - CNT_COUNT));
    } else {
        i -= CNT_COUNT + (size_t)STAT_COUNT;
        out->value = gauge(d, i);
        out->kind = gauges[i].counts ? WIRE_COUNTER : WIRE_GAUGE;
        name = gauges[i].name;
        help = gauges[i].help;
    }
    snprintf(out->name, sizeof(out->name), "%s", name ? name : "");
    snprintf(out->help, sizeof(out->help), "%s", help ? help : "");
}

/* --- saying it ---------------------------------------------------------------------------------
 */

static int send_setting(struct dump *d, uint32_t flags)
{
    struct wire_setting s;

    if (!settings_row(d->client->control->settings, d->next, d->policy, &s))
        memset(&s, 0, sizeof(s)); /* a reload took it away meanwhile */
    return control_send(d->client, d->op, d->id, flags, &s, sizeof(s));
}

static int send_next(struct dump *d)
{
    uint32_t flags = d->next + 1 < d->count ? WIRE_MORE : 0;
    struct wire_counter c;

    if (d->count == 0)
        return control_send(d->client, d->op, d->id, 0, NULL, 0);
    if (d->op == WIRE_OP_LIST)
        return control_send(d->client, d->op, d->id, flags, &d->list[d->next], sizeof(*d->list));
    if (d->op == WIRE_OP_CONFIG)
        return send_setting(d, flags);
    if (d->op == WIRE_OP_RELOAD)
        return control_send(d->client, d->op, d->id, flags, &d->notices[d->next],
                            sizeof(*d->notices));
    counter(d, d->next, &c);
    return control_send(d->client, d->op, d->id, flags, &c, sizeof(c));
}

static void finish(struct client *cl)
{
    struct control *c = cl->control;

    dump_drop(cl);
    (void)poller_change(c->poller, cl->fd, c->paused || cl->held ? 0 : EPOLLIN, &cl->watch);
}

void dump_continue(struct client *cl)
{
    struct dump *d = cl->dump;

    for (int i = 0; i < DUMP_TURN && !d->waiting; i++) {
        int rc = send_next(d);

        if (rc == -EAGAIN)
            return;
        if (rc < 0) {
            control_disconnect(cl);
            return;
        }
        d->moved = cl->control->streams->now;
        if (++d->next >= d->count) {
            finish(cl);
            return;
        }
    }
}

void dump_drop(struct client *cl)
{
    struct dump *d = cl->dump;

    if (!d)
        return;
    for (size_t i = 0; i < DUMP_SLOTS; i++)
        if (cl->control->dumps[i] == d)
            cl->control->dumps[i] = NULL;
    cl->dump = NULL;
    free(d->list);
    free(d->notices);
    free(d);
}

static struct dump **free_slot(struct control *c)
{
    struct dump **oldest = &c->dumps[0];

    for (size_t i = 0; i < DUMP_SLOTS; i++) {
        struct dump **at = &c->dumps[i];
        if (!*at)
            return at;
        if ((*at)->moved < (*oldest)->moved)
            oldest = at;
    }
    if (c->streams->now - (*oldest)->moved < DUMP_STALL_US)
        return NULL;
    stats_add(STAT_control_slow, 1);
    control_disconnect((*oldest)->client);
    return oldest;
}

static void list(struct dump *d, struct streams *all)
{
    for (struct stream *s = TAILQ_FIRST(&all->list); s; s = TAILQ_NEXT(s, link))
        stream_refresh(s);
    stack_each(all->stack, collect, d, all->now);
}

/* Each worker has its part. */
static void add_up(struct dump *d, struct streams *all)
{
    const struct counters *core = stack_counters(all->stack);
    struct stack_usage u;

    stack_usage(all->stack, &u);
    for (size_t i = 0; i < CNT_COUNT; i++)
        d->core.v[i] += core->v[i];
    d->usage.memory_used += u.memory_used;
    d->usage.memory_limit = u.memory_limit;
    d->usage.memory_kept += u.memory_kept;
    d->usage.sockets += u.sockets;
    d->usage.connections += u.connections;
    d->usage.orphans += u.orphans;
    d->usage.requests += u.requests;
    d->usage.time_wait += u.time_wait;
    d->usage.tx_frames += u.tx_frames;
    d->usage.rx_frames += u.rx_frames;
}

static void ask_all(struct dump *d, void (*what)(struct dump *d, struct streams *all))
{
    struct streams *home = d->client->control->streams;

    for (unsigned k = 0; k < workers_count(home); k++) {
        struct streams *all = workers_hold(home, k);

        what(d, all);
        workers_release(all);
    }
}

static void count_settings(struct dump *d)
{
    struct wire_setting s;

    while (settings_row(d->client->control->settings, d->count, d->policy, &s))
        d->count++;
}

/* What there is to say. RELOAD has it later. 0 or a negative errno value. */
static int prepare(struct dump *d)
{
    struct control *c = d->client->control;

    switch (d->op) {
    case WIRE_OP_LIST:
        ask_all(d, list);
        return d->failed ? -ENOMEM : 0;
    case WIRE_OP_CONFIG:
        count_settings(d);
        return 0;
    case WIRE_OP_RELOAD:
        if (!d->policy)
            return -EPERM;
        d->waiting = true;
        return reload_begin(c->reload);
    default:
        ask_all(d, add_up);
        d->count = CNT_COUNT + (size_t)STAT_COUNT + GAUGES;
        return 0;
    }
}

void dump_begin(struct client *cl, const struct wire_header *h)
{
    struct control *c = cl->control;
    struct dump **slot, *d;
    int rc;

    if (h->flags & WIRE_NO_REPLY) {
        if (h->op == WIRE_OP_RELOAD && policy_admin(c->streams->policy, cl->owner.uid))
            (void)reload_begin(c->reload);
        return;
    }
    slot = free_slot(c);
    d = slot ? calloc(1, sizeof(*d)) : NULL;
    if (!d) {
        control_reply(cl, h, slot ? ENOMEM : EBUSY, NULL, 0, -1);
        return;
    }
    *slot = cl->dump = d;
    d->client = cl;
    d->op = h->op;
    d->id = h->id;
    d->moved = c->streams->now;
    d->policy = policy_admin(c->streams->policy, cl->owner.uid);
    rc = prepare(d);
    if (rc < 0) {
        dump_drop(cl);
        control_reply(cl, h, -rc, NULL, 0, -1);
        return;
    }
    (void)poller_change(c->poller, cl->fd, d->waiting ? 0 : EPOLLOUT, &cl->watch);
    dump_continue(cl);
}

void dump_reloaded(struct control *c, const struct notices *notices)
{
    for (size_t i = 0; i < DUMP_SLOTS; i++) {
        struct dump *d = c->dumps[i];

        if (!d || !d->waiting)
            continue;
        d->notices = calloc(notices->count + 1, sizeof(*d->notices));
        if (!d->notices) {
            control_disconnect(d->client);
            continue;
        }
        if (notices->count)
            memcpy(d->notices, notices->list, notices->count * sizeof(*d->notices));
        d->count = notices->count;
        d->waiting = false;
        d->moved = c->streams->now;
        (void)poller_change(c->poller, d->client->fd, EPOLLOUT, &d->client->watch);
        dump_continue(d->client);
    }
}
