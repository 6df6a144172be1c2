/* SPDX-License-Identifier: MIT */
/*
 * The system calls that are left after the start: syscalls.def. Any other one fails with EPERM,
 * which an attacker inside can do nothing with, and an overlooked corner of a library survives.
 * Sanitizers need many more: without the filter there.
 */
#include "daemon/log.h"
#include "daemon/privileges.h"

#include <errno.h>
#include <seccomp.h>
#include <stddef.h>
#include <string.h>

#if (defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)) && !defined(TAPSTACK_NO_SECCOMP)
#define TAPSTACK_NO_SECCOMP
#endif

#ifdef TAPSTACK_NO_SECCOMP

int privileges_filter(void)
{
    log_debug("built without a system call filter");
    return 0;
}

#else

static const char *const allowed[] = {
#define SYSCALL(name) #name,
#include "daemon/syscalls.def"
#undef SYSCALL
};

int privileges_filter(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int rc = filter ? 0 : -ENOMEM;

    for (size_t i = 0; rc == 0 && i < sizeof(allowed) / sizeof(allowed[0]); i++) {
        int number = seccomp_syscall_resolve_name(allowed[i]);
        /* Not every machine has all of them. */
        if (number >= 0)
            rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
    }
    if (rc == 0)
        rc = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    if (rc == 0)
        rc = seccomp_load(filter);
    if (filter)
        seccomp_release(filter);
    if (rc == 0)
        return 0;
    if (rc == -EINVAL || rc == -ENOSYS || rc == -EOPNOTSUPP) {
        log_warning("this kernel has no system call filter: %s", strerror(-rc));
        return 0;
    }
    log_error("cannot set the system call filter: %s", strerror(-rc));
    return rc;
}

#endif
