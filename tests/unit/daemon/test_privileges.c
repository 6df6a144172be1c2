/* SPDX-License-Identifier: MIT */
/*
 * Hostile case 38: after the drop, the forbidden acts are tried. Each in a child that has dropped
 * its privileges as the daemon does; without root, the child is root of a user namespace of its own
 * first.
 */
#include "daemon/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define unused __attribute__((unused))

/* Sanitizers and valgrind would not live with the filter. */
#ifdef __SANITIZE_ADDRESS__
#define FILTER 0
#else
#define FILTER (!getenv("TAPSTACK_TEST_VALGRIND"))
#endif

/* In a child that has dropped everything: does `act` return 0? */
static void in_jail(int (*act)(void))
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        struct privileges_user same = {0};
        if (geteuid() != 0 && unshare(CLONE_NEWUSER) < 0)
            _exit(77);
        if (privileges_drop(&same) < 0 || privileges_filter() < 0)
            _exit(99);
        _exit(act());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) {
        print_message("# neither root nor a user namespace\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int refused(long rc)
{
    return rc < 0 && (errno == EPERM || errno == EACCES) ? 0 : 1;
}

static int open_tun(void)
{
    return refused(open("/dev/net/tun", O_RDWR));
}

static int open_a_file(void)
{
    return refused(open("/etc/passwd", O_RDONLY));
}

static int raw_socket(void)
{
    return refused(socket(AF_INET, SOCK_RAW, 1)) || refused(socket(AF_PACKET, SOCK_RAW, 0));
}

static int any_socket(void)
{
    return refused(socket(AF_INET, SOCK_STREAM, 0)) || refused(socket(AF_UNIX, SOCK_STREAM, 0));
}

static int set_uid(void)
{
    return refused(setuid(0)) || refused(setresuid(0, 0, 0)) || refused(setgid(0));
}

static int trace(void)
{
    return refused(ptrace(PTRACE_ATTACH, getppid(), 0, 0));
}

static int execute(void)
{
    char *argv[] = {"true", NULL};

    execv("/bin/true", argv);
    return refused(-1);
}

static int make_a_process(void)
{
    return refused(fork());
}

static int mount_something(void)
{
    return refused(mount("none", "/tmp", "tmpfs", 0, ""));
}

static int have_a_capability(void)
{
    for (int c = 0; c <= CAP_LAST_CAP; c++) {
        if (cap_get_bound(c) > 0 && geteuid() == 0)
            return 1;
        if (cap_get_ambient(c) > 0)
            return 2;
    }
    return 0;
}

static int process_has_a_capability(void)
{
    cap_t now = cap_get_proc();
    char *text = now ? cap_to_text(now, NULL) : NULL;
    int rc = !text || (strcmp(text, "=") != 0 && strcmp(text, "") != 0);

    cap_free(text);
    cap_free(now);
    return rc;
}

static int what_the_daemon_needs(void)
{
    int fds[2];
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED || munmap(p, 4096) < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0 ||
        send(fds[0], "x", 1, 0) != 1 || close(fds[0]) < 0 || close(fds[1]) < 0)
        return 1;
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) < 0 && errno == EPERM ? 0 : 2;
}

static void hostile_38_dev_net_tun_cannot_be_opened(void **state unused)
{
    if (!FILTER)
        skip();
    in_jail(open_tun);
}

static void hostile_38_no_file_can_be_opened(void **state unused)
{
    if (!FILTER)
        skip();
    in_jail(open_a_file);
}

static void hostile_38_raw_sockets_cannot_be_made(void **state unused)
{
    in_jail(raw_socket);
}

static void hostile_38_no_socket_but_a_pair_can_be_made(void **state unused)
{
    if (!FILTER)
        skip();
    in_jail(any_socket);
}

static void hostile_38_no_user_can_be_become(void **state unused)
{
    if (!FILTER)
        skip();
    in_jail(set_uid);
}

static void hostile_38_no_process_can_be_traced(void **state unused)
{
    in_jail(trace);
}

static void hostile_38_nothing_can_be_executed(void **state unused)
{
    if (!FILTER)
        skip();
    in_jail(execute);
}

static void hostile_38_no_process_can_be_made(void **state unused)
{
    if (!FILTER)
        skip();
    in_jail(make_a_process);
}

static void hostile_38_nothing_can_be_mounted(void **state unused)
{
    in_jail(mount_something);
}

/* These two read the sets by calls that the filter does not know: only the stages before it. */
static void without_filter(int (*act)(void))
{
    struct privileges_user same = {0};
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        if (geteuid() != 0 && unshare(CLONE_NEWUSER) < 0)
            _exit(0);
        _exit(privileges_drop(&same) < 0 ? 99 : act());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void hostile_38_no_capability_is_left_in_any_set(void **state unused)
{
    without_filter(process_has_a_capability);
    without_filter(have_a_capability);
}

static int no_new_privs_and_no_dumps(void)
{
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 || prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0;
}

static void hostile_38_no_new_privileges_and_no_core_dumps(void **state unused)
{
    without_filter(no_new_privs_and_no_dumps);
}

static void what_the_daemon_needs_is_still_possible(void **state unused)
{
    if (!FILTER)
        skip();
    in_jail(what_the_daemon_needs);
}

static void a_user_that_does_not_exist_is_an_error(void **state unused)
{
    struct privileges_user u;

    assert_int_equal(privileges_find_user("no-such-user-here", &u), -ENOENT);
    assert_int_equal(privileges_find_user("", &u), 0);
    assert_false(u.change);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_38_dev_net_tun_cannot_be_opened),
        cmocka_unit_test(hostile_38_no_file_can_be_opened),
        cmocka_unit_test(hostile_38_raw_sockets_cannot_be_made),
        cmocka_unit_test(hostile_38_no_socket_but_a_pair_can_be_made),
        cmocka_unit_test(hostile_38_no_user_can_be_become),
        cmocka_unit_test(hostile_38_no_process_can_be_traced),
        cmocka_unit_test(hostile_38_nothing_can_be_executed),
        cmocka_unit_test(hostile_38_no_process_can_be_made),
        cmocka_unit_test(hostile_38_nothing_can_be_mounted),
        cmocka_unit_test(hostile_38_no_capability_is_left_in_any_set),
        cmocka_unit_test(hostile_38_no_new_privileges_and_no_core_dumps),
        cmocka_unit_test(what_the_daemon_needs_is_still_possible),
        cmocka_unit_test(a_user_that_does_not_exist_is_an_error),
    };
    return cmocka_run_group_tests_name("privileges", tests, NULL, NULL);
}
