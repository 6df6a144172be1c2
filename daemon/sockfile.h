/* SPDX-License-Identifier: MIT */
/*
 * The control socket's place in the file system: one daemon per path. A socket that nobody serves
 * is replaced; a living one, a symbolic link and anything that is no socket are refused.
 */
#ifndef TS_DAEMON_SOCKFILE_H
#define TS_DAEMON_SOCKFILE_H

#include <sys/stat.h>
#include <sys/types.h>

struct sockfile {
    char path[108]; /**< that we made; empty: none */
    int fd;
    int lock; /**< on the directory, until we serve; -1: none */
    dev_t device;
    ino_t inode;
    char made_directory[108]; /**< that did not exist before; empty: it did */
};

/** Take the path. Returns the bound SOCK_SEQPACKET socket, non-blocking, or a negative errno value,
 * logged. */
int sockfile_claim(struct sockfile *f, const char *path);
/** Serve this socket, which is bound, listens and belongs to the service manager, as does its
 * place: nothing is changed or removed there. */
void sockfile_adopt(struct sockfile *f, int fd);
/** Who may connect: its mode and, unless -1, its group. Before it serves. 0 or a negative errno
 * value, logged. */
int sockfile_permit(const struct sockfile *f, mode_t mode, gid_t group);
/** From now on programs can connect. 0 or a negative errno value, logged. */
int sockfile_serve(struct sockfile *f);
/** Let this user remove it, before privileges are dropped. Best effort. */
void sockfile_give(const struct sockfile *f, uid_t uid, gid_t gid);
/** Remove it, if it is still ours. */
void sockfile_remove(struct sockfile *f);

#endif
