/* SPDX-License-Identifier: MIT */
/* Segments merged as they come from a device without offload: the opposite of cutting, and only
 * where one header can say it all. */
#include "proto/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/base/checksum.h"
#include "proto/base/rng.h"
#include "proto/ip/wire.h"

#define MOST  70000
#define TCP   34
#define FLAGS (TCP + 13)

static uint8_t payload[MOST], scratch[FRAME_SCRATCH], room[2 * MOST];

/* --- pieces, made by frame_segment -------------------------------------------------------------
 */

struct pieces {
    uint8_t frame[64][2200];
    uint32_t len[64];
    unsigned n;
};

static struct pieces cut;
static bool whole; /* pieces lie elsewhere, whole */

static int keep(void *ctx, struct frame *f)
{
    struct pieces *p = ctx;

    assert_true(p->n < 64 && frame_total(f) <= sizeof(p->frame[0]));
    p->len[p->n] = frame_total(f);
    frame_flatten(f, p->frame[p->n++]);
    return 0;
}

/* One large frame: Ethernet, IPv4 and TCP with timestamps, n bytes of payload. Headers' length. */
static uint32_t build(uint8_t *h, uint32_t n, uint8_t flags, uint32_t options)
{
    uint32_t len = TCP + 20 + options;
    uint16_t sum;

    memset(h, 0x42, len);
    wire_put16(h + ETH_TYPE, ETH_TYPE_IPV4);
    h[14] = 0x45;
    wire_put16(h + 14 + IPV4_TOTAL, len - 14 + n);
    wire_put16(h + 14 + IPV4_FRAGMENT, IPV4_DF);
    h[14 + IPV4_PROTO] = 6;
    memset(h + 14 + IPV4_CHECKSUM, 0, 2);
    sum = csum_fold(csum_partial(h + 14, 20, 0));
    memcpy(h + 14 + IPV4_CHECKSUM, &sum, 2);
    h[TCP + 12] = (uint8_t)((20 + options) / 4 << 4);
    h[FLAGS] = flags;
    return len;
}

static uint32_t cut_up(uint32_t n, uint16_t size, uint8_t flags, uint32_t options)
{
    uint8_t headers[128];
    struct frame f;
    uint32_t len = build(headers, n, flags, options);

    frame_init(&f);
    memcpy(frame_push(&f, len), headers, len);
    f.spans[0] = (struct iovec){payload, n};
    f.n_spans = 1;
    f.span_len = n;
    f.gso = FRAME_GSO_TCP4;
    f.gso_size = size;
    cut.n = 0;
    assert_int_equal(frame_segment(&f, scratch, keep, &cut), n);
    return len;
}

static bool begin(struct frame_merge *m, unsigned i)
{
    memcpy(room, cut.frame[i], cut.len[i]);
    return frame_merge_begin(m, room, cut.len[i]);
}

/* Piece i as a device's reader hands it over: its payload behind what is there, or not. */
static bool add(struct frame_merge *m, unsigned i)
{
    uint32_t n = cut.len[i] - m->headers_len;

    if (whole)
        return frame_merge_copy(m, cut.frame[i], cut.len[i]);
    memcpy(m->frame + m->len, cut.frame[i] + m->headers_len, n);
    return frame_merge_add(m, cut.frame[i], n);
}

static void checksums(uint8_t *frame, uint32_t len)
{
    uint8_t *ip = frame + 14, *tcp = frame + TCP;
    uint16_t sum;

    memset(ip + IPV4_CHECKSUM, 0, 2);
    sum = csum_fold(csum_partial(ip, 20, 0));
    memcpy(ip + IPV4_CHECKSUM, &sum, 2);
    memset(tcp + 16, 0, 2);
    sum = csum_fold(csum_partial(tcp, len - TCP, csum_pseudo(ip + 12, ip + 16, 4, 6, len - TCP)));
    memcpy(tcp + 16, &sum, 2);
}

static int fill(void **state)
{
    struct rng rng;

    (void)state;
    rng_init(&rng, (const uint8_t *)"merged payload..");
    for (uint32_t i = 0; i < MOST; i++)
        payload[i] = (uint8_t)rng_u32(&rng);
    return 0;
}

/* --- tests -------------------------------------------------------------------------------------
 */

static void what_was_cut_is_one_frame_again(void **state)
{
    struct rng rng;

    (void)state;
    rng_init(&rng, (const uint8_t *)"cut and merged..");
    for (int round = 0; round < 500; round++) {
        uint16_t size = (uint16_t)rng_between(&rng, 1000, 2000);
        uint32_t n = (uint32_t)rng_between(&rng, size + 1u, 60000);
        uint32_t options = 4 * (uint32_t)rng_below(&rng, 11);
        uint8_t flags = round % 2 ? 0x18 : 0x10, again[FRAME_ROOM];
        uint32_t headers = cut_up(n, size, flags, options);
        struct frame_merge m;
        struct frame f;

        assert_true(begin(&m, 0));
        for (unsigned i = 1; i < cut.n; i++)
            assert_true(add(&m, i));
        frame_merge_end(&m, &f);
        assert_int_equal(f.len, headers + n);
        assert_memory_equal(f.data + headers, payload, n);
        assert_int_equal(f.gso, FRAME_GSO_TCP4);
        assert_int_equal(f.gso_size, size);
        assert_int_equal(f.csum, FRAME_CSUM_PARTIAL);
        assert_int_equal(f.csum_start, TCP);
        assert_int_equal(f.csum_offset, 16);
        build(again, n, flags, options);
        assert_memory_equal(f.data, again, TCP + 16); /* IP length, id and checksum; flags */
        assert_memory_equal(f.data + TCP + 18, again + TCP + 18, headers - TCP - 18);
        frame_complete_csum(&f, NULL); /* and the sum that it leaves is right */
        assert_int_equal(f.csum, FRAME_CSUM_NONE);
        assert_int_equal(
            csum_fold(csum_partial(f.data + TCP, f.len - TCP,
                                   csum_pseudo(f.data + 26, f.data + 30, 4, 6, f.len - TCP))),
            0);
    }
}

static void one_alone_is_left_as_it_is_and_verified(void **state)
{
    struct frame_merge m;
    struct frame f;

    (void)state;
    cut_up(1000, 1448, 0x10, 12);
    assert_true(begin(&m, 0));
    frame_merge_end(&m, &f);
    assert_int_equal(f.csum, FRAME_CSUM_VALID);
    assert_int_equal(f.gso, FRAME_GSO_NONE);
    assert_int_equal(f.len, cut.len[0]);
    assert_memory_equal(f.data, cut.frame[0], f.len);
}

static void a_short_piece_or_a_push_is_the_last_one(void **state)
{
    struct frame_merge m;

    (void)state;
    cut_up(4 * 1448, 1448, 0x10, 12);
    assert_true(begin(&m, 0));
    cut.frame[1][FLAGS] |= 8;
    checksums(cut.frame[1], cut.len[1]);
    assert_true(add(&m, 1));
    assert_false(m.open);
    assert_false(add(&m, 2));
    cut_up(2 * 1448, 1448, 0x10, 12);
    assert_true(begin(&m, 0));
    cut.len[1] -= 1;
    wire_put16(cut.frame[1] + 16, cut.len[1] - 14);
    checksums(cut.frame[1], cut.len[1]);
    assert_true(add(&m, 1));
    assert_false(m.open);
}

static void never_more_than_an_ip_packet_can_be(void **state)
{
    struct frame_merge m;
    struct frame f;
    unsigned i = 1;

    (void)state;
    cut_up(65400, 2000, 0x10, 12);
    for (unsigned j = 1; j < cut.n; j++) /* all of full size */
        assert_true(j == cut.n - 1 || cut.len[j] == cut.len[0]);
    assert_true(begin(&m, 0));
    while (m.open && i < cut.n - 1)
        assert_true(add(&m, i++));
    assert_false(m.open);
    frame_merge_end(&m, &f);
    assert_true(f.len - 14 <= FRAME_MAX_PACKET);
}

static void a_piece_that_differs_stays_a_frame_of_its_own(void **state)
{
    /* offset in the frame, what is added to the byte there */
    static const uint8_t rows[][2] = {
        {0, 1},        {6, 1},        {15, 1},      {20, 64},      {22, 1},       {26, 1},
        {33, 1},       {TCP, 1},      {TCP + 3, 1}, {TCP + 7, 1},  {TCP + 4, 1},  {TCP + 11, 1},
        {TCP + 8, 1},  {FLAGS, 1},    {FLAGS, 2},   {FLAGS, 0x20}, {FLAGS, 0x40}, {FLAGS, 0x80},
        {TCP + 15, 1}, {TCP + 19, 1}, {TCP + 31, 1}};
    struct frame_merge m;

    (void)state;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        cut_up(3 * 1448, 1448, 0x10, 12);
        assert_true(begin(&m, 0));
        cut.frame[1][rows[i][0]] = (uint8_t)(cut.frame[1][rows[i][0]] + rows[i][1]);
        checksums(cut.frame[1], cut.len[1]);
        assert_false(add(&m, 1));
        assert_true(m.open);
        assert_int_equal(m.pieces, 1);
    }
    cut_up(3 * 1448, 1448, 0x10, 12);
    assert_true(begin(&m, 0));
    assert_false(add(&m, 2)); /* a gap */
    assert_true(add(&m, 1));
    assert_true(add(&m, 2));
}

static void hostile_06_a_wrong_sum_or_length_never_joins(void **state)
{
    struct frame_merge m;
    struct frame f;

    (void)state;
    for (uint32_t at = 0; at < 200; at++) {
        uint32_t i = 14 + at * 7; /* a byte of each part, headers and payload */

        cut_up(2 * 1448, 1448, 0x10, 12);
        assert_true(begin(&m, 0));
        cut.frame[1][i] ^= 0x10;
        assert_false(add(&m, 1));
        cut.frame[0][i] ^= 0x10;
        assert_false(begin(&m, 0));
        frame_merge_end(&m, &f);
        assert_int_equal(f.csum, FRAME_CSUM_NONE);
        assert_int_equal(f.len, cut.len[0]);
    }
}

static void hostile_01_frames_cut_anywhere_are_left_alone(void **state)
{
    struct frame_merge m;

    (void)state;
    cut_up(100, 1448, 0x10, 12);
    for (uint32_t n = 0; n < cut.len[0]; n++) {
        uint8_t *exact = malloc(n ? n : 1);

        assert_non_null(exact);
        memcpy(exact, cut.frame[0], n);
        assert_false(frame_merge_begin(&m, exact, n));
        free(exact);
    }
}

static void without_text_or_with_a_short_header_nothing_begins(void **state)
{
    struct frame_merge m;
    uint32_t headers;

    (void)state;
    headers = cut_up(2 * 1448, 1448, 0x10, 0);
    assert_true(begin(&m, 0));
    cut.frame[0][TCP + 12] = 4 << 4;
    checksums(cut.frame[0], cut.len[0]);
    assert_false(begin(&m, 0));
    cut_up(2 * 1448, 1448, 0x10, 0);
    cut.len[0] = headers;
    wire_put16(cut.frame[0] + 14 + IPV4_TOTAL, headers - 14);
    checksums(cut.frame[0], headers);
    assert_false(begin(&m, 0));
}

static int in_place(void **state)
{
    (void)state;
    whole = false;
    return 0;
}

static int copied(void **state)
{
    (void)state;
    whole = true;
    return 0;
}

int main(void)
{
#define both(name)                                                                                 \
    cmocka_unit_test_setup(name, in_place),                                                        \
    {                                                                                              \
#name "_copied", name, copied, NULL, NULL                                                  \
    }
    const struct CMUnitTest tests[] = {
        both(what_was_cut_is_one_frame_again),
        cmocka_unit_test(one_alone_is_left_as_it_is_and_verified),
        both(a_short_piece_or_a_push_is_the_last_one),
        both(never_more_than_an_ip_packet_can_be),
        both(a_piece_that_differs_stays_a_frame_of_its_own),
        both(hostile_06_a_wrong_sum_or_length_never_joins),
        cmocka_unit_test(without_text_or_with_a_short_header_nothing_begins),
        cmocka_unit_test(hostile_01_frames_cut_anywhere_are_left_alone),
    };
    return cmocka_run_group_tests(tests, fill, NULL);
}
