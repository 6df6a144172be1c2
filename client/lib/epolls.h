/* SPDX-License-Identifier: MIT */
/*
 * Which numbers of this process are epoll instances, without a look at each. The shim sees
 * epoll_create(2); a fork takes the list along. When something may have happened past it, all
 * numbers are looked at: at first (what exec left), when descriptors came in a message, when one of
 * the list is no instance any more (closed, or moved by dup), and always where there is none, or
 * where one was found that nobody saw being made (system calls without libc).
 */
#ifndef TS_CLIENT_LIB_EPOLLS_H
#define TS_CLIENT_LIB_EPOLLS_H

#include <stddef.h>

/** Most instances that are kept in mind. */
#define EPOLLS_MOST 64

/** epoll_create(2) has returned this (nothing is done when it is negative). */
void epolls_made(int epfd);
/** Descriptors came from another process. */
void epolls_received(void);
/** This one is no instance any more. */
void epolls_gone(int epfd);

/** The instances: how many, or -1 when all numbers have to be looked at. */
int epolls_known(int out[EPOLLS_MOST]);
/** After a look at all numbers below `size`. How many, or -1 when they are too many for the list.
 */
int epolls_look(int size, int out[EPOLLS_MOST]);

#endif
