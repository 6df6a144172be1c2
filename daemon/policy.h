/* SPDX-License-Identifier: MIT */
/*
 * Rights and quotas: what a process, known by SO_PEERCRED, may do, and whose account pays.
 * A descriptor that the daemon cannot spare is refused here, so that there is always room for all
 * those that one control message may bring. All threads ask the same policy: a lock for a moment.
 */
#ifndef TS_DAEMON_POLICY_H
#define TS_DAEMON_POLICY_H

#include "daemon/rights.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct policy_user {
    uid_t uid;
    uint32_t sockets;
    uint32_t clients;
    uint32_t rings;
    struct policy_user *next;
};

struct policy {
    pthread_mutex_t lock;
    uint32_t descriptors, max_descriptors; /**< of streams and clients */
    uint32_t max_user_sockets, max_user_clients;
    uint32_t rings;
    uid_t own;                   /**< whom the daemon was started as, before it dropped anything */
    const struct rights *rights; /**< the table */
    struct policy_user *users;
};

/** A process, by SO_PEERCRED and SO_PEERGROUPS of its control connection: never by what it says. */
struct policy_owner {
    uid_t uid;
    pid_t pid;
    const struct rights *rights; /**< its section of the table, or NULL */
};

/** max_sockets: of the core; max_files: the soft RLIMIT_NOFILE. 0 or -EMFILE when the limit leaves
 * nothing. */
int policy_init(struct policy *p, uint32_t max_sockets, uint64_t max_files);
void policy_destroy(struct policy *p);
/** Another max_sockets from now on. */
void policy_set_max_sockets(struct policy *p, uint32_t max_sockets);

/** One more socket of this user: 0, -EMFILE (quota), -ENFILE (the daemon's descriptors), -ENOMEM.
 */
int policy_take_socket(struct policy *p, const struct policy_owner *o);
/** Would it succeed? */
bool policy_has_room(struct policy *p, const struct policy_owner *o);
void policy_give_socket(struct policy *p, uid_t uid);
/** `n` descriptors more for something that is counted already, the daemon's copies of a listener: 0
 * or -ENFILE. */
int policy_take_spare(struct policy *p, uint32_t n);
void policy_give_spare(struct policy *p, uint32_t n);
/** A ring for one of this user's sockets: two descriptors and a map more. 0, -EMFILE, -ENFILE. */
int policy_take_ring(struct policy *p, uid_t uid);
void policy_give_ring(struct policy *p, uid_t uid);
/** One more control connection of this user. */
int policy_take_client(struct policy *p, uid_t uid);
void policy_give_client(struct policy *p, uid_t uid);

/** May this user change how the daemon works? Root may, and who the daemon was started as. */
bool policy_admin(const struct policy *p, uid_t uid);

/** May this process see everybody's frames? Those who may change how the daemon works, and whom the
 * table names. */
bool policy_capture(const struct policy *p, const struct policy_owner *o);

/** Who is at the other end of this control connection? false: it does not tell. */
bool policy_who(const struct policy *p, int fd, struct policy_owner *out);

/** May this process bind this address and port (0: any)? 0 or -EACCES. */
int policy_bind(const struct policy_owner *o, const struct wire_addr *a);
/** May it connect there? 0 or -EACCES. */
int policy_connect(const struct policy_owner *o, const struct wire_addr *a);

#endif
