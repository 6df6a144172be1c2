/* SPDX-License-Identifier: MIT */
/*
 * Segmentation offload in software: one large TCP frame becomes the frames that a device would make
 * of it. Each piece has its own headers and points into the original's payload, so only headers are
 * copied. The rules are those of hardware: IP length and identification and the sequence number
 * advance, FIN and PSH stay with the last piece, CWR with the first (RFC 3168 §6.1.2), checksums
 * are complete.
 */
#include "proto/frame.h"

#include "proto/base/checksum.h"
#include "proto/ip/wire.h"

#include <errno.h>

#define TCP_HEADER   20
#define TCP_SEQ      4
#define TCP_DATA_OFF 12
#define TCP_FLAGS    13
#define TCP_CHECKSUM 16
#define TCP_FIN      0x01
#define TCP_PSH      0x08
#define TCP_CWR      0x80
#define PROTO_TCP    6

/** The frame taken apart: where its headers end, and its payload as one list of pieces. */
struct segment_source {
    const uint8_t *headers;
    bool v6, cwr_all;
    uint32_t tcp;         /**< the TCP header, from headers */
    uint32_t headers_len; /**< the payload begins here */
    uint32_t payload_len;
    struct iovec payload[FRAME_SPANS + 1];
    unsigned n;
};

/** A position in the payload that only moves forward. */
struct segment_cursor {
    unsigned i;
    size_t used; /**< bytes of payload[i] already taken */
};

/** The length of the IP packet by its own header, and where TCP begins; 0 for what is no TCP over
 * IP. */
static uint32_t segment_ip(const struct frame *f, struct segment_source *s)
{
    const uint8_t *ip = f->data + ETH_HEADER;
    uint32_t header_len, total;

    if (f->gso == FRAME_GSO_TCP4) {
        if (f->len < ETH_HEADER + IPV4_HEADER || wire_get16(f->data + ETH_TYPE) != ETH_TYPE_IPV4)
            return 0;
        header_len = (ip[0] & 15u) * 4;
        total = wire_get16(ip + IPV4_TOTAL);
        if (ip[0] >> 4 != 4 || header_len < IPV4_HEADER || ip[IPV4_PROTO] != PROTO_TCP)
            return 0;
    } else if (f->gso == FRAME_GSO_TCP6) {
        if (f->len < ETH_HEADER + IPV6_HEADER || wire_get16(f->data + ETH_TYPE) != ETH_TYPE_IPV6)
            return 0;
        header_len = IPV6_HEADER;
        total = IPV6_HEADER + (uint32_t)wire_get16(ip + IPV6_LENGTH);
        if (ip[0] >> 4 != 6 || ip[IPV6_NEXT] != PROTO_TCP)
            return 0;
        s->v6 = true;
    } else {
        return 0;
    }
    s->tcp = ETH_HEADER + header_len;
    return total;
}

/** List the payload: what lies behind the headers, then the spans. Returns its length, UINT32_MAX
 * if it is malformed. */
static uint32_t segment_payload(const struct frame *f, struct segment_source *s)
{
    uint64_t spans = 0;

    s->payload[s->n++] =
        (struct iovec){.iov_base = f->data + s->headers_len, .iov_len = f->len - s->headers_len};
    if (f->len == s->headers_len)
        s->n = 0;
    /* A piece may need them all. */
    if (f->n_spans + s->n > FRAME_SPANS)
        return UINT32_MAX;
    for (unsigned i = 0; i < f->n_spans; i++) {
        s->payload[s->n++] = f->spans[i];
        spans += f->spans[i].iov_len;
    }
    return spans == f->span_len ? frame_total(f) - s->headers_len : UINT32_MAX;
}

/** Check everything that the cutting relies on. */
static bool segment_parse(const struct frame *f, struct segment_source *s)
{
    uint32_t total = segment_ip(f, s), doff, have;

    if (total == 0 || f->gso_size == 0 || f->len < s->tcp + TCP_HEADER)
        return false;
    doff = (uint32_t)(f->data[s->tcp + TCP_DATA_OFF] >> 4) * 4;
    s->headers = f->data;
    s->cwr_all = f->cwr_all;
    s->headers_len = s->tcp + doff;
    if (doff < TCP_HEADER || f->len < s->headers_len || s->headers_len > FRAME_ROOM)
        return false;
    have = segment_payload(f, s);
    if (have == UINT32_MAX || ETH_HEADER + total < s->headers_len)
        return false;
    /* The IP header says how much is payload: less than there is means padding, more is a lie. */
    s->payload_len = ETH_HEADER + total - s->headers_len;
    return s->payload_len <= have;
}

/** Point p's spans at the next n bytes of payload. */
static void segment_take(const struct segment_source *s, struct segment_cursor *c, uint32_t n,
                         struct frame *p)
{
    p->span_len = n;
    while (n > 0) {
        const struct iovec *v = &s->payload[c->i];
        size_t take = v->iov_len - c->used < n ? v->iov_len - c->used : n;

        if (take > 0)
            p->spans[p->n_spans++] = (struct iovec){(uint8_t *)v->iov_base + c->used, take};
        c->used += take;
        n -= (uint32_t)take;
        if (c->used == v->iov_len)
            *c = (struct segment_cursor){.i = c->i + 1};
    }
}

/** Length, identification and header checksum of piece number `index`. */
static void segment_patch_ip(const struct segment_source *s, struct frame *p, uint32_t index)
{
    uint8_t *ip = p->data + ETH_HEADER;
    uint16_t sum;

    if (s->v6) {
        wire_put16(ip + IPV6_LENGTH, frame_total(p) - ETH_HEADER - IPV6_HEADER);
        return;
    }
    wire_put16(ip + IPV4_TOTAL, frame_total(p) - ETH_HEADER);
    wire_put16(ip + IPV4_ID, wire_get16(ip + IPV4_ID) + index);
    memset(ip + IPV4_CHECKSUM, 0, 2);
    sum = csum_fold(csum_partial(ip, s->tcp - ETH_HEADER, 0));
    memcpy(ip + IPV4_CHECKSUM, &sum, 2);
}

static void segment_patch_tcp(const struct segment_source *s, struct frame *p, uint32_t offset)
{
    const uint8_t *ip = p->data + ETH_HEADER;
    uint8_t *tcp = p->data + s->tcp;
    uint32_t len = frame_total(p) - s->tcp, sum;
    uint16_t folded;

    wire_put32(tcp + TCP_SEQ, wire_get32(tcp + TCP_SEQ) + offset);
    if (offset > 0 && !s->cwr_all)
        tcp[TCP_FLAGS] &= (uint8_t)~TCP_CWR;
    if (offset + p->span_len < s->payload_len)
        tcp[TCP_FLAGS] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
    memset(tcp + TCP_CHECKSUM, 0, 2);
    if (s->v6)
        sum = csum_pseudo(ip + IPV6_SRC, ip + IPV6_DST, 16, PROTO_TCP, len);
    else
        sum = csum_pseudo(ip + IPV4_SRC, ip + IPV4_DST, 4, PROTO_TCP, len);
    sum =
        csum_partial(tcp, s->headers_len - s->tcp, sum); /* a multiple of four: spans begin even */
    folded = csum_fold(csum_iov(p->spans, p->n_spans, sum));
    memcpy(tcp + TCP_CHECKSUM, &folded, 2);
}

int64_t frame_segment(const struct frame *f, frame_emit_fn emit, void *ctx)
{
    struct segment_source s = {0};
    struct segment_cursor cursor = {0};
    uint32_t offset = 0, index = 0;

    if (!segment_parse(f, &s))
        return -EINVAL;
    do {
        uint32_t left = s.payload_len - offset, n = left < f->gso_size ? left : f->gso_size;
        struct frame piece;
        int r;

        frame_init(&piece);
        piece.owner = f->owner;
        memcpy(frame_push(&piece, s.headers_len), s.headers, s.headers_len);
        segment_take(&s, &cursor, n, &piece);
        segment_patch_ip(&s, &piece, index++);
        segment_patch_tcp(&s, &piece, offset);
        r = emit(ctx, &piece);
        if (r < 0)
            return offset > 0 ? (int64_t)offset : r;
        offset += n;
    } while (offset < s.payload_len);
    return offset;
}
