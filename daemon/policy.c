/* SPDX-License-Identifier: MIT */
/*
 * Rights and quotas; see policy.h. Users are few: a list, with the one that was asked for last in
 * front.
 */
#include "daemon/policy.h"

#include "daemon/stats.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* Our own: TAP, epoll, timer, signals, capture, log, reserve … */
#define OWN_DESCRIPTORS 64
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
        .max_user_sockets = max_sockets > 1 ? max_sockets / 2 : 1,
        .max_user_clients = 4096,
        .own = geteuid(),
    };
    return 0;
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

static int take(struct policy *p, uid_t uid, uint32_t *(*count)(struct policy_user *), uint32_t max)
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

static void give(struct policy *p, uid_t uid, uint32_t *(*count)(struct policy_user *))
{
    struct policy_user *u = find(p, uid);

    if (!u || !*count(u))
        return;
    --*count(u);
    p->descriptors--;
    forget_if_empty(p, u);
}

static uint32_t *sockets_of(struct policy_user *u)
{
    return &u->sockets;
}

static uint32_t *clients_of(struct policy_user *u)
{
    return &u->clients;
}

int policy_take_socket(struct policy *p, uid_t uid)
{
    return take(p, uid, sockets_of, p->max_user_sockets);
}

bool policy_has_room(struct policy *p, uid_t uid)
{
    struct policy_user *u = find(p, uid);

    return p->descriptors < p->max_descriptors && (!u || u->sockets < p->max_user_sockets);
}

void policy_give_socket(struct policy *p, uid_t uid)
{
    give(p, uid, sockets_of);
}

int policy_take_client(struct policy *p, uid_t uid)
{
    return take(p, uid, clients_of, p->max_user_clients);
}

void policy_give_client(struct policy *p, uid_t uid)
{
    give(p, uid, clients_of);
}

int policy_bind(uid_t uid, uint16_t port)
{
    if (port == 0 || port >= POLICY_FIRST_FREE_PORT || uid == 0)
        return 0;
    stats_add(STAT_policy_refused, 1);
    return -EACCES;
}

bool policy_admin(const struct policy *p, uid_t uid)
{
    return uid == 0 || uid == p->own;
}
