/* SPDX-License-Identifier: MIT */
/*
 * Turns at a listener: one at a time, each listener for itself, signals, handlers, forks.
 */
#include "client/lib/turn.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define MANY 70 /* more listeners than there are gates */

static int listener(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    return fd;
}

static void pause_ms(int ms)
{
    struct timespec t = {0, ms * 1000000};

    nanosleep(&t, NULL);
}

struct waiter {
    pthread_t thread;
    int fd, result;
    bool gated;        /* it had a gate */
    atomic_int served; /* it has had its turn */
    atomic_bool go;    /* … and may end it */
};

static void *wait_here(void *arg)
{
    struct waiter *w = arg;
    struct turn t = {0};

    pthread_cleanup_push(turn_drop, &t);
    w->result = turn_take(&t, w->fd);
    w->gated = t.gate;
    w->served = 1;
    while (w->result == 0 && !w->go)
        pause_ms(1);
    pthread_cleanup_pop(1);
    return NULL;
}

static void begin(struct waiter *w, int fd)
{
    w->fd = fd;
    w->served = w->go = 0;
    assert_int_equal(pthread_create(&w->thread, NULL, wait_here, w), 0);
}

static bool served(struct waiter *w)
{
    for (int i = 0; i < 2000 && !w->served; i++)
        pause_ms(1);
    return w->served;
}

static void end(struct waiter *w)
{
    w->go = true;
    pthread_join(w->thread, NULL);
}

static void one_at_a_time(void **state)
{
    struct waiter w[3] = {0};
    int fd = listener(), copy = dup(fd);
    unsigned n = 0;

    (void)state;
    begin(&w[0], fd);
    assert_true(served(&w[0]));
    begin(&w[1], copy); /* the same listener by another number */
    begin(&w[2], fd);
    pause_ms(30);
    assert_int_equal(w[1].served + w[2].served, 0);
    end(&w[0]);
    while (n < 1000 && w[1].served + w[2].served == 0) {
        pause_ms(1);
        n++;
    }
    pause_ms(20);
    assert_int_equal(w[1].served + w[2].served, 1);
    w[1].go = w[2].go = true;
    for (int i = 1; i < 3; i++) {
        assert_true(served(&w[i]));
        end(&w[i]);
        assert_int_equal(w[i].result, 0);
        assert_true(w[i].gated);
    }
    close(copy);
    close(fd);
}

/* No listener's acceptor waits for another's, whether there is a gate for it or not. */
static void each_listener_for_itself(void **state)
{
    static struct waiter w[MANY];
    unsigned gated = 0;

    (void)state;
    for (int i = 0; i < MANY; i++)
        begin(&w[i], listener());
    for (int i = 0; i < MANY; i++)
        assert_true(served(&w[i]));
    for (int i = 0; i < MANY; i++) {
        end(&w[i]);
        gated += w[i].gated;
        close(w[i].fd);
    }
    assert_in_range(gated, 1, 64);
}

static void a_gate_is_given_anew(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++) {
        struct turn t = {0};
        int fd = listener();

        assert_int_equal(turn_take(&t, fd), 0);
        assert_non_null(t.gate);
        assert_int_equal(turn_take(&t, fd), 0); /* held already */
        turn_give(&t, false);
        assert_null(t.gate);
        turn_give(&t, false);
        close(fd);
    }
}

/* --- signals -----------------------------------------------------------------------------------
 */

static atomic_int handled;
static int of_handler;

static void on_signal(int signum)
{
    struct turn t = {0};

    (void)signum;
    if (of_handler >= 0) {
        assert_int_equal(turn_take(&t, of_handler), 0);
        assert_null(t.gate);
        turn_give(&t, false);
    }
    handled++;
}

static void handle(int fd, int flags)
{
    struct sigaction sa = {.sa_handler = on_signal, .sa_flags = flags};

    of_handler = fd;
    handled = 0;
    sigaction(SIGUSR1, &sa, NULL);
}

static void a_signal_ends_the_wait_as_its_handler_says(void **state)
{
    struct waiter w[2] = {0};
    int fd = listener();

    (void)state;
    begin(&w[0], fd);
    assert_true(served(&w[0]));
    begin(&w[1], fd);
    pause_ms(30);
    handle(fd, SA_RESTART); /* the handler takes a turn too, and does not wait */
    pthread_kill(w[1].thread, SIGUSR1);
    pause_ms(30);
    assert_int_equal(handled, 1);
    assert_int_equal(w[1].served, 0);
    handle(-1, 0);
    pthread_kill(w[1].thread, SIGUSR1);
    assert_true(served(&w[1]));
    end(&w[1]);
    assert_int_equal(w[1].result, -EINTR);
    begin(&w[1], fd); /* who went does not count */
    end(&w[0]);
    assert_true(served(&w[1]));
    end(&w[1]);
    assert_true(w[1].gated);
    close(fd);
}

/* A signal for all: whom it finds waiting for its turn does not get the turn instead. */
static void a_signal_for_all_ends_all(void **state)
{
    struct waiter w[2] = {0};
    struct turn t = {0};
    int fd = listener();

    (void)state;
    handle(-1, 0);
    assert_int_equal(turn_take(&t, fd), 0);
    for (int i = 0; i < 2; i++)
        begin(&w[i], fd);
    pause_ms(30);
    for (int i = 0; i < 2; i++)
        pthread_kill(w[i].thread, SIGUSR1);
    turn_give(&t, true);
    for (int i = 0; i < 2; i++) {
        assert_true(served(&w[i]));
        end(&w[i]);
        assert_int_equal(w[i].result, -EINTR);
    }
    close(fd);
}

/* Each of them, one after the other: the last one has the turn. */
static void who_is_cancelled_leaves_no_trace(void **state)
{
    struct waiter w[3] = {0};
    struct turn t = {0};
    int fd = listener();
    void *result;

    (void)state;
    for (int round = 0; round < 50; round++) {
        assert_int_equal(turn_take(&t, fd), 0);
        for (int i = 0; i < 3; i++)
            begin(&w[i], fd);
        pause_ms(round % 5);
        pthread_cancel(w[0].thread);
        turn_give(&t, false); /* it may be just this one that is woken */
        pthread_cancel(w[1].thread);
        for (int i = 0; i < 2; i++) {
            w[i].go = true; /* it was served before */
            pthread_join(w[i].thread, &result);
        }
        assert_true(served(&w[2]));
        end(&w[2]);
        assert_true(w[2].gated);
    }
    assert_int_equal(turn_take(&t, fd), 0);
    assert_non_null(t.gate);
    turn_give(&t, false);
    close(fd);
}

/* --- processes ---------------------------------------------------------------------------------
 */

/* Also one that libc knows nothing of. */
static void a_child_does_not_wait_for_its_parents_threads(void **state)
{
    struct waiter w = {0};
    int fd = listener(), status;
    pid_t child;

    (void)state;
    begin(&w, fd);
    assert_true(served(&w));
    child = (pid_t)syscall(SYS_fork);
    if (child == 0) {
        struct turn t = {0};

        alarm(5);
        _exit(turn_take(&t, fd) != 0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    end(&w);
    close(fd);
}

static void what_has_no_cookie_has_no_turns(void **state)
{
    struct turn t = {0};
    int pipes[2];

    (void)state;
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(turn_take(&t, pipes[0]), 0);
    assert_null(t.gate);
    assert_int_equal(turn_take(&t, -1), 0);
    assert_null(t.gate);
    close(pipes[0]);
    close(pipes[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_at_a_time),
        cmocka_unit_test(each_listener_for_itself),
        cmocka_unit_test(a_gate_is_given_anew),
        cmocka_unit_test(a_signal_ends_the_wait_as_its_handler_says),
        cmocka_unit_test(a_signal_for_all_ends_all),
        cmocka_unit_test(who_is_cancelled_leaves_no_trace),
        cmocka_unit_test(a_child_does_not_wait_for_its_parents_threads),
        cmocka_unit_test(what_has_no_cookie_has_no_turns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
