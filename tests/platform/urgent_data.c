/* SPDX-License-Identifier: MIT */
/*
 * Urgent data is the pair's own MSG_OOB: one byte, POLLPRI, SIOCATMARK, reads that stop at the
 * mark, SO_OOBINLINE, SIGURG; and how it meets the byte that the daemon keeps unread in its end.
 */
#include "tests/platform/platform.h"

static char buf[64];
static volatile sig_atomic_t urgent_signals;

static void on_sigurg(int number unused)
{
    urgent_signals++;
}

static int at_mark(int fd)
{
    int n = -1;
    assert_int_equal(ioctl(fd, SIOCATMARK, &n), 0);
    return n;
}

static void put_urgent(int fd, const char *text)
{
    size_t len = strlen(text);
    assert_int_equal(send(fd, text, len, MSG_OOB | MSG_NOSIGNAL), (ssize_t)len);
}

static void the_last_byte_of_an_oob_send_is_urgent_and_sets_pollpri(void **state unused)
{
    struct pair s = stream_pair();
    put(s.d, "abc", 3);
    assert_int_equal(poll_mask(s.p), POLLIN | POLLOUT);
    put_urgent(s.d, "xyU");
    assert_int_equal(poll_mask(s.p), POLLIN | POLLOUT | POLLPRI);
    assert_int_equal(recv(s.p, buf, sizeof(buf), MSG_OOB), 1);
    assert_int_equal(buf[0], 'U');
    assert_int_equal(poll_mask(s.p), POLLIN | POLLOUT);
    assert_errno(recv(s.p, buf, sizeof(buf), MSG_OOB), EINVAL);
    assert_int_equal(recv(s.p, buf, sizeof(buf), 0), 5);
    assert_memory_equal(buf, "abcxy", 5);
    assert_errno(recv(s.p, buf, sizeof(buf), 0), EAGAIN);
    close_pair(s);
}

static void a_read_stops_at_the_mark_and_siocatmark_tells_it(void **state unused)
{
    struct pair s = stream_pair();
    put(s.d, "abc", 3);
    put_urgent(s.d, "U");
    put(s.d, "def", 3);
    assert_int_equal(at_mark(s.p), 0);
    assert_int_equal(recv(s.p, buf, sizeof(buf), 0), 3);
    assert_int_equal(at_mark(s.p), 1);
    assert_int_equal(recv(s.p, buf, sizeof(buf), MSG_OOB), 1);
    assert_int_equal(at_mark(s.p), 1);
    assert_int_equal(recv(s.p, buf, sizeof(buf), 0), 3);
    assert_memory_equal(buf, "def", 3);
    assert_int_equal(at_mark(s.p), 0);
    close_pair(s);
}

static void a_read_past_an_uncollected_urgent_byte_drops_it(void **state unused)
{
    struct pair s = stream_pair();
    put(s.d, "abc", 3);
    put_urgent(s.d, "U");
    put(s.d, "def", 3);
    assert_int_equal(recv(s.p, buf, sizeof(buf), 0), 3);
    assert_int_equal(recv(s.p, buf, sizeof(buf), 0), 3);
    assert_memory_equal(buf, "def", 3);
    assert_errno(recv(s.p, buf, sizeof(buf), MSG_OOB), EINVAL);
    close_pair(s);
}

static void with_so_oobinline_the_urgent_byte_is_in_the_stream(void **state unused)
{
    struct pair s = stream_pair();
    set_int(s.p, SO_OOBINLINE, 1);
    put(s.d, "abc", 3);
    put_urgent(s.d, "U");
    put(s.d, "def", 3);
    assert_int_equal(poll_mask(s.p), POLLIN | POLLOUT | POLLPRI);
    assert_errno(recv(s.p, buf, sizeof(buf), MSG_OOB), EINVAL);
    assert_int_equal(recv(s.p, buf, sizeof(buf), 0), 3);
    assert_int_equal(at_mark(s.p), 1);
    assert_int_equal(recv(s.p, buf, sizeof(buf), 0), 4);
    assert_memory_equal(buf, "Udef", 4);
    close_pair(s);
}

static void a_second_urgent_byte_makes_the_first_ordinary(void **state unused)
{
    struct pair s = stream_pair();
    put_urgent(s.d, "1");
    put_urgent(s.d, "2");
    assert_int_equal(recv(s.p, buf, sizeof(buf), MSG_OOB), 1);
    assert_int_equal(buf[0], '2');
    ssize_t n = recv(s.p, buf, sizeof(buf), 0);
    assert_int_equal(n, 1);
    assert_int_equal(buf[0], '1');
    close_pair(s);
}

static void an_urgent_byte_can_be_peeked_and_is_counted_by_fionread(void **state unused)
{
    struct pair s = stream_pair();
    put(s.p, "m", 1);
    put_urgent(s.p, "U");
    note("FIONREAD with a kept byte and one urgent byte: %d", readable_bytes(s.d));
    assert_int_equal(recv(s.d, buf, 1, MSG_OOB | MSG_PEEK), 1);
    assert_int_equal(buf[0], 'U');
    assert_int_equal(poll_mask(s.d), POLLIN | POLLOUT | POLLPRI);
    assert_int_equal(recv(s.d, buf, 1, MSG_OOB), 1);
    note("after the urgent byte was taken: %d", readable_bytes(s.d));
    assert_int_equal(recv(s.d, buf, sizeof(buf), 0), 1);
    assert_int_equal(readable_bytes(s.d), 0);
    close_pair(s);
}

static void an_urgent_byte_alone_is_no_data_for_read_after_it_was_taken(void **state unused)
{
    struct pair s = stream_pair();
    put_urgent(s.d, "U");
    note("poll of an urgent byte alone: 0x%x", poll_mask(s.p));
    assert_true(poll_mask(s.p) & POLLPRI);
    assert_int_equal(recv(s.p, buf, 1, MSG_OOB), 1);
    note("poll after it was taken: 0x%x, FIONREAD %d", poll_mask(s.p), readable_bytes(s.p));
    assert_false(poll_mask(s.p) & POLLPRI);
    assert_errno(recv(s.p, buf, sizeof(buf), 0), EAGAIN);
    close_pair(s);
}

static void with_so_oobinline_the_kept_byte_may_be_the_urgent_one(void **state unused)
{
    struct pair s = stream_pair();
    set_int(s.d, SO_OOBINLINE, 1);
    put(s.p, "m", 1);
    put_urgent(s.p, "U");
    assert_int_equal(at_mark(s.d), 0);
    assert_int_equal(recv(s.d, buf, (size_t)readable_bytes(s.d) - 1, 0), 1);
    assert_int_equal(at_mark(s.d), 1);
    assert_int_equal(recv(s.d, buf, sizeof(buf), MSG_PEEK), 1);
    assert_int_equal(buf[0], 'U');
    put(s.p, "def", 3);
    assert_int_equal(at_mark(s.d), 1);
    assert_int_equal(readable_bytes(s.d), 4);
    assert_int_equal(recv(s.d, buf, 3, 0), 3);
    assert_memory_equal(buf, "Ude", 3);
    assert_int_equal(at_mark(s.d), 0);
    close_pair(s);
}

/* 1 if a close of an end that holds `setup`'s queue resets the other, 0 if it is a clean end. */
static int resets(void (*setup)(struct pair))
{
    struct pair s = stream_pair();
    setup(s);
    close(s.d);
    ssize_t n = recv(s.p, buf, sizeof(buf), 0);
    assert_true(n == 0 || errno == ECONNRESET);
    close(s.p);
    return n < 0;
}

static void urgent_unread(struct pair s)
{
    put_urgent(s.p, "U");
}

static void urgent_taken(struct pair s)
{
    put_urgent(s.p, "U");
    assert_int_equal(recv(s.d, buf, 1, MSG_OOB), 1);
}

static void urgent_taken_with_a_kept_byte(struct pair s)
{
    put(s.p, "m", 1);
    urgent_taken(s);
}

static void an_unread_urgent_byte_resets_on_close_and_a_taken_one_does_not(void **state unused)
{
    note("reset on close: urgent unread %d, urgent taken %d", resets(urgent_unread),
         resets(urgent_taken));
    assert_int_equal(resets(urgent_unread), 1);
    assert_int_equal(resets(urgent_taken), 0); /* so a taken urgent byte is no kept byte */
    assert_int_equal(resets(urgent_taken_with_a_kept_byte), 1);
}

static void sigurg_goes_to_the_owner_of_the_reading_end(void **state unused)
{
    struct pair s = stream_pair();
    struct sigaction act = {.sa_handler = on_sigurg}, old;
    assert_int_equal(sigaction(SIGURG, &act, &old), 0);
    assert_int_equal(fcntl(s.p, F_SETOWN, getpid()), 0);
    put_urgent(s.d, "U");
    note("SIGURG delivered: %d", (int)urgent_signals);
    assert_int_equal(urgent_signals, 1);
    sigaction(SIGURG, &old, NULL);
    close_pair(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_byte_of_an_oob_send_is_urgent_and_sets_pollpri),
        cmocka_unit_test(a_read_stops_at_the_mark_and_siocatmark_tells_it),
        cmocka_unit_test(a_read_past_an_uncollected_urgent_byte_drops_it),
        cmocka_unit_test(with_so_oobinline_the_urgent_byte_is_in_the_stream),
        cmocka_unit_test(a_second_urgent_byte_makes_the_first_ordinary),
        cmocka_unit_test(an_urgent_byte_can_be_peeked_and_is_counted_by_fionread),
        cmocka_unit_test(an_urgent_byte_alone_is_no_data_for_read_after_it_was_taken),
        cmocka_unit_test(with_so_oobinline_the_kept_byte_may_be_the_urgent_one),
        cmocka_unit_test(an_unread_urgent_byte_resets_on_close_and_a_taken_one_does_not),
        cmocka_unit_test(sigurg_goes_to_the_owner_of_the_reading_end),
    };
    return cmocka_run_group_tests_name("urgent_data", tests, NULL, NULL);
}
