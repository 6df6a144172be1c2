/* SPDX-License-Identifier: MIT */
/*
 * ts_accept4: no connection is lost, and each error is accept(2)'s.
 */
#include "client/include/tapstack.h"
#include "client/lib/accept.h"
#include "client/lib/control.h"
#include "ipc/fdpass.h"
#include "ipc/name.h"
#include "tests/unit/client/fake_daemon.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#define assert_errno(call, expected)                                                               \
    do {                                                                                           \
        errno = 0;                                                                                 \
        assert_int_equal((call), -1);                                                              \
        assert_int_equal(errno, (expected));                                                       \
    } while (0)

static const struct wire_addr local = {.addr = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 2},
                                       .port = 80};

static struct wire_addr remote(uint16_t port)
{
    return (struct wire_addr){.addr = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1},
                              .port = port};
}

/* Queue one; returns the daemon's end. */
static int deliver(struct fake_daemon *d, uint16_t port)
{
    struct wire_addr from = remote(port);

    return fake_daemon_deliver(d->ends[0], &local, &from);
}

static int listener(int type)
{
    int fd = ts_socket(AF_INET, SOCK_STREAM | type, 0);

    assert_int_equal(ts_listen(fd, 5), 0);
    return fd;
}

static void a_connection_comes_with_its_address(void **state)
{
    struct fake_daemon *d = *state;
    int l = listener(0), end = deliver(d, 4242), fd;
    struct sockaddr_in in;
    socklen_t len = sizeof(in);
    char byte = 0;

    errno = EXDEV;
    fd = ts_accept4(l, (struct sockaddr *)&in, &len, 0);
    assert_true(fd >= 0);
    assert_int_equal(errno, EXDEV);
    assert_int_equal(len, sizeof(in));
    assert_string_equal(inet_ntoa(in.sin_addr), "10.0.0.1");
    assert_int_equal(ntohs(in.sin_port), 4242);
    assert_int_equal(fcntl(fd, F_GETFD), 0);
    assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    assert_int_equal(write(end, "x", 1), 1);
    assert_int_equal(read(fd, &byte, 1), 1);
    close(fd);
    close(end);
    end = deliver(d, 1);
    fd = ts_accept4(l, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    close(fd);
    close(end);
    close(l);
}

static int timeout_of(int fd, int name)
{
    struct timeval tv;
    socklen_t len = sizeof(tv);

    assert_int_equal(ts_getsockopt(fd, SOL_SOCKET, name, &tv, &len), 0);
    return (int)tv.tv_sec;
}

static void a_connection_inherits_time_outs(void **state)
{
    struct fake_daemon *d = *state;
    struct timeval before = {7, 0}, after = {9, 0};
    int l = ts_socket(AF_INET, SOCK_STREAM, 0), end, fd;

    assert_int_equal(ts_setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &before, sizeof(before)), 0);
    assert_int_equal(ts_listen(l, 5), 0);
    end = deliver(d, 4242);
    fd = ts_accept4(l, NULL, NULL, 0);
    assert_int_equal(timeout_of(fd, SO_RCVTIMEO), 7);
    assert_int_equal(timeout_of(fd, SO_SNDTIMEO), 0);
    close(fd);
    close(end);
    assert_int_equal(ts_setsockopt(l, SOL_SOCKET, SO_SNDTIMEO, &after, sizeof(after)), 0);
    end = deliver(d, 4243);
    fd = ts_accept4(l, NULL, NULL, 0);
    assert_int_equal(timeout_of(fd, SO_RCVTIMEO), 7);
    assert_int_equal(timeout_of(fd, SO_SNDTIMEO), 9);
    close(fd);
    close(end);
    close(l);
}

static void records_come_one_by_one(void **state)
{
    struct fake_daemon *d = *state;
    int l = listener(SOCK_NONBLOCK), ends[20];
    struct sockaddr_in in;

    for (int i = 0; i < 20; i++)
        ends[i] = deliver(d, (uint16_t)(1000 + i));
    for (int i = 0; i < 20; i++) {
        socklen_t len = sizeof(in);
        int fd = ts_accept4(l, (struct sockaddr *)&in, &len, 0);

        assert_true(fd >= 0);
        assert_int_equal(ntohs(in.sin_port), 1000 + i);
        close(fd);
        close(ends[i]);
    }
    assert_errno(ts_accept4(l, NULL, NULL, 0), EAGAIN);
    close(l);
}

static void at_emfile_the_record_stays_queued(void **state)
{
    struct fake_daemon *d = *state;
    int l = listener(0), end = deliver(d, 4242), fd, next;
    struct control_request hello = {.op = WIRE_OP_HELLO, .fd = -1};
    struct control_reply reply = {0};
    struct rlimit old, low;

    /* the daemon is a thread, and closes what a request brought after its reply: before the next */
    assert_true(control_call(&hello, &reply) >= 0);
    next = dup(l);
    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    low = old;
    low.rlim_cur = (rlim_t)next;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    assert_errno(ts_accept4(l, NULL, NULL, 0), EMFILE);
    assert_errno(ts_accept4(l, NULL, NULL, 0), EMFILE);
    /* One slot is enough. */
    low.rlim_cur = (rlim_t)next + 1;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    fd = ts_accept4(l, NULL, NULL, 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_int_equal(fd, next);
    assert_int_equal(write(end, "x", 1), 1);
    close(fd);
    close(end);
    close(l);
}

static void on_alarm(int sig)
{
    (void)sig;
}

static void a_wait_ends_with_a_signal_or_its_time(void **state)
{
    struct sigaction sa = {.sa_handler = on_alarm};
    /* again and again: on a busy machine the first may come before accept waits */
    struct itimerval off = {0}, it = {{.tv_usec = 30000}, {.tv_usec = 30000}};
    struct timeval tv = {.tv_usec = 30000};
    int l = listener(0);

    (void)state;
    assert_int_equal(sigaction(SIGALRM, &sa, NULL), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &it, NULL), 0);
    assert_errno(ts_accept4(l, NULL, NULL, 0), EINTR);
    assert_int_equal(setitimer(ITIMER_REAL, &off, NULL), 0);
    assert_int_equal(ts_setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0);
    assert_errno(ts_accept4(l, NULL, NULL, 0), EAGAIN);
    close(l);
}

static void *deliver_soon(void *arg)
{
    usleep(30000);
    close(deliver(arg, 7));
    return NULL;
}

static void a_blocking_accept_wakes_for_a_connection(void **state)
{
    struct fake_daemon *d = *state;
    int l = listener(0), fd;
    pthread_t t;

    assert_int_equal(pthread_create(&t, NULL, deliver_soon, d), 0);
    fd = ts_accept4(l, NULL, NULL, 0);
    assert_true(fd >= 0);
    pthread_join(t, NULL);
    close(fd);
    close(l);
}

static void without_a_wait_there_is_none(void **state)
{
    struct fake_daemon *d = *state;
    int l = listener(0), end, fd;

    assert_int_equal(accept_now(&place_here, l, NULL, NULL, 0), -EAGAIN);
    end = deliver(d, 7);
    fd = accept_now(&place_here, l, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    close(fd);
    close(end);
    close(l);
}

static void what_is_no_listener_is_refused(void **state)
{
    struct fake_daemon *d = *state;
    int l = listener(0), fd = ts_socket(AF_INET, SOCK_STREAM, 0), end;
    char byte;
    int foreign = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_in in;
    socklen_t len = (socklen_t)-1;

    assert_errno(ts_accept4(fd, NULL, NULL, 0), EINVAL);
    assert_errno(ts_accept4(foreign, NULL, NULL, 0), ENOTSOCK);
    assert_errno(ts_accept4(-1, NULL, NULL, 0), EBADF);
    assert_errno(ts_accept4(l, NULL, NULL, 1), EINVAL);
    /* as in Linux, the address is looked at when there is one to give: the connection is lost */
    end = deliver(d, 1);
    assert_errno(ts_accept4(l, (struct sockaddr *)&in, &len, 0), EINVAL);
    assert_int_equal(read(end, &byte, 1), 0);
    close(end);
    end = deliver(d, 2);
    assert_errno(ts_accept4(l, (struct sockaddr *)&in, NULL, 0), EFAULT);
    assert_int_equal(read(end, &byte, 1), 0);
    close(end);
    assert_errno(ts_connect(l, (struct sockaddr *)&in, sizeof(in)), EISCONN);
    close(fd);
    close(foreign);
    close(l);
}

static void a_listener_that_ended_is_einval(void **state)
{
    struct fake_daemon *d = *state;
    int l = listener(0);

    shutdown(d->ends[0], SHUT_WR);
    assert_errno(ts_accept4(l, NULL, NULL, 0), EINVAL);
    close(l);
    (void)d;
}

/* The daemon is gone: the listener's pair was reset. */
static void lose(struct fake_daemon *d, int l)
{
    assert_int_equal(write(l, "marker", 6), 6);
    close(d->ends[0]);
    d->ends[0] = open("/dev/null", O_RDONLY);
}

static void a_listener_without_a_daemon_is_told(void **state)
{
    struct fake_daemon *d = *state;
    int l = listener(0);

    fake_daemon_halt(d);
    lose(d, l);
    assert_errno(ts_accept4(l, NULL, NULL, 0), ENETDOWN);
    assert_errno(ts_accept4(l, NULL, NULL, 0), ENETDOWN);
    fake_daemon_resume(d);
    close(l);
}

static void and_is_made_anew_when_there_is_one(void **state)
{
    struct fake_daemon *d = *state;
    int l = listener(SOCK_NONBLOCK);

    lose(d, l);
    assert_errno(ts_accept4(l, NULL, NULL, 0), EAGAIN);
    assert_int_equal(fake_daemon_count(d, WIRE_OP_SOCKET), 2);
    assert_int_equal(fake_daemon_count(d, WIRE_OP_LISTEN), 2);
    close(l);
}

static void one_that_was_shut_down_is_not(void **state)
{
    struct fake_daemon *d = *state;
    int l = listener(0);

    shutdown(l, SHUT_RD);
    assert_errno(ts_accept4(l, NULL, NULL, 0), EINVAL);
    assert_int_equal(fake_daemon_count(d, WIRE_OP_SOCKET), 1);
    close(l);
}

static void a_record_that_is_none_leaks_nothing(void **state)
{
    struct fake_daemon *d = *state;
    int l = listener(0), next = dup(l);
    struct wire_accept record = {.magic = 1};

    close(next);
    assert_int_equal(fdpass_send(d->ends[0], &record, sizeof(record), d->ends[0], 0),
                     sizeof(record));
    assert_errno(ts_accept4(l, NULL, NULL, 0), EPROTO);
    record.magic = WIRE_MAGIC;
    assert_int_equal(fdpass_send(d->ends[0], &record, sizeof(record), -1, 0), sizeof(record));
    assert_errno(ts_accept4(l, NULL, NULL, 0), EPROTO);
    assert_int_equal(dup(l), next);
    close(next);
    close(l);
}

#define with_daemon(name) cmocka_unit_test_setup_teardown(name, fake_daemon_start, fake_daemon_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_daemon(a_connection_comes_with_its_address),
        with_daemon(a_connection_inherits_time_outs),
        with_daemon(records_come_one_by_one),
        with_daemon(at_emfile_the_record_stays_queued),
        with_daemon(a_wait_ends_with_a_signal_or_its_time),
        with_daemon(a_blocking_accept_wakes_for_a_connection),
        with_daemon(without_a_wait_there_is_none),
        with_daemon(what_is_no_listener_is_refused),
        with_daemon(a_listener_that_ended_is_einval),
        with_daemon(a_listener_without_a_daemon_is_told),
        with_daemon(and_is_made_anew_when_there_is_one),
        with_daemon(one_that_was_shut_down_is_not),
        with_daemon(a_record_that_is_none_leaks_nothing),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
