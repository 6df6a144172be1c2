/* SPDX-License-Identifier: MIT */
/*
 * ICMP (RFC 792): echo replies, errors in, "destination unreachable" out.
 * An error is believed only as far as its quote goes: it must quote an unfragmented TCP segment
 * from our own address with at least eight bytes of its header (RFC 1122 §3.2.2, RFC 5927); whether
 * it fits a connection is TCP's to say. All output passes one token bucket. Redirects, source
 * quench, timestamps and address masks are not spoken.
 */
#include "proto/base/checksum.h"
#include "proto/ip/ip_internal.h"

#include <errno.h>
#include <string.h>

#define ICMP_TOKEN 1000000u /* micro-tokens */
/* RFC 1812 §4.3.2.3: quote as much as fits without the error exceeding 576 bytes. */
#define ICMP_MAX_QUOTE (576u - IPV4_HEADER - ICMP_HEADER)
#define ICMP_MIN_MTU   68u

void icmp_init(struct stack *st)
{
    st->ip.icmp_tokens = (uint64_t)ICMP_BURST * ICMP_TOKEN;
    st->ip.icmp_refilled = st->now;
}

/** Take one token; false when the bucket is empty. */
static bool icmp_allow(struct stack *st)
{
    const uint64_t full = (uint64_t)ICMP_BURST * ICMP_TOKEN;
    struct ip_state *ip = &st->ip;
    uint64_t elapsed = st->now - ip->icmp_refilled;

    ip->icmp_refilled = st->now;
    /* ICMP_RATE micro-tokens a microsecond; what takes longer than filling the bucket fills it. */
    if (elapsed >= full / ICMP_RATE || ip->icmp_tokens + elapsed * ICMP_RATE >= full)
        ip->icmp_tokens = full;
    else
        ip->icmp_tokens += elapsed * ICMP_RATE;
    if (ip->icmp_tokens < ICMP_TOKEN) {
        COUNT(st, icmp_out_limited);
        return false;
    }
    ip->icmp_tokens -= ICMP_TOKEN;
    return true;
}

/* --- output
 * -----------------------------------------------------------------------------------------------
 */

/** Send an ICMP message: eight header bytes with a zero checksum, and up to two pieces of data. */
static int icmp_output(struct stack *st, const struct packet *to, uint8_t tos,
                       const uint8_t header[ICMP_HEADER], const struct iovec *data, int n)
{
    struct ip_flow flow = {.src = to->dst, .dst = to->src, .proto = IP_PROTO_ICMP, .tos = tos};
    struct frame f;
    uint16_t sum;

    frame_init(&f);
    memcpy(frame_push(&f, ICMP_HEADER), header, ICMP_HEADER);
    for (int i = 0; i < n; i++) {
        f.spans[i] = data[i];
        f.span_len += (uint32_t)data[i].iov_len;
    }
    f.n_spans = (uint8_t)n;
    sum = csum_fold(csum_iov(data, n, csum_partial(f.data, ICMP_HEADER, 0)));
    memcpy(f.data + 2, &sum, 2);
    /* Not atomic in the sense of RFC 6864 (a router may fragment it), so the identification must
     * vary. */
    flow.id = (uint16_t)rng_u32(&st->rng);
    return ip_output(st, &f, &flow, NULL);
}

static void icmp_echo(struct stack *st, const struct packet *p)
{
    uint8_t header[ICMP_HEADER] = {ICMP_ECHO_REPLY};
    struct iovec data = {.iov_base = (void *)(uintptr_t)(p->payload + ICMP_HEADER),
                         .iov_len = p->len - ICMP_HEADER};

    COUNT(st, icmp_in_echo);
    if (p->broadcast || !ip_speaks(st) || !icmp_allow(st))
        return; /* RFC 1122 §3.2.2.6 allows silence to broadcasts: they are for smurfs */
    memcpy(header + 4, p->payload + 4, 4);
    /* The reply has the request's DSCP, but says nothing about ECN. */
    if (icmp_output(st, p, (uint8_t)(p->tos & ~IP_ECN_MASK), header, &data, 1) >= 0)
        COUNT(st, icmp_out_echo_replies);
}

/** RFC 1122 §3.2.2, RFC 1812 §4.3.2.7: about which packets no error may be sent. */
static bool icmp_may_answer(const struct packet *p)
{
    if (p->broadcast || ip_addr_v4_bytes(&p->src)[0] >= 240)
        return false;
    if (wire_get16(p->header + IPV4_FRAGMENT) & IPV4_OFFSET)
        return false;
    if (p->proto != IP_PROTO_ICMP)
        return true;
    /* Of ICMP itself only queries; unknown types may be errors of the future. */
    return p->len > 0 && (p->payload[0] == ICMP_ECHO || p->payload[0] == ICMP_ECHO_REPLY);
}

static void icmp_error_out(struct stack *st, const struct packet *p, uint8_t type, uint8_t code)
{
    const uint8_t header[ICMP_HEADER] = {type, code};
    uint32_t room = ICMP_MAX_QUOTE - p->header_len;
    struct iovec quote[2] = {
        {.iov_base = (void *)(uintptr_t)p->header, .iov_len = p->header_len},
        {.iov_base = (void *)(uintptr_t)p->payload, .iov_len = p->len < room ? p->len : room},
    };

    if (!icmp_may_answer(p) || !ip_speaks(st) || !icmp_allow(st))
        return;
    if (icmp_output(st, p, 0, header, quote, 2) >= 0)
        COUNT(st, icmp_out_errors);
}

void icmp_unreachable(struct stack *st, const struct packet *p, uint8_t code)
{
    icmp_error_out(st, p, ICMP_UNREACHABLE, code);
}

void icmp_time_exceeded(struct stack *st, const struct packet *p, uint8_t code)
{
    icmp_error_out(st, p, ICMP_TIME_EXCEEDED, code);
}

/* --- errors in
 * -------------------------------------------------------------------------------------------- */

/** What each code of "destination unreachable" means to a program (RFC 1122 §3.2.2.1, §4.2.3.9). */
static const struct {
    int error;
    bool hard;
} icmp_unreach[16] = {
    [0] = {ENETUNREACH, false},   [1] = {EHOSTUNREACH, false},  [2] = {ENOPROTOOPT, true},
    [3] = {ECONNREFUSED, true},   [4] = {EMSGSIZE, false},      [5] = {EOPNOTSUPP, false},
    [6] = {ENETUNREACH, false},   [7] = {EHOSTDOWN, false},     [8] = {ENONET, false},
    [9] = {ENETUNREACH, false},   [10] = {EHOSTUNREACH, false}, [11] = {ENETUNREACH, false},
    [12] = {EHOSTUNREACH, false}, [13] = {EHOSTUNREACH, false}, [14] = {EHOSTUNREACH, false},
    [15] = {EHOSTUNREACH, false},
};

/** Routers older than RFC 1191 name no MTU: the next plateau below the quoted packet's length (§7,
 * table 7-1). */
static uint32_t icmp_plateau(uint32_t total)
{
    static const uint16_t plateaus[] = {32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296};

    for (size_t i = 0; i < sizeof(plateaus) / sizeof(plateaus[0]); i++)
        if (plateaus[i] < total)
            return plateaus[i];
    return ICMP_MIN_MTU;
}

/** Translate type and code; false when they mean nothing to us. */
static bool icmp_classify(const struct packet *p, uint32_t quoted_total, int64_t no_pmtu_disc,
                          struct icmp_error *e)
{
    e->type = p->payload[0];
    e->code = p->payload[1];
    switch (e->type) {
    case ICMP_UNREACHABLE:
        if (e->code > 15)
            return false;
        e->error = icmp_unreach[e->code].error;
        e->hard = icmp_unreach[e->code].hard;
        if (e->code != ICMP_UNREACH_NEEDFRAG)
            return true;
        if (no_pmtu_disc == 2)
            return false; /* as Linux: PMTU messages are not listened to */
        e->mtu = wire_get16(p->payload + 6);
        if (no_pmtu_disc == 1)
            e->mtu = ICMP_MIN_MTU;
        if (e->mtu == 0)
            e->mtu = icmp_plateau(quoted_total);
        return e->mtu >= ICMP_MIN_MTU; /* RFC 1191 §3: every link carries 68 */
    case ICMP_TIME_EXCEEDED:
        e->error = EHOSTUNREACH;
        return true;
    case ICMP_PARAMETER:
        e->error = EPROTO;
        return true;
    default:
        return false;
    }
}

/** Read the quoted packet, which may be cut anywhere. Returns its IP header's length, 0 for a
 * useless quote. */
static uint32_t icmp_quote(const uint8_t *q, uint32_t len, struct icmp_error *e)
{
    uint32_t header_len;

    if (len < IPV4_HEADER || q[0] >> 4 != 4)
        return 0;
    header_len = (q[0] & 15u) * 4;
    if (header_len < IPV4_HEADER || len < header_len + sizeof(e->quoted))
        return 0;
    e->src = ip_addr_v4(q + IPV4_SRC);
    e->dst = ip_addr_v4(q + IPV4_DST);
    e->proto = q[IPV4_PROTO];
    memcpy(e->quoted, q + header_len, sizeof(e->quoted));
    return header_len;
}

static void icmp_error_input(struct stack *st, const struct packet *p)
{
    const uint8_t *q = p->payload + ICMP_HEADER;
    struct icmp_error e = {0};

    if (!icmp_quote(q, p->len - ICMP_HEADER, &e)) {
        COUNT(st, icmp_in_bad);
        return;
    }
    /* A later fragment quotes data where the ports should be; ICMP about ICMP ends here too. */
    if (p->broadcast || !ip_is_ours(st, &e.src) || e.proto != IP_PROTO_TCP ||
        (wire_get16(q + IPV4_FRAGMENT) & IPV4_OFFSET) != 0 ||
        !icmp_classify(p, wire_get16(q + IPV4_TOTAL), st->tcp.tunables.no_pmtu_disc, &e) ||
        !tcp_icmp_input(st, &e)) {
        COUNT(st, icmp_in_errors_ignored);
        return;
    }
    COUNT(st, icmp_in_errors);
}

void icmp_input(struct stack *st, const struct packet *p)
{
    COUNT(st, icmp_in);
    if (p->len < ICMP_HEADER ||
        (p->csum != FRAME_CSUM_VALID && csum_fold(csum_partial(p->payload, p->len, 0)) != 0)) {
        COUNT(st, icmp_in_bad);
        return;
    }
    switch (p->payload[0]) {
    case ICMP_ECHO:
        icmp_echo(st, p);
        break;
    case ICMP_UNREACHABLE:
    case ICMP_TIME_EXCEEDED:
    case ICMP_PARAMETER:
        icmp_error_input(st, p);
        break;
    case ICMP_SOURCE_QUENCH: /* RFC 6633 */
    case ICMP_REDIRECT:      /* one gateway: there is nothing to redirect to */
        COUNT(st, icmp_in_errors_ignored);
        break;
    default: /* RFC 1122 §3.2.2: unknown types are silently discarded */
        break;
    }
}
