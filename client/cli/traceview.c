/* SPDX-License-Identifier: MIT */
/* Reading a trace; see traceview.h. */
#include "client/cli/traceview.h"

#include "client/cli/daemon.h"
#include "client/lib/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define TCP_SYN      2u
#define NO_THRESHOLD 0x7fffffffu /* Linux's TCP_INFINITE_SSTHRESH */

/* --- opening -----------------------------------------------------------------------------------
 */

static bool lies_inside(const struct traceview *v, uint64_t at, uint64_t n, uint64_t each)
{
    return at % 8 == 0 && at >= sizeof(struct tracefile) && at + n * each <= v->size;
}

static bool is_sound(const struct traceview *v)
{
    const struct tracefile *f = v->file;

    return v->size >= sizeof(*f) && f->magic == TRACEFILE_MAGIC && f->n_slots &&
           f->n_slots <= TRACEFILE_MOST && !(f->n_slots & (f->n_slots - 1)) && f->n_events <= 256 &&
           f->n_reasons <= 256 && f->n_reasons > 0 &&
           lies_inside(v, f->events_at, f->n_events, sizeof(struct tracefile_event)) &&
           lies_inside(v, f->reasons_at, f->n_reasons, sizeof(struct tracefile_reason)) &&
           lies_inside(v, f->slots_at, f->n_slots, sizeof(struct tracefile_slot));
}

static void copy_text(char *to, size_t room, const char *from, size_t n)
{
    size_t len = strnlen(from, n);

    if (len >= room)
        len = room - 1;
    memcpy(to, from, len);
    to[len] = '\0';
}

/* "seq:S,len" */
static void read_fields(struct traceview_event *e, const char *spec, size_t n)
{
    const char *end = spec + strnlen(spec, n);

    while (spec < end && e->n_fields < TRACEFILE_VALUES) {
        const char *stop = memchr(spec, ',', (size_t)(end - spec));
        const char *colon;
        struct traceview_field *f = &e->field[e->n_fields++];

        if (!stop)
            stop = end;
        colon = memchr(spec, ':', (size_t)(stop - spec));
        copy_text(f->name, sizeof(f->name), spec, (size_t)((colon ? colon : stop) - spec));
        if (colon && colon + 1 < stop)
            f->kind = colon[1];
        spec = stop + 1;
    }
}

static int copy_texts(struct traceview *v)
{
    const char *base = (const char *)v->file;
    const struct tracefile_event *e = (const void *)(base + v->file->events_at);
    const struct tracefile_reason *r = (const void *)(base + v->file->reasons_at);

    v->n_events = v->file->n_events;
    v->n_reasons = v->file->n_reasons;
    v->n_slots = v->file->n_slots;
    v->events = calloc(v->n_events + 1, sizeof(*v->events));
    v->reasons = calloc(v->n_reasons, sizeof(*v->reasons));
    if (!v->events || !v->reasons)
        return -ENOMEM;
    for (unsigned i = 0; i < v->n_events; i++) {
        copy_text(v->events[i].name, sizeof(v->events[i].name), e[i].name, sizeof(e[i].name));
        copy_text(v->events[i].step, sizeof(v->events[i].step), e[i].step, sizeof(e[i].step));
        copy_text(v->events[i].help, sizeof(v->events[i].help), e[i].help, sizeof(e[i].help));
        read_fields(&v->events[i], e[i].fields, sizeof(e[i].fields));
    }
    for (unsigned i = 0; i < v->n_reasons; i++) {
        copy_text(v->reasons[i].name, sizeof(v->reasons[i].name), r[i].name, sizeof(r[i].name));
        copy_text(v->reasons[i].text, sizeof(v->reasons[i].text), r[i].text, sizeof(r[i].text));
    }
    return 0;
}

int traceview_over(struct traceview *v, const void *file, size_t size)
{
    memset(v, 0, sizeof(*v));
    v->file = file;
    v->size = size;
    if (!is_sound(v))
        return -EPROTO;
    return copy_texts(v);
}

int traceview_open(struct traceview *v, int fd)
{
    struct stat st;
    void *at;
    int r;

    memset(v, 0, sizeof(*v));
    if (fstat(fd, &st) < 0)
        return -errno;
    if (st.st_size < (off_t)sizeof(struct tracefile))
        return -EPROTO;
    at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED)
        return -errno;
    r = traceview_over(v, at, (size_t)st.st_size);
    if (r < 0)
        traceview_close(v);
    return r;
}

void traceview_close(struct traceview *v)
{
    free(v->events);
    free(v->reasons);
    if (v->file)
        munmap((void *)(uintptr_t)v->file, v->size);
    memset(v, 0, sizeof(*v));
}

/* --- reading -----------------------------------------------------------------------------------
 */

static const struct tracefile_slot *slot(const struct traceview *v, uint64_t n)
{
    const char *base = (const char *)v->file + v->file->slots_at;

    return (const struct tracefile_slot *)(const void *)base + (n & (v->n_slots - 1));
}

/* Numbers are relative to these: "begin" has them, but for those that come with a SYN only then. */
static void note_first_numbers(struct traceview *v, const struct tracefile_slot *s)
{
    bool syn = traceview_value(v, s, "flags", 0) & TCP_SYN;

    if (traceview_is(v, s, "begin")) {
        v->iss = s->v[0];
        v->irs = s->v[1];
    } else if (syn && traceview_is(v, s, "tcp_input")) {
        v->irs = s->v[0];
    } else if (syn && traceview_is(v, s, "tcp_transmit_segment")) {
        v->iss = s->v[0];
    }
}

bool traceview_next(struct traceview *v, struct tracefile_slot *out)
{
    for (;;) {
        uint64_t head = atomic_load_explicit(&v->file->head, memory_order_acquire);

        if (v->next >= head)
            return false;
        if (head - v->next >= v->n_slots) { /* overwritten: go on in the middle of what is left */
            uint64_t at = head - v->n_slots / 2;

            v->lost += at - v->next;
            v->next = at;
        }
        *out = *slot(v, v->next);
        atomic_thread_fence(memory_order_acquire);
        head = atomic_load_explicit(&v->file->head, memory_order_relaxed);
        if (head - v->next >= v->n_slots)
            continue;
        v->next++;
        if (out->event >= v->n_events)
            continue;
        if (out->why >= v->n_reasons)
            out->why = 0;
        note_first_numbers(v, out);
        v->over = traceview_is(v, out, "end");
        return true;
    }
}

const struct traceview_event *traceview_event(const struct traceview *v,
                                              const struct tracefile_slot *s)
{
    return &v->events[s->event];
}

bool traceview_is(const struct traceview *v, const struct tracefile_slot *s, const char *event)
{
    return strcmp(v->events[s->event].name, event) == 0;
}

uint32_t traceview_number(const struct traceview *v, const struct tracefile_slot *s, unsigned i)
{
    switch (v->events[s->event].field[i].kind) {
    case 'S':
        return s->v[i] - v->iss;
    case 'R':
        return s->v[i] - v->irs;
    default:
        return s->v[i];
    }
}

uint32_t traceview_value(const struct traceview *v, const struct tracefile_slot *s,
                         const char *name, uint32_t otherwise)
{
    const struct traceview_event *e = &v->events[s->event];

    for (unsigned i = 0; i < e->n_fields; i++) {
        if (strcmp(e->field[i].name, name) == 0)
            return traceview_number(v, s, i);
    }
    return otherwise;
}

const char *traceview_why(const struct traceview *v, const struct tracefile_slot *s)
{
    return v->reasons[s->why].name;
}

const char *traceview_why_text(const struct traceview *v, const struct tracefile_slot *s)
{
    return v->reasons[s->why].text;
}

/* --- values as people read them ----------------------------------------------------------------
 */

struct bit {
    uint32_t bit;
    const char *name;
};

static void print_bits(uint32_t value, const struct bit *bits, size_t n, char *out, size_t room)
{
    size_t used = 0;

    out[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        if ((value & bits[i].bit) && used < room)
            used +=
                (size_t)snprintf(out + used, room - used, "%s%s", used ? "|" : "", bits[i].name);
    }
    if (!used)
        snprintf(out, room, "0");
}

static void print_name(uint32_t value, const char *const *names, size_t n, char *out, size_t room)
{
    if (value < n)
        snprintf(out, room, "%s", names[value]);
    else
        snprintf(out, room, "%u", value);
}

const char *traceview_text(const struct traceview *v, const struct tracefile_slot *s, unsigned i,
                           char *out, size_t room)
{
    static const struct bit tcp[] = {{2, "SYN"}, {16, "ACK"}, {8, "PSH"},  {1, "FIN"},
                                     {4, "RST"}, {32, "URG"}, {64, "ECE"}, {128, "CWR"}};
    static const struct bit msg[] = {
        {MSG_MORE, "MSG_MORE"}, {MSG_EOR, "MSG_EOR"}, {MSG_OOB, "MSG_OOB"}};
    /* Linux's numbers of states, as ss(8) writes them */
    static const char *const states[] = {"NONE",       "ESTAB",      "SYN-SENT",  "SYN-RECV",
                                         "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT", "UNCONN",
                                         "CLOSE-WAIT", "LAST-ACK",   "LISTEN",    "CLOSING"};
    static const char *const congestion[] = {"Open", "Disorder", "CWR", "Recovery", "Loss"};
    uint32_t value = traceview_number(v, s, i);

    switch (v->events[s->event].field[i].kind) {
    case 'F':
        print_bits(value, tcp, sizeof(tcp) / sizeof(tcp[0]), out, room);
        break;
    case 'M':
        print_bits(value, msg, sizeof(msg) / sizeof(msg[0]), out, room);
        break;
    case 'T':
        print_name(value, states, sizeof(states) / sizeof(states[0]), out, room);
        break;
    case 'C':
        print_name(value, congestion, sizeof(congestion) / sizeof(congestion[0]), out, room);
        break;
    case 'H':
        snprintf(out, room, value < NO_THRESHOLD ? "%u" : "none", value);
        break;
    case 'U':
        snprintf(out, room, "%u us", value);
        break;
    case 'E':
        snprintf(out, room, "%s", value ? strerror((int)value) : "0");
        break;
    default:
        snprintf(out, room, "%u", value);
    }
    return out;
}

/* --- the daemon --------------------------------------------------------------------------------
 */

static const char *advice(int error)
{
    switch (error) {
    case EPERM:
        return "it is another user's connection";
    case EBUSY:
        return "somebody traces it already";
    case ENOSPC:
        return "sixteen connections are traced already";
    case ENOENT:
        return "it has ended";
    default:
        return strerror(error);
    }
}

int traceview_ask(const char *who, const struct wire_trace *want, struct traceview *out)
{
    struct control_request rq = {.op = WIRE_OP_TRACE, .fd = -1, .body = want, .len = sizeof(*want)};
    struct control_reply rp = {.fd = -1};
    int r = control_call(&rq, &rp);

    if (r < 0) {
        daemon_complain(who, -r);
        return -1;
    }
    if (r > 0) {
        fprintf(stderr, "tapstack %s: %s\n", who, advice(r));
        return -1;
    }
    r = rp.fd < 0 ? -EPROTO : traceview_open(out, rp.fd);
    if (rp.fd >= 0)
        close(rp.fd);
    if (r < 0)
        fprintf(stderr, "tapstack %s: the daemon's trace cannot be read: %s\n", who, strerror(-r));
    return r;
}
