/* SPDX-License-Identifier: MIT */
/*
 * What lies on the caller's stack, as most of it does, is taken for good. Of the rest the kernel is
 * asked, by calls that every program may make, also under a filter of its own: one for each page.
 */
#include "client/lib/memory.h"

#include "ipc/codec.h"
#include "ipc/name.h"
#include "ipc/native.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define PAGE         4096u /* or a part of one */
#define SIGNALS_SIZE 8     /* of the kernel's sigset_t */
#define NO_HOW       (-1)
#define STACK_NEAR   16384u

/* Shortly above our own frame are those of our callers. */
static bool on_stack(const void *p, size_t n)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0), at = (uintptr_t)p;

    return at > here && at - here < STACK_NEAR && n < STACK_NEAR - (at - here);
}

/* The end of what [at, end) has of its page. */
static uintptr_t page_end(uintptr_t at, uintptr_t end)
{
    uintptr_t next = (at | (PAGE - 1)) + 1;

    return next && next < end ? next : end;
}

/*
 * rt_sigprocmask(2) reads a set before it finds that there is no such `how`. Eight bytes that are
 * aligned are in one page, as is the byte in question.
 */
static int can_read(uintptr_t at)
{
    at &= ~(uintptr_t)7;
    if (!at) /* would be no set */
        return -EFAULT;
    (void)syscall(SYS_rt_sigprocmask, NO_HOW, at, NULL, SIGNALS_SIZE);
    return errno == EFAULT ? -EFAULT : 0;
}

int memory_check_read(const void *from, size_t n)
{
    uintptr_t at = (uintptr_t)from, end = at + n;
    int saved = errno, r = end < at ? -EFAULT : 0;

    if (on_stack(from, n))
        return 0;
    for (; at < end && r == 0; at = page_end(at, end))
        r = can_read(at);
    errno = saved;
    return r;
}

int memory_check_write(int fd, void *to, size_t n)
{
    uintptr_t at = (uintptr_t)to, end = at + n;
    int saved = errno, r = end < at ? -EFAULT : 0;

    if (on_stack(to, n))
        return 0;
    for (; at < end && r == 0; at = page_end(at, end)) {
        size_t here = page_end(at, end) - at;
        socklen_t len = here < sizeof(int) ? (socklen_t)here : sizeof(int);

        if (native_getsockopt(fd, SOL_SOCKET, SO_TYPE, (void *)at, &len) < 0 && errno == EFAULT)
            r = -EFAULT;
    }
    errno = saved;
    return r;
}

int memory_check_address(const struct sockaddr *addr, socklen_t len)
{
    if ((int)len < 0 || len > sizeof(struct sockaddr_storage))
        return -EINVAL;
    return memory_check_read(addr, len);
}

int memory_give_value(int fd, void *value, socklen_t *len, const void *from, size_t n)
{
    if (*len < n)
        n = *len;
    if (memory_check_write(fd, value, n) < 0 || memory_check_write(fd, len, sizeof(*len)) < 0)
        return -EFAULT;
    memcpy(value, from, n);
    *len = (socklen_t)n;
    return 0;
}

int memory_give_address(int fd, const struct wire_addr *a, struct sockaddr *addr, socklen_t *len)
{
    struct sockaddr_storage ss;
    socklen_t full = sizeof(ss);
    int r = memory_check_read(len, sizeof(*len));

    if (r == 0)
        r = wire_addr_to_sockaddr(a, name_is_v6(fd) ? AF_INET6 : AF_INET, (struct sockaddr *)&ss,
                                  &full);
    if (r == 0 && (int)*len < 0)
        r = -EINVAL;
    if (r == 0)
        r = memory_give_value(fd, addr, len, &ss, full);
    if (r == 0)
        *len = full;
    return r;
}
