/* SPDX-License-Identifier: MIT */
/*
 * Marks are SO_MAX_PACING_RATE, names are abstract AF_UNIX names; ipc/name.h has the theory. What
 * is parsed here may have been written by anybody, so each character is checked, and numbers must
 * be in range.
 */
#include "ipc/name.h"

#include "ipc/codec.h"
#include "ipc/native.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>

/* 64-bit kernels take and give eight bytes. */
static bool read_mark(int fd, uint64_t *mark)
{
    socklen_t len = sizeof(*mark);
    int saved = errno;
    bool ok;

    *mark = 0;
    ok = native_getsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, mark, &len) == 0 &&
         len == sizeof(*mark);
    errno = saved;
    return ok;
}

enum name_kind name_mark_kind(uint64_t mark)
{
    switch (mark & ~(NAME_MARK_V6 | NAME_MARK_DEAD | NAME_MARK_TIMEOUTS)) {
    case NAME_MARK_SOCKET:
        return NAME_SOCKET;
    case NAME_MARK_LISTEN:
        return NAME_LISTENER;
    default:
        return NAME_FOREIGN;
    }
}

uint64_t name_mark_of(int fd)
{
    uint64_t mark;

    return read_mark(fd, &mark) && name_mark_kind(mark) != NAME_FOREIGN ? mark : 0;
}

static int write_mark(int fd, uint64_t mark)
{
    return native_setsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &mark, sizeof(mark)) < 0 ? -errno
                                                                                          : 0;
}

static int mark_as(int fd, enum name_kind kind, uint64_t flags)
{
    if (kind == NAME_FOREIGN)
        return -EINVAL;
    return write_mark(fd, (kind == NAME_LISTENER ? NAME_MARK_LISTEN : NAME_MARK_SOCKET) | flags);
}

int name_mark_family(int fd, enum name_kind kind, bool v6)
{
    return mark_as(fd, kind, v6 ? NAME_MARK_V6 : 0);
}

int name_mark(int fd, enum name_kind kind)
{
    return mark_as(fd, kind, name_mark_of(fd) & (NAME_MARK_V6 | NAME_MARK_TIMEOUTS));
}

enum name_kind name_kind_of(int fd)
{
    return name_mark_kind(name_mark_of(fd));
}

bool name_is_v6(int fd)
{
    return name_mark_of(fd) & NAME_MARK_V6;
}

static void add_to_mark(int fd, uint64_t mark, uint64_t flag)
{
    int saved = errno;

    if (!(mark & flag))
        (void)write_mark(fd, mark | flag);
    errno = saved;
}

void name_mark_dead(int fd)
{
    uint64_t mark = name_mark_of(fd);

    if (name_mark_kind(mark) == NAME_LISTENER)
        add_to_mark(fd, mark, NAME_MARK_DEAD);
}

bool name_is_dead(int fd)
{
    uint64_t mark = name_mark_of(fd);

    return name_mark_kind(mark) == NAME_LISTENER && (mark & NAME_MARK_DEAD);
}

void name_mark_timeouts(int fd)
{
    uint64_t mark = name_mark_of(fd);

    if (mark)
        add_to_mark(fd, mark, NAME_MARK_TIMEOUTS);
}

/* ---- writing ---- */

static char *put_hex(char *p, uint64_t v)
{
    int shift = 60;

    while (shift > 0 && !(v >> shift))
        shift -= 4;
    for (; shift >= 0; shift -= 4)
        *p++ = "0123456789abcdef"[(v >> shift) & 15];
    return p;
}

static char *put_decimal(char *p, unsigned v)
{
    char digits[5]; /* of 16 bits */
    int n = 0;

    do {
        digits[n++] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    while (n > 0)
        *p++ = digits[--n];
    return p;
}

static char *put_port(char *p, uint16_t port)
{
    *p++ = ':';
    return put_decimal(p, port);
}

/* inet_ntop() goes through printf, and this is done for each connection. */
static char *put_v4(char *p, const uint8_t bytes[4])
{
    for (int i = 0; i < 4; i++) {
        p = put_decimal(p, bytes[i]);
        if (i < 3)
            *p++ = '.';
    }
    return p;
}

static char *put_addr(char *p, const struct wire_addr *a, bool digits)
{
    if (wire_addr_is_v4(a)) {
        p = put_v4(p, a->addr + 12);
        return put_port(p, a->port);
    }
    *p++ = '[';
    if (digits) {
        for (int i = 0; i < 16; i++) {
            *p++ = "0123456789abcdef"[a->addr[i] >> 4];
            *p++ = "0123456789abcdef"[a->addr[i] & 15];
        }
    } else {
        inet_ntop(AF_INET6, a->addr, p, INET6_ADDRSTRLEN);
        p += strlen(p);
    }
    *p++ = ']';
    return put_port(p, a->port);
}

/* Longest: "ts:" id ":" "[" 39 "]:65535" ">" "[" 39 "]:65535" and inet_ntop's room. */
#define TEXT_MAX 192

static size_t put_name(char *text, uint64_t id, const struct wire_addr *local,
                       const struct wire_addr *remote, bool digits)
{
    char *p = text;

    memcpy(p, "ts:", 3);
    p = put_hex(p + 3, id);
    *p++ = ':';
    p = put_addr(p, local, digits);
    if (remote) {
        *p++ = '>';
        p = put_addr(p, remote, digits);
    }
    return (size_t)(p - text);
}

socklen_t name_build(struct sockaddr_un *out, uint64_t id, const struct wire_addr *local,
                     const struct wire_addr *remote)
{
    char text[TEXT_MAX];
    size_t n = put_name(text, id, local, remote, false);

    /* 1 + 3 + 16 + 1 + 40 + 1 + 40 = 102: this form always fits. */
    if (n > sizeof(out->sun_path) - 1)
        n = put_name(text, id, local, remote, true);
    memset(out, 0, sizeof(*out));
    out->sun_family = AF_UNIX;
    memcpy(out->sun_path + 1, text, n);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + n);
}

/* ---- reading ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

static bool get_digits(const char *p, uint8_t out[16])
{
    for (int i = 0; i < 16; i++) {
        int hi = hex_digit(p[2 * i]), lo = hex_digit(p[2 * i + 1]);

        if (hi < 0 || lo < 0)
            return false;
        out[i] = (uint8_t)(hi << 4 | lo);
    }
    return true;
}

/* p up to end is one address, port included. */
static bool get_addr(const char *p, const char *end, struct wire_addr *out)
{
    char text[INET6_ADDRSTRLEN];
    const char *colon = memrchr(p, ':', (size_t)(end - p));
    unsigned port = 0;
    size_t n;

    memset(out, 0, sizeof(*out));
    if (!colon || end - colon < 2 || end - colon > 6)
        return false;
    for (const char *q = colon + 1; q < end; q++) {
        if (*q < '0' || *q > '9')
            return false;
        port = port * 10 + (unsigned)(*q - '0');
    }
    if (port > 65535)
        return false;
    out->port = (uint16_t)port;
    n = (size_t)(colon - p);
    if (n >= 2 && p[0] == '[' && p[n - 1] == ']') {
        p++;
        n -= 2;
        if (n == 32 && !memchr(p, ':', n))
            return get_digits(p, out->addr);
        if (n >= sizeof(text))
            return false;
        memcpy(text, p, n);
        text[n] = '\0';
        return inet_pton(AF_INET6, text, out->addr) == 1;
    }
    if (n >= INET_ADDRSTRLEN)
        return false;
    memcpy(text, p, n);
    text[n] = '\0';
    out->addr[10] = out->addr[11] = 0xff;
    return inet_pton(AF_INET, text, out->addr + 12) == 1;
}

int name_parse(const struct sockaddr_un *name, socklen_t len, struct wire_addr *local,
               struct wire_addr *remote, bool *has_remote)
{
    const size_t head = offsetof(struct sockaddr_un, sun_path);
    const char *p = name->sun_path, *end, *arrow;
    size_t n, id = 0;

    memset(local, 0, sizeof(*local));
    memset(remote, 0, sizeof(*remote));
    *has_remote = false;
    if (len < head + 5 || len > sizeof(*name) || name->sun_family != AF_UNIX)
        return -EINVAL;
    n = len - head;
    end = p + n;
    if (memcmp(p, "\0ts:", 4) != 0)
        return -EINVAL;
    p += 4;
    while (p < end && hex_digit(*p) >= 0 && id < 16) {
        p++;
        id++;
    }
    if (id == 0 || p == end || *p != ':')
        return -EINVAL;
    p++;
    arrow = memchr(p, '>', (size_t)(end - p));
    if (!get_addr(p, arrow ? arrow : end, local))
        return -EINVAL;
    if (arrow) {
        if (!get_addr(arrow + 1, end, remote))
            return -EINVAL;
        *has_remote = true;
    }
    return 0;
}

int name_addresses(int fd, struct wire_addr *local, struct wire_addr *remote)
{
    struct sockaddr_un un;
    socklen_t len = sizeof(un);
    bool has_remote;
    int saved = errno, error = 0;

    if (native_getpeername(fd, (struct sockaddr *)&un, &len) == 0 &&
        name_parse(&un, len, local, remote, &has_remote) == 0 && has_remote) {
        errno = saved;
        return 1;
    }
    len = sizeof(un);
    if (native_getsockname(fd, (struct sockaddr *)&un, &len) < 0)
        error = errno;
    else if (un.sun_family != AF_UNIX)
        error = ENOTSOCK;
    errno = saved;
    memset(local, 0, sizeof(*local));
    memset(remote, 0, sizeof(*remote));
    if (error)
        return -error;
    if (name_parse(&un, len, local, remote, &has_remote) < 0)
        memset(local, 0, sizeof(*local));
    return 0;
}
