/* SPDX-License-Identifier: MIT */
/* merge_read over a socket that keeps frames apart as a TAP does, by read(2) and out of a ring's
 * batches: no byte is lost or moved, whatever follows what. */
#include "daemon/netdev/merge.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define TCP 34

static int ends[2];
static struct merge merge;
static uint32_t next_seq[2];

static uint16_t fold(const uint8_t *p, size_t n, uint32_t sum)
{
    for (size_t i = 0; i < n; i++)
        sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

static void put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

/* The byte of flow `flow` at sequence number `seq`. */
static uint8_t byte_of(unsigned flow, uint32_t seq)
{
    return (uint8_t)(seq * 31 + seq / 251 + flow * 7);
}

static void send_segment(unsigned flow, uint32_t n)
{
    uint8_t f[2000] = {0};
    uint32_t seq = next_seq[flow];

    put16(f + 12, 0x0800);
    f[14] = 0x45;
    put16(f + 16, 40 + n);
    f[23] = 6;
    f[29] = (uint8_t)flow;
    put16(f + 24, fold(f + 14, 20, 0));
    put16(f + TCP + 4, seq >> 16);
    put16(f + TCP + 6, seq);
    f[TCP + 12] = 0x50;
    f[TCP + 13] = 0x10;
    for (uint32_t i = 0; i < n; i++)
        f[54 + i] = byte_of(flow, seq + i);
    put16(f + TCP + 16, fold(f + TCP, 20 + n, 6 + 20 + n + flow));
    next_seq[flow] += n;
    assert_int_equal(send(ends[0], f, 54 + n, 0), 54 + n);
}

/* The next frame is `n` bytes of flow `flow` from sequence number `seq` on, in so many pieces. */
static void expect(unsigned flow, uint32_t seq, uint32_t n, unsigned pieces)
{
    struct frame f;

    assert_int_equal(merge_read(&merge, ends[1], &f), 0);
    assert_int_equal(f.len, 54 + n);
    assert_int_equal(f.data[29], flow);
    assert_int_equal(f.data[TCP + 6] << 8 | f.data[TCP + 7], seq & 0xffff);
    for (uint32_t i = 0; i < n; i++)
        assert_int_equal(f.data[54 + i], byte_of(flow, seq + i));
    assert_int_equal(f.gso, pieces > 1 ? FRAME_GSO_TCP4 : FRAME_GSO_NONE);
    assert_int_equal(f.csum, pieces > 1 ? FRAME_CSUM_PARTIAL : FRAME_CSUM_VALID);
}

static void expect_nothing(void)
{
    struct frame f;

    assert_int_equal(merge_read(&merge, ends[1], &f), -EAGAIN);
}

static int open_pair(void **state)
{
    (void)state;
    memset(&merge, 0, sizeof(merge));
    memset(next_seq, 0, sizeof(next_seq));
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends);
}

static int open_pair_and_ring(void **state)
{
    int rc = open_pair(state);

    return rc < 0 ? rc : uring_open(ends[1], 1600, &merge.uring);
}

static int close_pair(void **state)
{
    (void)state;
    uring_close(merge.uring);
    close(ends[0]);
    close(ends[1]);
    return 0;
}

static void a_train_is_one_frame_and_then_there_is_nothing(void **state)
{
    (void)state;
    expect_nothing();
    for (int i = 0; i < 9; i++)
        send_segment(0, 1460);
    send_segment(0, 100);
    expect(0, 0, 9 * 1460 + 100, 10);
    expect_nothing();
    send_segment(0, 1460);
    expect(0, 9 * 1460 + 100, 1460, 1);
    expect_nothing();
    expect_nothing();
}

static void interleaved_flows_come_in_order_and_whole(void **state)
{
    (void)state;
    send_segment(0, 1000);
    send_segment(0, 1000);
    send_segment(1, 1000);
    send_segment(0, 1000);
    send_segment(0, 999);
    send_segment(0, 1400);
    expect(0, 0, 2000, 2);
    expect(1, 0, 1000, 1);
    expect(0, 2000, 1999, 2);
    expect(0, 3999, 1400, 1);
    expect_nothing();
}

static void a_frame_shorter_than_the_headers_before_it_is_given_as_it_is(void **state)
{
    struct frame f;

    (void)state;
    send_segment(0, 1000);
    assert_int_equal(send(ends[0], "short", 5, 0), 5);
    send_segment(0, 1000);
    expect(0, 0, 1000, 1);
    assert_int_equal(merge_read(&merge, ends[1], &f), 0);
    assert_int_equal(f.len, 5);
    assert_memory_equal(f.data, "short", 5);
    assert_int_equal(f.csum, FRAME_CSUM_NONE);
    expect(0, 1000, 1000, 1);
    expect_nothing();
}

static void more_than_fits_goes_on_in_the_next_frame(void **state)
{
    unsigned first = 65535 / 1460 - 1; /* and 40 bytes of headers */

    (void)state;
    for (int i = 0; i < 60; i++)
        send_segment(0, 1460);
    while ((first + 1) * 1460 + 40 <= 65535)
        first++;
    expect(0, 0, first * 1460, first);
    expect(0, first * 1460, (60 - first) * 1460, 60 - first);
    expect_nothing();
}

static void many_frames_of_two_flows_lose_and_mix_up_nothing(void **state)
{
    uint32_t given[2] = {0, 0};
    struct frame f;
    int rc;

    (void)state;
    for (unsigned round = 0; round < 50; round++) {
        for (unsigned i = 0; i < 3 + round * 7 % 90; i++) {
            unsigned flow = (round + i / (1 + round % 9)) % 2;

            send_segment(flow, i % 11 == 10 ? 700 : 1400);
        }
        while ((rc = merge_read(&merge, ends[1], &f)) == 0) {
            unsigned flow = f.data[29];
            uint32_t n = f.len - 54;

            assert_int_equal(f.data[TCP + 6] << 8 | f.data[TCP + 7], given[flow] & 0xffff);
            for (uint32_t i = 0; i < n; i++)
                assert_int_equal(f.data[54 + i], byte_of(flow, given[flow] + i));
            given[flow] += n;
        }
        assert_int_equal(rc, -EAGAIN);
        assert_int_equal(given[0], next_seq[0]);
        assert_int_equal(given[1], next_seq[1]);
    }
}

int main(void)
{
#define both(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, open_pair, close_pair),                                  \
    {                                                                                              \
#name "_by_a_ring", name, open_pair_and_ring, close_pair, NULL                             \
    }
    const struct CMUnitTest tests[] = {
        both(a_train_is_one_frame_and_then_there_is_nothing),
        both(interleaved_flows_come_in_order_and_whole),
        both(a_frame_shorter_than_the_headers_before_it_is_given_as_it_is),
        both(more_than_fits_goes_on_in_the_next_frame),
        both(many_frames_of_two_flows_lose_and_mix_up_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
