/* SPDX-License-Identifier: MIT */
/*
 * See epolls.h. Safe in signal handlers and after vfork: an array of atomic numbers. A number too
 * many costs a call, one too few a registration; so whoever is in doubt looks again.
 */
#include "client/lib/epolls.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

static _Atomic int known[EPOLLS_MOST]; /* number + 1, 0: free */
static atomic_bool complete;           /* all numbers were looked at, nothing doubtful since */
static atomic_bool unseen; /* some are made where nobody sees it, or there are too many */

static bool is_known(int epfd)
{
    for (size_t i = 0; i < EPOLLS_MOST; i++)
        if (atomic_load(&known[i]) == epfd + 1)
            return true;
    return false;
}

static void add(int epfd)
{
    for (size_t i = 0; i < EPOLLS_MOST && !is_known(epfd); i++) {
        int none = 0;

        if (atomic_compare_exchange_strong(&known[i], &none, epfd + 1))
            return;
    }
    if (!is_known(epfd))
        atomic_store(&unseen, true);
}

void epolls_made(int epfd)
{
    if (epfd >= 0)
        add(epfd);
}

void epolls_received(void)
{
    atomic_store(&complete, false);
}

void epolls_gone(int epfd)
{
    for (size_t i = 0; i < EPOLLS_MOST; i++) {
        int number = epfd + 1;

        (void)atomic_compare_exchange_strong(&known[i], &number, 0);
    }
    atomic_store(&complete, false);
}

static int copy(int out[EPOLLS_MOST])
{
    int n = 0;

    for (size_t i = 0; i < EPOLLS_MOST; i++) {
        int number = atomic_load(&known[i]);

        if (number)
            out[n++] = number - 1;
    }
    return n;
}

int epolls_known(int out[EPOLLS_MOST])
{
    int n;

    if (!atomic_load(&complete) || atomic_load(&unseen))
        return -1;
    n = copy(out);
    return n > 0 ? n : -1;
}

/* Deleting what is not registered: ENOENT says that it is an instance, EINVAL that it is none. */
static bool is_instance(int number, int stranger)
{
    return number != stranger && epoll_ctl(number, EPOLL_CTL_DEL, stranger, NULL) < 0 &&
           errno == ENOENT;
}

int epolls_look(int size, int out[EPOLLS_MOST])
{
    int saved = errno, n = 0, stranger = eventfd(0, EFD_CLOEXEC);

    if (stranger < 0)
        return -1;
    atomic_store(&complete, true); /* what is received from here on is doubtful again */
    for (int i = 0; i < size && n >= 0; i++) {
        if (!is_instance(i, stranger))
            continue;
        if (!is_known(i))
            atomic_store(&unseen, true);
        if (n < EPOLLS_MOST)
            out[n++] = i;
        else
            n = -1;
    }
    close(stranger);
    errno = saved;
    return n;
}
