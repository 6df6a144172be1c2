/* SPDX-License-Identifier: MIT */
/*
 * The control descriptor: what programs do to descriptors that they do not know, forks, signals,
 * restarts, and daemons that answer late or wrongly.
 */
#include "client/include/tapstack.h"
#include "client/lib/control.h"
#include "ipc/fdpass.h"
#include "ipc/name.h"
#include "tests/unit/client/fake_daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static int hello(void)
{
    struct wire_hello body;
    struct control_request rq = {.op = WIRE_OP_HELLO, .fd = -1};
    struct control_reply rp = {.body = &body, .cap = sizeof(body)};
    int r = control_call(&rq, &rp);

    if (r == 0)
        assert_int_equal(body.mtu, 1500);
    return r;
}

/* The control descriptor of this thread: the only SEQPACKET socket from 900 on. */
static int control_fd(void)
{
    for (int fd = 900; fd < 1024; fd++) {
        int type = 0;
        socklen_t len = sizeof(type);

        if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_SEQPACKET)
            return fd;
    }
    return -1;
}

static void the_descriptor_is_high_close_on_exec_and_used_again(void **state)
{
    struct fake_daemon *d = *state;

    assert_int_equal(hello(), 0);
    assert_int_equal(hello(), 0);
    assert_int_equal(d->accepted, 1);
    assert_true(control_fd() >= 900);
    assert_int_equal(fcntl(control_fd(), F_GETFD), FD_CLOEXEC);
}

static void a_program_that_closed_it_gets_a_new_one(void **state)
{
    struct fake_daemon *d = *state;

    assert_int_equal(hello(), 0);
    close(control_fd());
    assert_int_equal(hello(), 0);
    assert_int_equal(d->accepted, 2);
}

static void a_number_that_the_program_reused_is_left_alone(void **state)
{
    struct fake_daemon *d = *state;
    int s[2], number;
    char byte;

    assert_int_equal(hello(), 0);
    number = control_fd();
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s), 0);
    assert_int_equal(dup2(s[0], number), number);
    assert_int_equal(hello(), 0);
    assert_int_equal(d->accepted, 2);
    assert_true(fcntl(number, F_GETFD) >= 0);
    assert_int_equal(recv(s[1], &byte, 1, MSG_DONTWAIT), -1);
    close(s[0]);
    close(s[1]);
    close(number);
}

static void a_child_has_its_own_and_the_parent_keeps_the_old(void **state)
{
    struct fake_daemon *d = *state;
    int status;
    pid_t child;

    assert_int_equal(hello(), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(hello() == 0 ? 0 : 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(d->accepted, 2);
    assert_int_equal(hello(), 0);
    assert_int_equal(d->accepted, 2);
}

static void *thread(void *arg)
{
    *(int *)arg = hello() == 0 ? control_fd() : -1;
    return NULL;
}

static int open_descriptors(void)
{
    int n = 0;

    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static void a_thread_has_its_own_and_closes_it_at_its_end(void **state)
{
    struct fake_daemon *d = *state;
    int fd = -1, before;
    pthread_t t;

    assert_int_equal(hello(), 0);
    before = open_descriptors();
    for (int i = 0; i < 10; i++) {
        assert_int_equal(pthread_create(&t, NULL, thread, &fd), 0);
        assert_int_equal(pthread_join(t, NULL), 0);
        assert_true(fd >= 0);
    }
    assert_int_equal(d->accepted, 11);
    /* The fake daemon closes its sides in its own time. */
    for (int i = 0; i < 1000 && open_descriptors() > before; i++)
        usleep(1000);
    assert_int_equal(open_descriptors(), before);
}

static void a_restarted_daemon_is_found_again(void **state)
{
    struct fake_daemon *d = *state;

    assert_int_equal(hello(), 0);
    fake_daemon_halt(d);
    assert_int_equal(hello(), -ENOENT);
    fake_daemon_resume(d);
    assert_int_equal(hello(), 0);
    fake_daemon_halt(d);
    fake_daemon_resume(d);
    assert_int_equal(hello(), 0);
}

static void another_path_is_taken_at_once(void **state)
{
    struct fake_daemon *d = *state;
    char longer[200];

    assert_int_equal(hello(), 0);
    assert_int_equal(ts_set_socket_path("/nonexistent/socket"), 0);
    assert_int_equal(hello(), -ENOENT);
    assert_int_equal(ts_set_socket_path(NULL), 0);
    assert_int_equal(setenv(WIRE_SOCKET_ENV, d->path, 1), 0);
    assert_int_equal(hello(), 0);
    unsetenv(WIRE_SOCKET_ENV);
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    assert_int_equal(ts_set_socket_path(longer), -1);
    assert_int_equal(errno, ENAMETOOLONG);
}

static void on_alarm(int sig)
{
    (void)sig;
}

/* Every so many milliseconds, until 0: on a busy machine the first may come before the call waits.
 */
static void set_alarm(int flags, int ms)
{
    struct sigaction sa = {.sa_handler = on_alarm, .sa_flags = flags};
    struct timeval tv = {.tv_usec = ms * 1000};
    struct itimerval it = {tv, tv};

    assert_int_equal(sigaction(SIGALRM, &sa, NULL), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &it, NULL), 0);
}

static struct fake_request held;

/* Keeps the first connect and answers it only when the next request comes, before that one's own
 * answer. */
static bool answer_late(struct fake_daemon *d, const struct fake_request *rq)
{
    if (rq->hdr.op == WIRE_OP_CONNECT && d->step == 0) {
        held = *rq;
        d->step = 1;
        return true;
    }
    if (d->step == 1) {
        fake_daemon_reply(&held, ECONNREFUSED, NULL, 0, -1);
        d->step = 2;
    }
    return false;
}

static void an_interrupted_connect_gives_up_its_connection_and_the_late_reply(void **state)
{
    struct fake_daemon *d = *state;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(80)};
    int fd = ts_socket(AF_INET, SOCK_STREAM, 0), v = 0;
    socklen_t len = sizeof(v);

    assert_true(fd >= 0);
    d->hook = answer_late;
    set_alarm(0, 50);
    assert_int_equal(ts_connect(fd, (struct sockaddr *)&to, sizeof(to)), -1);
    assert_int_equal(errno, EINTR);
    set_alarm(0, 0);
    assert_int_equal(ts_getsockopt(fd, IPPROTO_TCP, 1, &v, &len), 0);
    assert_int_equal(v, 42);
    assert_int_equal(d->step, 2);
    assert_int_equal(d->accepted, 2);
    close(fd);
}

static bool answer_slowly(struct fake_daemon *d, const struct fake_request *rq)
{
    (void)d;
    if (rq->hdr.op != WIRE_OP_HELLO)
        usleep(150000);
    return false;
}

static void other_calls_are_not_interrupted(void **state)
{
    struct fake_daemon *d = *state;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(80)};
    int fd = ts_socket(AF_INET, SOCK_STREAM, 0);

    d->hook = answer_slowly;
    set_alarm(0, 50);
    assert_int_equal(ts_bind(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    /* With SA_RESTART connect(2) goes on as well. */
    set_alarm(SA_RESTART, 50);
    assert_int_equal(ts_connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    set_alarm(0, 0);
    close(fd);
}

static volatile sig_atomic_t handler_result;
static pthread_t caller;

static void call_again(int sig)
{
    (void)sig;
    handler_result = hello() == 0 ? 1 : -1;
}

static bool hello_while_binding(struct fake_daemon *d, const struct fake_request *rq)
{
    if (rq->hdr.op == WIRE_OP_BIND) {
        held = *rq;
        pthread_kill(caller, SIGALRM); /* it waits for the answer */
        return true;
    }
    if (rq->hdr.op == WIRE_OP_HELLO) {
        fake_daemon_reply(&held, EADDRINUSE, NULL, 0, -1);
        d->step = 1;
    }
    return false;
}

static void a_handler_does_not_steal_the_reply_that_it_interrupts(void **state)
{
    struct fake_daemon *d = *state;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(80)};
    struct sigaction sa = {.sa_handler = call_again};
    int fd = ts_socket(AF_INET, SOCK_STREAM, 0);

    d->hook = hello_while_binding;
    handler_result = 0;
    caller = pthread_self();
    assert_int_equal(sigaction(SIGALRM, &sa, NULL), 0);
    assert_int_equal(ts_bind(fd, (struct sockaddr *)&to, sizeof(to)), -1);
    assert_int_equal(errno, EADDRINUSE);
    assert_int_equal(handler_result, 1);
    assert_int_equal(d->accepted, 2);
    close(fd);
}

static bool no_answer(struct fake_daemon *d, const struct fake_request *rq)
{
    (void)d;
    (void)rq;
    return true;
}

static void a_wait_can_have_an_end(void **state)
{
    struct fake_daemon *d = *state;
    struct control_request rq = {.op = WIRE_OP_HELLO, .fd = -1, .timeout_us = 30000};
    struct control_reply rp = {0};

    d->hook = no_answer;
    assert_int_equal(control_call(&rq, &rp), -ETIMEDOUT);
    d->hook = NULL;
    assert_int_equal(hello(), 0);
    assert_int_equal(d->accepted, 1);
}

/* What a hostile or broken daemon might answer to HELLO, by step. */
static bool answer_badly(struct fake_daemon *d, const struct fake_request *rq)
{
    WIRE_BUFFER(buf);
    struct wire_hello body = {.mtu = 1500};
    uint32_t id = rq->hdr.id;
    ssize_t n = wire_encode(buf, sizeof(buf), rq->hdr.op, id, WIRE_REPLY, 0, &body, sizeof(body));
    char longer[WIRE_MAX + 100] = {0};

    switch (d->step++) {
    case 0: /* short */
        fdpass_send(rq->conn, buf, 10, -1, 0);
        return true;
    case 1: /* a body cut off */
        fdpass_send(rq->conn, buf, (size_t)n - 1, -1, 0);
        return true;
    case 2: /* more than a message holds */
        fdpass_send(rq->conn, longer, sizeof(longer), -1, 0);
        return true;
    case 3: /* no reply at all but a request */
        wire_encode(buf, sizeof(buf), rq->hdr.op, id, 0, 0, NULL, 0);
        fdpass_send(rq->conn, buf, sizeof(struct wire_header), -1, 0);
        return true;
    case 4: /* to another operation */
        wire_encode(buf, sizeof(buf), WIRE_OP_BIND, id, WIRE_REPLY, 0, NULL, 0);
        fdpass_send(rq->conn, buf, sizeof(struct wire_header), -1, 0);
        return true;
    case 5: /* with a descriptor that nobody asked for */
        fdpass_send(rq->conn, buf, (size_t)n, rq->conn, 0);
        return true;
    case 6: /* another's reply, with a descriptor, before the right one */
        wire_encode(buf, sizeof(buf), rq->hdr.op, id + 77, WIRE_REPLY, 0, &body, sizeof(body));
        fdpass_send(rq->conn, buf, (size_t)n, rq->conn, 0);
        return false;
    default:
        return false;
    }
}

static void bad_replies_are_errors_and_leak_nothing(void **state)
{
    struct fake_daemon *d = *state;
    int before;

    assert_int_equal(hello(), 0);
    before = open_descriptors();
    d->hook = answer_badly;
    for (int i = 0; i < 6; i++)
        assert_int_equal(hello(), -EPROTO);
    assert_int_equal(hello(), 0);
    assert_int_equal(hello(), 0);
    for (int i = 0; i < 1000 && open_descriptors() > before; i++)
        usleep(1000);
    assert_int_equal(open_descriptors(), before);
}

static bool socket_without_descriptor(struct fake_daemon *d, const struct fake_request *rq)
{
    (void)d;
    fake_daemon_reply(rq, 0, NULL, 0, -1);
    return true;
}

static void a_socket_reply_without_a_descriptor_is_an_error(void **state)
{
    struct fake_daemon *d = *state;

    d->hook = socket_without_descriptor;
    assert_int_equal(ts_socket(AF_INET, SOCK_STREAM, 0), -1);
    assert_int_equal(errno, EPROTO);
}

static bool hang_up(struct fake_daemon *d, const struct fake_request *rq)
{
    d->step++;
    shutdown(rq->conn, SHUT_RDWR);
    return true;
}

static void a_daemon_that_hangs_up_is_asked_at_most_twice(void **state)
{
    struct fake_daemon *d = *state;

    d->hook = hang_up;
    assert_int_equal(hello(), -ECONNRESET);
    assert_int_equal(d->step, 1);
    d->hook = NULL;
    assert_int_equal(hello(), 0);
    d->hook = hang_up;
    d->step = 0;
    assert_int_equal(hello(), -ECONNRESET);
    assert_int_equal(d->step, 2);
}

static void errno_is_kept_when_all_goes_well(void **state)
{
    struct fake_daemon *d = *state;

    errno = EXDEV;
    assert_int_equal(hello(), 0);
    close(control_fd());
    assert_int_equal(hello(), 0);
    fake_daemon_halt(d);
    fake_daemon_resume(d);
    errno = EXDEV;
    assert_int_equal(hello(), 0);
    assert_int_equal(errno, EXDEV);
}

static struct wire_counter counters[3] = {
    {.value = 1, .name = "a"}, {.value = 2, .name = "b"}, {.value = 3, .name = "c"}};

static bool many_counters(struct fake_daemon *d, const struct fake_request *rq)
{
    (void)d;
    for (int i = 0; i < 3; i++) {
        WIRE_BUFFER(buf);
        ssize_t n =
            wire_encode(buf, sizeof(buf), rq->hdr.op, rq->hdr.id,
                        WIRE_REPLY | (i < 2 ? WIRE_MORE : 0), 0, &counters[i], sizeof(counters[i]));

        fdpass_send(rq->conn, buf, (size_t)n, -1, 0);
    }
    return true;
}

static void add_value(void *ctx, const void *body)
{
    struct wire_counter c;

    memcpy(&c, body, sizeof(c));
    *(uint64_t *)ctx = *(uint64_t *)ctx * 10 + c.value;
}

static void a_list_is_taken_to_its_end(void **state)
{
    struct fake_daemon *d = *state;
    uint64_t sum = 0;

    d->hook = many_counters;
    assert_int_equal(control_each(WIRE_OP_STATS, add_value, &sum), 0);
    assert_int_equal(sum, 123);
    d->hook = NULL; /* an empty body: nothing to list */
    assert_int_equal(control_each(WIRE_OP_STATS, add_value, &sum), 0);
    assert_int_equal(sum, 123);
    assert_int_equal(hello(), 0);
}

#define with_daemon(name) cmocka_unit_test_setup_teardown(name, fake_daemon_start, fake_daemon_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_daemon(the_descriptor_is_high_close_on_exec_and_used_again),
        with_daemon(a_program_that_closed_it_gets_a_new_one),
        with_daemon(a_number_that_the_program_reused_is_left_alone),
        with_daemon(a_child_has_its_own_and_the_parent_keeps_the_old),
        with_daemon(a_thread_has_its_own_and_closes_it_at_its_end),
        with_daemon(a_restarted_daemon_is_found_again),
        with_daemon(another_path_is_taken_at_once),
        with_daemon(an_interrupted_connect_gives_up_its_connection_and_the_late_reply),
        with_daemon(other_calls_are_not_interrupted),
        with_daemon(a_handler_does_not_steal_the_reply_that_it_interrupts),
        with_daemon(a_wait_can_have_an_end),
        with_daemon(bad_replies_are_errors_and_leak_nothing),
        with_daemon(a_socket_reply_without_a_descriptor_is_an_error),
        with_daemon(a_daemon_that_hangs_up_is_asked_at_most_twice),
        with_daemon(errno_is_kept_when_all_goes_well),
        with_daemon(a_list_is_taken_to_its_end),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
