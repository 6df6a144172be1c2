/* SPDX-License-Identifier: MIT */
/* The control socket's path (hostile case 37). */
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
#include <unistd.h>

#include <cmocka.h>

#define unused __attribute__((unused))

static int dial(int type)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type, 0);

    strncpy(un.sun_path, scratch_path, sizeof(un.sun_path) - 1);
    if (connect(fd, (struct sockaddr *)&un, sizeof(un)) == 0)
        return fd;
    close(fd);
    return -1;
}

static bool exists(void)
{
    struct stat st;

    return lstat(scratch_path, &st) == 0;
}

static void everybody_may_connect_once_it_serves_and_not_before(void **state unused)
{
    struct sockfile f;
    struct stat st;
    int fd = sockfile_claim(&f, scratch_path), client;

    assert_true(fd >= 0);
    assert_int_equal(dial(SOCK_SEQPACKET), -1);
    assert_int_equal(sockfile_serve(&f), 0);
    client = dial(SOCK_SEQPACKET);
    assert_true(client >= 0);
    assert_int_equal(stat(scratch_path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0666);
    sockfile_remove(&f);
    assert_false(exists());
    close(client);
    close(fd);
}

static void hostile_37_a_second_daemon_is_refused(void **state unused)
{
    struct sockfile f, g;
    int fd = sockfile_claim(&f, scratch_path);

    assert_int_equal(sockfile_serve(&f), 0);
    assert_int_equal(sockfile_claim(&g, scratch_path), -EADDRINUSE);
    sockfile_remove(&g); /* and does not take the first one's socket away */
    assert_true(exists());
    sockfile_remove(&f);
    close(fd);
}

static void hostile_37_a_stale_socket_is_replaced(void **state unused)
{
    struct sockfile f, g;
    int fd = sockfile_claim(&f, scratch_path);

    assert_int_equal(sockfile_serve(&f), 0);
    close(fd); /* as if killed */
    assert_true(exists());
    fd = sockfile_claim(&g, scratch_path);
    assert_true(fd >= 0);
    assert_int_equal(sockfile_serve(&g), 0);
    sockfile_remove(&f); /* not its own any more, unless the inode was reused at once */
    sockfile_remove(&g);
    assert_false(exists());
    close(fd);
}

static void hostile_37_a_symbolic_link_is_refused(void **state unused)
{
    struct sockfile f;

    assert_int_equal(symlink("/tmp/somewhere-else", scratch_path), 0);
    assert_int_equal(sockfile_claim(&f, scratch_path), -EEXIST);
    assert_true(exists());
    unlink(scratch_path);
}

static void hostile_37_what_is_no_socket_is_left_alone(void **state unused)
{
    struct sockfile f;
    int fd = open(scratch_path, O_CREAT | O_WRONLY, 0600);

    close(fd);
    assert_int_equal(sockfile_claim(&f, scratch_path), -EEXIST);
    assert_true(exists());
    unlink(scratch_path);
}

static void hostile_37_a_living_socket_of_another_program_is_refused(void **state unused)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockfile f;

    strncpy(un.sun_path, scratch_path, sizeof(un.sun_path) - 1);
    assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(sockfile_claim(&f, scratch_path), -EADDRINUSE);
    assert_true(exists());
    unlink(scratch_path);
    close(fd);
}

static void a_path_that_is_too_long_or_has_no_directory_is_refused(void **state unused)
{
    char longer[200];
    struct sockfile f;

    memset(longer, 'a', sizeof(longer));
    longer[sizeof(longer) - 1] = '\0';
    assert_int_equal(sockfile_claim(&f, longer), -ENAMETOOLONG);
    assert_int_equal(sockfile_claim(&f, ""), -ENAMETOOLONG);
    assert_int_equal(sockfile_claim(&f, "/nonexistent/dir/s"), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everybody_may_connect_once_it_serves_and_not_before),
        cmocka_unit_test(hostile_37_a_second_daemon_is_refused),
        cmocka_unit_test(hostile_37_a_stale_socket_is_replaced),
        cmocka_unit_test(hostile_37_a_symbolic_link_is_refused),
        cmocka_unit_test(hostile_37_what_is_no_socket_is_left_alone),
        cmocka_unit_test(hostile_37_a_living_socket_of_another_program_is_refused),
        cmocka_unit_test(a_path_that_is_too_long_or_has_no_directory_is_refused),
    };
    return cmocka_run_group_tests_name("sockfile", tests, scratch_make, scratch_remove);
}
