/* SPDX-License-Identifier: MIT */
/*
 * Helpers shared by the programs in this directory. Each program shows one family of kernel
 * behaviours that docs and code of tapstack rely on; the figures it measures are printed as TAP
 * comments, the behaviours are asserted.
 *
 * By convention `d` is the daemon's end of a socketpair and `p` the program's end.
 */
#ifndef TS_TESTS_PLATFORM_H
#define TS_TESTS_PLATFORM_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define KIB        1024
#define POLL_WATCH (POLLIN | POLLPRI | POLLOUT | POLLRDHUP)
#define unused     __attribute__((unused))

/* A TAP comment: what was measured, for the reader of the log. */
#define note(...)                                                                                  \
    do {                                                                                           \
        char line_[256];                                                                           \
        snprintf(line_, sizeof(line_), __VA_ARGS__);                                               \
        print_message("# %s\n", line_);                                                            \
    } while (0)

#define assert_errno(call, expected)                                                               \
    do {                                                                                           \
        errno = 0;                                                                                 \
        assert_int_equal((call), -1);                                                              \
        assert_int_equal(errno, (expected));                                                       \
    } while (0)

struct pair {
    int d, p;
};

static inline uint64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static unused struct pair pair_of_type(int type)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    return (struct pair){.d = fds[0], .p = fds[1]};
}

static unused struct pair stream_pair(void)
{
    return pair_of_type(SOCK_STREAM);
}

static unused void close_pair(struct pair s)
{
    close(s.d);
    close(s.p);
}

static unused void set_int(int fd, int option, int value)
{
    assert_int_equal(setsockopt(fd, SOL_SOCKET, option, &value, sizeof(value)), 0);
}

static unused int get_int(int fd, int option)
{
    int value = -1;
    socklen_t len = sizeof(value);
    assert_int_equal(getsockopt(fd, SOL_SOCKET, option, &value, &len), 0);
    return value;
}

/* Payload bytes that a reader of fd would find. */
static unused int readable_bytes(int fd)
{
    int n = -1;
    assert_int_equal(ioctl(fd, FIONREAD, &n), 0);
    return n;
}

/* Memory, in the kernel's accounting, of what was sent on fd and not yet freed by its reader. */
static unused int unconsumed(int fd)
{
    int n = -1;
    assert_int_equal(ioctl(fd, SIOCOUTQ, &n), 0);
    return n;
}

static unused int poll_mask(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLL_WATCH};
    assert_true(poll(&p, 1, 0) >= 0);
    return p.revents;
}

static unused void put(int fd, const void *data, size_t len)
{
    assert_int_equal(send(fd, data, len, MSG_NOSIGNAL), (ssize_t)len);
}

/* Reads and drops everything queued; returns the number of bytes. */
static unused size_t drain(int fd)
{
    static char sink[1 << 20];
    size_t total = 0;
    for (;;) {
        ssize_t n = recv(fd, sink, sizeof(sink), MSG_DONTWAIT);
        if (n <= 0)
            return total;
        total += (size_t)n;
    }
}

/* Sends `len` bytes of data and `count` descriptors in one message; 0 or a negative errno value. */
static unused int send_fds(int via, const void *data, size_t len, const int *fds, size_t count)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * 256)];
    } control = {0};
    struct iovec iov = {.iov_base = (void *)data, .iov_len = len};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    if (count) {
        msg.msg_control = control.bytes;
        msg.msg_controllen = CMSG_SPACE(sizeof(int) * count);
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * count);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * count);
    }
    return sendmsg(via, &msg, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/*
 * Receives one message with room for `room` descriptors; *count says how many came, *flags the
 * message's flags. Returns the bytes received or a negative errno value.
 */
static unused ssize_t receive_fds(int via, void *data, size_t len, int *fds, size_t room,
                                  size_t *count, int *flags)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * 256)];
    } control;
    struct iovec iov = {.iov_base = data, .iov_len = len};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    if (room) {
        msg.msg_control = control.bytes;
        msg.msg_controllen = CMSG_LEN(sizeof(int) * room);
    }
    ssize_t n = recvmsg(via, &msg, MSG_CMSG_CLOEXEC);
    *count = 0;
    *flags = msg.msg_flags;
    if (n < 0)
        return -errno;
    struct cmsghdr *c = room ? CMSG_FIRSTHDR(&msg) : NULL;
    for (; c; c = CMSG_NXTHDR(&msg, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        *count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(fds, CMSG_DATA(c), *count * sizeof(int));
    }
    return n;
}

/* Exit status of a child, or 128 + the signal that ended it. */
static unused int reap(pid_t pid)
{
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* In a child a failed assertion must not return into the parent's list of tests. */
#define child_check(condition)                                                                     \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            dprintf(2, "# child, line %d: %s (errno %d)\n", __LINE__, #condition, errno);          \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

static unused void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    if (write(fd, text, strlen(text)) < 0)
        dprintf(2, "# %s: %s\n", path, strerror(errno));
    close(fd);
}

/* A network namespace for this process alone, as root or inside a user namespace of its own. */
static unused bool enter_own_network(void)
{
    uid_t uid = getuid();
    gid_t gid = getgid();
    char map[64];
    if (unshare(CLONE_NEWNET) == 0)
        return true;
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
        return false;
    write_file("/proc/self/setgroups", "deny");
    snprintf(map, sizeof(map), "0 %u 1", uid);
    write_file("/proc/self/uid_map", map);
    snprintf(map, sizeof(map), "0 %u 1", gid);
    write_file("/proc/self/gid_map", map);
    return true;
}

/* Runs a program's tests in a child that has its own network namespace, if one can be made. */
static unused int run_in_own_network(int (*tests)(bool have_network))
{
    pid_t pid = fork();
    if (pid < 0)
        return 1;
    if (pid == 0) {
        int failed = tests(enter_own_network());
        fflush(NULL);
        _exit(failed ? 1 : 0);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

#endif
