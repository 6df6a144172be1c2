/* SPDX-License-Identifier: MIT */
/*
 * The one door: life of a stack, frames in and out, timers, events.
 *
 * Input only changes state and puts connections on the dirty list; stack_run() then lets each of
 * them send once.
 */
#include "proto/stack_internal.h"
#include "proto/sock/sock_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_MEMORY   (256ull << 20)
#define DEFAULT_SOCKETS  65536u
#define EXTENT_CACHE_MIN (8u << 20)
#define EXTENT_CACHE_MAX (128u << 20)
#define DEVICE_RETRY_US                                                                            \
    1000u /**< how long back-pressure lasts if the host never says that it ended */

static int check_config(const struct stack_config *c)
{
    if (c->mtu < 576 || c->mtu > 65535)
        return -EINVAL;
    if (ip_addr_is_any(&c->address.addr) || ip_addr_is_multicast(&c->address.addr))
        return -EINVAL;
    return 0;
}

/* What is kept for speed: with many busy connections the kernel's pages would otherwise be made and
 * cleared anew each time that a buffer runs empty. The host takes it back when it rests
 * (stack_give_back). */
static size_t extent_cache(uint64_t limit)
{
    uint64_t some = limit / 16;

    if (some < EXTENT_CACHE_MIN)
        return EXTENT_CACHE_MIN;
    return some < EXTENT_CACHE_MAX ? (size_t)some : EXTENT_CACHE_MAX;
}

int stack_new(const struct stack_config *config, const struct stack_ops *ops, void *ctx,
              uint64_t now, struct stack **out)
{
    struct stack *st;
    int err = check_config(config);

    if (err)
        return err;
    st = calloc(1, sizeof(*st));
    if (!st)
        return -ENOMEM;
    st->config = *config;
    if (!st->config.memory_limit)
        st->config.memory_limit = DEFAULT_MEMORY;
    if (!st->config.max_sockets)
        st->config.max_sockets = DEFAULT_SOCKETS;
    st->ops = ops;
    st->ctx = ctx;
    st->now = now;
    st->next_id = 1 + config->steer.index;
    mem_init(&st->mem, st->config.memory_limit);
    if (config->common)
        st->mem.shared = &config->common->memory;
    extent_pool_init(&st->extents, &st->mem, stack_share_of(st, extent_cache(st->mem.limit)));
    /* idle extents must not keep a segment, or a FIN, from being allocated */
    st->mem.reclaim = extent_pool_reclaim;
    st->mem.reclaim_ctx = &st->extents;
    rng_init(&st->rng, config->seed);
    wheel_init(&st->wheel, now);
    list_init(&st->dirty);
    list_init(&st->news);
    list_init(&st->room);
    st->device_timer.node.kind = STACK_TIMER_DEVICE;
    err = ip_init(st);
    if (!err) {
        err = tcp_init(st);
        if (err)
            ip_destroy(st);
    }
    if (err) {
        extent_pool_destroy(&st->extents);
        free(st);
        return err;
    }
    *out = st;
    return 0;
}

void stack_free(struct stack *st)
{
    if (!st)
        return;
    /* first what takes its timers out of the wheel, while the connections' timers beside them still
     * exist */
    ip_destroy(st);
    tcp_destroy(st);
    extent_pool_destroy(&st->extents);
    free(st);
}

static __attribute__((cold, noinline)) void traced_input(struct stack *st, struct frame *f)
{
    tcp_trace_read(st, frame_total(f));
    eth_input(st, f);
}

void stack_input(struct stack *st, struct frame *f, uint64_t now)
{
    stack_set_now(st, now);
    if (__builtin_expect(st->traces.n != 0, 0))
        traced_input(st, f);
    else
        eth_input(st, f);
}

static void fire(struct stack *st, struct stack_timer *t)
{
    switch ((enum stack_timer_kind)t->node.kind) {
    case STACK_TIMER_TCP:
        tcp_timer_fire(st, t);
        break;
    case STACK_TIMER_REQUEST:
        tcp_request_timer(st, t);
        break;
    case STACK_TIMER_TIMEWAIT:
        tcp_timewait_timer(st, t);
        break;
    case STACK_TIMER_NEIGH:
        neigh_timer(st, t);
        break;
    case STACK_TIMER_REASS:
        reass_timer(st, t);
        break;
    case STACK_TIMER_DEVICE:
        st->device_blocked = false;
        break;
    case STACK_TIMER_CALL:
        sock_call_timer(st, t);
        break;
    }
}

void stack_run(struct stack *st, uint64_t now)
{
    struct wheel_node *n;
    struct list batch;
    struct list *l;

    stack_set_now(st, now);
    ip_run_local(st);
    while ((n = wheel_expire(&st->wheel, st->now)))
        fire(st, container_of(n, struct stack_timer, node));
    /* What is touched while this batch sends waits for the next run, so that one call is always
     * bounded. */
    list_init(&batch);
    list_splice_tail(&batch, &st->dirty);
    while ((l = list_pop(&batch)))
        tcp_output_touched(container_of(l, struct tcb, dirty));
}

uint64_t stack_next_deadline(const struct stack *st)
{
    if (!list_empty(&st->dirty) || st->ip.local_queued)
        return st->now;
    return wheel_next(&st->wheel);
}

/* Every connection that was stopped by the device armed its own retry timer; the flag only keeps
 * them quiet. */
void stack_device_ready(struct stack *st, uint64_t now)
{
    stack_set_now(st, now);
    st->device_blocked = false;
    stack_timer_stop(st, &st->device_timer);
}

void stack_transmitted(struct stack *st, uint64_t owner, uint32_t bytes, uint64_t now)
{
    stack_set_now(st, now);
    tcp_transmitted(st, owner, bytes);
}

void stack_keep_bursts_short(struct stack *st, bool short_ones)
{
    st->short_bursts = short_ones;
}

static struct sock *next_of(struct list *list, uint32_t *events)
{
    struct list *l = list_pop(list);
    struct sock *s;

    if (!l)
        return NULL;
    s = container_of(l, struct sock, event_link);
    *events = s->events;
    s->events = 0;
    return s;
}

struct sock *stack_next_news(struct stack *st, uint32_t *events)
{
    return next_of(&st->news, events);
}

struct sock *stack_next_event(struct stack *st, uint32_t *events)
{
    struct sock *s = stack_next_news(st, events);

    return s ? s : next_of(&st->room, events);
}

const struct counters *stack_counters(const struct stack *st)
{
    return &st->counters;
}

void stack_announce(struct stack *st, uint64_t now)
{
    stack_set_now(st, now);
    arp_announce(st);
}

void stack_usage(const struct stack *st, struct stack_usage *out)
{
    memset(out, 0, sizeof(*out));
    out->memory_used = st->mem.used;
    out->memory_limit = st->mem.limit;
    out->memory_kept = st->extents.cached;
    out->sockets = st->n_sockets;
    out->connections = st->tcp.n_tcbs;
    out->orphans = st->tcp.n_orphans;
    out->requests = st->tcp.n_requests;
    out->time_wait = st->tcp.n_timewait;
    out->tx_frames = st->counters.v[CNT_eth_out];
    out->rx_frames = st->counters.v[CNT_eth_in];
}

void stack_give_back(struct stack *st)
{
    (void)extent_pool_reclaim(&st->extents);
}

void stack_set_limits(struct stack *st, uint64_t memory_limit, uint32_t max_sockets)
{
    st->mem.limit = st->config.memory_limit = memory_limit;
    st->config.max_sockets = max_sockets;
}

int stack_set_metrics(struct stack *st, const struct metrics_rule *rules, size_t n)
{
    size_t bad;
    int err = metrics_check(rules, n, &bad);

    if (!err && metrics_replace(&st->ip.metrics, rules, n))
        tcp_rto_min_learn_all(st);
    return err;
}

/* --- the way out
 * ------------------------------------------------------------------------------------------- */

static enum trace_why device_answer(int r)
{
    if (r >= 0)
        return TRACE_WHY_taken;
    return r == -EAGAIN || r == -ENOBUFS ? TRACE_WHY_back_pressure : TRACE_WHY_refused;
}

static __attribute__((cold, noinline)) int traced_transmit(struct stack *st, const struct frame *f)
{
    int r;

    TRACE_BELOW(st->tracing, dev_queue_xmit, TRACE_WHY_none, frame_total(f), f->gso_size);
    r = st->ops->transmit(st->ctx, f);
    TRACE_BELOW(st->tracing, device_done, device_answer(r), frame_total(f),
                (uint32_t)(r < 0 ? -r : 0));
    return r;
}

static int device_write(struct stack *st, const struct frame *f)
{
    int r;

    if (__builtin_expect(st->tracing != NULL, 0))
        r = traced_transmit(st, f);
    else
        r = st->ops->transmit(st->ctx, f);
    if (r >= 0) {
        COUNT(st, eth_out);
        COUNT_ADD(st, eth_out_bytes, frame_total(f));
        if (r == 1 && f->owner)
            tcp_device_queued(st, f->owner, f->span_len);
        return 0;
    }
    if (r == -EAGAIN || r == -ENOBUFS) {
        COUNT(st, dev_backpressure);
        st->device_blocked = true;
        stack_timer_arm(st, &st->device_timer, st->now + DEVICE_RETRY_US);
        return -EAGAIN;
    }
    COUNT(st, dev_errors);
    return r;
}

static int emit_segment(void *ctx, struct frame *f)
{
    return device_write(ctx, f);
}

static bool device_can_cut(const struct stack *st, const struct frame *f)
{
    uint32_t need = f->gso == FRAME_GSO_TCP4 ? STACK_TX_TSO4 : STACK_TX_TSO6;

    return !f->cwr_all && (st->config.features & need) && (st->config.features & STACK_TX_CSUM);
}

int stack_transmit(struct stack *st, struct frame *f, uint32_t *sent)
{
    int64_t n;

    if (sent)
        *sent = f->span_len;
    if (st->device_blocked)
        return -EAGAIN;
    if (f->gso != FRAME_GSO_NONE && !device_can_cut(st, f)) {
        n = frame_segment(f, st->scratch, emit_segment, st);
        if (n < 0)
            return (int)n;
        if (sent)
            *sent = (uint32_t)n;
        return 0;
    }
    if (f->csum == FRAME_CSUM_PARTIAL && !(st->config.features & STACK_TX_CSUM))
        frame_complete_csum(f, st->scratch);
    return device_write(st, f);
}
