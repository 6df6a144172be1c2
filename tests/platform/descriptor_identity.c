/* SPDX-License-Identifier: MIT */
/*
 * How a descriptor is recognised. SO_COOKIE names a socket for its whole life: the same through
 * dup, fork and passing, different for each end, never used again. SO_MAX_PACING_RATE means nothing
 * to AF_UNIX, yet is kept per socket, 64 bits wide and settable without privilege: a mark that a
 * process can read off a descriptor without a round trip. It is a hint, since any holder may
 * rewrite it.
 */
#include "tests/platform/platform.h"
#include <grp.h>

static uint64_t cookie(int fd)
{
    uint64_t c = 0;
    socklen_t len = sizeof(c);
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &c, &len), 0);
    assert_int_equal(len, sizeof(c));
    return c;
}

static uint64_t mark(int fd)
{
    uint64_t m = 0;
    socklen_t len = sizeof(m);
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &m, &len), 0);
    assert_int_equal(len, sizeof(m));
    return m;
}

static int set_mark(int fd, uint64_t m)
{
    return setsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &m, sizeof(m)) ? -errno : 0;
}

static int passed(int fd)
{
    struct pair s = stream_pair();
    int copy = -1, flags;
    size_t count;
    char c;
    assert_int_equal(send_fds(s.d, "c", 1, &fd, 1), 0);
    assert_int_equal(receive_fds(s.p, &c, 1, &copy, 1, &count, &flags), 1);
    assert_int_equal(count, 1);
    close_pair(s);
    return copy;
}

static void a_cookie_is_kept_by_dup_and_passing_and_differs_between_the_ends(void **state unused)
{
    struct pair s = stream_pair();
    int copy = dup(s.p), received = passed(s.p);
    assert_true(cookie(s.p) != 0);
    assert_true(cookie(s.p) != cookie(s.d));
    assert_true(cookie(copy) == cookie(s.p));
    assert_true(received != s.p && cookie(received) == cookie(s.p));
    close(copy);
    close(received);
    close_pair(s);
}

static void a_cookie_is_the_same_in_another_process(void **state unused)
{
    struct pair control = pair_of_type(SOCK_SEQPACKET);
    pid_t pid = fork();
    if (pid == 0) {
        uint64_t expected, got = 0;
        socklen_t len = sizeof(got);
        size_t count;
        int fd, flags;
        fcntl(control.p, F_SETFL, 0);
        child_check(receive_fds(control.p, &expected, 8, &fd, 1, &count, &flags) == 8);
        child_check(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &got, &len) == 0 && got == expected);
        child_check(getsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &got, &len) == 0);
        child_check(got == 0x7461707374616b31);
        _exit(0);
    }
    struct pair s = stream_pair();
    uint64_t c = cookie(s.p);
    assert_int_equal(set_mark(s.p, 0x7461707374616b31), 0);
    assert_int_equal(send_fds(control.d, &c, sizeof(c), &s.p, 1), 0);
    assert_int_equal(reap(pid), 0);
    close_pair(s);
    close_pair(control);
}

static void a_cookie_is_not_used_again_after_close(void **state unused)
{
    static uint64_t seen[500];
    for (int i = 0; i < 500; i++) {
        struct pair s = stream_pair();
        seen[i] = cookie(s.p);
        close_pair(s);
        for (int k = 0; k < i; k++)
            assert_true(seen[k] != seen[i]);
    }
}

static void a_cookie_stays_after_the_peer_died(void **state unused)
{
    struct pair s = stream_pair();
    uint64_t c = cookie(s.p);
    close(s.d);
    assert_true(cookie(s.p) == c);
    close(s.p);
}

static void only_sockets_have_cookies(void **state unused)
{
    uint64_t c;
    socklen_t len = sizeof(c);
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_errno(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &c, &len), ENOTSOCK);
    close(fd);
}

static void the_pacing_rate_of_a_fresh_pair_is_all_ones(void **state unused)
{
    struct pair s = stream_pair();
    assert_true(mark(s.d) == UINT64_MAX && mark(s.p) == UINT64_MAX);
    close_pair(s);
}

static void the_pacing_rate_holds_a_64_bit_mark_per_end(void **state unused)
{
    struct pair s = stream_pair();
    int copy, received;
    assert_int_equal(set_mark(s.p, 0x7461707374616b31), 0);
    assert_true(mark(s.p) == 0x7461707374616b31);
    assert_true(mark(s.d) == UINT64_MAX);
    copy = dup(s.p);
    received = passed(s.p);
    assert_true(mark(copy) == 0x7461707374616b31 && mark(received) == 0x7461707374616b31);
    put(s.p, "data flows as before", 20);
    assert_int_equal(readable_bytes(s.d), 20);
    close(s.d);
    assert_true(mark(s.p) == 0x7461707374616b31);
    close(copy);
    close(received);
    close(s.p);
}

static void the_mark_can_be_set_and_rewritten_without_privilege(void **state unused)
{
    struct pair s = stream_pair();
    assert_int_equal(set_mark(s.p, 0x1234567890abcdef), 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (getuid() == 0)
            child_check(setgroups(0, NULL) == 0 && setresgid(64999, 64999, 64999) == 0 &&
                        setresuid(64999, 64999, 64999) == 0);
        int fresh[2];
        child_check(socketpair(AF_UNIX, SOCK_STREAM, 0, fresh) == 0);
        child_check(set_mark(fresh[0], 0xfedcba0987654321) == 0);
        child_check(set_mark(s.p, 0xfedcba0987654321) == 0);
        _exit(0);
    }
    assert_int_equal(reap(pid), 0);
    assert_true(mark(s.p) == 0xfedcba0987654321);
    close_pair(s);
}

static void a_short_option_reads_a_clipped_mark(void **state unused)
{
    struct pair s = stream_pair();
    assert_int_equal(set_mark(s.p, 0x1234567890abcdef), 0);
    note("read as 32 bits: 0x%x", (unsigned)get_int(s.p, SO_MAX_PACING_RATE));
    assert_int_equal(get_int(s.p, SO_MAX_PACING_RATE), -1);
    close_pair(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cookie_is_kept_by_dup_and_passing_and_differs_between_the_ends),
        cmocka_unit_test(a_cookie_is_the_same_in_another_process),
        cmocka_unit_test(a_cookie_is_not_used_again_after_close),
        cmocka_unit_test(a_cookie_stays_after_the_peer_died),
        cmocka_unit_test(only_sockets_have_cookies),
        cmocka_unit_test(the_pacing_rate_of_a_fresh_pair_is_all_ones),
        cmocka_unit_test(the_pacing_rate_holds_a_64_bit_mark_per_end),
        cmocka_unit_test(the_mark_can_be_set_and_rewritten_without_privilege),
        cmocka_unit_test(a_short_option_reads_a_clipped_mark),
    };
    return cmocka_run_group_tests_name("descriptor_identity", tests, NULL, NULL);
}
