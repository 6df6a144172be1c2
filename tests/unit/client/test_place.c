/* SPDX-License-Identifier: MIT */
/* A descriptor that takes another's place is in the same epoll instances, whoever made those. */
#include "client/lib/epolls.h"
#include "client/lib/place.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define unused __attribute__((unused))

static int pair_end(void)
{
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    close(fds[1]); /* so that it is readable */
    return fds[0];
}

static int instance(bool seen)
{
    int epfd = epoll_create1(EPOLL_CLOEXEC);

    assert_true(epfd >= 0);
    if (seen)
        epolls_made(epfd);
    return epfd;
}

static void add(int epfd, int fd, uint64_t data)
{
    struct epoll_event ev = {.events = EPOLLIN | EPOLLET, .data.u64 = data};

    assert_int_equal(epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev), 0);
}

static uint64_t reported(int epfd)
{
    struct epoll_event ev = {0};

    return epoll_wait(epfd, &ev, 1, 0) == 1 ? ev.data.u64 : 0;
}

/* Replace what fd is, and see that these instances (-1: none) report the new one with `data`. */
static void replace_and_see(int fd, int one, int two, uint64_t data)
{
    struct stat before, after;
    int with = pair_end();

    assert_int_equal(fstat(with, &before), 0);
    assert_int_equal(place_here.put(&place_here, fd, with), 0);
    close(with);
    assert_int_equal(fstat(fd, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    if (one >= 0)
        assert_int_equal(reported(one), data);
    if (two >= 0)
        assert_int_equal(reported(two), data);
}

/* Each case in a process of its own: what is known of instances is the process'. */
static void in_a_child(void (*f)(void))
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        f();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void known(void)
{
    int epfds[EPOLLS_MOST], one = instance(true), two = instance(true), fd = pair_end();

    assert_int_equal(epolls_known(epfds), -1); /* nobody has looked yet */
    replace_and_see(fd, -1, -1, 0);
    assert_int_equal(epolls_known(epfds), 2);
    assert_int_equal(epfds[0], one);
    add(one, fd, 7);
    replace_and_see(fd, one, -1, 7);
    add(two, fd, 7);
    replace_and_see(fd, one, two, 7);
    assert_int_equal(epolls_known(epfds), 2);
}

static void closed(void)
{
    int epfds[EPOLLS_MOST], one = instance(true), two = instance(true), fd = pair_end();

    replace_and_see(fd, -1, -1, 0);
    close(one);
    add(two, fd, 8);
    replace_and_see(fd, two, -1, 8);
    assert_int_equal(epolls_known(epfds), 1);
    assert_int_equal(epfds[0], two);
}

static void reused(void)
{
    int epfds[EPOLLS_MOST], one = instance(true), two = instance(true), fd = pair_end(), other;

    replace_and_see(fd, -1, -1, 0);
    close(one);
    other = pair_end();
    assert_int_equal(other, one);
    add(two, fd, 9);
    replace_and_see(fd, two, -1, 9);
    assert_int_equal(epolls_known(epfds), 1);
    assert_int_equal(epfds[0], two);
}

static void moved(void)
{
    int one = instance(true), fd = pair_end(), to;

    replace_and_see(fd, -1, -1, 0);
    add(one, fd, 10);
    to = dup(one);
    close(one);
    replace_and_see(fd, to, -1, 10);
    replace_and_see(fd, to, -1, 10);
}

static void unseen_at_first(void)
{
    int seen = instance(true), one = instance(false), fd = pair_end(), two;

    add(one, fd, 11);
    replace_and_see(fd, one, -1, 11);
    two = instance(false); /* as that one came past us, so may others */
    add(two, fd, 11);
    replace_and_see(fd, one, two, 11);
    close(seen);
}

static void unseen_alone(void)
{
    int fd = pair_end(), one;

    replace_and_see(fd, -1, -1, 0);
    one = instance(false);
    add(one, fd, 12);
    replace_and_see(fd, one, -1, 12);
}

static void received(void)
{
    int one = instance(true), fd = pair_end(), two;

    replace_and_see(fd, -1, -1, 0);
    two = instance(false);
    add(two, fd, 13);
    epolls_received();
    replace_and_see(fd, two, -1, 13);
    close(one);
}

static void inherited_by_fork(void)
{
    int one = instance(true), fd = pair_end();

    replace_and_see(fd, -1, -1, 0);
    add(one, fd, 14);
    if (fork() == 0) {
        int epfds[EPOLLS_MOST];

        assert_int_equal(epolls_known(epfds), 1);
        replace_and_see(fd, one, -1, 14);
        _exit(0);
    }
    int status = 1;
    assert_true(wait(&status) > 0);
    assert_int_equal(status, 0);
}

static void many(void)
{
    int epfds[EPOLLS_MOST], all[EPOLLS_MOST + 8], fd = pair_end();

    for (int i = 0; i < EPOLLS_MOST + 8; i++)
        all[i] = instance(true);
    add(all[0], fd, 15);
    add(all[EPOLLS_MOST + 7], fd, 15);
    replace_and_see(fd, all[0], all[EPOLLS_MOST + 7], 15);
    assert_int_equal(epolls_known(epfds), -1);
}

static void another_process_is_looked_at(void)
{
    int one = instance(false), fd = pair_end();
    struct place_epoll found[2];
    struct stat st;

    add(one, fd, 16);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(place_find_epolls(getpid(), fd, st.st_ino, found, 2), 1);
    assert_int_equal(found[0].epfd, one);
    assert_int_equal(found[0].data, 16);
    assert_int_equal(found[0].events & (EPOLLIN | EPOLLET), EPOLLIN | EPOLLET);
}

#define CASE(name, f)                                                                              \
    static void name(void **state unused)                                                          \
    {                                                                                              \
        in_a_child(f);                                                                             \
    }

CASE(instances_that_were_seen_are_remembered, known)
CASE(one_that_was_closed_is_forgotten, closed)
CASE(one_whose_number_is_something_else_is_forgotten, reused)
CASE(one_that_was_moved_is_found, moved)
CASE(one_that_nobody_saw_is_found_and_then_others, unseen_at_first)
CASE(one_that_nobody_saw_is_found_when_there_is_no_other, unseen_alone)
CASE(one_that_was_received_is_found, received)
CASE(a_fork_takes_the_list_along, inherited_by_fork)
CASE(more_than_the_list_holds_are_found, many)
CASE(those_of_another_process_are_found, another_process_is_looked_at)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instances_that_were_seen_are_remembered),
        cmocka_unit_test(one_that_was_closed_is_forgotten),
        cmocka_unit_test(one_whose_number_is_something_else_is_forgotten),
        cmocka_unit_test(one_that_was_moved_is_found),
        cmocka_unit_test(one_that_nobody_saw_is_found_and_then_others),
        cmocka_unit_test(one_that_nobody_saw_is_found_when_there_is_no_other),
        cmocka_unit_test(one_that_was_received_is_found),
        cmocka_unit_test(a_fork_takes_the_list_along),
        cmocka_unit_test(more_than_the_list_holds_are_found),
        cmocka_unit_test(those_of_another_process_are_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
