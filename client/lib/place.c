/* SPDX-License-Identifier: MIT */
/*
 * dup3, and what goes with it. Whether an epoll instance knows a descriptor, kcmp(2) tells without
 * any effect; with which events and data, the `tfd:` lines of its fdinfo. An old
 * registration is deleted before the descriptor is replaced: afterwards nothing could name it.
 */
#include "client/lib/place.h"

#include "client/lib/epolls.h"
#include "ipc/native.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- reading /proc, without stdio ---- */

struct lines {
    int fd;
    size_t have, at;
    char buf[4096];
};

static bool lines_open(struct lines *l, const char *path)
{
    l->have = l->at = 0;
    l->fd = open(path, O_RDONLY | O_CLOEXEC);
    return l->fd >= 0;
}

/* The next line, terminated, in the buffer; NULL at the end. Longer ones are cut into pieces. */
static char *lines_next(struct lines *l)
{
    for (;;) {
        char *start = l->buf + l->at, *end = memchr(start, '\n', l->have - l->at);
        ssize_t n;

        if (end || l->have - l->at == sizeof(l->buf) - 1) {
            if (!end)
                end = l->buf + l->have;
            *end = '\0';
            l->at = (size_t)(end - l->buf) + 1;
            return start;
        }
        memmove(l->buf, start, l->have - l->at);
        l->have -= l->at;
        l->at = 0;
        n = read(l->fd, l->buf + l->have, sizeof(l->buf) - 1 - l->have);
        if (n <= 0)
            return NULL;
        l->have += (size_t)n;
    }
}

/* "/proc/PID/name" or, with number >= 0, "/proc/PID/name/NUMBER". */
static void proc_path(char out[64], pid_t pid, const char *name, int number)
{
    char who[16] = "self";

    if (pid > 0)
        snprintf(who, sizeof(who), "%d", (int)pid);
    if (number >= 0)
        snprintf(out, 64, "/proc/%s/%s/%d", who, name, number);
    else
        snprintf(out, 64, "/proc/%s/%s", who, name);
}

/* How long the process' table of descriptors is. */
static int table_size(pid_t pid)
{
    struct lines l;
    char path[64], *line;
    int size = 0;

    proc_path(path, pid, "status", -1);
    if (!lines_open(&l, path))
        return 0;
    while (size == 0 && (line = lines_next(&l)) != NULL) {
        if (strncmp(line, "FDSize:", 7) == 0)
            size = atoi(line + 7);
    }
    close(l.fd);
    return size;
}

/* "tfd:        4 events:       19 data:                7  pos:0 ino:564d9e sdev:9" */
static bool parse_tfd(char *line, int fd, uint64_t ino, struct place_epoll *out)
{
    char *p, *end;

    if (strncmp(line, "tfd:", 4) != 0 || strtol(line + 4, &end, 10) != fd)
        return false;
    p = strstr(end, "ino:");
    if (!p || strtoull(p + 4, NULL, 16) != ino)
        return false;
    p = strstr(end, "events:");
    if (!p)
        return false;
    out->events = (uint32_t)strtoul(p + 7, &end, 16);
    p = strstr(end, "data:");
    if (!p)
        return false;
    out->data = strtoull(p + 5, NULL, 16);
    return true;
}

static bool read_tfd(pid_t pid, int epfd, int fd, uint64_t ino, struct place_epoll *out)
{
    struct lines l;
    char path[64], *line;
    bool found = false;

    proc_path(path, pid, "fdinfo", epfd);
    if (!lines_open(&l, path))
        return false;
    while (!found && (line = lines_next(&l)) != NULL)
        found = parse_tfd(line, fd, ino, out);
    close(l.fd);
    out->epfd = epfd;
    return found;
}

enum knows { KNOWS_NOT, KNOWS, KNOWS_NOTHING /* it is no instance */ };

/*
 * Does epoll instance epfd know this descriptor by this number? (Also where kcmp is missing.) It
 * may know others by it as well: what was closed here stays registered while another process, or
 * the supervisor for a moment, has it open. kcmp finds one after the other.
 */
static enum knows knows(pid_t pid, int epfd, int fd)
{
    struct kcmp_epoll_slot slot = {.efd = (uint32_t)epfd, .tfd = (uint32_t)fd};
    char path[64], target[32];
    ssize_t n;
    long r;

    for (; (r = syscall(SYS_kcmp, pid, pid, KCMP_EPOLL_TFD, fd, &slot)) >= 0; slot.toff++) {
        if (r == 0)
            return KNOWS;
    }
    if (errno == ENOENT)
        return KNOWS_NOT;
    if (errno == EINVAL || errno == EBADF)
        return KNOWS_NOTHING;
    proc_path(path, pid == getpid() ? 0 : pid, "fd", epfd);
    n = readlink(path, target, sizeof(target));
    return n == 22 && memcmp(target, "anon_inode:[eventpoll]", 22) == 0 ? KNOWS : KNOWS_NOTHING;
}

/* A look at each number takes milliseconds where there are many. */
static size_t look_at_all(pid_t pid, int fd, uint64_t ino, struct place_epoll *out, size_t cap)
{
    pid_t who = pid > 0 ? pid : getpid();
    int size = table_size(pid);
    size_t n = 0;

    for (int epfd = 0; epfd < size && n < cap; epfd++)
        if (epfd != fd && knows(who, epfd, fd) == KNOWS && read_tfd(pid, epfd, fd, ino, &out[n]))
            n++;
    return n;
}

/* Among these; -1: not all of them are instances any more. */
static int look_at(const int *epfds, int count, int fd, uint64_t ino, struct place_epoll *out,
                   size_t cap)
{
    pid_t who = getpid();
    bool gone = false;
    size_t n = 0;

    for (int i = 0; i < count; i++) {
        enum knows k = knows(who, epfds[i], fd);

        if (k == KNOWS && n < cap && read_tfd(0, epfds[i], fd, ino, &out[n]))
            n++;
        if (k != KNOWS_NOTHING)
            continue;
        epolls_gone(epfds[i]);
        gone = true;
    }
    return gone ? -1 : (int)n;
}

size_t place_find_epolls(pid_t pid, int fd, uint64_t ino, struct place_epoll *out, size_t cap)
{
    int epfds[EPOLLS_MOST], saved = errno, n = -1, count;

    if (pid <= 0) {
        count = epolls_known(epfds);
        if (count >= 0)
            n = look_at(epfds, count, fd, ino, out, cap);
        if (n < 0) {
            count = epolls_look(table_size(0), epfds);
            n = count < 0 ? -1 : look_at(epfds, count, fd, ino, out, cap);
        }
    }
    if (n < 0)
        n = (int)look_at_all(pid, fd, ino, out, cap);
    errno = saved;
    return (size_t)n;
}

/* ---- here ---- */

static int put_here(const struct place *p, int fd, int with)
{
    struct place_epoll known[PLACE_EPOLLS];
    struct stat st;
    int flags = fcntl(fd, F_GETFD), r = 0;
    size_t n = 0;

    (void)p;
    if (flags < 0)
        return -errno;
    if (fstat(fd, &st) == 0)
        n = place_find_epolls(0, fd, st.st_ino, known, PLACE_EPOLLS);
    for (size_t i = 0; i < n; i++)
        (void)epoll_ctl(known[i].epfd, EPOLL_CTL_DEL, fd, NULL);
    if (dup3(with, fd, flags & FD_CLOEXEC ? O_CLOEXEC : 0) < 0)
        r = -errno;
    for (size_t i = 0; i < n; i++) {
        struct epoll_event ev = {.events = known[i].events, .data.u64 = known[i].data};

        (void)epoll_ctl(known[i].epfd, EPOLL_CTL_ADD, fd, &ev);
    }
    return r;
}

static int kernel_socket_here(const struct place *p, int family)
{
    int fd = native_socket(family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);

    (void)p;
    return fd < 0 ? -errno : fd;
}

const struct place place_here = {.put = put_here, .kernel_socket = kernel_socket_here};
