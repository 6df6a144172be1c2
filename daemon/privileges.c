/* SPDX-License-Identifier: MIT */
/* Giving up privileges, stage by stage; see privileges.h. Each stage that fails ends the start. */
#include "daemon/privileges.h"

#include "daemon/log.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

int privileges_find_user(const char *name, struct privileges_user *out)
{
    struct passwd *pw;

    *out = (struct privileges_user){0};
    if (!*name)
        return 0;
    errno = 0;
    pw = getpwnam(name); // cppcheck-suppress getpwnamCalled ; there is one thread yet
    if (!pw) {
        log_error("no user %s", name);
        return -ENOENT;
    }
    if (geteuid() != 0 && geteuid() != pw->pw_uid) {
        log_error("only root can become user %s", name);
        return -EPERM;
    }
    *out = (struct privileges_user){.change = true, .uid = pw->pw_uid, .gid = pw->pw_gid};
    return 0;
}

/* Stage 1: what a set-user-ID program, or uid 0 itself, could give back is gone for good. */
static int drop_bounding_set(void)
{
    if (cap_get_bound(CAP_SETPCAP) != 1 || geteuid() != 0)
        return 0;
    (void)cap_reset_ambient();
    for (cap_value_t c = 0; cap_get_bound(c) >= 0; c++)
        if (cap_drop_bound(c) < 0)
            return -errno;
    return 0;
}

/* Stage 2: another user and group, no supplementary groups. */
static int change_user(const struct privileges_user *user)
{
    if (!user->change || geteuid() == user->uid)
        return 0;
    if (setgroups(0, NULL) < 0 || setresgid(user->gid, user->gid, user->gid) < 0 ||
        setresuid(user->uid, user->uid, user->uid) < 0)
        return -errno;
    return 0;
}

/* Stage 3: no effective, permitted or inheritable capability. */
static int drop_capabilities(void)
{
    cap_t none = cap_init();
    int rc = none && cap_set_proc(none) == 0 ? 0 : -errno;

    if (none)
        cap_free(none);
    return rc;
}

/* Stage 4: execve can give nothing back. */
static int no_new_privileges(void)
{
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

/* Stage 5: other programs' bytes and our keys stay in here. */
static int no_dumps(void)
{
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? -errno : 0;
}

static int stage(const char *name, int rc)
{
    if (rc < 0)
        log_error("cannot give up privileges: %s: %s", name, strerror(-rc));
    return rc;
}

int privileges_drop(const struct privileges_user *user)
{
    if (stage("bounding set", drop_bounding_set()) < 0 ||
        stage("change of user", change_user(user)) < 0 ||
        stage("capabilities", drop_capabilities()) < 0 ||
        stage("no new privileges", no_new_privileges()) < 0 || stage("no dumps", no_dumps()) < 0)
        return -EPERM;
    if (geteuid() == 0)
        log_debug("still user 0, without capabilities; --user NAME changes that");
    return 0;
}
