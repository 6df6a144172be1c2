/* SPDX-License-Identifier: MIT */
/* What is drawn of a flow; see plotdata.h. */
#include "client/cli/plotdata.h"

#include <stdlib.h>
#include <string.h>

void plot_flow_init(struct plot_flow *f)
{
    memset(f, 0, sizeof(*f));
}

void plot_flow_free(struct plot_flow *f)
{
    free(f->data.at);
    free(f->sacked.at);
    free(f->acked.at);
    free(f->edge.at);
    free(f->cwnd.at);
    free(f->flight.at);
    free(f->rtt.at);
    plot_flow_init(f);
}

/* Room for one more; false: no memory. */
static bool grow(void **at, size_t n, size_t *room, size_t each)
{
    size_t more = *room ? 2 * *room : 256;
    void *p;

    if (n < *room)
        return true;
    p = realloc(*at, more * each);
    if (!p)
        return false;
    *at = p;
    *room = more;
    return true;
}

static void point(struct plot_flow *f, struct plot_series *s, double t, double y)
{
    if (!grow((void **)&s->at, s->n, &s->room, sizeof(*s->at))) {
        f->lost_memory++;
        return;
    }
    s->at[s->n++] = (struct plot_point){t, y};
    f->last = t > f->last ? t : f->last;
}

static void span(struct plot_flow *f, struct plot_spans *s, const struct plot_span *what)
{
    if (!grow((void **)&s->at, s->n, &s->room, sizeof(*s->at))) {
        f->lost_memory++;
        return;
    }
    s->at[s->n++] = *what;
    f->last = what->t > f->last ? what->t : f->last;
}

/* Where a sequence number lies in the stream: the place nearest to what was sent last. */
static uint64_t offset_of(const struct plot_flow *f, uint32_t seq)
{
    int32_t from_high = (int32_t)(seq - (f->base + (uint32_t)f->high));

    if (from_high < 0 && (uint64_t) - (int64_t)from_high > f->high)
        return 0;
    return f->high + (uint64_t)(int64_t)from_high;
}

void plot_flow_base(struct plot_flow *f, uint32_t seq)
{
    if (f->begun)
        return;
    f->begun = true;
    f->base = seq;
}

static void estimate_flight(struct plot_flow *f, double t)
{
    if (!f->knows_flight)
        point(f, &f->flight, t, f->high > f->una ? (double)(f->high - f->una) : 0);
}

static void remember(struct plot_flow *f, double t, uint64_t end)
{
    size_t at = (f->first_pending + f->n_pending) % PLOT_PENDING;

    if (f->n_pending == PLOT_PENDING)
        return;
    f->pending[at].end = end;
    f->pending[at].t = t;
    f->n_pending++;
}

/* Karn: what was sent twice tells nothing, nor does what was sent before it. */
static void forget(struct plot_flow *f)
{
    f->n_pending = 0;
}

void plot_flow_data(struct plot_flow *f, double t, uint32_t seq, uint32_t len, bool again)
{
    struct plot_span s = {.t = t};

    plot_flow_base(f, seq);
    if (!len)
        return;
    s.from = offset_of(f, seq);
    s.to = s.from + len;
    s.again = again || s.to <= f->high;
    span(f, &f->data, &s);
    f->bytes += len;
    if (s.again) {
        f->bytes_again += len;
        forget(f);
    } else {
        f->high = s.to;
        remember(f, t, s.to);
    }
    estimate_flight(f, t);
}

static void estimate_rtt(struct plot_flow *f, double t)
{
    double sent = -1;

    while (f->n_pending && f->pending[f->first_pending].end <= f->una) {
        sent = f->pending[f->first_pending].t;
        f->first_pending = (f->first_pending + 1) % PLOT_PENDING;
        f->n_pending--;
    }
    if (sent >= 0 && !f->knows_rtt)
        point(f, &f->rtt, t, (t - sent) * 1e3);
}

void plot_flow_ack(struct plot_flow *f, double t, uint32_t ack, int64_t window)
{
    uint64_t at;

    if (!f->begun)
        return;
    at = offset_of(f, ack);
    if (at > f->high + 1) /* its FIN counts one; more was never seen: the capture has holes */
        f->high = at;
    if (at > f->una || !f->acked_once) {
        f->una = at;
        point(f, &f->acked, t, (double)at);
        estimate_rtt(f, t);
        estimate_flight(f, t);
    }
    f->acked_once = true;
    if (window >= 0)
        point(f, &f->edge, t, (double)at + (double)window);
}

void plot_flow_sack(struct plot_flow *f, double t, uint32_t from, uint32_t to)
{
    struct plot_span s = {.t = t};

    if (!f->begun || from == to)
        return;
    s.from = offset_of(f, from);
    s.to = offset_of(f, to);
    if (s.to > s.from)
        span(f, &f->sacked, &s);
}

void plot_flow_cwnd(struct plot_flow *f, double t, double bytes)
{
    point(f, &f->cwnd, t, bytes);
}

void plot_flow_rtt(struct plot_flow *f, double t, double ms)
{
    f->knows_rtt = true;
    point(f, &f->rtt, t, ms);
}

void plot_flow_flight(struct plot_flow *f, double t, double bytes)
{
    f->knows_flight = true;
    point(f, &f->flight, t, bytes);
}

void plot_flow_throughput(const struct plot_flow *f, double seconds, double *out, unsigned n)
{
    double before = f->acked.n ? f->acked.at[0].y : 0;

    memset(out, 0, n * sizeof(*out));
    for (size_t i = 1; i < f->acked.n && seconds > 0; i++) {
        unsigned bin = (unsigned)(f->acked.at[i].t / seconds * n);

        out[bin < n ? bin : n - 1] += 8 * (f->acked.at[i].y - before) * n / seconds;
        before = f->acked.at[i].y;
    }
}

double plot_series_most(const struct plot_series *s)
{
    double most = 0;

    for (size_t i = 0; i < s->n; i++)
        most = s->at[i].y > most ? s->at[i].y : most;
    return most;
}
