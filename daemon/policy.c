/* SPDX-License-Identifier: MIT */
/*
 * Rights and quotas; see policy.h. Users are few: a list, with the one that was asked for last in
 * front.
 */
#include "daemon/policy.h"

#include "daemon/stats.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* Our own: TAP, epoll, timer, signals, capture, log, reserve … */
#define OWN_DESCRIPTORS 64
/* Groups of a process that are looked at. */
#define GROUPS_MAX 256
/* A ring's memory file and its eventfd. */
#define RING_DESCRIPTORS 2
/* Each is a map of ours: half of what the kernel gives a process by default (vm.max_map_count). */
#define RINGS_MAX 32768
/* Two control messages full of descriptors, and what waits for the reaper (control.c's limit). */
#define RECEIVED_DESCRIPTORS (2 * 253 + 1024)

int policy_init(struct policy *p, uint32_t max_sockets, uint64_t max_files)
{
    uint64_t reserve = OWN_DESCRIPTORS + RECEIVED_DESCRIPTORS;

    if (max_sockets == 0)
        max_sockets = 65536;
    if (max_files < reserve + 64)
        return -EMFILE;
    *p = (struct policy){
        .max_descriptors =
            max_files - reserve > UINT32_MAX ? UINT32_MAX : (uint32_t)(max_files - reserve),
        .max_user_clients = 4096,
        .own = geteuid(),
    };
    pthread_mutex_init(&p->lock, NULL);
    policy_set_max_sockets(p, max_sockets);
    return 0;
}

void policy_set_max_sockets(struct policy *p, uint32_t max_sockets)
{
    p->max_user_sockets = max_sockets > 1 ? max_sockets / 2 : 1;
}

void policy_destroy(struct policy *p)
{
    while (p->users) {
        struct policy_user *u = p->users;
        p->users = u->next;
        free(u);
    }
}

static struct policy_user *find(struct policy *p, uid_t uid)
{
    for (struct policy_user **at = &p->users; *at; at = &(*at)->next) {
        struct policy_user *u = *at;
        if (u->uid != uid)
            continue;
        *at = u->next;
        u->next = p->users;
        p->users = u;
        return u;
    }
    return NULL;
}

static struct policy_user *find_or_add(struct policy *p, uid_t uid)
{
    struct policy_user *u = find(p, uid);

    if (u)
        return u;
    u = calloc(1, sizeof(*u));
    if (!u)
        return NULL;
    u->uid = uid;
    u->next = p->users;
    p->users = u;
    return u;
}

/* The user with nothing left is always in front: find() has just moved it there. */
static void forget_if_empty(struct policy *p, struct policy_user *u)
{
    if (u->sockets || u->clients)
        return;
    p->users = u->next;
    free(u);
}

static int take_locked(struct policy *p, uid_t uid, uint32_t *(*count)(struct policy_user *),
                       uint32_t max)
{
    struct policy_user *u;
    int rc = 0;

    if (p->descriptors >= p->max_descriptors) {
        stats_add(STAT_policy_refused, 1);
        return -ENFILE;
    }
    u = find_or_add(p, uid);
    if (!u)
        return -ENOMEM;
    if (*count(u) >= max)
        rc = -EMFILE;
    if (rc == 0) {
        ++*count(u);
        p->descriptors++;
    } else {
        stats_add(STAT_policy_refused, 1);
        forget_if_empty(p, u);
    }
    return rc;
}

static int take(struct policy *p, uid_t uid, uint32_t *(*count)(struct policy_user *), uint32_t max)
{
    int rc;

    pthread_mutex_lock(&p->lock);
    rc = take_locked(p, uid, count, max);
    pthread_mutex_unlock(&p->lock);
    return rc;
}

static void give(struct policy *p, uid_t uid, uint32_t *(*count)(struct policy_user *))
{
    struct policy_user *u;

    pthread_mutex_lock(&p->lock);
    u = find(p, uid);
    if (u && *count(u)) {
        --*count(u);
        p->descriptors--;
        forget_if_empty(p, u);
    }
    pthread_mutex_unlock(&p->lock);
}

static uint32_t *sockets_of(struct policy_user *u)
{
    return &u->sockets;
}

static uint32_t *clients_of(struct policy_user *u)
{
    return &u->clients;
}

static uint32_t most_sockets(const struct policy *p, const struct policy_owner *o)
{
    return o->rights && o->rights->connections ? o->rights->connections : p->max_user_sockets;
}

int policy_take_socket(struct policy *p, const struct policy_owner *o)
{
    return take(p, o->uid, sockets_of, most_sockets(p, o));
}

bool policy_has_room(struct policy *p, const struct policy_owner *o)
{
    struct policy_user *u;
    bool room;

    pthread_mutex_lock(&p->lock);
    u = find(p, o->uid);
    room = p->descriptors < p->max_descriptors && (!u || u->sockets < most_sockets(p, o));
    pthread_mutex_unlock(&p->lock);
    return room;
}

void policy_give_socket(struct policy *p, uid_t uid)
{
    give(p, uid, sockets_of);
}

int policy_take_spare(struct policy *p, uint32_t n)
{
    int rc = 0;

    pthread_mutex_lock(&p->lock);
    if (p->descriptors + n > p->max_descriptors)
        rc = -ENFILE;
    else
        p->descriptors += n;
    pthread_mutex_unlock(&p->lock);
    return rc;
}

void policy_give_spare(struct policy *p, uint32_t n)
{
    pthread_mutex_lock(&p->lock);
    p->descriptors -= n;
    pthread_mutex_unlock(&p->lock);
}

static int take_ring(struct policy *p, struct policy_user *u)
{
    int rc = 0;

    if (!u || u->rings >= RINGS_MAX / 2)
        rc = -EMFILE;
    else if (p->rings >= RINGS_MAX || p->descriptors + RING_DESCRIPTORS > p->max_descriptors)
        rc = -ENFILE;
    if (rc < 0) {
        stats_add(STAT_policy_refused, 1);
        return rc;
    }
    u->rings++;
    p->rings++;
    p->descriptors += RING_DESCRIPTORS;
    return 0;
}

int policy_take_ring(struct policy *p, uid_t uid)
{
    int rc;

    pthread_mutex_lock(&p->lock);
    rc = take_ring(p, find(p, uid));
    pthread_mutex_unlock(&p->lock);
    return rc;
}

void policy_give_ring(struct policy *p, uid_t uid)
{
    struct policy_user *u;

    pthread_mutex_lock(&p->lock);
    u = find(p, uid);
    if (u && u->rings) {
        u->rings--;
        p->rings--;
        p->descriptors -= RING_DESCRIPTORS;
    }
    pthread_mutex_unlock(&p->lock);
}

int policy_take_client(struct policy *p, uid_t uid)
{
    return take(p, uid, clients_of, p->max_user_clients);
}

void policy_give_client(struct policy *p, uid_t uid)
{
    give(p, uid, clients_of);
}

bool policy_who(const struct policy *p, int fd, struct policy_owner *out)
{
    gid_t groups[GROUPS_MAX + 1];
    socklen_t len = sizeof(groups) - sizeof(groups[0]);
    struct ucred cred;
    socklen_t size = sizeof(cred);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) < 0)
        return false;
    /* who is in more groups than fit has the rights of the first */
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups + 1, &len) < 0)
        len = 0;
    groups[0] = cred.gid;
    *out = (struct policy_owner){
        .uid = cred.uid,
        .pid = cred.pid,
        .rights = rights_find(p->rights, cred.uid, groups, 1 + len / sizeof(groups[0]))};
    return true;
}

static int decide(bool may)
{
    if (may)
        return 0;
    stats_add(STAT_policy_refused, 1);
    return -EACCES;
}

int policy_bind(const struct policy_owner *o, const struct wire_addr *a)
{
    return decide(rights_may_bind(o->rights, o->uid, a));
}

int policy_connect(const struct policy_owner *o, const struct wire_addr *a)
{
    return decide(rights_may_connect(o->rights, a));
}

bool policy_admin(const struct policy *p, uid_t uid)
{
    return uid == 0 || uid == p->own;
}

bool policy_capture(const struct policy *p, const struct policy_owner *o)
{
    return policy_admin(p, o->uid) || (o->rights && o->rights->capture);
}
