/* SPDX-License-Identifier: MIT */
/*
 * The kernel in real time: a network namespace and a TUN device of this process's own, real
 * sockets, each call in a thread. kernel.c is the device and the clock, kernel_calls.c the calls.
 */
#ifndef TS_TESTS_PKT_KERNEL_H
#define TS_TESTS_PKT_KERNEL_H

#include "tests/pkt/target.h"

#include <pthread.h>

struct kernel_thread {
    pthread_t thread;
    struct call *call;
    struct kernel_thread *next;
};

struct kernel {
    struct target target;
    int tun;
    uint64_t zero; /**< CLOCK_MONOTONIC at script time 0, microseconds */
    struct kernel_thread *threads;
};

uint64_t kernel_now(struct target *t);
void kernel_start(struct target *t, struct call *c);
void kernel_interrupt(struct target *t, int fd, bool restart);

#endif
