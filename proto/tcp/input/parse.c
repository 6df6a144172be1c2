/* SPDX-License-Identifier: MIT */
/*
 * Parsing: wire bytes to a checked struct tcp_seg (RFC 9293 §3.1, §3.2; RFC 7323; RFC 2018).
 *
 * A length below 2 or past the end of the header stops option parsing; what was read before stays
 * (Linux). An option of a known kind with the wrong length is ignored. Options that only a SYN may
 * carry are ignored elsewhere.
 */
#include "proto/base/checksum.h"
#include "proto/tcp/tcp.h"

#include <errno.h>
#include <string.h>

enum {
    OPT_END = 0,
    OPT_NOP = 1,
    OPT_MSS = 2,
    OPT_WSCALE = 3,
    OPT_SACK_OK = 4,
    OPT_SACK = 5,
    OPT_TS = 8,
    OPT_UTO = 28,
    OPT_ACCECN0 = 172,
    OPT_ACCECN1 = 174
};

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void parse_sack(struct tcp_options *o, const uint8_t *p, uint32_t len)
{
    if (len < 8 || len % 8 != 0)
        return;
    for (uint32_t i = 0; i + 8 <= len && o->n_sack < TCP_MAX_SACKS; i += 8) {
        o->sack[o->n_sack].start = get32(p + i);
        o->sack[o->n_sack].end = get32(p + i + 4);
        o->n_sack++;
    }
}

/* Whole fields count, whatever is behind them (RFC 9768 §3.2.3). */
static void parse_accecn(struct accecn_option *o, bool order, const uint8_t *p, uint32_t len)
{
    o->present = true;
    o->order = order;
    o->n = 0;
    for (uint32_t i = 0; i + 3 <= len && o->n < ACCECN_FIELDS; i += 3)
        o->field[o->n++] = (uint32_t)p[i] << 16 | (uint32_t)p[i + 1] << 8 | p[i + 2];
}

static void parse_option(struct tcp_options *o, uint8_t kind, const uint8_t *p, uint32_t len,
                         bool syn)
{
    switch (kind) {
    case OPT_MSS:
        if (len == 2 && syn && get16(p)) {
            o->has_mss = true;
            o->mss = get16(p);
        }
        break;
    case OPT_WSCALE:
        if (len == 1 && syn) {
            o->has_wscale = true;
            o->wscale = p[0] > TCP_MAX_WSCALE ? TCP_MAX_WSCALE : p[0];
        }
        break;
    case OPT_SACK_OK:
        if (len == 0 && syn)
            o->sack_ok = true;
        break;
    case OPT_TS:
        if (len == 8) {
            o->has_ts = true;
            o->tsval = get32(p);
            o->tsecr = get32(p + 4);
        }
        break;
    case OPT_SACK:
        parse_sack(o, p, len);
        break;
    case OPT_UTO:
        if (len == 2)
            o->uto = get16(p);
        break;
    case OPT_ACCECN0:
    case OPT_ACCECN1:
        parse_accecn(&o->accecn, kind == OPT_ACCECN1, p, len);
        break;
    default:
        break;
    }
}

/* Timestamps and nothing else, in the form that RFC 7323 Appendix A recommends: nearly all segments
 * of a connection. */
static bool is_timestamps_alone(const uint8_t *p, uint32_t n)
{
    static const uint8_t head[4] = {OPT_NOP, OPT_NOP, OPT_TS, 10};

    return n == TCP_TIMESTAMP_SPACE && !memcmp(p, head, sizeof(head));
}

/* Returns false when the list is malformed. */
static bool parse_options(struct tcp_options *o, const uint8_t *p, uint32_t n, bool syn)
{
    uint32_t i = 0;

    if (is_timestamps_alone(p, n)) {
        parse_option(o, OPT_TS, p + 4, 8, syn);
        return true;
    }
    while (i < n) {
        uint32_t len;

        if (p[i] == OPT_END)
            return true;
        if (p[i] == OPT_NOP) {
            i++;
            continue;
        }
        if (i + 1 >= n)
            return false;
        len = p[i + 1];
        if (len < 2 || i + len > n)
            return false;
        parse_option(o, p[i], p + i + 2, len - 2, syn);
        i += len;
    }
    return true;
}

static bool checksum_ok(const struct packet *p)
{
    bool v4 = ip_addr_is_v4(&p->src);
    uint32_t sum;

    if (p->csum != FRAME_CSUM_NONE)
        return true;
    sum = csum_pseudo(v4 ? ip_addr_v4_bytes(&p->src) : p->src.b,
                      v4 ? ip_addr_v4_bytes(&p->dst) : p->dst.b, v4 ? 4 : 16, IP_PROTO_TCP, p->len);
    return csum_fold(csum_partial(p->payload, p->len, sum)) == 0;
}

int tcp_parse(struct stack *st, const struct packet *p, struct tcp_seg *seg)
{
    const uint8_t *h = p->payload;
    uint32_t doff;

    if (p->len < TCP_HEADER_LEN)
        return -EINVAL;
    doff = (uint32_t)(h[12] >> 4) * 4;
    if (doff < TCP_HEADER_LEN || doff > p->len)
        return -EINVAL;
    if (!checksum_ok(p))
        return -EBADMSG;
    memset(seg, 0, sizeof(*seg));
    seg->packet = p;
    seg->src_port = get16(h);
    seg->dst_port = get16(h + 2);
    seg->seq = get32(h + 4);
    seg->ack = get32(h + 8);
    seg->flags = (uint16_t)(h[13] | (h[12] & 1) << 8);
    seg->reserved = h[12] >> 1 & 7;
    seg->window = get16(h + 14);
    seg->urgent = get16(h + 18);
    seg->header_len = doff;
    seg->data = h + doff;
    seg->len = p->len - doff;
    seg->end_seq = seg->seq + seg->len + !!(seg->flags & TH_SYN) + !!(seg->flags & TH_FIN);
    seg->n_segs = p->gso && p->gso_size ? (seg->len + p->gso_size - 1) / p->gso_size : 1;
    if (seg->n_segs == 0)
        seg->n_segs = 1;
    if (!parse_options(&seg->opt, h + TCP_HEADER_LEN, doff - TCP_HEADER_LEN, seg->flags & TH_SYN))
        COUNT(st, tcp_in_bad_option);
    return 0;
}
