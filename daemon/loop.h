/* SPDX-License-Identifier: MIT */
/*
 * The event loop (libuv). It waits for the TAP, the nested epoll instance, a timerfd that carries
 * the core's next deadline, and signals. Each wake-up runs rounds of: a batch of frames and of
 * descriptor events in, stack_run(), the core's events out; until nothing more is there or the
 * round limit is reached.
 */
#ifndef TS_DAEMON_LOOP_H
#define TS_DAEMON_LOOP_H

#include "daemon/capture.h"
#include "daemon/control.h"
#include "daemon/device.h"
#include "daemon/notify.h"
#include "daemon/poller.h"
#include "daemon/reload.h"
#include "daemon/sockfile.h"
#include "daemon/spin.h"
#include "daemon/stream.h"
#include "daemon/trim.h"
#include "proto/stack.h"

#include <uv.h>

/** How long connections may take to end after the first signal. */
#define LOOP_STOP_US 5000000ull

struct worker;

struct loop {
    struct worker *worker; /**< one of several; NULL: it is alone */
    struct stack *stack;
    struct device *device;
    struct poller *poller;
    struct streams *streams;
    struct control *control; /**< NULL: of the first worker only, as the signals */
    struct sockfile *sockfile;
    struct notify *notify;
    struct reload *reload;

    uv_loop_t uv;
    uv_poll_t on_device, on_poller, on_timer;
    uv_check_t after_poll;
    uv_idle_t busy; /**< active while there is work: the loop does not sleep */
    uv_timer_t slow;
    uv_timer_t stones;   /**< until the oldest tombstone expires; not while there is none */
    uv_timer_t rest;     /**< runs while memory is to be given back */
    uv_timer_t watchdog; /**< runs while the service manager wants to hear from us */
    struct trim trim;
    struct spin spin;
    uv_async_t wake; /**< from another worker */
    uv_signal_t on_term, on_int, on_usr1, on_hup;
    uv_poll_t on_reload; /**< while there is a process that can read the file again */
    int timer_fd;
    uint64_t armed; /**< when the timerfd fires; UINT64_MAX: it does not */
    bool device_due, poller_due, timer_due, poked;
    bool sign_due; /**< the service manager expects a sign of life after the next round */
    bool live;     /**< there is something to destroy */
    bool stopping, drained;
    bool ended; /**< nothing is left of it; the others may still stop */
    uint64_t stop_at;
    int status; /**< of the process */
};

/** Microseconds of CLOCK_MONOTONIC. */
uint64_t loop_now(void);

/** Make the loop's handles. The pointers at the front are set by the caller. 0 or a negative errno
 * value. */
int loop_init(struct loop *l);
/** Until a signal, or a fatal error. Returns the process's exit status. */
int loop_run(struct loop *l);
void loop_destroy(struct loop *l);

#endif
