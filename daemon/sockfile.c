/* SPDX-License-Identifier: MIT */
/*
 * The control socket's place in the file system; see sockfile.h. A lock on the directory, held
 * until we serve, makes it one step for all daemons that start at once. Anybody may hold that lock:
 * it is not waited for long.
 */
#include "daemon/sockfile.h"

#include "daemon/log.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG      1024
#define LOCK_TRIES   50
#define LOCK_WAIT_US 100000

static int address_of(const char *path, struct sockaddr_un *un)
{
    memset(un, 0, sizeof(*un));
    un->sun_family = AF_UNIX;
    if (!*path || strlen(path) >= sizeof(un->sun_path)) {
        log_error("the socket's path must have 1 to %zu characters", sizeof(un->sun_path) - 1);
        return -ENAMETOOLONG;
    }
    memcpy(un->sun_path, path, strlen(path));
    return 0;
}

static void lock(int fd, const char *dir)
{
    for (int i = 0; i < LOCK_TRIES; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return;
        usleep(LOCK_WAIT_US);
    }
    log_warning("%s is locked by another program: going on without the lock", dir);
}

/* Open, and if need be make, the directory of the path; locked until it is closed. */
static int lock_directory(struct sockfile *f)
{
    char copy[sizeof(f->path)], *dir;
    int fd, error;

    memcpy(copy, f->path, sizeof(copy));
    dir = dirname(copy);
    if (mkdir(dir, 0755) == 0)
        snprintf(f->made_directory, sizeof(f->made_directory), "%s", dir);
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        error = errno;
        log_error("cannot use the directory %s: %s", dir, strerror(error));
        return -error;
    }
    lock(fd, dir);
    return fd;
}

/* Who serves the socket at this address? Returns the process, 0 for nobody, or a negative errno
 * value. */
static int served_by(const struct sockaddr_un *un)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), rc = 0;
    struct ucred cred = {.pid = 1};
    socklen_t len = sizeof(cred);

    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)un, sizeof(*un)) == 0) {
        (void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len);
        rc = cred.pid > 0 ? cred.pid : 1;
    } else if (errno != ECONNREFUSED && errno != ENOENT) {
        rc = -errno;
    }
    close(fd);
    return rc;
}

/* Make room at the path. */
static int clear_path(const struct sockfile *f, const struct sockaddr_un *un)
{
    struct stat st;
    int rc;

    if (lstat(f->path, &st) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(st.st_mode)) {
        log_error("%s exists and is %s: not touched", f->path,
                  S_ISLNK(st.st_mode) ? "a symbolic link" : "no socket");
        return -EEXIST;
    }
    rc = served_by(un);
    if (rc > 0) {
        log_error("another tapstackd (pid %d) already serves %s", rc, f->path);
        return -EADDRINUSE;
    }
    if (rc < 0) {
        /* EAGAIN: its queue is full. EPROTOTYPE: a living socket of another program. */
        log_error("another program already serves %s (%s)", f->path, strerror(-rc));
        return -EADDRINUSE;
    }
    if (unlink(f->path) < 0) {
        rc = -errno;
        log_error("cannot remove the stale socket %s: %s", f->path, strerror(-rc));
        return rc;
    }
    log_info("removed the stale socket %s", f->path);
    return 0;
}

static int bind_to(struct sockfile *f, const struct sockaddr_un *un)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), error = 0;
    mode_t mask = umask(0111); /* everybody may ask; policy says what for */
    struct stat st;

    if (fd < 0 || bind(fd, (const struct sockaddr *)un, sizeof(*un)) < 0 || lstat(f->path, &st) < 0)
        error = errno;
    umask(mask);
    if (error) {
        log_error("cannot bind %s: %s", f->path, strerror(error));
        if (fd >= 0)
            close(fd);
        return -error;
    }
    f->device = st.st_dev;
    f->inode = st.st_ino;
    f->fd = fd;
    return fd;
}

static void unlock(struct sockfile *f)
{
    if (f->lock >= 0)
        close(f->lock);
    f->lock = -1;
}

void sockfile_adopt(struct sockfile *f, int fd)
{
    memset(f, 0, sizeof(*f));
    f->lock = -1;
    f->fd = fd;
}

int sockfile_claim(struct sockfile *f, const char *path)
{
    struct sockaddr_un un;
    int rc = address_of(path, &un);

    memset(f, 0, sizeof(*f));
    f->lock = f->fd = -1;
    if (rc < 0)
        return rc;
    snprintf(f->path, sizeof(f->path), "%s", path);
    f->lock = lock_directory(f);
    if (f->lock < 0)
        return f->lock;
    rc = clear_path(f, &un);
    if (rc == 0)
        rc = bind_to(f, &un);
    if (rc < 0)
        unlock(f);
    return rc;
}

int sockfile_permit(const struct sockfile *f, mode_t mode, gid_t group)
{
    int rc = 0;

    if ((group != (gid_t)-1 && lchown(f->path, (uid_t)-1, group) < 0) || chmod(f->path, mode) < 0)
        rc = -errno;
    if (rc < 0)
        log_error("cannot set mode and group of %s: %s", f->path, strerror(-rc));
    return rc;
}

/* Of an adopted one too: SO_PEERCRED says who listened last (unix(7)), which is then us. */
int sockfile_serve(struct sockfile *f)
{
    int rc = listen(f->fd, BACKLOG) < 0 ? -errno : 0;

    unlock(f);
    if (rc < 0)
        log_error("cannot listen at %s: %s", f->path, strerror(-rc));
    return rc;
}

void sockfile_give(const struct sockfile *f, uid_t uid, gid_t gid)
{
    if (lchown(f->path, uid, gid) < 0 ||
        (f->made_directory[0] && lchown(f->made_directory, uid, gid) < 0))
        log_debug("cannot give %s to user %u: %s", f->path, uid, strerror(errno));
}

void sockfile_remove(struct sockfile *f)
{
    struct stat st;

    unlock(f);
    if (!f->path[0] || f->fd < 0 || lstat(f->path, &st) < 0 || st.st_dev != f->device ||
        st.st_ino != f->inode)
        return;
    if (unlink(f->path) < 0)
        log_info("cannot remove %s: %s", f->path, strerror(errno));
    f->path[0] = '\0';
}
