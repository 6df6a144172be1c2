/* SPDX-License-Identifier: MIT */
/*
 * ts_connect: what is asked of the daemon, and what becomes of its answers.
 */
#include "client/include/tapstack.h"
#include "ipc/name.h"
#include "tests/unit/client/fake_daemon.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

static const struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = 0x5000};
static const struct sockaddr_in6 to6 = {.sin6_family = AF_INET6, .sin6_port = 0x5000};

static int connect4(int fd)
{
    return ts_connect(fd, (const struct sockaddr *)&to, sizeof(to));
}

#define assert_errno(call, expected)                                                               \
    do {                                                                                           \
        errno = 0;                                                                                 \
        assert_int_equal((call), -1);                                                              \
        assert_int_equal(errno, (expected));                                                       \
    } while (0)

/* d->step is the errno value to answer CONNECT with. */
static bool refuse(struct fake_daemon *d, const struct fake_request *rq)
{
    if (rq->hdr.op != WIRE_OP_CONNECT)
        return false;
    fake_daemon_reply(rq, d->step, NULL, 0, -1);
    return true;
}

static void the_flags_asked_for_are_set(void **state)
{
    int fd = ts_socket(AF_INET, SOCK_STREAM, 0);

    (void)state;
    assert_int_equal(fcntl(fd, F_GETFD), 0);
    assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    assert_int_equal(ts_is_ours(fd), 1);
    close(fd);
    fd = ts_socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    close(fd);
    assert_int_equal(ts_is_ours(fd), 0);
}

static void a_missing_daemon_is_told_as_the_manual_says(void **state)
{
    struct fake_daemon *d = *state;
    struct sockaddr_in any = {.sin_family = AF_INET};
    int fd = ts_socket(AF_INET, SOCK_STREAM, 0), one = 1;
    socklen_t len = sizeof(one);
    struct ts_info info;

    assert_true(fd >= 0);
    fake_daemon_halt(d);
    assert_errno(ts_socket(AF_INET, SOCK_STREAM, 0), ENOENT);
    assert_errno(connect4(fd), ENETDOWN);
    assert_errno(ts_bind(fd, (struct sockaddr *)&any, sizeof(any)), ENETDOWN);
    assert_errno(ts_listen(fd, 1), ENETDOWN);
    assert_errno(ts_setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)), ENOTCONN);
    assert_errno(ts_getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, &len), ENOTCONN);
    assert_errno(ts_info(fd, &info), ENOTCONN);
    assert_null(ts_ring_attach(fd));
    assert_int_equal(errno, ENOTCONN);
    assert_int_equal(ts_getsockopt(fd, SOL_SOCKET, SO_TYPE, &one, &len), 0);
    len = sizeof(any);
    assert_int_equal(ts_getsockname(fd, (struct sockaddr *)&any, &len), 0);
    close(fd);
    fake_daemon_resume(d);
}

static void a_blocking_connect_waits_and_a_non_blocking_one_does_not(void **state)
{
    struct fake_daemon *d = *state;
    int fd = ts_socket(AF_INET, SOCK_STREAM, 0);

    errno = EXDEV;
    assert_int_equal(connect4(fd), 0);
    assert_int_equal(errno, EXDEV);
    assert_int_equal(d->log[d->n_log - 1].flags, WIRE_WAIT);
    close(fd);
    fd = ts_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    d->hook = refuse;
    d->step = EINPROGRESS;
    assert_errno(connect4(fd), EINPROGRESS);
    assert_int_equal(d->log[d->n_log - 1].flags, 0);
    close(fd);
}

static void the_daemons_errors_are_the_callers(void **state)
{
    static const int errors[] = {ECONNREFUSED, ETIMEDOUT,     ENETUNREACH, EHOSTUNREACH, EALREADY,
                                 EISCONN,      EADDRNOTAVAIL, EACCES,      ECONNRESET};
    struct fake_daemon *d = *state;
    int fd = ts_socket(AF_INET, SOCK_STREAM, 0);

    d->hook = refuse;
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        d->step = errors[i];
        assert_errno(connect4(fd), errors[i]);
    }
    close(fd);
}

static bool never(struct fake_daemon *d, const struct fake_request *rq)
{
    (void)d;
    return rq->hdr.op == WIRE_OP_CONNECT;
}

static void so_sndtimeo_ends_the_wait_with_einprogress(void **state)
{
    struct fake_daemon *d = *state;
    struct timeval tv = {.tv_usec = 30000};
    int fd = ts_socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(ts_setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)), 0);
    d->hook = never;
    assert_errno(connect4(fd), EINPROGRESS);
    close(fd);
}

static void addresses_are_checked_before_anything_is_asked(void **state)
{
    struct fake_daemon *d = *state;
    int fd = ts_socket(AF_INET, SOCK_STREAM, 0), six = ts_socket(AF_INET6, SOCK_STREAM, 0);
    int foreign = socket(AF_UNIX, SOCK_STREAM, 0), before = d->n_log;

    assert_errno(ts_connect(fd, (const struct sockaddr *)&to, 15), EINVAL);
    assert_errno(ts_connect(fd, (const struct sockaddr *)&to6, sizeof(to6)), EAFNOSUPPORT);
    assert_errno(ts_connect(six, (const struct sockaddr *)&to, sizeof(to)), EINVAL);
    assert_errno(ts_connect(fd, (const struct sockaddr *)&to, 1), EINVAL);
    assert_errno(ts_connect(fd, (const struct sockaddr *)&to, 1000), EINVAL);
    assert_errno(ts_connect(fd, NULL, 0), EINVAL);
    assert_errno(ts_connect(fd, NULL, 16), EFAULT);
    assert_errno(connect4(foreign), ENOTSOCK);
    assert_errno(connect4(-1), EBADF);
    assert_int_equal(d->n_log, before);
    assert_int_equal(ts_connect(six, (const struct sockaddr *)&to6, sizeof(to6)), 0);
    close(fd);
    close(six);
    close(foreign);
}

/* The first CONNECT finds a dead socket. */
static bool dead_once(struct fake_daemon *d, const struct fake_request *rq)
{
    if (rq->hdr.op != WIRE_OP_CONNECT || d->step++ > 0)
        return false;
    fake_daemon_reply(rq, ESTALE, NULL, 0, -1);
    return true;
}

static void a_dead_socket_is_made_anew_at_the_same_number(void **state)
{
    struct fake_daemon *d = *state;
    int fd = ts_socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct timeval tv = {.tv_sec = 7};
    socklen_t len = sizeof(tv);
    char byte = 0;

    assert_int_equal(ts_setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0);
    d->hook = dead_once;
    assert_int_equal(ts_connect(fd, (const struct sockaddr *)&to6, sizeof(to6)), 0);
    assert_int_equal(d->n_ends, 2);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    assert_true(name_is_v6(fd));
    memset(&tv, 0, sizeof(tv));
    assert_int_equal(ts_getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, &len), 0);
    assert_int_equal(tv.tv_sec, 7);
    assert_int_equal(write(fd, "x", 1), 1);
    assert_int_equal(read(d->ends[1], &byte, 1), 1);
    assert_int_equal(byte, 'x');
    assert_int_equal(read(d->ends[0], &byte, 1), 0);
    close(fd);
}

static void connect_to_nobody_puts_a_fresh_socket_in_place(void **state)
{
    struct fake_daemon *d = *state;
    struct sockaddr unspec = {.sa_family = AF_UNSPEC};
    int fd = ts_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    char byte;

    assert_int_equal(connect4(fd), 0);
    assert_int_equal(ts_connect(fd, &unspec, sizeof(unspec)), 0);
    assert_int_equal(fake_daemon_count(d, WIRE_OP_RENEW), 1);
    assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    assert_int_equal(read(d->ends[0], &byte, 1), 0);
    assert_int_equal(write(fd, "x", 1), 1);
    assert_int_equal(read(d->ends[1], &byte, 1), 1);
    close(fd);
}

static bool always_dead(struct fake_daemon *d, const struct fake_request *rq)
{
    (void)d;
    if (rq->hdr.op != WIRE_OP_CONNECT)
        return false;
    fake_daemon_reply(rq, ESTALE, NULL, 0, -1);
    return true;
}

static void a_socket_that_stays_dead_is_an_error_and_no_loop(void **state)
{
    struct fake_daemon *d = *state;
    int fd = ts_socket(AF_INET, SOCK_STREAM, 0);

    d->hook = always_dead;
    assert_errno(connect4(fd), ENOTCONN);
    assert_int_equal(fake_daemon_count(d, WIRE_OP_CONNECT), 2);
    close(fd);
}

static void names_come_from_the_pair_also_without_the_daemon(void **state)
{
    struct fake_daemon *d = *state;
    struct wire_addr local = {.addr = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 2},
                              .port = 4242};
    struct wire_addr remote = {.addr = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1}, .port = 80};
    int fd = ts_socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_un un;
    struct sockaddr_in in;
    socklen_t len = sizeof(in);

    assert_int_equal(ts_getsockname(fd, (struct sockaddr *)&in, &len), 0);
    assert_int_equal(in.sin_family, AF_INET);
    assert_int_equal(in.sin_port, 0);
    assert_errno(ts_getpeername(fd, (struct sockaddr *)&in, &len), ENOTCONN);
    len = name_build(&un, ((uint64_t)getpid() << 20) + 1, &local, &remote);
    assert_int_equal(bind(d->ends[0], (struct sockaddr *)&un, len), 0);
    fake_daemon_halt(d);
    len = sizeof(in);
    assert_int_equal(ts_getpeername(fd, (struct sockaddr *)&in, &len), 0);
    assert_int_equal(ntohs(in.sin_port), 80);
    assert_string_equal(inet_ntoa(in.sin_addr), "10.0.0.1");
    assert_int_equal(ts_getsockname(fd, (struct sockaddr *)&in, &len), 0);
    assert_int_equal(ntohs(in.sin_port), 4242);
    assert_errno(ts_getsockname(fd, NULL, &len), EFAULT);
    fake_daemon_resume(d);
    close(fd);
}

#define with_daemon(name) cmocka_unit_test_setup_teardown(name, fake_daemon_start, fake_daemon_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_daemon(the_flags_asked_for_are_set),
        with_daemon(a_missing_daemon_is_told_as_the_manual_says),
        with_daemon(a_blocking_connect_waits_and_a_non_blocking_one_does_not),
        with_daemon(the_daemons_errors_are_the_callers),
        with_daemon(so_sndtimeo_ends_the_wait_with_einprogress),
        with_daemon(addresses_are_checked_before_anything_is_asked),
        with_daemon(a_dead_socket_is_made_anew_at_the_same_number),
        with_daemon(connect_to_nobody_puts_a_fresh_socket_in_place),
        with_daemon(a_socket_that_stays_dead_is_an_error_and_no_loop),
        with_daemon(names_come_from_the_pair_also_without_the_daemon),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
