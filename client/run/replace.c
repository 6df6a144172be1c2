/* SPDX-License-Identifier: MIT */
/*
 * Replacing a descriptor of a supervised process: SECCOMP_ADDFD_FLAG_SETFD, and its epoll
 * registrations, made again from outside.
 *
 * epoll(7) knows a registration by file and number, and takes the number from the caller's own
 * table. So it is done by a thread with a table of its own (unshare(CLONE_FILES)), in which the
 * socket is given the number that it has there.
 */
#include "client/run/target.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct job {
    const struct target *target;
    int number, old, with;
    bool cloexec;
    struct place_epoll known[PLACE_EPOLLS];
    int epfds[PLACE_EPOLLS];
    size_t n;
    int result;
};

/* FD_CLOEXEC is in the flags of fdinfo. */
static bool is_cloexec(const struct target *t, int number)
{
    char path[64], line[128];
    unsigned flags = 0;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)t->tid, number);
    f = fopen(path, "re");
    if (!f)
        return false;
    while (fgets(line, sizeof(line), f) && sscanf(line, "flags: %o", &flags) != 1) {
    }
    fclose(f);
    return flags & O_CLOEXEC;
}

static int set_descriptor(const struct job *j, int listener, int with)
{
    struct seccomp_notif_addfd add = {.id = j->target->id,
                                      .srcfd = (uint32_t)with,
                                      .newfd = (uint32_t)j->number,
                                      .newfd_flags = j->cloexec ? O_CLOEXEC : 0,
                                      .flags = SECCOMP_ADDFD_FLAG_SETFD};

    return ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add) < 0 ? -errno : 0;
}

/* Out of the way of the number that is to be used. */
static int above(int fd, int number)
{
    return fcntl(fd, F_DUPFD_CLOEXEC, number + 1);
}

static void replace_with_epolls(struct job *j)
{
    int listener, old, with;

    listener = above(j->target->listener, j->number);
    old = above(j->old, j->number);
    with = above(j->with, j->number);
    for (size_t i = 0; i < j->n; i++)
        j->epfds[i] = above(j->epfds[i], j->number);
    if (listener < 0 || old < 0 || with < 0 || dup3(old, j->number, O_CLOEXEC) < 0) {
        j->result = -errno;
        return;
    }
    for (size_t i = 0; i < j->n; i++)
        (void)epoll_ctl(j->epfds[i], EPOLL_CTL_DEL, j->number, NULL);
    j->result = set_descriptor(j, listener, with);
    if (j->result == 0)
        (void)dup3(with, j->number, O_CLOEXEC);
    for (size_t i = 0; i < j->n; i++) {
        struct epoll_event ev = {.events = j->known[i].events, .data.u64 = j->known[i].data};

        (void)epoll_ctl(j->epfds[i], EPOLL_CTL_ADD, j->number, &ev);
    }
}

/* A joined thread may still have its table for a while: what the program closes is to be closed. */
static void *in_own_table(void *arg)
{
    struct job *j = arg;

    if (unshare(CLONE_FILES) < 0) {
        j->result = -errno;
        return NULL;
    }
    replace_with_epolls(j);
    (void)close_range(0, ~0u, 0);
    return NULL;
}

static void find_epolls(struct target *t, struct job *j)
{
    struct stat st;
    size_t n = 0, kept = 0;

    if (fstat(j->old, &st) == 0)
        n = place_find_epolls(t->tid, j->number, st.st_ino, j->known, PLACE_EPOLLS);
    for (size_t i = 0; i < n; i++) {
        int fd = target_descriptor(t, j->known[i].epfd);

        if (fd < 0)
            continue;
        j->known[kept] = j->known[i];
        j->epfds[kept++] = fd;
    }
    j->n = kept;
}

static int put_there(const struct place *place, int fd, int with)
{
    const struct target_place *p = (const struct target_place *)place;
    struct job j = {.target = p->target, .number = p->number, .old = fd, .with = with};
    int epfds[PLACE_EPOLLS];
    pthread_t thread;

    j.cloexec = is_cloexec(p->target, p->number);
    find_epolls(p->target, &j);
    memcpy(epfds, j.epfds, sizeof(epfds));
    if (j.n == 0)
        j.result = set_descriptor(&j, p->target->listener, with);
    else if (pthread_create(&thread, NULL, in_own_table, &j) != 0)
        j.result = -EAGAIN;
    else
        pthread_join(thread, NULL);
    for (size_t i = 0; i < j.n; i++)
        close(epfds[i]);
    if (j.result == 0 && dup3(with, fd, O_CLOEXEC) < 0)
        j.result = -errno;
    return j.result;
}

/* In the network namespace of the target, should it have left ours. */
static int kernel_socket_there(const struct place *place, int family)
{
    const struct target_place *p = (const struct target_place *)place;
    struct stat there, here;
    char path[64];
    int ns = -1, home = -1, fd;

    snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)p->target->tid);
    if (stat(path, &there) == 0 && stat("/proc/self/ns/net", &here) == 0 &&
        there.st_ino != here.st_ino) {
        ns = open(path, O_RDONLY | O_CLOEXEC);
        home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    }
    if (ns >= 0 && home >= 0)
        (void)setns(ns, CLONE_NEWNET);
    fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
    fd = fd < 0 ? -errno : fd;
    if (ns >= 0 && home >= 0)
        (void)setns(home, CLONE_NEWNET);
    if (ns >= 0)
        close(ns);
    if (home >= 0)
        close(home);
    return fd;
}

void target_place(struct target_place *p, struct target *t, int number)
{
    *p = (struct target_place){.place = {.put = put_there, .kernel_socket = kernel_socket_there},
                               .target = t,
                               .number = number};
}
