/* SPDX-License-Identifier: MIT */
/* A packet as text, in the notation of the scripts, so that a line of a report can be pasted into
 * one. */
#include "tests/pkt/packet.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct text {
    char buf[1024];
    size_t n;
};

static void add(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(struct text *t, const char *format, ...)
{
    va_list ap;
    int n;

    va_start(ap, format);
    n = vsnprintf(t->buf + t->n, sizeof(t->buf) - t->n, format, ap);
    va_end(ap);
    if (n > 0)
        t->n = t->n + (size_t)n < sizeof(t->buf) ? t->n + (size_t)n : sizeof(t->buf) - 1;
}

static void add_option(struct text *t, const struct pkt_option *o)
{
    switch (o->kind) {
    case OPT_EOL:
        add(t, "eol");
        break;
    case OPT_NOP:
        add(t, "nop");
        break;
    case OPT_MSS:
        add(t, "mss %u", o->a);
        break;
    case OPT_WSCALE:
        add(t, "wscale %u", o->a);
        break;
    case OPT_SACK_OK:
        add(t, "sackOK");
        break;
    case OPT_TS:
        add(t, "TS val %u ecr %u", o->a, o->b);
        break;
    case OPT_SACK:
        add(t, "sack");
        for (int i = 0; i < o->n_blocks; i++)
            add(t, " %u:%u", o->block[i].start, o->block[i].end);
        break;
    default:
        if (o->kind == OPT_FASTOPEN)
            add(t, "FO ");
        else
            add(t, "kind %u ", o->kind);
        for (int i = 0; i < o->len - 2; i++)
            add(t, "%02x", o->raw[i]);
    }
}

static void add_ip(struct text *t, const struct pkt_packet *p)
{
    static const char *const ecn[] = {"noecn", "ect1", "ect0", "ce"};

    if (p->any_ecn)
        add(t, "[ect01] ");
    else if (p->ecn)
        add(t, "[%s] ", ecn[p->ecn & 3]);
    if (p->tos & ~3u)
        add(t, "[tos 0x%x] ", p->tos);
    if (p->has_ttl)
        add(t, "[ttl %u] ", p->ttl);
    if (p->bad_csum || p->csum_wrong)
        add(t, "[badsum] ");
    if (p->has_ports)
        add(t, "%u>%u ", p->out ? p->local_port : p->remote_port,
            p->out ? p->remote_port : p->local_port);
}

static void add_tcp(struct text *t, const struct pkt_packet *p)
{
    static const char letters[] = "FSRP.UEWA";
    /* in the order in which tcpdump writes them */
    static const uint8_t order[] = {1, 0, 2, 3, 5, 8, 7, 6, 4};

    for (size_t i = 0; i < sizeof(order); i++)
        if (p->flags & 1u << order[i])
            add(t, "%c", letters[order[i]]);
    if (!p->flags)
        add(t, "-");
    add(t, " %u:%u(%u)", p->seq, p->seq + p->len, p->len);
    if (p->flags & PKT_ACK)
        add(t, " ack %u", p->ack);
    if (p->has_win)
        add(t, " win %u", p->win);
    if (p->has_urg)
        add(t, " urg %u", p->urg);
    if (p->any_options)
        add(t, " <...>");
    for (int i = 0; i < p->n_options; i++) {
        add(t, i ? "," : " <");
        add_option(t, &p->option[i]);
    }
    if (p->n_options)
        add(t, ">");
}

char *pkt_format(struct arena *a, const struct pkt_packet *p)
{
    struct text t = {.n = 0};

    add(&t, "%c ", p->out ? '>' : '<');
    add_ip(&t, p);
    if (p->icmp) {
        add(&t, "icmp type %u code %u", p->ic.type, p->ic.code);
        if (p->ic.mtu)
            add(&t, " mtu %u", p->ic.mtu);
        if (p->ic.has_inner)
            add(&t, " [%u:%u(%u)]", p->ic.inner_seq, p->ic.inner_seq + p->ic.inner_len,
                p->ic.inner_len);
    } else {
        add_tcp(&t, p);
    }
    return arena_text(a, t.buf, t.n);
}
