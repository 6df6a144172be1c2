/* SPDX-License-Identifier: MIT */
/*
 * Descriptors in messages: none leaks, none is inherited, none is lost unsaid.
 */
#include "ipc/fdpass.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

static int pair[2];

static int open_pair(void **state)
{
    (void)state;
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
}

static int close_pair(void **state)
{
    (void)state;
    close(pair[0]);
    close(pair[1]);
    return 0;
}

static int open_descriptors(void)
{
    int n = 0;

    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static void a_descriptor_arrives_close_on_exec(void **state)
{
    int fds[FDPASS_MAX], flags;
    size_t n_fds;
    char buf[16];

    (void)state;
    assert_int_equal(fdpass_send(pair[0], "hi", 2, pair[0], 0), 2);
    assert_int_equal(fdpass_recv(pair[1], buf, sizeof(buf), fds, &n_fds, 0, &flags), 2);
    assert_memory_equal(buf, "hi", 2);
    assert_int_equal(n_fds, 1);
    assert_int_equal(fcntl(fds[0], F_GETFD), FD_CLOEXEC);
    assert_int_equal(flags & (MSG_TRUNC | MSG_CTRUNC), 0);
    fdpass_close(fds, n_fds);
    assert_int_equal(fcntl(fds[0], F_GETFD), -1);
}

static void a_message_without_one_has_none(void **state)
{
    int fds[FDPASS_MAX];
    size_t n_fds = 99;
    char buf[16];

    (void)state;
    assert_int_equal(fdpass_send(pair[0], "x", 1, -1, 0), 1);
    assert_int_equal(fdpass_recv(pair[1], buf, sizeof(buf), fds, &n_fds, 0, NULL), 1);
    assert_int_equal(n_fds, 0);
}

static void send_all(int sock, size_t n)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(FDPASS_MAX * sizeof(int))];
    } control = {0};
    struct iovec iov = {"x", 1};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.bytes,
                         .msg_controllen = CMSG_SPACE(n * sizeof(int))};
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(n * sizeof(int));
    for (size_t i = 0; i < n; i++)
        memcpy(CMSG_DATA(c) + i * sizeof(int), &pair[0], sizeof(int));
    assert_int_equal(sendmsg(sock, &msg, 0), 1);
}

static void all_that_a_message_can_carry_are_received(void **state)
{
    int fds[FDPASS_MAX], flags, before = open_descriptors();
    size_t n_fds;
    char buf[16];

    (void)state;
    send_all(pair[0], FDPASS_MAX);
    assert_int_equal(fdpass_recv(pair[1], buf, sizeof(buf), fds, &n_fds, 0, &flags), 1);
    assert_int_equal(n_fds, FDPASS_MAX);
    assert_int_equal(flags & MSG_CTRUNC, 0);
    fdpass_close(fds, n_fds);
    assert_int_equal(open_descriptors(), before);
}

static void a_lack_of_slots_is_reported(void **state)
{
    struct rlimit old, low;
    int fds[FDPASS_MAX], flags, next = dup(pair[0]);
    size_t n_fds;
    char buf[16];

    if (getenv("TAPSTACK_TEST_VALGRIND")) {
        print_message("SKIP: valgrind keeps descriptors of its own below the limit\n");
        skip();
    }

    (void)state;
    close(next);
    send_all(pair[0], 5);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    low = old;
    low.rlim_cur = (rlim_t)next + 2;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    assert_int_equal(fdpass_recv(pair[1], buf, sizeof(buf), fds, &n_fds, 0, &flags), 1);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_true(n_fds <= 2);
    assert_true(flags & MSG_CTRUNC);
    fdpass_close(fds, n_fds);
}

static void a_message_that_is_too_long_is_reported(void **state)
{
    int fds[FDPASS_MAX], flags;
    size_t n_fds;
    char buf[2];

    (void)state;
    assert_int_equal(fdpass_send(pair[0], "long", 4, -1, 0), 4);
    assert_int_equal(fdpass_recv(pair[1], buf, sizeof(buf), fds, &n_fds, 0, &flags), 2);
    assert_true(flags & MSG_TRUNC);
}

static void errors_are_negative_and_closing_keeps_errno(void **state)
{
    int fds[FDPASS_MAX], bad = 9999;
    size_t n_fds = 7;
    char buf[2];

    (void)state;
    assert_int_equal(fdpass_recv(pair[1], buf, 2, fds, &n_fds, MSG_DONTWAIT, NULL), -EAGAIN);
    assert_int_equal(n_fds, 0);
    assert_int_equal(fdpass_send(pair[0], "x", 1, 9999, 0), -EBADF);
    errno = EXDEV;
    fdpass_close(&bad, 1);
    assert_int_equal(errno, EXDEV);
    close(pair[1]);
    /* No SIGPIPE. */
    assert_int_equal(fdpass_send(pair[0], "x", 1, -1, 0), -EPIPE);
    assert_int_equal(fdpass_recv(pair[0], buf, 2, fds, &n_fds, 0, NULL), 0);
}

#define with_pair(name) cmocka_unit_test_setup_teardown(name, open_pair, close_pair)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_pair(a_descriptor_arrives_close_on_exec),
        with_pair(a_message_without_one_has_none),
        with_pair(all_that_a_message_can_carry_are_received),
        with_pair(a_lack_of_slots_is_reported),
        with_pair(a_message_that_is_too_long_is_reported),
        with_pair(errors_are_negative_and_closing_keeps_errno),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
