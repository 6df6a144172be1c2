/* SPDX-License-Identifier: MIT */
/*
 * Rights and quotas: what a process, known by SO_PEERCRED, may do, and whose account pays.
 * A descriptor that the daemon cannot spare is refused here, so that there is always room for all
 * those that one control message may bring.
 */
#ifndef TS_DAEMON_POLICY_H
#define TS_DAEMON_POLICY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/** Ports below it are for user 0. */
#define POLICY_FIRST_FREE_PORT 1024

struct policy_user {
    uid_t uid;
    uint32_t sockets;
    uint32_t clients;
    struct policy_user *next;
};

struct policy {
    uint32_t descriptors, max_descriptors; /**< of streams and clients */
    uint32_t max_user_sockets, max_user_clients;
    uid_t own; /**< whom the daemon was started as, before it dropped anything */
    struct policy_user *users;
};

/** max_sockets: of the core; max_files: the soft RLIMIT_NOFILE. 0 or -EMFILE when the limit leaves
 * nothing. */
int policy_init(struct policy *p, uint32_t max_sockets, uint64_t max_files);
void policy_destroy(struct policy *p);

/** One more socket of this user: 0, -EMFILE (quota), -ENFILE (the daemon's descriptors), -ENOMEM.
 */
int policy_take_socket(struct policy *p, uid_t uid);
/** Would it succeed? */
bool policy_has_room(struct policy *p, uid_t uid);
void policy_give_socket(struct policy *p, uid_t uid);
/** One more control connection of this user. */
int policy_take_client(struct policy *p, uid_t uid);
void policy_give_client(struct policy *p, uid_t uid);

/** May this user change how the daemon works? Root may, and who the daemon was started as. */
bool policy_admin(const struct policy *p, uid_t uid);

/** May this user bind this port (0: any)? 0 or -EACCES. */
int policy_bind(uid_t uid, uint16_t port);

#endif
