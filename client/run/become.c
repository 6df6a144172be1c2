/* SPDX-License-Identifier: MIT */
/*
 * Who asks: the daemon learns it from the kernel when a control connection is made. So those of the
 * supervisor are made with the credentials of the target, taken on for just that (by the system
 * calls themselves, for this thread alone; the library's functions would change all threads).
 */
#include "client/lib/control.h"
#include "client/run/target.h"

#include <errno.h>
#include <grp.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Thread_local struct target_status whose;
static _Thread_local bool known;

static gid_t own_groups[64];
static int n_own_groups;

static void at_open(bool begin)
{
    if (!known || whose.euid == 0)
        return;
    if (begin) {
        (void)syscall(SYS_setgroups, whose.n_groups, whose.groups);
        (void)syscall(SYS_setresgid, -1, whose.egid, -1);
        (void)syscall(SYS_setresuid, -1, whose.euid, -1);
    } else { /* the user first: the rest needs its rights */
        (void)syscall(SYS_setresuid, -1, 0, -1);
        (void)syscall(SYS_setresgid, -1, 0, -1);
        (void)syscall(SYS_setgroups, n_own_groups, own_groups);
    }
}

void target_identity_init(void)
{
    if (getuid() != 0)
        return;
    n_own_groups = getgroups(64, own_groups);
    if (n_own_groups < 0)
        n_own_groups = 0;
    control_at_open(at_open);
}

int target_identity(const struct target *t)
{
    struct target_status st;

    if (getuid() != 0)
        return 0;
    if (!target_status(t->tid, &st) || !target_valid(t))
        return -ESRCH;
    if (known && st.euid != whose.euid)
        control_forget();
    whose = st;
    known = true;
    return 0;
}
