/* SPDX-License-Identifier: MIT */
/* Frames in software: flattening, completing a checksum, cutting segments; each against a naive
 * construction. */
#include "proto/frame.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/base/rng.h"

#define MAX 65549

static uint8_t payload[MAX], scratch[FRAME_SCRATCH];

static void put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static uint32_t get16(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

/** RFC 1071 §1, word by word in big-endian; returns the folded sum, not complemented. */
static uint32_t naive_sum(const uint8_t *p, size_t n, uint64_t sum)
{
    for (size_t i = 0; i < n; i++)
        sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint32_t)sum;
}

static uint32_t naive_pseudo(const uint8_t *packet, bool v6, uint32_t tcp_len)
{
    uint64_t sum = 6 + (uint64_t)(tcp_len >> 16) + (tcp_len & 0xffff);

    return v6 ? naive_sum(packet + 14 + 8, 32, sum) : naive_sum(packet + 14 + 12, 8, sum);
}

struct shape {
    bool v6;
    uint32_t ip_options, tcp_options;
    uint8_t flags;
    uint32_t seq;
    uint16_t id;
};

/** Ethernet, IP and TCP headers for a packet of n payload bytes, checksums right. Returns the
 * headers' length. */
static uint32_t naive_headers(uint8_t *out, const struct shape *s, const uint8_t *data, uint32_t n)
{
    uint32_t ip_len = s->v6 ? 40 : 20 + s->ip_options, tcp_len = 20 + s->tcp_options, sum;
    uint8_t *ip = out + 14, *tcp = ip + ip_len;

    memset(out, 0x42, 14 + ip_len + tcp_len);
    if (s->v6) {
        put16(out + 12, 0x86dd);
        ip[0] = 0x60;
        put16(ip + 4, tcp_len + n);
        ip[6] = 6;
    } else {
        put16(out + 12, 0x0800);
        ip[0] = (uint8_t)(0x40 | ip_len / 4);
        put16(ip + 2, ip_len + tcp_len + n);
        put16(ip + 4, s->id);
        ip[9] = 6;
        put16(ip + 10, 0);
        put16(ip + 10, ~naive_sum(ip, ip_len, 0));
    }
    put16(tcp + 4, s->seq >> 16);
    put16(tcp + 6, s->seq);
    tcp[12] = (uint8_t)(tcp_len / 4 << 4);
    tcp[13] = s->flags;
    put16(tcp + 16, 0);
    sum = naive_sum(tcp, tcp_len, naive_pseudo(out, s->v6, tcp_len + n));
    put16(tcp + 16, ~naive_sum(data, n, sum));
    return 14 + ip_len + tcp_len;
}

struct collector {
    const struct shape *shape;
    uint32_t total, gso_size, offset, index;
    uint32_t fail_after; /* pieces; 0 for never */
};

/** Each piece must be, byte for byte, what naive_headers makes of its part. */
static int check_piece(void *ctx, struct frame *f)
{
    struct collector *c = ctx;
    uint32_t left = c->total - c->offset, n = left < c->gso_size ? left : c->gso_size, headers;
    struct shape s = *c->shape;
    uint8_t expect[14 + 60 + 60], *flat;

    if (c->fail_after && c->index == c->fail_after)
        return -EAGAIN;
    s.seq += c->offset;
    s.id = (uint16_t)(s.id + c->index);
    if (c->offset > 0)
        s.flags &= 0x7f;
    if (c->offset + n < c->total)
        s.flags &= 0xf6;
    headers = naive_headers(expect, &s, payload + c->offset, n);
    assert_int_equal(f->len, headers);
    assert_int_equal(f->span_len, n);
    assert_int_equal(f->csum, FRAME_CSUM_NONE);
    assert_int_equal(f->gso, FRAME_GSO_NONE);
    assert_int_equal(f->owner, 5);
    assert_int_equal(f->more, c->offset + n < c->total);
    for (unsigned i = 0; i < f->n_spans; i++) {
        const uint8_t *p = f->spans[i].iov_base;

        assert_ptr_equal(p, f->data + f->len); /* one run, and a private copy */
        assert_true(p >= scratch && p + f->spans[i].iov_len <= scratch + sizeof(scratch));
    }
    flat = malloc(headers + n);
    assert_non_null(flat);
    frame_flatten(f, flat);
    assert_memory_equal(flat, expect, headers);
    assert_memory_equal(flat + headers, payload + c->offset, n);
    free(flat);
    c->offset += n;
    c->index++;
    return 0;
}

/** A frame as TCP output makes it: headers in room (when they fit), payload in `n` spans cut at
 * random. */
static void spans_frame(struct frame *f, const struct shape *s, uint32_t len, unsigned n,
                        struct rng *rng)
{
    uint8_t headers[134];
    uint32_t h = naive_headers(headers, s, payload, len), at = 0;

    frame_init(f);
    memcpy(frame_push(f, h), headers, h);
    for (unsigned i = 0; i < n; i++) {
        uint32_t take = i == n - 1 ? len - at : (uint32_t)rng_below(rng, len - at + 1);

        f->spans[i] = (struct iovec){payload + at, take};
        at += take;
    }
    f->n_spans = (uint8_t)n;
    f->span_len = len;
    f->owner = 5;
}

static int fill_payload(void **state)
{
    struct rng rng;

    (void)state;
    rng_init(&rng, (const uint8_t *)"payload for all.");
    for (uint32_t i = 0; i < MAX; i++)
        payload[i] = (uint8_t)rng_u32(&rng);
    return 0;
}

static void segments_from_spans_equal_the_naive_construction(void **state)
{
    struct rng rng;

    (void)state;
    rng_init(&rng, (const uint8_t *)"segments spans..");
    for (int i = 0; i < 400; i++) {
        struct shape s = {.v6 = i % 2,
                          .tcp_options = 4 * (uint32_t)rng_below(&rng, 11),
                          .flags = (uint8_t)rng_u32(&rng),
                          .seq = i % 3 ? rng_u32(&rng) : 0xfffffff0,
                          .id = i % 5 ? (uint16_t)rng_u32(&rng) : 0xfffe};
        uint32_t len = i < 50 ? (uint32_t)i : (uint32_t)rng_between(&rng, 1, 65000);
        struct collector c = {.shape = &s, .total = len};
        struct frame f;

        spans_frame(&f, &s, len, len ? 1 + (unsigned)rng_below(&rng, 4) : 0, &rng);
        f.gso = s.v6 ? FRAME_GSO_TCP6 : FRAME_GSO_TCP4;
        c.gso_size = f.gso_size =
            (uint16_t)rng_between(&rng, i % 7 ? 500 : 1 + len / 100, 9000 + len / 100);
        assert_int_equal(frame_segment(&f, scratch, check_piece, &c), len);
        assert_int_equal(c.offset, len);
        assert_int_equal(c.index, len ? (len + c.gso_size - 1) / c.gso_size : 1);
    }
}

static void segments_from_contiguous_frames_equal_the_naive_construction(void **state)
{
    static uint8_t whole[134 + MAX];
    struct rng rng;

    (void)state;
    rng_init(&rng, (const uint8_t *)"segments whole..");
    for (int i = 0; i < 100; i++) {
        struct shape s = {.v6 = i % 2,
                          .tcp_options = 4 * (uint32_t)rng_below(&rng, 11),
                          .ip_options = i % 2 ? 0 : 4 * (uint32_t)rng_below(&rng, 8),
                          .flags = 0xff,
                          .seq = rng_u32(&rng),
                          .id = (uint16_t)rng_u32(&rng)};
        uint32_t len = (uint32_t)rng_between(&rng, 1, 60000), h;
        struct collector c = {.shape = &s, .total = len};
        struct frame f;

        frame_init(&f);
        h = naive_headers(whole, &s, payload, len);
        memcpy(whole + h, payload, len);
        f.data = whole;
        f.len = h + len + (uint32_t)i % 3; /* padding behind is no payload */
        f.owner = 5;
        f.gso = s.v6 ? FRAME_GSO_TCP6 : FRAME_GSO_TCP4;
        c.gso_size = f.gso_size = (uint16_t)rng_between(&rng, 100, 9000);
        assert_int_equal(frame_segment(&f, scratch, check_piece, &c), len);
        assert_int_equal(c.offset, len);
    }
}

static void a_failing_emit_ends_the_walk_and_tells_how_far_it_got(void **state)
{
    struct shape s = {.flags = 0x18};
    struct collector c = {.shape = &s, .total = 10000, .gso_size = 1000};
    struct frame f;
    struct rng rng;

    (void)state;
    rng_init(&rng, (const uint8_t *)"failing emit....");
    spans_frame(&f, &s, 10000, 3, &rng);
    f.gso = FRAME_GSO_TCP4;
    f.gso_size = 1000;
    c.fail_after = 4;
    assert_int_equal(frame_segment(&f, scratch, check_piece, &c), 4000);
    assert_int_equal(c.index, 4);
}

static int refuse(void *ctx, struct frame *f)
{
    (void)f;
    ++*(int *)ctx;
    return -EAGAIN;
}

static void the_first_refusal_is_the_answer(void **state)
{
    struct shape s = {.flags = 0x10};
    struct frame f;
    struct rng rng;
    int calls = 0;

    (void)state;
    rng_init(&rng, (const uint8_t *)"first refusal...");
    spans_frame(&f, &s, 5000, 1, &rng);
    f.gso = FRAME_GSO_TCP4;
    f.gso_size = 1000;
    assert_int_equal(frame_segment(&f, scratch, refuse, &calls), -EAGAIN);
    assert_int_equal(calls, 1);
}

static int count_pieces(void *ctx, struct frame *f)
{
    (void)f;
    ++*(int *)ctx;
    return 0;
}

static void hostile_01_malformed_offload_frames_are_refused(void **state)
{
    struct shape s = {.flags = 0x10, .tcp_options = 12};
    uint8_t headers[134], *exact;
    struct frame f;
    int calls = 0;
    uint32_t h;

    (void)state;
    for (int v6 = 0; v6 < 2; v6++) {
        s.v6 = v6;
        h = naive_headers(headers, &s, payload, 100);
        for (uint32_t n = 0; n <= h; n++) { /* cut at every byte, payload in a span */
            exact = malloc(n ? n : 1);
            assert_non_null(exact);
            memcpy(exact, headers, n);
            frame_init(&f);
            f.gso = v6 ? FRAME_GSO_TCP6 : FRAME_GSO_TCP4;
            f.gso_size = 50;
            f.data = exact;
            f.len = n;
            f.spans[0] = (struct iovec){payload, 100};
            f.n_spans = 1;
            f.span_len = 100;
            assert_int_equal(frame_segment(&f, scratch, count_pieces, &calls),
                             n < h ? -EINVAL : 100);
            free(exact);
        }
    }
    assert_int_equal(calls, 4);
}

static void hostile_06_offload_fields_that_lie_are_refused(void **state)
{
    struct shape s = {.flags = 0x10};
    struct frame ok, f;
    struct rng rng;
    int calls = 0;

    (void)state;
    rng_init(&rng, (const uint8_t *)"offload lies....");
    spans_frame(&ok, &s, 3000, 2, &rng);
    ok.gso = FRAME_GSO_TCP4;
    ok.gso_size = 1000;
#define REFUSED(change)                                                                            \
    do {                                                                                           \
        f = ok;                                                                                    \
        f.data = f.room + (ok.data - ok.room);                                                     \
        change;                                                                                    \
        assert_int_equal(frame_segment(&f, scratch, count_pieces, &calls), -EINVAL);               \
    } while (0)
    REFUSED(f.gso_size = 0);
    REFUSED(f.gso = FRAME_GSO_NONE);
    REFUSED(f.gso = FRAME_GSO_TCP6);
    REFUSED(f.gso = 99);
    REFUSED(f.span_len = 2999);
    REFUSED(f.n_spans = 5);
    REFUSED(f.n_spans = 255);
    REFUSED(f.data[14] = 0x44);
    REFUSED(f.data[14] = 0x4f);
    REFUSED(f.data[14] = 0x65);
    REFUSED(f.data[14 + 9] = 17);
    REFUSED(put16(f.data + 16, get16(f.data + 16) + 1));
    REFUSED(put16(f.data + 16, 39));
    REFUSED(f.data[34 + 12] = 0x40);
    REFUSED(f.data[34 + 12] = 0xf0);
    REFUSED(put16(f.data + 12, 0x0806));
    assert_int_equal(calls, 0);
}

static void a_partial_checksum_is_completed_over_odd_spans(void **state)
{
    struct rng rng;

    (void)state;
    rng_init(&rng, (const uint8_t *)"partial sums....");
    for (int i = 0; i < 300; i++) {
        struct shape s = {.v6 = i % 2, .flags = 0x10, .tcp_options = 4 * ((uint32_t)i % 11)};
        uint32_t len = (uint32_t)rng_below(&rng, 3000), in_data = i % 3 ? 0 : len / 3, tcp, want;
        uint8_t whole[134 + 3000];
        uint32_t h = naive_headers(whole, &s, payload, len), at = in_data;
        struct frame f;

        memcpy(whole + h, payload, len);
        tcp = s.v6 ? 54 : 34;
        want = get16(whole + tcp + 16);
        put16(whole + tcp + 16, naive_pseudo(whole, s.v6, h - tcp + len));
        frame_init(&f);
        f.data = whole;
        f.len = h + in_data; /* part of the payload, perhaps odd, behind the headers */
        for (unsigned j = 0; j < 4; j++) {
            uint32_t take = j == 3 ? len - at : (uint32_t)rng_below(&rng, len - at + 1);

            f.spans[j] = (struct iovec){payload + at, take};
            at += take;
        }
        f.n_spans = 4;
        f.span_len = len - in_data;
        f.csum = FRAME_CSUM_PARTIAL;
        f.csum_start = (uint16_t)tcp;
        f.csum_offset = 16;
        frame_complete_csum(&f, scratch);
        assert_int_equal(f.csum, FRAME_CSUM_NONE);
        assert_int_equal(get16(f.data + tcp + 16), want);
        assert_int_equal(f.n_spans, 1); /* a private copy of the payload */
        assert_ptr_equal(f.spans[0].iov_base, scratch + FRAME_ROOM);
        assert_memory_equal(f.spans[0].iov_base, payload + in_data, len - in_data);
        if (h + in_data <= FRAME_ROOM)
            assert_ptr_equal(f.data + f.len, f.spans[0].iov_base);
    }
}

static void hostile_06_a_checksum_field_outside_the_headers_is_left_alone(void **state)
{
    static const uint16_t rows[][2] = {{35, 0}, {34, 5}, {34, 65535}, {65535, 0}, {39, 0}, {40, 0}};
    uint8_t *exact = calloc(1, 40);

    (void)state;
    assert_non_null(exact);
    for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct frame f;

        frame_init(&f);
        f.data = exact;
        f.len = i == 0 ? 36 : 40;
        f.csum = FRAME_CSUM_PARTIAL;
        f.csum_start = rows[i][0];
        f.csum_offset = rows[i][1];
        frame_complete_csum(&f, scratch);
        assert_int_equal(f.csum, FRAME_CSUM_PARTIAL);
    }
    free(exact);
}

static void flattening_is_headers_then_spans(void **state)
{
    struct frame f;
    uint8_t out[20];

    (void)state;
    frame_init(&f);
    memcpy(frame_push(&f, 3), "abc", 3);
    f.spans[0] = (struct iovec){payload, 7};
    f.spans[1] = (struct iovec){NULL, 0};
    f.spans[2] = (struct iovec){payload + 7, 10};
    f.n_spans = 3;
    f.span_len = 17;
    assert_int_equal(frame_total(&f), 20);
    frame_flatten(&f, out);
    assert_memory_equal(out, "abc", 3);
    assert_memory_equal(out + 3, payload, 17);
}

static void pushing_headers_moves_the_checksum_start(void **state)
{
    struct frame f;

    (void)state;
    frame_init(&f);
    frame_push(&f, 20);
    f.csum = FRAME_CSUM_PARTIAL;
    f.csum_start = 0;
    frame_push(&f, 20);
    frame_push(&f, 14);
    assert_int_equal(f.csum_start, 34);
    assert_int_equal(f.len, 54);
    assert_ptr_equal(f.data + f.len, f.room + FRAME_ROOM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segments_from_spans_equal_the_naive_construction),
        cmocka_unit_test(segments_from_contiguous_frames_equal_the_naive_construction),
        cmocka_unit_test(a_failing_emit_ends_the_walk_and_tells_how_far_it_got),
        cmocka_unit_test(the_first_refusal_is_the_answer),
        cmocka_unit_test(hostile_01_malformed_offload_frames_are_refused),
        cmocka_unit_test(hostile_06_offload_fields_that_lie_are_refused),
        cmocka_unit_test(a_partial_checksum_is_completed_over_odd_spans),
        cmocka_unit_test(hostile_06_a_checksum_field_outside_the_headers_is_left_alone),
        cmocka_unit_test(flattening_is_headers_then_spans),
        cmocka_unit_test(pushing_headers_moves_the_checksum_start),
    };
    return cmocka_run_group_tests_name("frame", tests, fill_payload, NULL);
}
