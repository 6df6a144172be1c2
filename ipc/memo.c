/* SPDX-License-Identifier: MIT */
/* See memo.h. What is read may have been written by anybody, so each length is checked. */
#include "ipc/memo.h"

#include "ipc/native.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#define MAGIC   "\0tl:"
#define MAGIC_N 4
#define HEAD    (MAGIC_N + sizeof(uint64_t) + sizeof(int32_t))

const struct memo_option memo_options[] = {
    {SOL_SOCKET, SO_KEEPALIVE, false},      {SOL_SOCKET, SO_RCVBUF, true},
    {SOL_SOCKET, SO_SNDBUF, true},          {SOL_SOCKET, SO_LINGER, false},
    {SOL_SOCKET, SO_RCVLOWAT, false},       {IPPROTO_TCP, TCP_DEFER_ACCEPT, false},
    {IPPROTO_TCP, TCP_NODELAY, false},      {IPPROTO_TCP, TCP_KEEPIDLE, false},
    {IPPROTO_TCP, TCP_KEEPINTVL, false},    {IPPROTO_TCP, TCP_KEEPCNT, false},
    {IPPROTO_TCP, TCP_USER_TIMEOUT, false}, {IPPROTO_TCP, TCP_NOTSENT_LOWAT, false},
    {IPPROTO_TCP, TCP_CONGESTION, false},   {IPPROTO_TCP, TCP_LINGER2, false},
    {IPPROTO_TCP, TCP_SYNCNT, false},       {IPPROTO_IP, IP_TOS, false},
    {IPPROTO_IPV6, IPV6_V6ONLY, false},
};
const size_t memo_n_options = sizeof(memo_options) / sizeof(memo_options[0]);

static size_t used(const struct memo *m)
{
    return m->len - offsetof(struct sockaddr_un, sun_path);
}

void memo_begin(struct memo *m, uint64_t id, int backlog)
{
    int32_t n = backlog;

    memset(m, 0, sizeof(*m));
    m->name.sun_family = AF_UNIX;
    memcpy(m->name.sun_path, MAGIC, MAGIC_N);
    memcpy(m->name.sun_path + MAGIC_N, &id, sizeof(id));
    memcpy(m->name.sun_path + MAGIC_N + sizeof(id), &n, sizeof(n));
    m->len = offsetof(struct sockaddr_un, sun_path) + HEAD;
}

bool memo_add(struct memo *m, size_t option, const void *value, size_t len)
{
    char *p = m->name.sun_path + used(m);

    if (len > MEMO_VALUE_MAX || used(m) + 2 + len > sizeof(m->name.sun_path))
        return false;
    *p++ = (char)option;
    *p++ = (char)len;
    memcpy(p, value, len);
    m->len += (socklen_t)(2 + len);
    return true;
}

bool memo_read(int fd, struct memo *m)
{
    int saved = errno;
    bool good;

    memset(m, 0, sizeof(*m));
    m->len = sizeof(m->name);
    good = native_getpeername(fd, (struct sockaddr *)&m->name, &m->len) == 0 &&
           m->len <= sizeof(m->name) && m->len >= offsetof(struct sockaddr_un, sun_path) + HEAD &&
           memcmp(m->name.sun_path, MAGIC, MAGIC_N) == 0;
    errno = saved;
    return good;
}

int memo_backlog(const struct memo *m)
{
    int32_t n;

    memcpy(&n, m->name.sun_path + MAGIC_N + sizeof(uint64_t), sizeof(n));
    return n;
}

int memo_next(const struct memo *m, size_t *at, uint8_t value[MEMO_VALUE_MAX], size_t *len)
{
    const uint8_t *path = (const uint8_t *)m->name.sun_path;
    size_t here = *at ? *at : HEAD;

    if (here + 2 > used(m) || path[here] >= memo_n_options || path[here + 1] > MEMO_VALUE_MAX ||
        here + 2 + path[here + 1] > used(m))
        return -1;
    *len = path[here + 1];
    memcpy(value, path + here + 2, *len);
    *at = here + 2 + *len;
    return path[here];
}
