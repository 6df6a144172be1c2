/* SPDX-License-Identifier: MIT */
/*
 * A gate is a lock whose waiters are a listener's acceptors. It belongs to the listener of those
 * who are inside, by its cookie and the process, so that neither a number that was given anew nor a
 * fork can make anybody wait for somebody who waits for something else, or is no more.
 *
 * No lock of libc's: a thread that waits must return when a signal comes, and accept(2) may be
 * called by a signal handler.
 */
#include "client/lib/turn.h"

#include "ipc/native.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

/* How far the frames that a cancellation has jumped over may reach below its handler, and overlap
 * with it. */
#define FRAMES_BELOW   16384
#define FRAMES_OVERLAP 256

/* Of a gate's word: how many are inside; the rest is whose it is. */
#define INSIDE 0xffffull

/* A listener whose gate another one has goes without. */
#define GATES 64

/* So long nobody waits for connections after a signal has ended the wait of who did: signals often
 * come to all threads, and whom one finds just as it is woken misses that it came. */
#define AFTER_SIGNAL_NS 2000000

enum { FREE, HELD, AWAITED };

struct turn_gate {
    _Atomic uint64_t word;
    _Atomic uint32_t state;
};

static struct turn_gate gates[GATES];

/* This thread is inside one: what comes then is a signal handler, which must not wait for itself.
 */
static _Thread_local bool inside __attribute__((tls_model("initial-exec")));

/* 0: it has none. */
static uint64_t whose(int fd)
{
    uint64_t cookie = 0;
    socklen_t len = sizeof(cookie);

    if (native_getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) < 0)
        return 0;
    return (cookie * 0x9e3779b97f4a7c15u + (uint64_t)getpid() * 0xd6e8feb86659fd93u) & ~INSIDE;
}

static bool enter(struct turn_gate *g, uint64_t mine)
{
    uint64_t word = atomic_load(&g->word), next;

    do {
        if ((word & INSIDE) == INSIDE || ((word & INSIDE) && (word & ~INSIDE) != mine))
            return false;
        next = (word & INSIDE ? word : mine) + 1;
    } while (!atomic_compare_exchange_weak(&g->word, &word, next));
    inside = true;
    return true;
}

static void leave(struct turn_gate *g)
{
    inside = false;
    atomic_fetch_sub(&g->word, 1);
}

static void wake_one(struct turn_gate *g)
{
    (void)syscall(SYS_futex, &g->state, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* A cancellation jumps over frames. The address sanitizer believes in them still. */
#ifdef __SANITIZE_ADDRESS__
static __attribute__((noinline)) void forget_frames(void)
{
    __asan_unpoison_memory_region((char *)__builtin_frame_address(0) - FRAMES_BELOW,
                                  FRAMES_BELOW + FRAMES_OVERLAP);
}
#else
static void forget_frames(void)
{
}
#endif

/* It may just have been woken. */
static void cancelled(void *gate)
{
    forget_frames();
    wake_one(gate);
    leave(gate);
}

/* Without a time-out, so that the kernel restarts it, or not, as it does accept(2). A cancellation
 * point, as accept(2) is. */
static int sleep_here(struct turn_gate *g)
{
    volatile int r = 0; /* outlives the jump of a cancellation */
    int type;

    pthread_cleanup_push(cancelled, g);
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
    if (syscall(SYS_futex, &g->state, FUTEX_WAIT_PRIVATE, AWAITED, NULL, NULL, 0) < 0)
        r = -errno;
    pthread_setcanceltype(type, NULL);
    pthread_cleanup_pop(0);
    return r;
}

static int lock(struct turn_gate *g)
{
    uint32_t was = FREE;

    if (atomic_compare_exchange_strong(&g->state, &was, HELD))
        return 0;
    while (atomic_exchange(&g->state, AWAITED) != FREE) {
        if (sleep_here(g) == -EINTR)
            return -EINTR;
    }
    return 0;
}

static void unlock(struct turn_gate *g)
{
    if (atomic_exchange(&g->state, FREE) == AWAITED)
        wake_one(g);
}

int turn_take(struct turn *t, int fd)
{
    struct turn_gate *g;
    uint64_t mine;
    int r;

    if (t->gate || inside || (mine = whose(fd)) == 0)
        return 0;
    g = &gates[(mine >> 16) % GATES];
    if (!enter(g, mine))
        return 0;
    r = lock(g);
    if (r < 0)
        leave(g);
    else
        t->gate = g;
    return r;
}

/* In the hands of pthread_cleanup_push. */
void turn_drop(void *turn)
{
    forget_frames();
    turn_give(turn, false);
}

void turn_give(struct turn *t, bool interrupted)
{
    const struct timespec pause = {.tv_nsec = AFTER_SIGNAL_NS};

    if (!t->gate)
        return;
    if (interrupted && atomic_load(&t->gate->state) == AWAITED)
        (void)nanosleep(&pause, NULL);
    unlock(t->gate);
    leave(t->gate);
    t->gate = NULL;
}
