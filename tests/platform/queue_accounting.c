/* SPDX-License-Identifier: MIT */
/*
 * What the two ends of a stream pair can ask about its queues. FIONREAD is payload and exact.
 * SIOCOUTQ is memory in the kernel's accounting: it counts whole messages ("skbs"), falls by a
 * whole one when its last byte is read, and is 0 exactly when everything was read. So "is anything
 * unconsumed" is exact, and "how much" is known to the granularity of the writes.
 */
#include "tests/platform/platform.h"

static char buf[1 << 20];
static const size_t sizes[] = {1, 100, 1024, 4096, 16384, 32768, 65536, 204800};
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static struct pair roomy_pair(void)
{
    struct pair s = stream_pair();
    set_int(s.d, SO_SNDBUF, 208 * KIB); /* what an untuned machine allows without privilege */
    return s;
}

static void fionread_is_the_payload_of_all_queued_writes(void **state unused)
{
    struct pair s = roomy_pair();
    int total = 0;
    for (size_t i = 0; i < SIZES - 1; i++) {
        put(s.d, buf, sizes[i]);
        total += (int)sizes[i];
        assert_int_equal(readable_bytes(s.p), total);
    }
    assert_int_equal(recv(s.p, buf, 777, 0), 777);
    assert_int_equal(readable_bytes(s.p), total - 777);
    close_pair(s);
}

static void outq_counts_the_memory_of_a_write_and_returns_to_0_when_all_is_read(void **state unused)
{
    for (size_t i = 0; i < SIZES; i++) {
        struct pair s = roomy_pair();
        ssize_t sent = send(s.d, buf, sizes[i], MSG_NOSIGNAL);
        assert_int_equal(sent, sizes[i]);
        int cost = unconsumed(s.d);
        note("write of %zu: SIOCOUTQ %d, %d over the payload", sizes[i], cost, cost - (int)sent);
        assert_true(cost > (int)sent);
        assert_true(cost >= 768); /* the least, for a single byte */
        assert_true(cost <= (int)sent + 1024 + (int)sent / 8 + 4096);
        assert_int_equal(drain(s.p), sent);
        assert_int_equal(unconsumed(s.d), 0);
        close_pair(s);
    }
}

static void equal_writes_cost_the_same_each(void **state unused)
{
    for (size_t i = 0; i < 4; i++) {
        struct pair s = roomy_pair();
        put(s.d, buf, sizes[i]);
        int one = unconsumed(s.d);
        for (int n = 2; n <= 10; n++) {
            put(s.d, buf, sizes[i]);
            assert_int_equal(unconsumed(s.d), n * one);
        }
        for (int n = 9; n >= 0; n--) {
            assert_int_equal(recv(s.p, buf, sizes[i], 0), sizes[i]);
            assert_int_equal(unconsumed(s.d), n * one);
        }
        close_pair(s);
    }
}

static void outq_does_not_fall_while_a_write_is_partly_read(void **state unused)
{
    struct pair s = roomy_pair();
    put(s.d, buf, 16384);
    int cost = unconsumed(s.d);
    for (int i = 0; i < 16383; i++) {
        assert_int_equal(recv(s.p, buf, 1, 0), 1);
        assert_int_equal(unconsumed(s.d), cost);
    }
    assert_int_equal(recv(s.p, buf, 1, 0), 1);
    assert_int_equal(unconsumed(s.d), 0);
    close_pair(s);
}

/* Reads byte by byte and notes after how many each fall of SIOCOUTQ comes: the size of each skb. */
static size_t first_chunk(struct pair s, size_t total)
{
    size_t largest = 0, since = 0;
    int last = unconsumed(s.d);
    for (size_t at = 0; at < total; at += 4) {
        assert_int_equal(recv(s.p, buf, 4, 0), 4);
        since += 4;
        if (unconsumed(s.d) != last) {
            note("  a chunk of %zu bytes freed %d", since, last - unconsumed(s.d));
            last = unconsumed(s.d);
            largest = since > largest ? since : largest;
            since = 0;
        }
    }
    assert_int_equal(last, 0);
    return largest;
}

static void a_large_write_is_cut_into_chunks_that_are_freed_one_by_one(void **state unused)
{
    struct pair s = roomy_pair();
    note("write of 128 KiB");
    put(s.d, buf, 128 * KIB);
    size_t largest = first_chunk(s, 128 * KIB);
    assert_true(largest >= 32 * KIB && largest <= 37 * KIB);
    close_pair(s);
}

static void a_writev_is_one_message_as_a_write_is(void **state unused)
{
    struct pair s = roomy_pair();
    struct iovec v[4] = {{buf, 1000}, {buf, 1000}, {buf, 1000}, {buf, 1000}};
    struct msghdr m = {.msg_iov = v, .msg_iovlen = 4};
    put(s.d, buf, 4000);
    int one = unconsumed(s.d);
    assert_int_equal(sendmsg(s.d, &m, MSG_NOSIGNAL), 4000);
    assert_int_equal(unconsumed(s.d), 2 * one);
    close_pair(s);
}

static void outq_is_of_the_writers_end_only(void **state unused)
{
    struct pair s = roomy_pair();
    put(s.d, buf, 100);
    assert_int_equal(unconsumed(s.p), 0);
    assert_int_equal(readable_bytes(s.d), 0);
    close_pair(s);
}

static void pollout_is_false_above_a_quarter_of_the_doubled_sndbuf(void **state unused)
{
    struct pair s = roomy_pair();
    int sndbuf = get_int(s.d, SO_SNDBUF);
    assert_int_equal(sndbuf, 2 * 208 * KIB);
    while (poll_mask(s.d) & POLLOUT) {
        assert_true(unconsumed(s.d) * 4 <= sndbuf);
        put(s.d, buf, 1);
    }
    assert_true(unconsumed(s.d) * 4 > sndbuf);
    note("SO_SNDBUF 208 KiB, writes of 1 byte: POLLOUT ends after %d", readable_bytes(s.p));
    put(s.d, buf, 1); /* a write still goes in without POLLOUT */
    close_pair(s);
}

static void a_buffer_takes_a_whole_chunk_beyond_sndbuf_before_eagain(void **state unused)
{
    static const size_t steps[] = {1, 1024, 4096, 1 << 20};
    for (size_t i = 0; i < 4; i++) {
        struct pair s = roomy_pair();
        while (send(s.d, buf, steps[i], MSG_NOSIGNAL) > 0)
            ;
        assert_int_equal(errno, EAGAIN);
        note("SO_SNDBUF 208 KiB, writes of %zu: %d bytes go in, SIOCOUTQ %d", steps[i],
             readable_bytes(s.p), unconsumed(s.d));
        assert_true(unconsumed(s.d) >= get_int(s.d, SO_SNDBUF));
        assert_true(unconsumed(s.d) <= get_int(s.d, SO_SNDBUF) + 40 * KIB);
        close_pair(s);
    }
}

static void a_read_joins_the_writes_that_are_queued(void **state unused)
{
    struct pair s = roomy_pair();
    for (int i = 0; i < 10; i++)
        put(s.d, buf, 100);
    assert_int_equal(recv(s.p, buf, sizeof(buf), 0), 1000);
    close_pair(s);
}

static void the_receivers_so_rcvbuf_bounds_nothing(void **state unused)
{
    struct pair s = roomy_pair();
    set_int(s.p, SO_RCVBUF, 4096);
    put(s.d, buf, 100 * KIB);
    assert_int_equal(readable_bytes(s.p), 100 * KIB);
    close_pair(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fionread_is_the_payload_of_all_queued_writes),
        cmocka_unit_test(outq_counts_the_memory_of_a_write_and_returns_to_0_when_all_is_read),
        cmocka_unit_test(equal_writes_cost_the_same_each),
        cmocka_unit_test(outq_does_not_fall_while_a_write_is_partly_read),
        cmocka_unit_test(a_large_write_is_cut_into_chunks_that_are_freed_one_by_one),
        cmocka_unit_test(a_writev_is_one_message_as_a_write_is),
        cmocka_unit_test(outq_is_of_the_writers_end_only),
        cmocka_unit_test(pollout_is_false_above_a_quarter_of_the_doubled_sndbuf),
        cmocka_unit_test(a_buffer_takes_a_whole_chunk_beyond_sndbuf_before_eagain),
        cmocka_unit_test(a_read_joins_the_writes_that_are_queued),
        cmocka_unit_test(the_receivers_so_rcvbuf_bounds_nothing),
    };
    return cmocka_run_group_tests_name("queue_accounting", tests, NULL, NULL);
}
