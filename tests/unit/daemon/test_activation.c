/* SPDX-License-Identifier: MIT */
/* Sockets as a service manager hands them over: from descriptor 3 on, with LISTEN_PID and
 * LISTEN_FDS. Each case in a child of its own, whose descriptors it may use up. */
#include "daemon/activation.h"
#include "daemon/sockfile.h"
#include "tests/unit/daemon/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <cmocka.h>

#define unused __attribute__((unused))
#define FIRST  SD_LISTEN_FDS_START

/* A bound socket, listening or not, at this number. */
static void hand_over(int number, int type, bool listening)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type, 0);

    snprintf(un.sun_path, sizeof(un.sun_path), "%s", scratch_path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&un, sizeof(un)) < 0 ||
        (listening && listen(fd, 5) < 0))
        _exit(98);
    if (fd != number && (dup2(fd, number) < 0 || close(fd) < 0))
        _exit(97);
}

static void say(int count)
{
    char pid[16], n[16];

    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    snprintf(n, sizeof(n), "%d", count);
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", n, 1);
}

static int in_child(int (*act)(void))
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0)
        _exit(act());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    unlink(scratch_path);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int take_the_right_one(void)
{
    hand_over(FIRST, SOCK_SEQPACKET, true);
    say(1);
    if (activation_socket(scratch_path) != FIRST)
        return 1;
    if (!(fcntl(FIRST, F_GETFL) & O_NONBLOCK) || !(fcntl(FIRST, F_GETFD) & FD_CLOEXEC))
        return 2;
    return getenv("LISTEN_FDS") ? 3 : 0;
}

static int take_none(void)
{
    return activation_socket(scratch_path) == -ENOENT ? 0 : 1;
}

static int take_another_process_s(void)
{
    hand_over(FIRST, SOCK_SEQPACKET, true);
    say(1);
    setenv("LISTEN_PID", "1", 1);
    return activation_socket(scratch_path) == -ENOENT ? 0 : 1;
}

static int take_a_stream_socket(void)
{
    hand_over(FIRST, SOCK_STREAM, true);
    say(1);
    return activation_socket(scratch_path) == -EPROTOTYPE ? 0 : 1;
}

static int take_one_that_does_not_listen(void)
{
    hand_over(FIRST, SOCK_SEQPACKET, false);
    say(1);
    return activation_socket(scratch_path) == -EPROTOTYPE ? 0 : 1;
}

static int take_one_from_elsewhere(void)
{
    hand_over(FIRST, SOCK_SEQPACKET, true);
    say(1);
    return activation_socket("/run/elsewhere.sock") == -EADDRNOTAVAIL ? 0 : 1;
}

static int take_two(void)
{
    hand_over(FIRST, SOCK_SEQPACKET, true);
    if (dup2(FIRST, FIRST + 1) < 0)
        return 96;
    say(2);
    return activation_socket(scratch_path) == -E2BIG ? 0 : 1;
}

/* Who connects sees that it is us; and when we end, the socket stays where it is. */
static int serve_and_leave(void)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct ucred cred = {0};
    socklen_t len = sizeof(cred);
    struct sockfile f;
    int fd;

    hand_over(FIRST, SOCK_SEQPACKET, true);
    fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    sockfile_adopt(&f, FIRST);
    if (sockfile_serve(&f) < 0)
        return 1;
    snprintf(un.sun_path, sizeof(un.sun_path), "%s", scratch_path);
    if (connect(fd, (struct sockaddr *)&un, sizeof(un)) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0 || cred.pid != getpid())
        return 2;
    sockfile_remove(&f);
    return access(scratch_path, F_OK) == 0 ? 0 : 3;
}

static void the_managers_socket_is_taken(void **state unused)
{
    assert_int_equal(in_child(take_the_right_one), 0);
}

static void without_one_there_is_none(void **state unused)
{
    assert_int_equal(in_child(take_none), 0);
    assert_int_equal(in_child(take_another_process_s), 0);
}

static void one_of_another_kind_is_refused(void **state unused)
{
    assert_int_equal(in_child(take_a_stream_socket), 0);
    assert_int_equal(in_child(take_one_that_does_not_listen), 0);
}

static void one_that_is_not_where_the_configuration_says_is_refused(void **state unused)
{
    assert_int_equal(in_child(take_one_from_elsewhere), 0);
}

static void more_than_one_are_refused(void **state unused)
{
    assert_int_equal(in_child(take_two), 0);
}

static void it_is_served_as_ours_and_left_in_its_place(void **state unused)
{
    assert_int_equal(in_child(serve_and_leave), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_managers_socket_is_taken),
        cmocka_unit_test(without_one_there_is_none),
        cmocka_unit_test(one_of_another_kind_is_refused),
        cmocka_unit_test(one_that_is_not_where_the_configuration_says_is_refused),
        cmocka_unit_test(more_than_one_are_refused),
        cmocka_unit_test(it_is_served_as_ours_and_left_in_its_place),
    };
    return cmocka_run_group_tests_name("activation", tests, scratch_make, scratch_remove);
}
