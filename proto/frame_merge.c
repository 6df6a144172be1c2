/* SPDX-License-Identifier: MIT */
/*
 * Receive offload in software, the opposite of frame_segment.c: consecutive TCP segments of one
 * connection become one large frame, as a device (or Linux's GRO) makes it, so that the core is
 * asked once for all of them. Merged is only what one header can say: the same addresses, ports,
 * service, window, acknowledgement and options, plain ACK flags, sequence numbers without a gap,
 * full size but for the last. A piece counts only with both its checksums right; everything else
 * stays a frame of its own, for the core to judge.
 */
#include "proto/frame.h"

#include "proto/base/checksum.h"
#include "proto/ip/wire.h"

#define TCP_HEADER   20
#define TCP_SEQ      4
#define TCP_ACK      8
#define TCP_DATA_OFF 12
#define TCP_FLAGS    13
#define TCP_WINDOW   14
#define TCP_CHECKSUM 16
#define TCP_URGENT   18
#define FLAG_PSH     0x08
#define FLAG_ACK     0x10
#define PROTO_TCP    6
#define TCP_AT       (ETH_HEADER + IPV4_HEADER)

/* One segment of n bytes of payload, which sum up to `payload`: checksums, and an IP length that
 * fits. */
static bool piece_is_sound(const uint8_t *headers, uint32_t headers_len, uint32_t n,
                           uint32_t payload)
{
    const uint8_t *ip = headers + ETH_HEADER;
    uint32_t tcp_len = headers_len - TCP_AT + n, sum;

    if (wire_get16(ip + IPV4_TOTAL) != IPV4_HEADER + tcp_len ||
        csum_fold(csum_partial(ip, IPV4_HEADER, 0)) != 0)
        return false;
    sum = csum_pseudo(ip + IPV4_SRC, ip + IPV4_DST, 4, PROTO_TCP, tcp_len);
    sum = csum_partial(headers + TCP_AT, headers_len - TCP_AT, sum);
    return csum_fold(csum_combine(sum, payload, 0)) == 0; /* headers are a multiple of four */
}

/* For one more of full size. */
static bool has_room(const struct frame_merge *m)
{
    return m->len - ETH_HEADER + m->size <= FRAME_MAX_PACKET;
}

bool frame_merge_begin(struct frame_merge *m, uint8_t *frame, uint32_t len)
{
    const uint8_t *ip = frame + ETH_HEADER, *tcp = frame + TCP_AT;

    *m = (struct frame_merge){.frame = frame, .len = len};
    if (len < TCP_AT + TCP_HEADER || wire_get16(frame + ETH_TYPE) != ETH_TYPE_IPV4 ||
        ip[0] != 0x45 || ip[IPV4_PROTO] != PROTO_TCP ||
        (wire_get16(ip + IPV4_FRAGMENT) & (IPV4_MF | IPV4_OFFSET)) || tcp[TCP_FLAGS] != FLAG_ACK)
        return false;
    m->headers_len = TCP_AT + (uint32_t)(tcp[TCP_DATA_OFF] >> 4) * 4;
    if (m->headers_len < TCP_AT + TCP_HEADER || m->headers_len >= len ||
        len - m->headers_len > UINT16_MAX)
        return false;
    m->size = len - m->headers_len;
    m->verified = piece_is_sound(frame, m->headers_len, m->size,
                                 csum_partial(frame + m->headers_len, m->size, 0));
    m->pieces = 1;
    m->open = m->verified && has_room(m);
    return m->open;
}

/* All but lengths, identification, sequence number, PSH and checksums. */
static bool same_headers(const uint8_t *a, const uint8_t *b, uint32_t headers_len)
{
    const uint8_t *ai = a + ETH_HEADER, *bi = b + ETH_HEADER, *at = a + TCP_AT, *bt = b + TCP_AT;

    return memcmp(a, b, ETH_HEADER) == 0 && memcmp(ai, bi, IPV4_TOTAL) == 0 &&
           memcmp(ai + IPV4_FRAGMENT, bi + IPV4_FRAGMENT, IPV4_CHECKSUM - IPV4_FRAGMENT) == 0 &&
           memcmp(ai + IPV4_SRC, bi + IPV4_SRC, IPV4_HEADER - IPV4_SRC) == 0 &&
           memcmp(at, bt, TCP_SEQ) == 0 &&
           memcmp(at + TCP_ACK, bt + TCP_ACK, TCP_FLAGS - TCP_ACK) == 0 &&
           memcmp(at + TCP_WINDOW, bt + TCP_WINDOW, TCP_CHECKSUM - TCP_WINDOW) == 0 &&
           memcmp(at + TCP_URGENT, bt + TCP_URGENT, headers_len - TCP_AT - TCP_URGENT) == 0;
}

/* Do these headers continue it, with n bytes of payload? */
static bool continues(const struct frame_merge *m, const uint8_t *headers, uint32_t n)
{
    const uint8_t *tcp = headers + TCP_AT;
    uint32_t payload = m->len - m->headers_len;

    return m->open && n > 0 && n <= m->size &&
           wire_get32(tcp + TCP_SEQ) == wire_get32(m->frame + TCP_AT + TCP_SEQ) + payload &&
           (tcp[TCP_FLAGS] & ~FLAG_PSH) == FLAG_ACK &&
           same_headers(m->frame, headers, m->headers_len);
}

static void join(struct frame_merge *m, const uint8_t *headers, uint32_t n)
{
    m->len += n;
    m->push = headers[TCP_AT + TCP_FLAGS] & FLAG_PSH;
    m->open = !m->push && n == m->size && has_room(m);
    m->pieces++;
}

bool frame_merge_add(struct frame_merge *m, const uint8_t *headers, uint32_t n)
{
    if (!continues(m, headers, n) ||
        !piece_is_sound(headers, m->headers_len, n, csum_partial(m->frame + m->len, n, 0)))
        return false;
    join(m, headers, n);
    return true;
}

bool frame_merge_copy(struct frame_merge *m, const uint8_t *frame, uint32_t len)
{
    uint32_t n = len > m->headers_len ? len - m->headers_len : 0;

    if (!continues(m, frame, n) ||
        !piece_is_sound(frame, m->headers_len, n,
                        csum_copy(m->frame + m->len, frame + m->headers_len, n)))
        return false;
    join(m, frame, n);
    return true;
}

void frame_merge_end(const struct frame_merge *m, struct frame *out)
{
    uint8_t *ip = m->frame + ETH_HEADER, *tcp = m->frame + TCP_AT;
    uint16_t sum;

    frame_init(out);
    out->data = m->frame;
    out->len = m->len;
    if (m->verified)
        out->csum = FRAME_CSUM_VALID;
    if (m->pieces < 2)
        return;
    wire_put16(ip + IPV4_TOTAL, m->len - ETH_HEADER);
    memset(ip + IPV4_CHECKSUM, 0, 2);
    sum = csum_fold(csum_partial(ip, IPV4_HEADER, 0));
    memcpy(ip + IPV4_CHECKSUM, &sum, 2);
    if (m->push)
        tcp[TCP_FLAGS] |= FLAG_PSH;
    sum = (uint16_t)~csum_fold(
        csum_pseudo(ip + IPV4_SRC, ip + IPV4_DST, 4, PROTO_TCP, m->len - TCP_AT));
    memcpy(tcp + TCP_CHECKSUM, &sum, 2);
    out->gso = FRAME_GSO_TCP4;
    out->gso_size = (uint16_t)m->size;
    out->csum = FRAME_CSUM_PARTIAL;
    out->csum_start = TCP_AT;
    out->csum_offset = TCP_CHECKSUM;
}
