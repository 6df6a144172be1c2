/* SPDX-License-Identifier: MIT */
/*
 * A plot's data from a capture: any capture of TCP, ours or the kernel's. Frames are hostile until
 * checked; what is no TCP over IP is passed over.
 */
#include "client/cli/plot.h"

#include <arpa/inet.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

#define CONNS_MOST 4096u

struct packet {
    double t;
    int family;
    const uint8_t *src, *dst; /* 4 or 16 bytes */
    uint16_t src_port, dst_port;
    uint32_t seq, ack, len;
    uint16_t window;
    uint8_t flags;
    const uint8_t *options;
    uint32_t n_options;
};

struct conn {
    int family;
    uint8_t addr[2][16];
    uint16_t port[2];
    double first;
    int scale[2]; /* of the windows that this side announces; -1: its SYN was not seen */
    struct plot_flow flow[2];
};

struct capture {
    struct conn **conns;
    size_t n, left_out;
    uint16_t port;
};

enum { TH_SYN = 2, TH_ACK = 16 };

static uint32_t get16(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
    return get16(p) << 16 | get16(p + 2);
}

/* --- frames ------------------------------------------------------------------------------------
 */

/* The bytes before the IP header; SIZE_MAX: not a link that is known. */
static size_t link_header(int link, const uint8_t *data, size_t len)
{
    size_t at = 14;

    switch (link) {
    case DLT_NULL:
    case DLT_LOOP:
        return 4;
    case DLT_RAW:
    case DLT_IPV4:
    case DLT_IPV6:
        return 0;
    case DLT_LINUX_SLL:
        return 16;
    case DLT_LINUX_SLL2:
        return 20;
    case DLT_EN10MB:
        while (at <= len && (get16(data + at - 2) == 0x8100 || get16(data + at - 2) == 0x88a8))
            at += 4;
        return at;
    default:
        return SIZE_MAX;
    }
}

static bool parse_tcp(const uint8_t *h, size_t have, size_t len, struct packet *p)
{
    size_t header = have >= 20 ? (size_t)(h[12] >> 4) * 4 : 0;

    if (header < 20 || header > len)
        return false;
    p->src_port = (uint16_t)get16(h);
    p->dst_port = (uint16_t)get16(h + 2);
    p->seq = get32(h + 4);
    p->ack = get32(h + 8);
    p->flags = h[13];
    p->window = (uint16_t)get16(h + 14);
    p->options = h + 20;
    p->n_options = (uint32_t)((header < have ? header : have) - 20);
    p->len = (uint32_t)(len - header);
    return true;
}

/* `have` bytes were captured of `len`. */
static bool parse_ip(const uint8_t *h, size_t have, size_t len, struct packet *p)
{
    size_t header, total;

    if (have < 20)
        return false;
    if (h[0] >> 4 == 4) {
        header = (size_t)(h[0] & 15) * 4;
        total = get16(h + 2);
        if (h[9] != 6 || (get16(h + 6) & 0x1fff) || header < 20)
            return false;
        p->family = AF_INET;
        p->src = h + 12;
        p->dst = h + 16;
    } else {
        header = 40;
        if (h[0] >> 4 != 6 || have < 40 || h[6] != 6)
            return false;
        total = get16(h + 4) ? get16(h + 4) + header : 0;
        p->family = AF_INET6;
        p->src = h + 8;
        p->dst = h + 24;
    }
    if (!total || total > len) /* an offloaded frame may say 0 */
        total = len;
    if (header > have || header > total)
        return false;
    return parse_tcp(h + header, have - header, total - header, p);
}

/* --- connections -------------------------------------------------------------------------------
 */

/* Which side of it sends this: 0, 1; -1: it is not of this connection. */
static int side_of(const struct conn *c, const struct packet *p)
{
    size_t n = p->family == AF_INET ? 4 : 16;

    if (c->family != p->family)
        return -1;
    for (int side = 0; side < 2; side++) {
        if (c->port[side] == p->src_port && c->port[!side] == p->dst_port &&
            memcmp(c->addr[side], p->src, n) == 0 && memcmp(c->addr[!side], p->dst, n) == 0)
            return side;
    }
    return -1;
}

static struct conn *new_conn(struct capture *cap, const struct packet *p)
{
    size_t n = p->family == AF_INET ? 4 : 16;
    struct conn *c = cap->n < CONNS_MOST ? calloc(1, sizeof(*c)) : NULL;

    if (!c) {
        cap->left_out++;
        return NULL;
    }
    c->family = p->family;
    memcpy(c->addr[0], p->src, n);
    memcpy(c->addr[1], p->dst, n);
    c->port[0] = p->src_port;
    c->port[1] = p->dst_port;
    c->first = p->t;
    c->scale[0] = c->scale[1] = -1;
    cap->conns[cap->n++] = c;
    return c;
}

/* A port that is used again soon after: the newest one counts. */
static struct conn *conn_of(struct capture *cap, const struct packet *p, int *side)
{
    for (size_t i = cap->n; i-- > 0;) {
        *side = side_of(cap->conns[i], p);
        if (*side >= 0) {
            bool anew = (p->flags & TH_SYN) && !(p->flags & TH_ACK) &&
                        cap->conns[i]->flow[*side].begun &&
                        p->seq + 1 != cap->conns[i]->flow[*side].base;

            if (!anew)
                return cap->conns[i];
            break;
        }
    }
    *side = 0;
    return new_conn(cap, p);
}

static void read_options(struct conn *c, int side, const struct packet *p)
{
    const uint8_t *o = p->options, *end = o + p->n_options;
    double t = p->t - c->first;

    while (o < end && *o) {
        size_t len = *o == 1 ? 1 : o + 1 < end ? o[1] : 0;

        if (len == 0 || (*o != 1 && len < 2) || len > (size_t)(end - o))
            return;
        if (*o == 3 && len == 3 && (p->flags & TH_SYN))
            c->scale[side] = o[2] <= 14 ? o[2] : 14;
        for (size_t i = 2; *o == 5 && i + 8 <= len; i += 8)
            plot_flow_sack(&c->flow[!side], t, get32(o + i), get32(o + i + 4));
        o += len;
    }
}

static void take(struct capture *cap, const struct packet *p)
{
    int side;
    struct conn *c;
    double t;

    if (cap->port && p->src_port != cap->port && p->dst_port != cap->port)
        return;
    c = conn_of(cap, p, &side);
    if (!c)
        return;
    t = p->t - c->first;
    read_options(c, side, p);
    if (p->flags & TH_SYN) {
        plot_flow_base(&c->flow[side], p->seq + 1);
        if (c->scale[side] < 0)
            c->scale[side] = 0; /* it does not scale */
        return;
    }
    plot_flow_data(&c->flow[side], t, p->seq, p->len, false);
    if (p->flags & TH_ACK) {
        /* both scale, or neither does (RFC 7323 §2.2) */
        bool known = c->scale[0] >= 0 && c->scale[1] >= 0;
        int scale = c->scale[0] && c->scale[1] ? c->scale[side] : 0;

        plot_flow_ack(&c->flow[!side], t, p->ack, known ? (int64_t)p->window << scale : -1);
    }
}

/* --- the file ----------------------------------------------------------------------------------
 */

static int read_all(const char *who, pcap_t *pc, struct capture *cap)
{
    int link = pcap_datalink(pc), r;
    struct pcap_pkthdr *h;
    const uint8_t *data;

    while ((r = pcap_next_ex(pc, &h, &data)) == 1) {
        size_t at = link_header(link, data, h->caplen);
        struct packet p = {.t = (double)h->ts.tv_sec + (double)h->ts.tv_usec / 1e9};

        if (at == SIZE_MAX) {
            fprintf(stderr, "tapstack %s: link type %s is not known\n", who,
                    pcap_datalink_val_to_name(link));
            return -1;
        }
        if (at < h->caplen && parse_ip(data + at, h->caplen - at, h->len - at, &p))
            take(cap, &p);
    }
    if (r == PCAP_ERROR)
        fprintf(stderr, "tapstack %s: the capture ends badly: %s\n", who, pcap_geterr(pc));
    return 0;
}

static void describe(const struct conn *c, int side, struct plot *out)
{
    char a[INET6_ADDRSTRLEN], b[INET6_ADDRSTRLEN];
    const char *open = c->family == AF_INET ? "" : "[", *close = c->family == AF_INET ? "" : "]";

    inet_ntop(c->family, c->addr[side], a, sizeof(a));
    inet_ntop(c->family, c->addr[!side], b, sizeof(b));
    snprintf(out->title, sizeof(out->title), "%s%s%s:%u to %s%s%s:%u", open, a, close,
             c->port[side], open, b, close, c->port[!side]);
    snprintf(out->note, sizeof(out->note),
             "from a capture: flight and round trip are estimated where it was taken%s",
             c->flow[side].edge.n ? "" : "; without its SYNs the window cannot be known");
}

/* The busiest one moves to the plot. */
static int choose(const char *who, struct capture *cap, struct plot *out)
{
    struct conn *best = NULL;
    int side = 0;

    for (size_t i = 0; i < cap->n; i++) {
        for (int k = 0; k < 2; k++) {
            const struct plot_flow *f = &cap->conns[i]->flow[k];

            if (f->bytes && (!best || f->bytes > best->flow[side].bytes)) {
                best = cap->conns[i];
                side = k;
            }
        }
    }
    if (!best) {
        fprintf(stderr, "tapstack %s: there is no TCP data in it\n", who);
        return -1;
    }
    if (cap->left_out)
        fprintf(stderr, "tapstack %s: only the first %u connections were looked at\n", who,
                CONNS_MOST);
    describe(best, side, out);
    out->flow = best->flow[side];
    plot_flow_init(&best->flow[side]);
    return 0;
}

int plot_pcap(const char *who, const char *path, uint16_t port, struct plot *out)
{
    struct capture cap = {.port = port, .conns = calloc(CONNS_MOST, sizeof(struct conn *))};
    char error[PCAP_ERRBUF_SIZE];
    pcap_t *pc = pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, error);
    int r = -1;

    if (!pc || !cap.conns)
        fprintf(stderr, "tapstack %s: %s: %s\n", who, path, pc ? "no memory" : error);
    else
        r = read_all(who, pc, &cap);
    if (pc)
        pcap_close(pc);
    if (r == 0)
        r = choose(who, &cap, out);
    for (size_t i = 0; i < cap.n; i++) {
        plot_flow_free(&cap.conns[i]->flow[0]);
        plot_flow_free(&cap.conns[i]->flow[1]);
        free(cap.conns[i]);
    }
    free(cap.conns);
    return r;
}
