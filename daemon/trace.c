/* SPDX-License-Identifier: MIT */
/* Traces and figures; see trace.h. */
#include "daemon/trace.h"

#include "daemon/figures.h"
#include "daemon/workers.h"
#include "ipc/tracefile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_EVENTS (1u << 16)
#define LEAST_EVENTS   64u
#define PAGE           4096u

_Static_assert(sizeof(struct tracefile_slot) == sizeof(struct trace_slot) &&
                   offsetof(struct tracefile_slot, v) == offsetof(struct trace_slot, v) &&
                   TRACEFILE_VALUES == TRACE_VALUES,
               "the ring is in the file as the core writes it");

struct trace {
    struct trace_ring ring;
    struct tracefile *file;
    size_t size;
    unsigned first, end; /**< the workers whose cores have it, up to before `end` */
};

/* Each worker counts its connections' ids from its own number in steps of how many there are. */
static unsigned worker_of(const struct client *cl, uint64_t id)
{
    return (unsigned)((id - 1) % workers_count(cl->control->streams));
}

/* --- figures -----------------------------------------------------------------------------------
 */

void trace_figures(struct client *cl, const struct wire_header *h, const struct wire_id *which)
{
    struct streams *all = workers_hold(cl->control->streams, worker_of(cl, which->id));
    struct wire_figures out;
    struct sock_info info;
    int rc = stack_info(all->stack, which->id, &info, all->now);

    if (rc == 0 && info.user) {
        stream_refresh(info.user);
        rc = stack_info(all->stack, which->id, &info, all->now);
    }
    memset(&out, 0, sizeof(out));
    if (rc == 0) {
        figures_to_wire(&info, &out);
        request_info(&info, &out.info);
    }
    workers_release(all);
    control_reply(cl, h, -rc, &out, sizeof(out), -1);
}

/* --- the file ----------------------------------------------------------------------------------
 */

static uint64_t clock_ns(clockid_t which)
{
    struct timespec t;

    clock_gettime(which, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint64_t monotonic(void *ctx)
{
    (void)ctx;
    return clock_ns(CLOCK_MONOTONIC);
}

static uint32_t pages(size_t n)
{
    return (uint32_t)((n + PAGE - 1) / PAGE * PAGE);
}

static void write_texts(struct tracefile *f)
{
    struct tracefile_event *e = (struct tracefile_event *)((char *)f + f->events_at);
    struct tracefile_reason *r = (struct tracefile_reason *)((char *)f + f->reasons_at);

    for (unsigned i = 0; i < f->n_events; i++) {
        snprintf(e[i].name, sizeof(e[i].name), "%s", trace_name(i));
        snprintf(e[i].step, sizeof(e[i].step), "%s", trace_step(i));
        snprintf(e[i].help, sizeof(e[i].help), "%s", trace_help(i));
        snprintf(e[i].fields, sizeof(e[i].fields), "%s", trace_fields(i));
    }
    for (unsigned i = 0; i < f->n_reasons; i++) {
        snprintf(r[i].name, sizeof(r[i].name), "%s", trace_why_name(i));
        snprintf(r[i].text, sizeof(r[i].text), "%s", trace_why_text(i));
    }
}

static uint32_t round_up(uint32_t events)
{
    uint32_t n = LEAST_EVENTS;

    if (!events)
        return DEFAULT_EVENTS;
    while (n < events && n < TRACEFILE_MOST)
        n *= 2;
    return n;
}

/* A file of its final size that nobody else can write. Returns its descriptor or a negative errno
 * value. */
static int map_file(struct trace *t)
{
    int fd = memfd_create("tapstack-trace", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    void *at = MAP_FAILED;

    if (fd >= 0 && ftruncate(fd, (off_t)t->size) == 0)
        at = mmap(NULL, t->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) <
            0) {
        int error = errno;

        if (at != MAP_FAILED)
            munmap(at, t->size);
        if (fd >= 0)
            close(fd);
        return -error;
    }
    t->file = at;
    return fd;
}

/* Returns the descriptor to hand out, or a negative errno value. */
static int make_file(struct trace *t, uint32_t events)
{
    uint32_t n = round_up(events), texts = pages(sizeof(struct tracefile));
    uint32_t reasons = texts + pages(TRACE_COUNT * sizeof(struct tracefile_event));
    uint32_t slots = reasons + pages(TRACE_WHY_COUNT * sizeof(struct tracefile_reason));
    int fd;

    t->size = slots + (size_t)n * sizeof(struct tracefile_slot);
    fd = map_file(t);
    if (fd < 0)
        return fd;
    *t->file =
        (struct tracefile){.magic = TRACEFILE_MAGIC,
                           .n_slots = n,
                           .n_events = TRACE_COUNT,
                           .n_reasons = TRACE_WHY_COUNT,
                           .events_at = texts,
                           .reasons_at = reasons,
                           .slots_at = slots,
                           .realtime_ns = clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_MONOTONIC)};
    write_texts(t->file);
    t->ring = (struct trace_ring){.slots = (struct trace_slot *)((char *)t->file + slots),
                                  .n_slots = n,
                                  .head = &t->file->head,
                                  .clock = monotonic};
    return fd;
}

static void destroy(struct trace *t)
{
    if (t->file)
        munmap(t->file, t->size);
    free(t);
}

/* --- who may -----------------------------------------------------------------------------------
 */

static int attach_one(const struct client *cl, struct streams *all, uint64_t id, struct trace *t)
{
    const struct stream *s;
    struct sock_info info;
    int rc = stack_info(all->stack, id, &info, all->now);

    if (rc < 0)
        return rc;
    s = info.user;
    if (!policy_admin(all->policy, cl->owner.uid) && (!s || s->owner.uid != cl->owner.uid))
        return -EPERM;
    return stack_trace(all->stack, id, &t->ring);
}

static int attach(const struct client *cl, uint64_t id, struct trace *t)
{
    struct streams *all = workers_hold(cl->control->streams, worker_of(cl, id));
    int rc = attach_one(cl, all, id, t);

    t->first = worker_of(cl, id);
    t->end = t->first + 1;
    workers_release(all);
    return rc;
}

static void detach(struct streams *home, struct trace *t)
{
    for (unsigned i = t->first; i < t->end; i++) {
        struct streams *all = workers_hold(home, i);

        stack_trace_stop(all->stack, &t->ring);
        workers_release(all);
    }
}

/* Any worker may be the one to open it: all wait with the one ring, and the first has it. */
static int attach_next(struct client *cl, const struct wire_trace *want, struct trace *t)
{
    struct streams *home = cl->control->streams;
    struct trace_match m = {.port = want->port,
                            .only_owner = !policy_admin(home->policy, cl->owner.uid),
                            .owner = cl->owner.uid};
    int rc = 0;

    stream_from_wire(&want->local, &m.local);
    stream_from_wire(&want->remote, &m.remote);
    for (; t->end < workers_count(home) && rc == 0; t->end++) {
        struct streams *all = workers_hold(home, t->end);

        rc = stack_trace_next(all->stack, &m, &t->ring);
        workers_release(all);
    }
    if (rc < 0)
        detach(home, t);
    return rc;
}

void trace_begin(struct client *cl, const struct wire_header *h, const struct wire_trace *want)
{
    struct trace *t = cl->trace ? NULL : calloc(1, sizeof(*t));
    int fd, rc = cl->trace ? -EBUSY : -ENOMEM;

    fd = t ? make_file(t, want->events) : -1;
    if (t)
        rc = fd < 0 ? fd : want->id ? attach(cl, want->id, t) : attach_next(cl, want, t);
    if (rc < 0) {
        if (t)
            destroy(t);
    } else {
        cl->trace = t;
    }
    control_reply(cl, h, -rc, NULL, 0, rc < 0 ? -1 : fd);
    if (fd >= 0)
        close(fd);
}

void trace_drop(struct client *cl)
{
    if (!cl->trace)
        return;
    detach(cl->control->streams, cl->trace);
    destroy(cl->trace);
    cl->trace = NULL;
}
