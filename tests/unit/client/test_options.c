/* SPDX-License-Identifier: MIT */
/*
 * ts_getsockopt, ts_setsockopt, ts_sendmsg and ts_info: what is answered here, what is asked, what
 * goes without an answer.
 */
#include "client/include/tapstack.h"
#include "client/lib/info.h"
#include "tests/unit/client/fake_daemon.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

#define assert_errno(call, expected)                                                               \
    do {                                                                                           \
        errno = 0;                                                                                 \
        assert_int_equal((call), -1);                                                              \
        assert_int_equal(errno, (expected));                                                       \
    } while (0)

static int get_int(int fd, int level, int name)
{
    int v = -1;
    socklen_t len = sizeof(v);

    assert_int_equal(ts_getsockopt(fd, level, name, &v, &len), 0);
    assert_int_equal(len, sizeof(v));
    return v;
}

static void constants_are_a_tcp_sockets_without_asking(void **state)
{
    struct fake_daemon *d = *state;
    int fd = ts_socket(AF_INET, SOCK_STREAM, 0), six = ts_socket(AF_INET6, SOCK_STREAM, 0);
    int before = d->n_log, v = 1;

    assert_int_equal(get_int(fd, SOL_SOCKET, SO_TYPE), SOCK_STREAM);
    assert_int_equal(get_int(fd, SOL_SOCKET, SO_DOMAIN), AF_INET);
    assert_int_equal(get_int(six, SOL_SOCKET, SO_DOMAIN), AF_INET6);
    assert_int_equal(get_int(fd, SOL_SOCKET, SO_PROTOCOL), IPPROTO_TCP);
    assert_int_equal(get_int(fd, SOL_SOCKET, SO_ACCEPTCONN), 0);
    assert_errno(ts_setsockopt(fd, SOL_SOCKET, SO_TYPE, &v, sizeof(v)), ENOPROTOOPT);
    assert_int_equal(d->n_log, before);
    assert_int_equal(ts_listen(fd, 1), 0);
    assert_int_equal(get_int(fd, SOL_SOCKET, SO_ACCEPTCONN), 1);
    close(fd);
    close(six);
}

static void timeouts_work_on_the_descriptor_itself(void **state)
{
    struct fake_daemon *d = *state;
    int fd = ts_socket(AF_INET, SOCK_STREAM, 0), before = d->n_log;
    struct timeval tv = {.tv_usec = 20000};
    char byte;

    assert_int_equal(ts_setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0);
    assert_errno(read(fd, &byte, 1), EAGAIN);
    assert_int_equal(d->n_log, before);
    close(fd);
}

static void a_short_buffer_gets_a_part_of_the_value(void **state)
{
    int fd = ts_socket(AF_INET, SOCK_STREAM, 0);
    unsigned char v[4] = {9, 9, 9, 9};
    socklen_t len = 1;

    (void)state;
    assert_int_equal(ts_getsockopt(fd, SOL_SOCKET, SO_ERROR, v, &len), 0);
    assert_int_equal(len, 1);
    assert_int_equal(v[0], 42);
    assert_int_equal(v[1], 9);
    len = (socklen_t)-1;
    assert_errno(ts_getsockopt(fd, SOL_SOCKET, SO_ERROR, v, &len), EINVAL);
    assert_errno(ts_getsockopt(fd, SOL_SOCKET, SO_ERROR, v, NULL), EFAULT);
    assert_errno(ts_setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, NULL, 4), EFAULT);
    assert_errno(ts_setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, v, (socklen_t)-1), EINVAL);
    close(fd);
}

/* A value that claims to be longer than its message. */
static bool lie(struct fake_daemon *d, const struct fake_request *rq)
{
    struct wire_option body = {.len = 200};

    (void)d;
    if (rq->hdr.op != WIRE_OP_GETSOCKOPT)
        return false;
    fake_daemon_reply(rq, 0, &body, WIRE_OPTION_HEAD + 4, -1);
    return true;
}

static void a_value_longer_than_its_message_is_not_copied(void **state)
{
    struct fake_daemon *d = *state;
    int fd = ts_socket(AF_INET, SOCK_STREAM, 0);
    unsigned char v[256] = {7};
    socklen_t len = sizeof(v);

    d->hook = lie;
    assert_errno(ts_getsockopt(fd, SOL_SOCKET, SO_ERROR, v, &len), ENOTCONN);
    assert_int_equal(v[0], 7);
    close(fd);
}

static uint32_t flags_of_set(struct fake_daemon *d, int fd, int level, int name, int v)
{
    int n = fake_daemon_count(d, WIRE_OP_SETSOCKOPT);

    assert_int_equal(ts_setsockopt(fd, level, name, &v, sizeof(v)), 0);
    fake_daemon_wait(d, WIRE_OP_SETSOCKOPT, n + 1);
    return d->log[d->n_log - 1].flags;
}

static void options_that_cannot_fail_are_not_waited_for(void **state)
{
    struct fake_daemon *d = *state;
    int fd = ts_socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(flags_of_set(d, fd, IPPROTO_TCP, TCP_NODELAY, 1), WIRE_NO_REPLY);
    assert_int_equal(flags_of_set(d, fd, IPPROTO_TCP, TCP_QUICKACK, 1), WIRE_NO_REPLY);
    assert_int_equal(flags_of_set(d, fd, SOL_SOCKET, SO_KEEPALIVE, 1), WIRE_NO_REPLY);
    assert_int_equal(flags_of_set(d, fd, IPPROTO_TCP, TCP_CORK, 0), WIRE_NO_REPLY);
    assert_int_equal(flags_of_set(d, fd, IPPROTO_TCP, TCP_KEEPIDLE, 300), WIRE_NO_REPLY);
    assert_int_equal(flags_of_set(d, fd, IPPROTO_TCP, TCP_KEEPINTVL, 32767), WIRE_NO_REPLY);
    assert_int_equal(flags_of_set(d, fd, IPPROTO_TCP, TCP_KEEPCNT, 127), WIRE_NO_REPLY);
    /* The daemon refuses these. */
    assert_int_equal(flags_of_set(d, fd, IPPROTO_TCP, TCP_KEEPIDLE, 0), 0);
    assert_int_equal(flags_of_set(d, fd, IPPROTO_TCP, TCP_KEEPINTVL, 32768), 0);
    assert_int_equal(flags_of_set(d, fd, IPPROTO_TCP, TCP_KEEPCNT, 128), 0);
    /* Bytes written after it must find it in force. */
    assert_int_equal(flags_of_set(d, fd, IPPROTO_TCP, TCP_CORK, 1), 0);
    assert_int_equal(flags_of_set(d, fd, IPPROTO_TCP, TCP_MAXSEG, 1000), 0);
    assert_int_equal(flags_of_set(d, fd, SOL_SOCKET, SO_REUSEADDR, 1), 0);
    close(fd);
}

static bool unknown_option(struct fake_daemon *d, const struct fake_request *rq)
{
    (void)d;
    if (rq->hdr.op != WIRE_OP_SETSOCKOPT && rq->hdr.op != WIRE_OP_GETSOCKOPT)
        return false;
    fake_daemon_reply(rq, ENOPROTOOPT, NULL, 0, -1);
    return true;
}

static void what_this_tcp_does_not_have_is_enoprotoopt(void **state)
{
    struct fake_daemon *d = *state;
    int fd = ts_socket(AF_INET, SOCK_STREAM, 0), v = 0;
    socklen_t len = sizeof(v);

    d->hook = unknown_option;
    assert_errno(ts_setsockopt(fd, IPPROTO_TCP, 9999, &v, sizeof(v)), ENOPROTOOPT);
    assert_errno(ts_getsockopt(fd, IPPROTO_TCP, 9999, &v, &len), ENOPROTOOPT);
    assert_errno(ts_setsockopt(STDIN_FILENO + 5000, IPPROTO_TCP, 1, &v, sizeof(v)), EBADF);
    close(fd);
}

/* ---- sendmsg ---- */

static ssize_t send_two(int fd, size_t n, int flags)
{
    static char zeros[4 << 20];
    struct iovec iov[2] = {{zeros, 1}, {zeros, n - 1}};
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};

    return ts_sendmsg(fd, &msg, flags);
}

static void marks_go_before_the_bytes_that_they_speak_of(void **state)
{
    struct fake_daemon *d = *state;
    int fd = ts_socket(AF_INET, SOCK_STREAM, 0);
    char buf[16];

    errno = EXDEV;
    assert_int_equal(send_two(fd, 5, MSG_MORE), 5);
    assert_int_equal(errno, EXDEV);
    assert_int_equal(fake_daemon_count(d, WIRE_OP_SEND_MARK), 1);
    assert_int_equal(d->marks[d->n_log - 1].count, 5);
    assert_int_equal(d->marks[d->n_log - 1].flags, MSG_MORE);
    assert_int_equal(read(d->ends[0], buf, sizeof(buf)), 5);
    assert_int_equal(send_two(fd, 3, MSG_EOR | MSG_MORE | MSG_NOSIGNAL), 3);
    assert_int_equal(d->marks[d->n_log - 1].flags, MSG_MORE | MSG_EOR);
    assert_int_equal(send_two(fd, 3, MSG_NOSIGNAL), 3);
    assert_int_equal(fake_daemon_count(d, WIRE_OP_SEND_MARK), 2);
    close(fd);
}

static void what_was_not_written_is_taken_back(void **state)
{
    struct fake_daemon *d = *state;
    int fd = ts_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    const ssize_t all = 4 << 20;
    ssize_t n = send_two(fd, (size_t)all, MSG_MORE);

    assert_true(n > 0 && n < all);
    assert_int_equal(fake_daemon_count(d, WIRE_OP_SEND_MARK), 2);
    assert_int_equal(d->marks[d->n_log - 1].count, n - all);
    assert_errno(send_two(fd, 1000000, MSG_MORE), EAGAIN);
    assert_int_equal(fake_daemon_count(d, WIRE_OP_SEND_MARK), 4);
    assert_int_equal(d->marks[d->n_log - 1].count, -1000000);
    close(fd);
}

static void a_destination_is_ignored_and_descriptors_do_not_travel(void **state)
{
    struct fake_daemon *d = *state;
    int fd = ts_socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = {.sin_family = AF_INET};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    char bytes[3] = "abc";
    struct iovec iov = {bytes, sizeof(bytes)};
    struct msghdr msg = {.msg_name = &to,
                         .msg_namelen = sizeof(to),
                         .msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.bytes,
                         .msg_controllen = sizeof(control)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    assert_int_equal(ts_sendmsg(fd, &msg, 0), 3);
    memset(control.bytes, 0, sizeof(control));
    assert_int_equal(recvmsg(d->ends[0], &msg, 0), 3);
    assert_int_equal(msg.msg_controllen, 0);
    assert_errno(ts_sendmsg(fd, &msg, MSG_FASTOPEN), EOPNOTSUPP);
    close(fd);
}

static void a_dead_connection_is_epipe_with_marks_too(void **state)
{
    struct fake_daemon *d = *state;
    int fd = ts_socket(AF_INET, SOCK_STREAM, 0);

    fake_daemon_halt(d);
    shutdown(d->ends[0], SHUT_RDWR);
    assert_errno(send_two(fd, 5, MSG_MORE | MSG_NOSIGNAL), EPIPE);
    fake_daemon_resume(d);
    close(fd);
}

static bool refuse_marks(struct fake_daemon *d, const struct fake_request *rq)
{
    (void)d;
    if (rq->hdr.op != WIRE_OP_SEND_MARK)
        return false;
    fake_daemon_reply(rq, EAGAIN, NULL, 0, -1);
    return true;
}

static void a_mark_that_was_refused_costs_no_bytes(void **state)
{
    struct fake_daemon *d = *state;
    int fd = ts_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    d->hook = refuse_marks;
    assert_int_equal(send_two(fd, 5, MSG_MORE), 5);
    /* Nothing to take back either. */
    assert_true(send_two(fd, 4 << 20, MSG_MORE) > 0);
    assert_int_equal(fake_daemon_count(d, WIRE_OP_SEND_MARK), 2);
    close(fd);
}

static void info_is_converted_with_care(void **state)
{
    int fd = ts_socket(AF_INET, SOCK_STREAM, 0);
    struct wire_info wire = {.tcp_info_len = 0xffffffff};
    struct wire_outq outq;
    struct ts_info info;

    (void)state;
    assert_int_equal(ts_info(fd, &info), 0);
    assert_string_equal(info.state_name, "ESTAB");
    assert_int_equal(info.send_queue, 5);
    assert_int_equal(info.rtt_us, 0);
    assert_int_equal(info_outq(fd, &outq), 0);
    assert_int_equal(outq.unacked, 7);
    memset(wire.state_name, 'x', sizeof(wire.state_name));
    memset(wire.tcp_info, 1, sizeof(wire.tcp_info));
    info_convert(&wire, &info);
    assert_int_equal(strlen(info.state_name), sizeof(info.state_name) - 1);
    assert_int_equal(info.rtt_us, 0x01010101);
    close(fd);
}

#define with_daemon(name) cmocka_unit_test_setup_teardown(name, fake_daemon_start, fake_daemon_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_daemon(constants_are_a_tcp_sockets_without_asking),
        with_daemon(timeouts_work_on_the_descriptor_itself),
        with_daemon(a_short_buffer_gets_a_part_of_the_value),
        with_daemon(a_value_longer_than_its_message_is_not_copied),
        with_daemon(options_that_cannot_fail_are_not_waited_for),
        with_daemon(what_this_tcp_does_not_have_is_enoprotoopt),
        with_daemon(marks_go_before_the_bytes_that_they_speak_of),
        with_daemon(what_was_not_written_is_taken_back),
        with_daemon(a_destination_is_ignored_and_descriptors_do_not_travel),
        with_daemon(a_dead_connection_is_epipe_with_marks_too),
        with_daemon(a_mark_that_was_refused_costs_no_bytes),
        with_daemon(info_is_converted_with_care),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
