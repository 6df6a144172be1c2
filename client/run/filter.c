/* SPDX-License-Identifier: MIT */
/*
 * libseccomp compiles the rules; the program is installed by seccomp(2) itself, because
 * SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (Linux 5.19) is younger than Debian's libseccomp: a call
 * that the supervisor has begun to serve is not interrupted and made twice by a signal. Those that
 * block are ended by the supervisor when a signal is pending (client/run/blocked.c).
 */
#include "client/run/filter.h"

#include "client/run/compat.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define INT      0xffffffffu /* an int's upper half in a register may be anything */
#define SOCKTYPE 0xfu

#define WAIT_KILLABLE SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV

struct rule {
    int nr;
    unsigned n;
    struct {
        unsigned index;
        uint64_t mask, value;
    } args[2];
    bool address; /* args[0].index must not be NULL instead */
};

static const struct rule rules[] = {
    {SCMP_SYS(socket), 2, {{0, INT, AF_INET}, {1, SOCKTYPE, SOCK_STREAM}}, false},
    {SCMP_SYS(socket), 2, {{0, INT, AF_INET6}, {1, SOCKTYPE, SOCK_STREAM}}, false},
    {SCMP_SYS(bind), 0, {{0, 0, 0}}, false},
    {SCMP_SYS(listen), 0, {{0, 0, 0}}, false},
    {SCMP_SYS(connect), 0, {{0, 0, 0}}, false},
    {SCMP_SYS(accept), 0, {{0, 0, 0}}, false},
    {SCMP_SYS(accept4), 0, {{0, 0, 0}}, false},
    {SCMP_SYS(getsockname), 0, {{0, 0, 0}}, false},
    {SCMP_SYS(getpeername), 0, {{0, 0, 0}}, false},
    {SCMP_SYS(getsockopt), 1, {{1, INT, SOL_SOCKET}}, false},
    {SCMP_SYS(getsockopt), 1, {{1, INT, IPPROTO_TCP}}, false},
    {SCMP_SYS(getsockopt), 1, {{1, INT, IPPROTO_IP}}, false},
    {SCMP_SYS(getsockopt), 1, {{1, INT, IPPROTO_IPV6}}, false},
    {SCMP_SYS(setsockopt), 1, {{1, INT, SOL_SOCKET}}, false},
    {SCMP_SYS(setsockopt), 1, {{1, INT, IPPROTO_TCP}}, false},
    {SCMP_SYS(setsockopt), 1, {{1, INT, IPPROTO_IP}}, false},
    {SCMP_SYS(setsockopt), 1, {{1, INT, IPPROTO_IPV6}}, false},
    {SCMP_SYS(ioctl), 1, {{1, INT, SIOCOUTQ}}, false},
    {SCMP_SYS(ioctl), 1, {{1, INT, SIOCOUTQNSD}}, false},
    {SCMP_SYS(sendto), 1, {{4, 0, 0}}, true},
    {SCMP_SYS(sendto), 1, {{3, MSG_MORE, MSG_MORE}}, false},
    {SCMP_SYS(sendto), 1, {{3, MSG_EOR, MSG_EOR}}, false},
    {SCMP_SYS(sendto), 1, {{3, MSG_FASTOPEN, MSG_FASTOPEN}}, false},
    {SCMP_SYS(sendmsg), 1, {{2, MSG_MORE, MSG_MORE}}, false},
    {SCMP_SYS(sendmsg), 1, {{2, MSG_EOR, MSG_EOR}}, false},
    {SCMP_SYS(sendmsg), 1, {{2, MSG_FASTOPEN, MSG_FASTOPEN}}, false},
    {SCMP_SYS(sendmmsg), 1, {{3, MSG_MORE, MSG_MORE}}, false},
    {SCMP_SYS(sendmmsg), 1, {{3, MSG_EOR, MSG_EOR}}, false},
    {SCMP_SYS(sendmmsg), 1, {{3, MSG_FASTOPEN, MSG_FASTOPEN}}, false},
    {SCMP_SYS(recvfrom), 1, {{4, 0, 0}}, true},
    {SCMP_SYS(recvfrom), 1, {{3, MSG_TRUNC, MSG_TRUNC}}, false},
    {SCMP_SYS(recvfrom), 1, {{3, MSG_ERRQUEUE, MSG_ERRQUEUE}}, false},
    {SCMP_SYS(recvmsg), 1, {{2, MSG_TRUNC, MSG_TRUNC}}, false},
    {SCMP_SYS(recvmsg), 1, {{2, MSG_ERRQUEUE, MSG_ERRQUEUE}}, false},
    {SCMP_SYS(recvmmsg), 1, {{3, MSG_TRUNC, MSG_TRUNC}}, false},
    {SCMP_SYS(recvmmsg), 1, {{3, MSG_ERRQUEUE, MSG_ERRQUEUE}}, false},
};

static int add_rule(scmp_filter_ctx ctx, const struct rule *r)
{
    struct scmp_arg_cmp cmp[2];

    for (unsigned i = 0; i < r->n; i++)
        cmp[i] = r->address ? (struct scmp_arg_cmp){r->args[i].index, SCMP_CMP_NE, 0, 0}
                            : (struct scmp_arg_cmp){r->args[i].index, SCMP_CMP_MASKED_EQ,
                                                    r->args[i].mask, r->args[i].value};
    return seccomp_rule_add_array(ctx, SCMP_ACT_NOTIFY, r->nr, r->n, cmp);
}

/* The rules as a program, in a memfd. */
static int compile(void)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
    int fd = -1, r = ctx ? 0 : -ENOMEM;

    /* Those of another architecture have been seen to by compat_filter(). */
    if (r == 0)
        r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ALLOW);
    for (size_t i = 0; r == 0 && i < sizeof(rules) / sizeof(rules[0]); i++)
        r = add_rule(ctx, &rules[i]);
    /* Its sockets would be made where no filter sees them. Programs that find none do without. */
    if (r == 0)
        r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(io_uring_setup), 0);
    if (r == 0) {
        fd = memfd_create("tapstack-filter", MFD_CLOEXEC);
        r = fd < 0 ? -errno : seccomp_export_bpf(ctx, fd);
    }
    if (ctx)
        seccomp_release(ctx);
    if (r < 0 && fd >= 0)
        close(fd);
    return r < 0 ? r : fd;
}

static bool waits_killable;

static int install(const struct sock_fprog *program, unsigned flags)
{
    int fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, program);

    if (fd < 0 && errno == EACCES && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
        fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, program);
    if (fd < 0 && errno == EINVAL && (flags & WAIT_KILLABLE))
        return install(program, flags & ~WAIT_KILLABLE); /* before Linux 5.19 */
    waits_killable = fd >= 0 && (flags & WAIT_KILLABLE);
    return fd < 0 ? -errno : fd;
}

bool filter_waits_killable(void)
{
    return waits_killable;
}

int filter_install(void)
{
    static struct sock_filter code[BPF_MAXINSNS];
    struct sock_fprog program = {.filter = code};
    size_t first = compat_filter(code);
    int fd = compile();
    ssize_t n;

    if (fd < 0)
        return fd;
    n = pread(fd, code + first, sizeof(code) - first * sizeof(code[0]), 0);
    close(fd);
    if (n <= 0 || n % (ssize_t)sizeof(code[0]) != 0)
        return -EIO;
    program.len = (unsigned short)(first + (size_t)n / sizeof(code[0]));
    return install(&program, SECCOMP_FILTER_FLAG_NEW_LISTENER | WAIT_KILLABLE);
}
