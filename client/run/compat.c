/* SPDX-License-Identifier: MIT */
/* See compat.h. Numbers: arch/x86/entry/syscalls/syscall_32.tbl, linux/net.h; what a filter sees:
 * seccomp(2). */
#include "client/run/compat.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/net.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#ifdef __x86_64__

#define OTHER_ARCH AUDIT_ARCH_I386

/* Of that architecture. */
#define NR_socketcall     102
#define NR_socket         359
#define NR_bind           361 /* the first of those that are all served … */
#define NR_getpeername    368 /* … and the last */
#define NR_io_uring_setup 425

#define LOAD(field)        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IF_IS(value, t, f) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, t, f)
#define IF_GE(value, t, f) BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, value, t, f)
#define RETURN(value)      BPF_STMT(BPF_RET | BPF_K, value)

size_t compat_filter(struct sock_filter code[COMPAT_CODE_MAX])
{
    const struct sock_filter program[] = {
        LOAD(arch),
        IF_IS(OTHER_ARCH, 0, 16) /* else behind all of this */,
        LOAD(nr),
        IF_IS(NR_io_uring_setup, 13, 0), /* filter.c has the reason */
        IF_IS(NR_socketcall, 4, 0),
        IF_IS(NR_socket, 10, 0),
        IF_GE(NR_getpeername + 1, 0, 1),
        RETURN(SECCOMP_RET_ALLOW),
        IF_GE(NR_bind, 7, 6),
        LOAD(args[0]),
        IF_IS(SYS_SETSOCKOPT, 5, 0),
        IF_IS(SYS_GETSOCKOPT, 4, 0),
        IF_IS(SYS_ACCEPT4, 3, 0),
        IF_GE(SYS_GETPEERNAME + 1, 1, 0),
        IF_GE(SYS_SOCKET, 1, 0),
        RETURN(SECCOMP_RET_ALLOW),
        RETURN(SECCOMP_RET_USER_NOTIF),
        RETURN(SECCOMP_RET_ERRNO | ENOSYS),
    };
    size_t n = sizeof(program) / sizeof(program[0]);

    for (size_t i = 0; i < n; i++)
        code[i] = program[i];
    return n;
}

struct call {
    int nr;     /* the machine's own */
    unsigned n; /* arguments */
};

/* By the number that socketcall(2) has for it. */
static const struct call calls[] = {
    [SYS_SOCKET] = {SYS_socket, 3},           [SYS_BIND] = {SYS_bind, 3},
    [SYS_CONNECT] = {SYS_connect, 3},         [SYS_LISTEN] = {SYS_listen, 2},
    [SYS_ACCEPT] = {SYS_accept, 3},           [SYS_GETSOCKNAME] = {SYS_getsockname, 3},
    [SYS_GETPEERNAME] = {SYS_getpeername, 3}, [SYS_SETSOCKOPT] = {SYS_setsockopt, 5},
    [SYS_GETSOCKOPT] = {SYS_getsockopt, 5},   [SYS_ACCEPT4] = {SYS_accept4, 4},
};

/* The later numbers of their own, from socket on. */
static const int by_number[] = {
    SYS_SOCKET,      0,
    SYS_BIND,        SYS_CONNECT,
    SYS_LISTEN,      SYS_ACCEPT4,
    SYS_GETSOCKOPT,  SYS_SETSOCKOPT,
    SYS_GETSOCKNAME, SYS_GETPEERNAME,
};

static int from_memory(struct target *t, unsigned n)
{
    uint32_t args[6] = {0};
    int r = target_read(t, (uint32_t)t->args[1], args, n * sizeof(args[0]));

    for (unsigned i = 0; i < 6; i++)
        t->args[i] = args[i];
    return r;
}

/* The old options have two words of 32 bits; the kernel knows how to read them. */
static bool is_old_time(const struct target *t)
{
    return (t->nr == SYS_setsockopt || t->nr == SYS_getsockopt) && (int)t->args[1] == SOL_SOCKET &&
           ((int)t->args[2] == SO_RCVTIMEO_OLD || (int)t->args[2] == SO_SNDTIMEO_OLD);
}

int64_t compat_translate(struct target *t)
{
    bool packed = t->nr == NR_socketcall;
    unsigned which = packed ? (unsigned)t->args[0] : (unsigned)by_number[t->nr - NR_socket];
    int r = packed ? from_memory(t, calls[which].n) : 0;

    if (r < 0)
        return r;
    t->nr = calls[which].nr;
    if (is_old_time(t))
        return TARGET_CONTINUE;
    if (t->nr == SYS_socket && (int)t->args[0] != AF_INET && (int)t->args[0] != AF_INET6)
        return TARGET_CONTINUE;
    return 0;
}

#else

size_t compat_filter(struct sock_filter code[COMPAT_CODE_MAX])
{
    (void)code;
    return 0;
}

int64_t compat_translate(struct target *t)
{
    (void)t;
    return TARGET_CONTINUE;
}

#endif
