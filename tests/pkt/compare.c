/* SPDX-License-Identifier: MIT */
/*
 * Is this the packet that the script expects? What a line does not say (window, urgent pointer,
 * TTL, DSCP) is not compared; flags, numbers, acknowledgement, payload bytes, options in their
 * order, ECN bits and checksums always are.
 */
#include "tests/pkt/packet.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct differences {
    char text[512];
    size_t n;
};

static void differ(struct differences *d, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void differ(struct differences *d, const char *format, ...)
{
    va_list ap;
    int n;

    if (d->n && d->n + 2 < sizeof(d->text))
        d->n += (size_t)snprintf(d->text + d->n, sizeof(d->text) - d->n, "; ");
    va_start(ap, format);
    n = vsnprintf(d->text + d->n, sizeof(d->text) - d->n, format, ap);
    va_end(ap);
    if (n > 0)
        d->n = d->n + (size_t)n < sizeof(d->text) ? d->n + (size_t)n : sizeof(d->text) - 1;
}

static void number(struct differences *d, const char *name, uint32_t want, uint32_t got)
{
    if (want != got)
        differ(d, "%s: expected %u, came %u", name, want, got);
}

static bool same_timestamps(const struct pkt_option *w, const struct pkt_option *g,
                            const struct pkt_tolerance *t)
{
    int32_t off = (int32_t)(g->a - w->a);

    if (g->b != w->b)
        return false;
    return !t->check_ts || (off >= -(int32_t)t->ts_slack && off <= (int32_t)t->ts_slack);
}

static bool same_option(const struct pkt_option *w, const struct pkt_option *g,
                        const struct pkt_tolerance *t)
{
    if (w->kind != g->kind || w->len != g->len)
        return false;
    switch (w->kind) {
    case OPT_TS:
        return same_timestamps(w, g, t);
    case OPT_MSS:
    case OPT_WSCALE:
        return w->a == g->a;
    case OPT_SACK:
        return memcmp(w->block, g->block, sizeof(w->block[0]) * w->n_blocks) == 0;
    case OPT_EOL:
    case OPT_NOP:
    case OPT_SACK_OK:
        return true;
    default:
        return memcmp(w->raw, g->raw, w->len - 2u) == 0;
    }
}

static void compare_options(struct differences *d, const struct pkt_packet *w,
                            const struct pkt_packet *g, const struct pkt_tolerance *t)
{
    if (w->any_options)
        return;
    if (w->n_options != g->n_options) {
        differ(d, "options: expected %u, came %u", w->n_options, g->n_options);
        return;
    }
    for (int i = 0; i < w->n_options; i++) {
        if (!same_option(&w->option[i], &g->option[i], t)) {
            differ(d, "option %d", i + 1);
            return;
        }
    }
}

static void compare_ip(struct differences *d, const struct pkt_packet *w,
                       const struct pkt_packet *g)
{
    if (g->csum_wrong)
        differ(d, "checksum wrong");
    if (w->any_ecn ? g->ecn != 1 && g->ecn != 2 : w->ecn != g->ecn)
        differ(d, "ECN bits: expected %u, came %u", w->ecn, g->ecn);
    if (w->has_tos)
        number(d, "TOS", w->tos & 0xfcu, g->tos & 0xfcu);
    if (w->has_ttl)
        number(d, "TTL", w->ttl, g->ttl);
    if (w->has_df)
        number(d, "DF", w->df, g->df);
}

static void compare_tcp(struct differences *d, const struct pkt_packet *w,
                        const struct pkt_packet *g, const struct pkt_tolerance *t)
{
    uint64_t off = (uint64_t)(int64_t)(int32_t)(g->seq + !!(g->flags & PKT_SYN) - 1);
    int64_t bad = pkt_verify(g->payload, off, g->len);

    if (w->flags != g->flags)
        differ(d, "flags");
    if (g->reserved)
        differ(d, "reserved bits set");
    number(d, "sequence", w->seq, g->seq);
    number(d, "length", w->len, g->len);
    if (w->flags & g->flags & PKT_ACK)
        number(d, "ack", w->ack, g->ack);
    if (w->has_win)
        number(d, "window", w->win, g->win);
    if (w->has_urg || g->urg)
        number(d, "urgent pointer", w->urg, g->urg);
    if (bad >= 0)
        differ(d, "payload byte %lld is not what was written", (long long)bad);
    compare_options(d, w, g, t);
}

char *pkt_compare(struct arena *a, const struct pkt_packet *w, const struct pkt_packet *g,
                  const struct pkt_tolerance *t)
{
    struct differences d = {.n = 0};

    if (w->icmp != g->icmp) {
        differ(&d, "protocol");
    } else {
        compare_ip(&d, w, g);
        if (w->icmp) {
            number(&d, "ICMP type", w->ic.type, g->ic.type);
            number(&d, "ICMP code", w->ic.code, g->ic.code);
        } else {
            compare_tcp(&d, w, g, t);
        }
    }
    return d.n ? arena_text(a, d.text, d.n) : NULL;
}
