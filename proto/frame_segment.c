/* SPDX-License-Identifier: MIT */
/*
 * Segmentation offload in software: one large TCP frame becomes the frames that a device would make
 * of it. The headers are copied once and patched for each piece: what all pieces share is summed
 * once, and the payload is summed while it is copied behind them. The rules are those of hardware:
 * IP length and identification and the sequence number advance, FIN and PSH stay with the last
 * piece, CWR with the first (RFC 3168 §6.1.2), checksums are complete.
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
    uint32_t ip_sum;  /**< of the IPv4 header without length and identification */
    uint32_t tcp_sum; /**< of pseudo-header and TCP header without length, sequence number, flags */
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

/** Copy the next n bytes of payload; their sum. */
static uint32_t segment_take(const struct segment_source *s, struct segment_cursor *c, uint32_t n,
                             uint8_t *to)
{
    uint32_t sum = 0, at = 0;

    while (at < n) {
        const struct iovec *v = &s->payload[c->i];
        size_t left = v->iov_len - c->used, take = left < n - at ? left : n - at;

        if (take > 0)
            sum = csum_combine(
                sum, csum_copy(to + at, (const uint8_t *)v->iov_base + c->used, take), at);
        at += (uint32_t)take;
        c->used += take;
        if (c->used == v->iov_len)
            *c = (struct segment_cursor){.i = c->i + 1};
    }
    return sum;
}

/** The headers of all pieces, with zeros in the fields that change, and what the rest of them sums
 * up to. */
static void segment_template(struct segment_source *s, uint8_t *headers)
{
    uint8_t *ip = headers + ETH_HEADER, *tcp = headers + s->tcp;

    memcpy(headers, s->headers, s->headers_len);
    if (!s->v6) {
        memset(ip + IPV4_TOTAL, 0, 2);
        memset(ip + IPV4_ID, 0, 2);
        memset(ip + IPV4_CHECKSUM, 0, 2);
        s->ip_sum = csum_partial(ip, s->tcp - ETH_HEADER, 0);
        s->tcp_sum = csum_pseudo(ip + IPV4_SRC, ip + IPV4_DST, 4, PROTO_TCP, 0);
    } else {
        s->tcp_sum = csum_pseudo(ip + IPV6_SRC, ip + IPV6_DST, 16, PROTO_TCP, 0);
    }
    memset(tcp + TCP_SEQ, 0, 4);
    memset(tcp + TCP_CHECKSUM, 0, 2);
    tcp[TCP_FLAGS] = 0;
    s->tcp_sum = csum_partial(tcp, s->headers_len - s->tcp, s->tcp_sum);
}

/** Put two bytes, and add them to the sum. */
static uint32_t put_and_sum(uint8_t *p, uint32_t v, uint32_t sum)
{
    uint16_t word;

    wire_put16(p, v);
    memcpy(&word, p, 2);
    return csum_combine(sum, word, 0);
}

static void put_checksum(uint8_t *p, uint32_t sum)
{
    uint16_t folded = csum_fold(sum);

    memcpy(p, &folded, 2);
}

/** Length, identification and header checksum of piece number `index`, n payload bytes. */
static void segment_patch_ip(const struct segment_source *s, uint8_t *headers, uint32_t n,
                             uint32_t index)
{
    uint32_t total = s->headers_len - ETH_HEADER + n, sum = s->ip_sum;
    uint8_t *ip = headers + ETH_HEADER;

    if (s->v6) {
        wire_put16(ip + IPV6_LENGTH, total - IPV6_HEADER);
        return;
    }
    sum = put_and_sum(ip + IPV4_TOTAL, total, sum);
    sum = put_and_sum(ip + IPV4_ID, wire_get16(s->headers + ETH_HEADER + IPV4_ID) + index, sum);
    put_checksum(ip + IPV4_CHECKSUM, sum);
}

/** Sequence number, flags and checksum of the piece at `offset`, n bytes that sum up to `payload`.
 */
static void segment_patch_tcp(const struct segment_source *s, uint8_t *headers, uint32_t offset,
                              uint32_t n, uint32_t payload)
{
    const uint8_t *first = s->headers + s->tcp;
    uint8_t *tcp = headers + s->tcp, flags = first[TCP_FLAGS], length[2];
    uint32_t seq = wire_get32(first + TCP_SEQ) + offset;
    uint32_t sum = csum_combine(s->tcp_sum, payload, 0); /* headers are a multiple of four */

    if (offset > 0 && !s->cwr_all)
        flags &= (uint8_t)~TCP_CWR;
    if (offset + n < s->payload_len)
        flags &= (uint8_t) ~(TCP_FIN | TCP_PSH);
    sum = put_and_sum(length, s->headers_len - s->tcp + n, sum);
    sum = put_and_sum(tcp + TCP_SEQ, seq >> 16, sum);
    sum = put_and_sum(tcp + TCP_SEQ + 2, seq, sum);
    sum = put_and_sum(length, flags, sum);
    tcp[TCP_FLAGS] = flags;
    put_checksum(tcp + TCP_CHECKSUM, sum);
}

int64_t frame_segment(const struct frame *f, uint8_t *scratch, frame_emit_fn emit, void *ctx)
{
    struct segment_source s = {0};
    struct segment_cursor cursor = {0};
    uint8_t *payload = scratch + FRAME_ROOM, *headers;
    uint32_t offset = 0, index = 0;
    struct frame piece;

    if (!segment_parse(f, &s))
        return -EINVAL;
    headers = payload - s.headers_len;
    segment_template(&s, headers);
    frame_init(&piece);
    piece.data = headers;
    piece.len = s.headers_len;
    piece.owner = f->owner;
    do {
        uint32_t left = s.payload_len - offset, n = left < f->gso_size ? left : f->gso_size;
        int r;

        segment_patch_ip(&s, headers, n, index++);
        segment_patch_tcp(&s, headers, offset, n, segment_take(&s, &cursor, n, payload));
        piece.span_len = n;
        piece.n_spans = n > 0;
        piece.more = left > n;
        piece.spans[0] = (struct iovec){payload, n};
        r = emit(ctx, &piece);
        if (r < 0)
            return offset > 0 ? (int64_t)offset : r;
        offset += n;
    } while (offset < s.payload_len);
    return offset;
}
