/* SPDX-License-Identifier: MIT */
/*
 * seccomp_unotify(2), pidfd_getfd(2) and process_vm_readv(2); client/run/target.h has the theory.
 */
#include "client/run/target.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#if defined(__x86_64__)
#define OWN_ARCH AUDIT_ARCH_X86_64
#else
#define OWN_ARCH call.data.arch /* the filter lets no other stop */
#endif

#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL /* Linux 6.9 */
#endif

int target_receive(int listener, struct target *t)
{
    struct seccomp_notif call;

    memset(&call, 0, sizeof(call));
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0)
        return -errno;
    *t = (struct target){.listener = listener,
                         .id = call.id,
                         .tid = (pid_t)call.pid,
                         .nr = call.data.nr,
                         .other = call.data.arch != OWN_ARCH,
                         .pidfd = -1,
                         .borrowed = -1};
    memcpy(t->args, call.data.args, sizeof(t->args));
    return 0;
}

bool target_valid(const struct target *t)
{
    return ioctl(t->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &t->id) == 0;
}

void target_answer(struct target *t, int64_t result)
{
    struct seccomp_notif_resp resp = {.id = t->id};

    if (result == TARGET_ANSWERED)
        return;
    if (result == TARGET_CONTINUE)
        resp.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    else if (result < 0)
        resp.error = (int)result;
    else
        resp.val = result;
    (void)ioctl(t->listener, SECCOMP_IOCTL_NOTIF_SEND, &resp); /* else it is dead */
}

void target_return(struct target *t)
{
    if (t->borrowed >= 0)
        close(t->borrowed);
    t->borrowed = -1;
}

void target_release(struct target *t)
{
    if (t->pidfd >= 0)
        close(t->pidfd);
    t->pidfd = -1;
}

/* ---- memory ---- */

int target_read(const struct target *t, uint64_t from, void *to, size_t n)
{
    struct iovec here = {to, n}, there = {(void *)(uintptr_t)from, n};

    if (n > 0 && process_vm_readv(t->tid, &here, 1, &there, 1, 0) != (ssize_t)n)
        return -EFAULT;
    return target_valid(t) ? 0 : -ESRCH;
}

int target_write(const struct target *t, uint64_t to, const void *from, size_t n)
{
    struct iovec here = {(void *)from, n}, there = {(void *)(uintptr_t)to, n};

    if (!target_valid(t))
        return -ESRCH;
    if (n > 0 && process_vm_writev(t->tid, &here, 1, &there, 1, 0) != (ssize_t)n)
        return -EFAULT;
    return 0;
}

/* ---- descriptors ---- */

/* Before Linux 6.9 only processes have one. */
static int open_pidfd(pid_t tid)
{
    struct target_status st;
    int fd = (int)syscall(SYS_pidfd_open, tid, PIDFD_THREAD);

    if (fd < 0 && errno == EINVAL && target_status(tid, &st))
        fd = (int)syscall(SYS_pidfd_open, st.tgid, 0);
    return fd < 0 ? -errno : fd;
}

int target_descriptor(struct target *t, int number)
{
    int fd;

    if (t->pidfd < 0) {
        t->pidfd = open_pidfd(t->tid);
        if (t->pidfd < 0)
            return t->pidfd;
        if (!target_valid(t))
            return -ESRCH;
    }
    fd = (int)syscall(SYS_pidfd_getfd, t->pidfd, number, 0);
    return fd < 0 ? -errno : fd;
}

bool target_at_once;

int64_t target_give(struct target *t, int fd, bool cloexec)
{
    struct seccomp_notif_addfd add = {.id = t->id,
                                      .srcfd = (uint32_t)fd,
                                      .newfd_flags = cloexec ? O_CLOEXEC : 0,
                                      .flags = target_at_once ? SECCOMP_ADDFD_FLAG_SEND : 0};
    int number;

    if (target_at_once)
        target_return(t);
    number = ioctl(t->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add);
    if (number < 0)
        return -errno;
    return target_at_once ? TARGET_ANSWERED : number;
}

/* What /proc/PID/fd has as its size (Linux 6.2). */
bool target_has_slot(const struct target *t)
{
    struct rlimit lim;
    struct stat st;
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/fd", (int)t->tid);
    if (stat(path, &st) < 0 || prlimit(t->tid, RLIMIT_NOFILE, NULL, &lim) < 0)
        return true;
    return (rlim_t)st.st_size < lim.rlim_cur;
}

void target_signal(const struct target *t, int sig)
{
    struct target_status st;

    if (target_status(t->tid, &st) && target_valid(t))
        (void)syscall(SYS_tgkill, st.tgid, t->tid, sig);
}

/* ---- what /proc says ---- */

static ssize_t read_proc(pid_t tid, const char *name, char *buf, size_t room)
{
    char path[64];
    ssize_t n = -1;
    int fd;

    snprintf(path, sizeof(path), "/proc/%d/%s", (int)tid, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        n = read(fd, buf, room - 1);
        close(fd);
    }
    buf[n > 0 ? n : 0] = '\0';
    return n;
}

static uint64_t mask_of(const char *text, const char *name)
{
    const char *p = strstr(text, name);
    unsigned long long v = 0;

    if (p)
        (void)sscanf(p + strlen(name), "%llx", &v);
    return v;
}

static void read_groups(const char *text, struct target_status *out)
{
    const char *p = strstr(text, "\nGroups:");
    unsigned gid;
    int used;

    out->n_groups = 0;
    if (!p)
        return;
    p += 8;
    while (out->n_groups < sizeof(out->groups) / sizeof(out->groups[0]) && *p != '\n' &&
           sscanf(p, "%*1[ \t]%u%n", &gid, &used) == 1) {
        out->groups[out->n_groups++] = gid;
        p += used;
        while (*p == ' ' && (p[1] == '\n' || p[1] == ' '))
            p++;
    }
}

bool target_status(pid_t tid, struct target_status *out)
{
    char text[4096];
    const char *p;
    uint64_t blocked;

    memset(out, 0, sizeof(*out));
    if (read_proc(tid, "status", text, sizeof(text)) <= 0)
        return false;
    p = strstr(text, "\nTgid:");
    if (!p || sscanf(p + 6, "%d", &out->tgid) != 1)
        return false;
    p = strstr(text, "\nUid:");
    if (!p || sscanf(p + 5, "%*u %u", &out->euid) != 1)
        return false;
    p = strstr(text, "\nGid:");
    if (!p || sscanf(p + 5, "%*u %u", &out->egid) != 1)
        return false;
    p = strstr(text, "\nThreads:");
    if (p)
        (void)sscanf(p + 9, "%d", &out->threads);
    read_groups(text, out);
    blocked = mask_of(text, "\nSigBlk:") | mask_of(text, "\nSigIgn:");
    out->own = mask_of(text, "\nSigPnd:") & ~blocked;
    out->shared = mask_of(text, "\nShdPnd:") & ~blocked;
    return true;
}
