/* SPDX-License-Identifier: MIT */
/*
 * One call of a supervised thread, and what may be done to that thread: its memory read and
 * written, its descriptors borrowed and replaced, its credentials borrowed.
 *
 * Arguments are copied once, and the copy is used only after the call was found to be still there
 * (SECCOMP_IOCTL_NOTIF_ID_VALID): until then the number of the thread may have passed to another.
 * None of this makes the supervised program harmless: it can change what it has passed at any
 * time, and calls that are let go on are the kernel's.
 */
#ifndef TS_CLIENT_RUN_TARGET_H
#define TS_CLIENT_RUN_TARGET_H

#include "client/lib/place.h"

#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct target {
    int listener;
    uint64_t id;
    pid_t tid;
    int nr;
    bool other; /**< of another word size */
    uint64_t args[6];
    int pidfd;
    int borrowed; /**< our copy of the descriptor that the call is about, or -1 */
};

/** What a served call came to, beside a result and a negative errno value. */
#define TARGET_CONTINUE INT64_MIN       /**< the kernel does the call */
#define TARGET_ANSWERED (INT64_MIN + 1) /**< it has its answer already */

/** Wait for a call. 0; -ENOENT: it was gone at once; another negative errno value. */
int target_receive(int listener, struct target *t);
void target_answer(struct target *t, int64_t result);
void target_release(struct target *t);
/** Close the borrowed copy: before the program goes on, since what it closes then is closed. */
void target_return(struct target *t);
/** Is the call still waiting? */
bool target_valid(const struct target *t);

/** Copy from and to its memory: 0, or -EFAULT. */
int target_read(const struct target *t, uint64_t from, void *to, size_t n);
int target_write(const struct target *t, uint64_t to, const void *from, size_t n);

/** A copy of its descriptor, close-on-exec, or a negative errno value. */
int target_descriptor(struct target *t, int number);

/** Give it a new descriptor. Returns its number, which is to be the answer, or a negative errno
 * value; TARGET_ANSWERED where a signal could come between the two (target_at_once). */
int64_t target_give(struct target *t, int fd, bool cloexec);
/** A call may be interrupted while it is served: it gets its descriptor and its answer at once. The
 * program then goes on before our copy of the new one is closed; the borrowed one is returned. */
extern bool target_at_once;

/** Where lib's functions replace a descriptor: there, and the borrowed copy here as well. */
struct target_place {
    struct place place;
    struct target *target;
    int number; /**< of the descriptor there */
};
void target_place(struct target_place *p, struct target *t, int number);

/** Is there a free number for a descriptor? In doubt, yes. */
bool target_has_slot(const struct target *t);

/** A signal that it has to be sent with a result (SIGPIPE). */
void target_signal(const struct target *t, int sig);

/** What /proc says of a thread. */
struct target_status {
    pid_t tgid;
    uid_t euid;
    gid_t egid;
    uint64_t own, shared; /**< signals that are pending and not blocked */
    int threads;
    size_t n_groups;
    gid_t groups[64];
};
bool target_status(pid_t tid, struct target_status *out);

/**
 * Requests of this thread to the daemon are the target's from here on: the daemon asks the kernel
 * who connects. Only when the supervisor is root; otherwise all targets are of its own user. 0 or a
 * negative errno value.
 */
int target_identity(const struct target *t);
void target_identity_init(void);

#endif
