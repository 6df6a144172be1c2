/* SPDX-License-Identifier: MIT */
/*
 * One walk over /proc/PID/fd for all sockets that are asked about: each link "socket:[INODE]" is
 * looked up among their sorted inodes.
 */
#include "client/cli/ss_holders.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct search {
    struct holders **sorted;
    size_t n;
};

static int by_inode(const void *a, const void *b)
{
    uint64_t x = (*(struct holders *const *)a)->inode, y = (*(struct holders *const *)b)->inode;

    return x < y ? -1 : x > y;
}

const char *holders_name(int pid, char out[32])
{
    char path[64];
    ssize_t n;
    int fd;

    snprintf(path, sizeof(path), "/proc/%d/comm", pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = fd < 0 ? 0 : read(fd, out, 31);
    if (fd >= 0)
        close(fd);
    out[n > 0 ? n : 0] = '\0';
    out[strcspn(out, "\n")] = '\0';
    return out;
}

static void found(struct holders *h, int pid, int fd)
{
    struct holder *at;

    if (!h->list)
        h->list = calloc(HOLDERS_MAX, sizeof(*h->list));
    if (!h->list || h->count == HOLDERS_MAX)
        return;
    at = &h->list[h->count++];
    at->pid = pid;
    at->fd = fd;
    holders_name(pid, at->name);
}

static void look_at(const struct search *s, int dir_fd, const char *name, int pid)
{
    struct holders key, *wanted = &key, **h;
    unsigned long inode;
    char link[64];
    ssize_t n = readlinkat(dir_fd, name, link, sizeof(link) - 1);

    if (n <= 0)
        return;
    link[n] = '\0';
    if (sscanf(link, "socket:[%lu]", &inode) != 1)
        return;
    key.inode = inode;
    h = bsearch(&wanted, s->sorted, s->n, sizeof(struct holders *), by_inode);
    if (h)
        found(*h, pid, atoi(name));
}

static void look_into(const struct search *s, int pid)
{
    struct dirent *entry;
    char path[64];
    DIR *dir;

    snprintf(path, sizeof(path), "/proc/%d/fd", pid);
    dir = opendir(path);
    if (!dir)
        return; /* gone, or not ours to look into */
    // cppcheck-suppress readdirCalled ; there is one thread
    while ((entry = readdir(dir)) != NULL)
        if (isdigit((unsigned char)entry->d_name[0]))
            look_at(s, dirfd(dir), entry->d_name, pid);
    closedir(dir);
}

void holders_find(struct holders *const of[], size_t n)
{
    struct search s = {calloc(n + 1, sizeof(struct holders *)), 0};
    struct dirent *entry;
    DIR *proc;

    if (!s.sorted)
        return;
    for (size_t i = 0; i < n; i++)
        if (of[i]->inode)
            s.sorted[s.n++] = of[i];
    qsort(s.sorted, s.n, sizeof(struct holders *), by_inode);
    proc = s.n ? opendir("/proc") : NULL;
    // cppcheck-suppress readdirCalled ; there is one thread
    while (proc && (entry = readdir(proc)) != NULL)
        if (isdigit((unsigned char)entry->d_name[0]))
            look_into(&s, atoi(entry->d_name));
    if (proc)
        closedir(proc);
    free(s.sorted);
}

void holders_release(struct holders *h)
{
    free(h->list);
    h->list = NULL;
    h->count = 0;
}
