/* SPDX-License-Identifier: MIT */
/*
 * Plays a script: each event at its time. An absolute time counts from the start, a relative one
 * from the moment at which the event before it happened. A sent packet must come within the
 * tolerance of its time; a call must return at once, or, when it is given as a range, at the
 * range's end.
 */
#include "tests/pkt/runner.h"
#include "tests/pkt/code.h"
#include "tests/pkt/flow.h"
#include "tests/pkt/tunables.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>

#define VIRTUAL_TOLERANCE_US 1000
#define REAL_TOLERANCE_US    10000
#define REAL_CALL_US         100000 /* a call in a thread that does not block returns well within this */
#define MAX_BLOCKED          16

struct run {
    struct target *t;
    const struct script *script;
    struct arena *arena;
    struct outcome *out;
    struct flows flows;
    struct call_state calls;
    struct call *blocked[MAX_BLOCKED];
    int n_blocked;
    uint64_t base; /**< when the last event happened */
    uint64_t tolerance;
};

static bool fail(struct run *r, const struct event *e, const char *reason, const char *detail)
{
    if (!r->out->passed)
        return false;
    r->out->passed = false;
    r->out->line = e ? e->line : 0;
    r->out->reason = reason;
    if (e)
        detail = arena_printf(r->arena, "script    %s%s%s", e->text, detail ? "\n" : "",
                              detail ? detail : "");
    r->out->detail = detail;
    return false;
}

static const char *seconds(struct run *r, uint64_t us)
{
    return arena_printf(r->arena, "%" PRIu64 ".%06" PRIu64, us / 1000000, us % 1000000);
}

/* --- time
 * --------------------------------------------------------------------------------------------------
 */

static uint64_t start_of(const struct run *r, const struct event *e)
{
    switch (e->when.kind) {
    case TIME_ABSOLUTE:
        return (uint64_t)e->when.start;
    case TIME_RELATIVE:
        return r->base + (uint64_t)e->when.start;
    default:
        return r->t->ops->now(r->t);
    }
}

static uint64_t end_of(const struct run *r, const struct event *e)
{
    switch (e->when.kind) {
    case TIME_ABSOLUTE:
        return (uint64_t)e->when.end;
    case TIME_RELATIVE:
        return r->base + (uint64_t)e->when.end;
    default:
        return r->t->ops->now(r->t) + 600u * 1000000; /* any time, but not for ever */
    }
}

/* The kernel's timer wheel is late by up to an eighth of the time that a timer ran. */
static uint64_t lateness(const struct run *r, uint64_t from, uint64_t to)
{
    return r->tolerance + (r->t->real_time && to > from ? (to - from) / 8 : 0);
}

/* --- blocking calls
 * ---------------------------------------------------------------------------------------- */

static bool check_call(struct run *r, struct call *c)
{
    const char *why = call_check(&r->calls, c);

    if (why)
        return fail(r, c->event, "the call's result differs", why);
    return true;
}

static bool check_blocked(struct run *r, struct call *c)
{
    uint64_t length = (uint64_t)(c->event->when.end - c->event->when.start),
             end = c->started_at + length;

    if (!c->done)
        return fail(r, c->event, arena_printf(r->arena, "has not returned by %s", seconds(r, end)),
                    NULL);
    if (c->done_at + r->tolerance < end || c->done_at > end + lateness(r, c->started_at, end))
        return fail(r, c->event,
                    arena_printf(r->arena, "returned at %s instead of %s", seconds(r, c->done_at),
                                 seconds(r, end)),
                    call_result_text(r->arena, c));
    return check_call(r, c);
}

/* Those that have ended, or should have. */
static bool look_at_blocked(struct run *r)
{
    for (int i = 0; i < r->n_blocked;) {
        struct call *c = r->blocked[i];
        uint64_t end = c->started_at + (uint64_t)(c->event->when.end - c->event->when.start);

        if (!c->done && r->t->ops->now(r->t) <= end + lateness(r, c->started_at, end)) {
            i++;
            continue;
        }
        r->blocked[i] = r->blocked[--r->n_blocked];
        if (!check_blocked(r, c))
            return false;
    }
    return true;
}

static bool wait_for_blocked(struct run *r)
{
    while (r->n_blocked) {
        struct call *c = r->blocked[0];
        uint64_t end = c->started_at + (uint64_t)(c->event->when.end - c->event->when.start);

        r->t->ops->advance(r->t, end + lateness(r, c->started_at, end) + 1, false, c);
        if (!look_at_blocked(r))
            return false;
    }
    return true;
}

/* Move to an event's time. */
static bool go_to(struct run *r, const struct event *e, uint64_t at)
{
    uint64_t now = r->t->ops->now(r->t);

    if (at + r->tolerance < now && !r->t->real_time)
        return fail(r, e,
                    arena_printf(r->arena, "its time is past: it is %s already", seconds(r, now)),
                    NULL);
    if (at > now)
        r->t->ops->advance(r->t, at, false, NULL);
    return look_at_blocked(r);
}

/* --- packets
 * -----------------------------------------------------------------------------------------------
 */

static bool play_input(struct run *r, const struct event *e)
{
    uint8_t *bytes = arena_alloc(r->arena, PKT_MAX_PACKET);
    struct pkt_packet copy = *e->packet, *p = &copy; /* a script may be played again */
    struct flow *flow;

    if (!go_to(r, e, start_of(r, e)))
        return false;
    flow = flow_of_input(&r->flows, p);
    if (!flow)
        return fail(r, e, "too many connections in one script", NULL);
    flow_input(flow, p);
    r->t->ops->inject(
        r->t, bytes,
        pkt_build(p, &(struct pkt_addresses){r->script->local_ip, r->script->remote_ip},
                  &(struct pkt_offsets){.seq = flow->remote_off, .ack = flow->local_off}, bytes));
    r->base = r->t->ops->now(r->t);
    return look_at_blocked(r);
}

/* The next packet that no line has looked at, waiting for it until `until`. */
static struct captured *next_sent(struct run *r, uint64_t until)
{
    struct capture *c = &r->t->capture;

    for (;;) {
        for (; c->next < c->n; c->next++)
            if (c->packet[c->next].out)
                return &c->packet[c->next++];
        if (r->t->ops->now(r->t) >= until)
            return NULL;
        r->t->ops->advance(r->t, until, true, NULL);
    }
}

static const char *wrong_flow(struct run *r, const struct pkt_packet *want,
                              const struct pkt_packet *got, const struct flow *flow)
{
    bool right;

    if (want->has_ports)
        right = want->local_port == got->local_port && want->remote_port == got->remote_port;
    else
        right = flow == &r->flows.flow[r->flows.current];
    return right ? NULL
                 : arena_printf(r->arena, "ports: came %u>%u", got->local_port, got->remote_port);
}

static const char *compare(struct run *r, const struct pkt_packet *want, struct pkt_packet *got)
{
    struct flow *flow = flow_of_output(&r->flows, got);
    struct pkt_tolerance tolerance = {.ts_slack = (uint32_t)(r->tolerance / 1000 + 1)};
    const char *ports, *why;

    if (!flow)
        return "too many connections in one script";
    ports = wrong_flow(r, want, got, flow);
    tolerance.check_ts =
        flow_output(&r->flows, flow, ports ? NULL : want, got) && r->script->ts_tick_us;
    if (!ports)
        flow_make_current(&r->flows, flow);
    why = pkt_compare(r->arena, want, got, &tolerance);
    if (ports && why)
        return arena_printf(r->arena, "%s; %s", ports, why);
    return ports ? ports : why;
}

static const char *describe(struct run *r, const char *expected_at, const struct pkt_packet *want,
                            uint64_t came_at, const struct pkt_packet *got, const char *differs)
{
    const char *all =
        arena_printf(r->arena, "expected  %s %s", expected_at, pkt_format(r->arena, want));

    if (!got)
        return arena_printf(r->arena, "%s\ncame      nothing", all);
    return arena_printf(r->arena, "%s\ncame      %s %s\ndiffers   %s", all, seconds(r, came_at),
                        pkt_format(r->arena, got), differs);
}

static bool play_output(struct run *r, const struct event *e)
{
    uint64_t start = start_of(r, e), end = end_of(r, e), latest = end + lateness(r, r->base, end);
    bool any = e->when.kind == TIME_ANY;
    const char *when = any ? "*"
                       : e->when.range
                           ? arena_printf(r->arena, "%s~%s", seconds(r, start), seconds(r, end))
                           : seconds(r, start);
    struct captured *c = next_sent(r, latest);
    struct pkt_packet got;
    const char *why;

    if (!c) {
        fail(r, e, "the packet did not come", describe(r, when, e->packet, 0, NULL, NULL));
        return false;
    }
    why = pkt_decode(c->ip, c->len, r->script->local_ip, &got);
    if (why)
        return fail(r, e, "a malformed packet came", why);
    got.has_ports = e->packet->has_ports;
    why = compare(r, e->packet, &got);
    if (!why && !any && (c->at + r->tolerance < start || c->at > latest))
        why = "time";
    if (why)
        return fail(r, e, "another packet came", describe(r, when, e->packet, c->at, &got, why));
    r->base = c->at;
    return look_at_blocked(r);
}

/* --- calls, tunables, assertions
 * --------------------------------------------------------------------------- */

static bool play_interrupt(struct run *r, const struct event *e)
{
    struct call c;
    const char *why = call_prepare(&r->calls, e, &c);

    if (why)
        return fail(r, e, why, NULL);
    r->t->ops->interrupt(r->t, c.fd, c.a == SA_RESTART);
    return look_at_blocked(r);
}

static bool play_call(struct run *r, const struct event *e)
{
    struct call *c = arena_alloc(r->arena, sizeof(*c));
    const char *why;

    if (!go_to(r, e, start_of(r, e)))
        return false;
    r->base = r->t->ops->now(r->t);
    if (strcmp(e->call.name, "interrupt") == 0)
        return play_interrupt(r, e);
    why = call_prepare(&r->calls, e, c);
    if (why)
        return fail(r, e, why, NULL);
    if (c->op == CALL_connect)
        r->flows.epoch++;
    c->started_at = r->base;
    r->t->ops->start(r->t, c);
    if (e->when.blocking) {
        if (r->n_blocked == MAX_BLOCKED)
            return fail(r, e, "too many calls block at once", NULL);
        r->blocked[r->n_blocked++] = c;
        return look_at_blocked(r);
    }
    if (!c->done && r->t->real_time)
        r->t->ops->advance(r->t, r->base + REAL_CALL_US, false, c);
    if (!c->done)
        return fail(r, e, "the call blocks", NULL);
    return check_call(r, c) && look_at_blocked(r);
}

static const char *set_tunable(void *ctx, const char *name, const char *value)
{
    struct run *r = ctx;

    return r->t->ops->sysctl(r->t, name, value);
}

static bool play_command(struct run *r, const struct event *e)
{
    const char *why;

    if (!go_to(r, e, start_of(r, e)))
        return false;
    why = tunable_command(r->arena, e->command, set_tunable, r);
    r->base = r->t->ops->now(r->t);
    return why ? fail(r, e, why, NULL) : true;
}

static bool play_code(struct run *r, const struct event *e)
{
    int fd = r->calls.last_fd;
    struct sock_tcp_info info;
    const char *why, *printed;

    if (e->when.kind != TIME_NONE && !go_to(r, e, start_of(r, e)))
        return false;
    if (fd < 0 || !r->calls.fd[fd].used)
        return fail(r, e, "no connection to look at", NULL);
    if (r->t->ops->tcp_info(r->t, r->calls.fd[fd].fd, &info) != 0)
        return fail(r, e, "TCP_INFO failed", NULL);
    why = code_run(r->arena, e->command, &info, &printed);
    if (*printed)
        r->out->printed = arena_printf(r->arena, "%s%s", r->out->printed, printed);
    return why ? fail(r, e, why, NULL) : true;
}

/* --- a script
 * ---------------------------------------------------------------------------------------------- */

static bool play_event(struct run *r, const struct event *e)
{
    switch (e->kind) {
    case EVENT_PACKET:
        return e->packet->out ? play_output(r, e) : play_input(r, e);
    case EVENT_CALL:
        return play_call(r, e);
    case EVENT_COMMAND:
        return play_command(r, e);
    case EVENT_CODE:
        return play_code(r, e);
    }
    return false;
}

/* What was sent before the last event began and what no line expected. */
static bool check_leftovers(struct run *r, const struct event *last)
{
    struct capture *c = &r->t->capture;
    bool out = last->kind == EVENT_PACKET && last->packet->out;
    const char *text = "";
    struct pkt_packet got;

    for (; c->next < c->n; c->next++) {
        struct captured *p = &c->packet[c->next];
        struct flow *flow;

        if (!p->out || p->at > r->base || (p->at == r->base && !out))
            continue;
        if (pkt_decode(p->ip, p->len, r->script->local_ip, &got) != NULL)
            return fail(r, last, "a malformed packet came", NULL);
        flow = flow_of_output(&r->flows, &got);
        if (flow)
            flow_output(&r->flows, flow, NULL, &got);
        text = arena_printf(r->arena, "came      %s %s", seconds(r, p->at),
                            pkt_format(r->arena, &got));
        return fail(r, last, "a packet came that no line expects", text);
    }
    return true;
}

static void play_all(struct run *r)
{
    const struct event *last = NULL;

    for (const struct event *e = r->script->events; e; e = e->next) {
        if (!play_event(r, e))
            return;
        last = e;
    }
    if (wait_for_blocked(r))
        check_leftovers(r, last);
}

static uint64_t tolerance_of(const struct target *t, const struct script *s)
{
    uint64_t least = t->real_time ? REAL_TOLERANCE_US : 0;

    if (!s->tolerance_us)
        return t->real_time ? REAL_TOLERANCE_US : VIRTUAL_TOLERANCE_US;
    return (uint64_t)s->tolerance_us > least ? (uint64_t)s->tolerance_us : least;
}

void runner_play(struct target *t, const struct script *s, struct outcome *out)
{
    struct run *r = arena_alloc(t->arena, sizeof(*r));
    const char *why;

    *out = (struct outcome){.passed = true, .printed = ""};
    r->t = t;
    r->script = s;
    r->arena = t->arena;
    r->out = out;
    r->tolerance = tolerance_of(t, s);
    r->calls.arena = t->arena;
    r->calls.script = s;
    r->calls.last_fd = -1;
    flows_init(&r->flows, s->remote_isn, s->bind_port);
    why = t->ops->open(t, s);
    if (why) {
        fail(r, NULL, why, NULL);
        return;
    }
    play_all(r);
    t->ops->close(t);
}
