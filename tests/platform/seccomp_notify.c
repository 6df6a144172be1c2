/* SPDX-License-Identifier: MIT */
/*
 * Seccomp user notification, for programs that cannot be preloaded: a filter hands chosen calls to
 * a supervisor, which answers with a result, an error, "go on", or a descriptor that it installs in
 * the caller (ADDFD). pidfd_getfd takes a descriptor out of a process. All of it without privilege,
 * for children of the supervisor.
 */
#include "tests/platform/platform.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>

static int pidfd_open_(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

static int pidfd_getfd_(int pidfd, int fd)
{
    return (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
}

static uint64_t cookie(int fd)
{
    uint64_t c = 0;
    socklen_t len = sizeof(c);
    return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &c, &len) ? 0 : c;
}

/* Hands socket(2) and connect(2) of this process to a supervisor; returns the listener. */
static int install_filter(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_connect, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -1;
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
                        &program);
}

struct target {
    pid_t pid;
    int listener;
};

/* Starts a child under the filter; its listener is taken from it by pidfd_getfd. */
static struct target start(void (*body)(void))
{
    int number = -1, tell[2], go[2];
    char c;
    assert_int_equal(pipe2(tell, O_CLOEXEC), 0);
    assert_int_equal(pipe2(go, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(go[1]);
        number = install_filter();
        child_check(number >= 0);
        child_check(write(tell[1], &number, sizeof(number)) == sizeof(number));
        child_check(read(go[0], &c, 1) == 1);
        close(number);
        body();
        _exit(0);
    }
    close(tell[1]);
    assert_int_equal(read(tell[0], &number, sizeof(number)), sizeof(number));
    int pidfd = pidfd_open_(pid);
    assert_true(pidfd >= 0);
    int listener = pidfd_getfd_(pidfd, number);
    assert_true(listener >= 0);
    assert_int_equal(write(go[1], "g", 1), 1);
    close(pidfd);
    close(tell[0]);
    close(go[0]);
    close(go[1]);
    return (struct target){.pid = pid, .listener = listener};
}

static struct seccomp_notif next_call(int listener)
{
    struct seccomp_notif call;
    memset(&call, 0, sizeof(call));
    assert_int_equal(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call), 0);
    return call;
}

static void answer(int listener, uint64_t id, int error, int64_t value, uint32_t flags)
{
    struct seccomp_notif_resp resp = {.id = id, .error = error, .val = value, .flags = flags};
    assert_int_equal(ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &resp), 0);
}

static void body_writes_through_its_socket(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un un;
    socklen_t len = sizeof(un);
    child_check(fd >= 0);
    child_check(getsockname(fd, (struct sockaddr *)&un, &len) == 0 && un.sun_family == AF_UNIX);
    child_check(fcntl(fd, F_GETFD) == FD_CLOEXEC);
    child_check(write(fd, "hello", 5) == 5);
}

static void addfd_with_send_makes_a_descriptor_the_result_of_the_call(void **state unused)
{
    struct pair s = stream_pair();
    struct target t = start(body_writes_through_its_socket);
    struct seccomp_notif call = next_call(t.listener);
    assert_int_equal(call.data.nr, SYS_socket);
    assert_int_equal(call.data.args[0], AF_INET);
    assert_int_equal(call.pid, t.pid);
    struct seccomp_notif_addfd add = {.id = call.id,
                                      .srcfd = (uint32_t)s.p,
                                      .newfd_flags = O_CLOEXEC,
                                      .flags = SECCOMP_ADDFD_FLAG_SEND};
    assert_true(ioctl(t.listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add) >= 0);
    close(s.p);
    assert_int_equal(reap(t.pid), 0);
    assert_int_equal(readable_bytes(s.d), 5);
    assert_true(poll_mask(s.d) & POLLHUP); /* no other copy stayed behind */
    close(s.d);
    close(t.listener);
}

static void body_connects(void)
{
    int own[2];
    struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "/nowhere/in/particular"};
    child_check(socketpair(AF_UNIX, SOCK_STREAM, 0, own) == 0);
    child_check(dup2(own[0], 77) == 77);
    child_check(connect(77, (struct sockaddr *)&un, sizeof(un)) == 0);
    child_check(write(77, "data", 4) == 4);
}

static void addfd_with_setfd_replaces_the_descriptor_that_connect_was_called_on(void **state unused)
{
    struct pair s = stream_pair();
    struct target t = start(body_connects);
    struct seccomp_notif call = next_call(t.listener);
    assert_int_equal(call.data.nr, SYS_connect);
    assert_int_equal(call.data.args[0], 77);
    struct sockaddr_un un;
    struct iovec here = {&un, sizeof(un)};
    struct iovec there = {(void *)(uintptr_t)call.data.args[1], sizeof(un)};
    assert_int_equal(process_vm_readv(t.pid, &here, 1, &there, 1, 0), sizeof(un));
    assert_string_equal(un.sun_path, "/nowhere/in/particular");
    struct seccomp_notif_addfd add = {.id = call.id,
                                      .srcfd = (uint32_t)s.p,
                                      .newfd = (uint32_t)call.data.args[0],
                                      .flags = SECCOMP_ADDFD_FLAG_SETFD};
    assert_int_equal(ioctl(t.listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add), 77);
    answer(t.listener, call.id, 0, 0, 0);
    assert_int_equal(reap(t.pid), 0);
    assert_int_equal(readable_bytes(s.d), 4);
    close_pair(s);
    close(t.listener);
}

static void body_is_refused(void)
{
    child_check(socket(AF_INET, SOCK_STREAM, 0) == -1 && errno == ENETUNREACH);
}

static void an_error_can_be_the_answer(void **state unused)
{
    struct target t = start(body_is_refused);
    struct seccomp_notif call = next_call(t.listener);
    answer(t.listener, call.id, -ENETUNREACH, 0, 0);
    assert_int_equal(reap(t.pid), 0);
    close(t.listener);
}

static void body_makes_its_own(void)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0), domain = 0;
    socklen_t len = sizeof(domain);
    child_check(getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_UNIX);
}

static void continue_lets_the_kernel_do_the_call(void **state unused)
{
    struct target t = start(body_makes_its_own);
    struct seccomp_notif call = next_call(t.listener);
    answer(t.listener, call.id, 0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
    assert_int_equal(reap(t.pid), 0);
    close(t.listener);
}

static void body_in_a_grandchild(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(socket(AF_INET, SOCK_STREAM, 0) == -1 && errno == EXDEV ? 0 : 1);
    int status;
    child_check(waitpid(pid, &status, 0) == pid && status == 0);
}

static void children_of_the_filtered_process_notify_the_same_listener(void **state unused)
{
    struct target t = start(body_in_a_grandchild);
    struct seccomp_notif call = next_call(t.listener);
    assert_true((pid_t)call.pid != t.pid);
    answer(t.listener, call.id, -EXDEV, 0, 0);
    assert_int_equal(reap(t.pid), 0);
    close(t.listener);
}

static void the_listener_polls_readable_for_a_call_and_hup_when_all_are_gone(void **state unused)
{
    struct target t = start(body_is_refused);
    struct pollfd p = {.fd = t.listener, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 2000), 1);
    assert_true(p.revents & POLLIN);
    struct seccomp_notif call = next_call(t.listener);
    answer(t.listener, call.id, -ENETUNREACH, 0, 0);
    assert_int_equal(reap(t.pid), 0);
    assert_int_equal(poll(&p, 1, 2000), 1);
    assert_int_equal(p.revents, POLLHUP);
    close(t.listener);
}

static void the_id_of_a_killed_caller_is_no_longer_valid(void **state unused)
{
    struct target t = start(body_is_refused);
    struct seccomp_notif call = next_call(t.listener);
    assert_int_equal(ioctl(t.listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &call.id), 0);
    kill(t.pid, SIGKILL);
    assert_int_equal(reap(t.pid), 128 + SIGKILL);
    assert_errno(ioctl(t.listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &call.id), ENOENT);
    close(t.listener);
}

static void pidfd_getfd_takes_the_very_socket_out_of_a_child(void **state unused)
{
    struct pair s = stream_pair();
    int hold[2];
    assert_int_equal(pipe2(hold, O_CLOEXEC), 0);
    uint64_t c = cookie(s.p);
    pid_t pid = fork();
    if (pid == 0) {
        char ch;
        close(hold[1]);
        _exit(read(hold[0], &ch, 1) == 0 ? 0 : 1);
    }
    int number = s.p;
    close(s.p);
    int pidfd = pidfd_open_(pid);
    int got = pidfd_getfd_(pidfd, number);
    assert_true(got >= 0);
    assert_true(cookie(got) == c);
    put(got, "x", 1);
    assert_int_equal(readable_bytes(s.d), 1);
    assert_errno(pidfd_getfd_(pidfd, 9999), EBADF);
    close(hold[1]);
    assert_int_equal(reap(pid), 0);
    close(got);
    close(pidfd);
    close(hold[0]);
    close(s.d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addfd_with_send_makes_a_descriptor_the_result_of_the_call),
        cmocka_unit_test(addfd_with_setfd_replaces_the_descriptor_that_connect_was_called_on),
        cmocka_unit_test(an_error_can_be_the_answer),
        cmocka_unit_test(continue_lets_the_kernel_do_the_call),
        cmocka_unit_test(children_of_the_filtered_process_notify_the_same_listener),
        cmocka_unit_test(the_listener_polls_readable_for_a_call_and_hup_when_all_are_gone),
        cmocka_unit_test(the_id_of_a_killed_caller_is_no_longer_valid),
        cmocka_unit_test(pidfd_getfd_takes_the_very_socket_out_of_a_child),
    };
    return cmocka_run_group_tests_name("seccomp_notify", tests, NULL, NULL);
}
