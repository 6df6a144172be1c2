/* SPDX-License-Identifier: MIT */
/*
 * One unread byte pins the whole message ("skb") it came in, and POLLOUT asks that at most a
 * quarter of the doubled SO_SNDBUF be pinned. A program makes the largest message with sendfile or
 * splice: 16 pages. With SO_SNDBUF at 128 KiB or below such a message alone, one byte of it unread,
 * takes POLLOUT away for ever; from 160 KiB on it does not.
 */
#include "tests/platform/platform.h"
#include <sys/mman.h>
#include <sys/sendfile.h>

#define PAGES_IN_SKB 16
#define FILE_BYTES   (4 << 20)

static char buf[1 << 20];

static int memory_file(void)
{
    int fd = memfd_create("platform", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, FILE_BYTES), 0);
    memset(buf, 'f', sizeof(buf));
    for (size_t at = 0; at < FILE_BYTES; at += sizeof(buf))
        assert_int_equal(pwrite(fd, buf, sizeof(buf), (off_t)at), sizeof(buf));
    return fd;
}

/* Reads until one byte is left. */
static void keep_one(int fd)
{
    int n;
    while ((n = readable_bytes(fd)) > 1)
        assert_true(recv(fd, buf, (size_t)n - 1 < sizeof(buf) ? (size_t)n - 1 : sizeof(buf), 0) >
                    0);
    assert_int_equal(n, 1);
}

static struct pair pair_with_sndbuf(int sndbuf)
{
    struct pair s = stream_pair();
    set_int(s.p, SO_SNDBUF, sndbuf);
    assert_int_equal(get_int(s.p, SO_SNDBUF), 2 * sndbuf);
    return s;
}

/* Splices `len` bytes of the file through one pipe that holds them all at once. */
static void splice_whole(int file, int out, size_t len)
{
    int pipefd[2];
    loff_t at = 0;
    assert_int_equal(pipe2(pipefd, O_CLOEXEC), 0);
    assert_true(fcntl(pipefd[0], F_SETPIPE_SZ, 1 << 20) >= 1 << 20);
    for (size_t in = 0; in < len;) {
        ssize_t n = splice(file, &at, pipefd[1], NULL, len - in, 0);
        assert_true(n > 0);
        in += (size_t)n;
    }
    assert_true(splice(pipefd[0], NULL, out, NULL, len, SPLICE_F_NONBLOCK) > 0);
    close(pipefd[0]);
    close(pipefd[1]);
}

enum how { WRITE, SENDFILE, SPLICE };

/* What one unread byte pins after `len` bytes were sent in the given way. */
static int pinned_after(enum how how, int file, int sndbuf, size_t len, int *mask)
{
    struct pair s = pair_with_sndbuf(sndbuf);
    off_t at = 0;
    if (how == WRITE)
        assert_true(send(s.p, buf, len, MSG_NOSIGNAL) > 0);
    else if (how == SENDFILE)
        assert_true(sendfile(s.p, file, &at, len) > 0);
    else
        splice_whole(file, s.p, len);
    keep_one(s.d);
    int pinned = unconsumed(s.p);
    *mask = poll_mask(s.p);
    close_pair(s);
    return pinned;
}

static int most_pinned(enum how how, int sndbuf, size_t step)
{
    int file = memory_file(), most = 0, mask;
    for (size_t len = step; len <= 160 * KIB; len += step) {
        int pinned = pinned_after(how, file, sndbuf, len, &mask);
        most = pinned > most ? pinned : most;
    }
    close(file);
    return most;
}

static void one_unread_byte_of_plain_writes_pins_at_most_a_chunk(void **state unused)
{
    int most = most_pinned(WRITE, 208 * KIB, 1013);
    note("by write, one unread byte pins at most %d", most);
    assert_in_range(most, 32 * KIB, 38 * KIB);
}

static void one_unread_byte_of_sendfile_or_splice_pins_16_pages(void **state unused)
{
    int page = (int)sysconf(_SC_PAGESIZE);
    int file = most_pinned(SENDFILE, 208 * KIB, 4096), pipe = most_pinned(SPLICE, 208 * KIB, 4096);
    note("by sendfile, one unread byte pins at most %d, by splice from a large pipe %d", file,
         pipe);
    assert_in_range(file, PAGES_IN_SKB * page, PAGES_IN_SKB * page + KIB);
    assert_in_range(pipe, PAGES_IN_SKB * page, PAGES_IN_SKB * page + KIB);
}

/* The smallest SO_SNDBUF, in KiB, at which POLLOUT survives one unread byte of the largest message.
 */
static int smallest_sndbuf_with_pollout(enum how how, size_t from, size_t to, size_t step)
{
    int file = memory_file(), kib;
    for (kib = 16; kib <= 208; kib += 4) {
        bool ok = true;
        for (size_t len = from; ok && len <= to; len += step) {
            int mask;
            pinned_after(how, file, kib * KIB, len, &mask);
            ok = mask & POLLOUT;
        }
        if (ok)
            break;
    }
    close(file);
    return kib;
}

static void pollout_needs_sndbuf_above_128_kib_and_160_kib_is_enough(void **state unused)
{
    int by_write = smallest_sndbuf_with_pollout(WRITE, 16 * KIB, 48 * KIB, 509);
    int by_file = smallest_sndbuf_with_pollout(SENDFILE, 16 * KIB, 96 * KIB, 4096);
    int by_pipe = smallest_sndbuf_with_pollout(SPLICE, 16 * KIB, 96 * KIB, 4096);
    note("POLLOUT survives from SO_SNDBUF %d KiB on (write), %d (sendfile), %d (splice)", by_write,
         by_file, by_pipe);
    assert_true(by_write <= 128);
    assert_true(by_file > 128 && by_file <= 160);
    assert_true(by_pipe > 128 && by_pipe <= 160);
}

static void at_128_kib_pollout_stays_away_until_the_last_byte_is_read(void **state unused)
{
    int file = memory_file();
    off_t at = 0;
    struct pair s = pair_with_sndbuf(128 * KIB);
    assert_int_equal(sendfile(s.p, file, &at, 64 * KIB), 64 * KIB);
    keep_one(s.d);
    assert_int_equal(poll_mask(s.p), 0);
    put(s.p, "a plain write goes in all the same", 34); /* only poll is misled */
    assert_int_equal(poll_mask(s.p), 0);
    keep_one(s.d);
    assert_int_equal(poll_mask(s.p), POLLOUT); /* the newest byte is now of a small message */
    close(file);
    close_pair(s);
}

static void at_160_kib_a_kept_byte_of_any_message_leaves_pollout(void **state unused)
{
    int file = memory_file();
    for (size_t len = 4096; len <= 160 * KIB; len += 4096) {
        for (enum how how = WRITE; how <= SPLICE; how++) {
            int mask;
            pinned_after(how, file, 160 * KIB, len, &mask);
            assert_int_equal(mask, POLLOUT);
        }
    }
    close(file);
}

static void
a_kept_byte_read_and_replaced_by_a_newer_one_frees_the_older_message(void **state unused)
{
    struct pair s = pair_with_sndbuf(160 * KIB);
    put(s.p, buf, 32 * KIB);
    keep_one(s.d);
    int pinned = unconsumed(s.p);
    put(s.p, "n", 1);
    keep_one(s.d);
    assert_true(pinned >= 32 * KIB);
    assert_in_range(unconsumed(s.p), 1, KIB);
    close_pair(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_unread_byte_of_plain_writes_pins_at_most_a_chunk),
        cmocka_unit_test(one_unread_byte_of_sendfile_or_splice_pins_16_pages),
        cmocka_unit_test(pollout_needs_sndbuf_above_128_kib_and_160_kib_is_enough),
        cmocka_unit_test(at_128_kib_pollout_stays_away_until_the_last_byte_is_read),
        cmocka_unit_test(at_160_kib_a_kept_byte_of_any_message_leaves_pollout),
        cmocka_unit_test(a_kept_byte_read_and_replaced_by_a_newer_one_frees_the_older_message),
    };
    return cmocka_run_group_tests_name("kept_byte_pins", tests, NULL, NULL);
}
