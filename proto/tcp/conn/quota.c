/* SPDX-License-Identifier: MIT */
/*
 * Who pays for a connection: its two records, the extents of its streams, its segments and the
 * ranges that it holds out of order. Owners without a limit share the stack's own account
 * (proto/base/account.h); what is counted moves with the connection. What must be sent (a FIN, the
 * rest of a segment that is cut) is charged and never refused.
 */
#include "proto/sock/sock_internal.h"

#include <errno.h>

/** The two records, with the word that each pool puts behind its own. */
#define CONNECTION_COST (sizeof(struct tcb) + sizeof(struct sock) + 2 * sizeof(void *))

int quota_init(struct stack *st)
{
    account_init(&st->tcp.common, &st->extents, 0);
    pool_init(&st->tcp.account_pool, &st->mem, sizeof(struct account));
    return hash_init(&st->tcp.accounts, &st->mem, 8);
}

void quota_destroy(struct stack *st)
{
    hash_destroy(&st->tcp.accounts);
    pool_destroy(&st->tcp.account_pool);
}

static struct account *of_hash(struct hash_node *n)
{
    return n ? container_of(n, struct account, node) : NULL;
}

/* Of several stacks on one address: the owner's sum in all. A place is never given up; NULL: there
 * is none left. */
static uint64_t *shared_sum(struct stack_common *all, uint32_t owner)
{
    for (uint32_t i = 0; i < STACK_OWNERS; i++) {
        struct stack_owner *o = &all->owners[(owner + i) % STACK_OWNERS];
        uint64_t name = 0, mine = (uint64_t)owner + 1;

        if (__atomic_compare_exchange_n(&o->name, &name, mine, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED) ||
            name == mine)
            return &o->used;
    }
    return NULL;
}

static struct account *find_or_add(struct stack *st, uint32_t owner)
{
    struct account *a = of_hash(hash_first(&st->tcp.accounts, owner));

    if (a)
        return a;
    a = pool_get(&st->tcp.account_pool);
    if (!a)
        return NULL;
    account_init(a, &st->extents, 0);
    if (st->config.common && !(a->shared = shared_sum(st->config.common, owner))) {
        pool_put(&st->tcp.account_pool, a);
        return NULL;
    }
    hash_insert(&st->tcp.accounts, &a->node, owner);
    return a;
}

static void forget_if_empty(struct stack *st, struct account *a)
{
    if (a->members || a == &st->tcp.common)
        return;
    hash_remove(&st->tcp.accounts, &a->node);
    pool_put(&st->tcp.account_pool, a);
}

static uint64_t queue_cost(const struct list *queue)
{
    uint64_t bytes = 0;

    for (const struct list *l = queue->next; l != queue; l = l->next)
        bytes += sizeof(struct segment);
    return bytes;
}

uint64_t quota_cost(const struct tcb *tp)
{
    return CONNECTION_COST + bytestream_footprint(&tp->snd) + bytestream_footprint(&tp->rcv) +
           queue_cost(&tp->sendq) + queue_cost(&tp->rtxq) +
           (tp->spare ? sizeof(struct segment) : 0) + tp->n_ooo * sizeof(struct ooo_range);
}

bool quota_join(struct tcb *tp, struct account *a)
{
    if (!account_may_take(a, CONNECTION_COST)) {
        COUNT(tp->st, quota_refused);
        return false;
    }
    bytestream_init(&tp->snd, a, 0, TCP_MAX_STREAM);
    bytestream_init(&tp->rcv, a, 0, TCP_MAX_STREAM);
    account_charge(a, CONNECTION_COST);
    a->members++;
    return true;
}

void quota_leave(struct tcb *tp)
{
    struct account *a = tcp_account(tp);

    account_refund(a, CONNECTION_COST);
    a->members--;
    forget_if_empty(tp->st, a);
}

static void move(struct tcb *tp, struct account *to)
{
    struct account *from = tcp_account(tp);
    uint64_t cost = quota_cost(tp);

    account_refund(from, cost);
    from->members--;
    account_charge(to, cost);
    to->members++;
    if (tp->shared)
        tcp_share_payer(tp, to);
    else
        tp->snd.account = tp->rcv.account = to;
    forget_if_empty(tp->st, from);
}

int sock_set_quota(struct sock *s, uint32_t owner, uint64_t limit)
{
    struct account *a = limit ? find_or_add(s->st, owner) : &s->st->tcp.common;

    if (!a)
        return -ENOMEM;
    a->limit = limit;
    if (a == tcp_account(s->tcb))
        return 0;
    if (!account_may_take(a, quota_cost(s->tcb))) {
        COUNT(s->st, quota_refused);
        forget_if_empty(s->st, a);
        return -ENOBUFS;
    }
    move(s->tcb, a);
    return 0;
}

int sock_change_quota(struct sock *s, uint32_t owner, uint64_t limit)
{
    struct account *a = limit ? find_or_add(s->st, owner) : &s->st->tcp.common;

    if (!a)
        return -ENOMEM;
    a->limit = limit;
    if (a != tcp_account(s->tcb))
        move(s->tcb, a);
    return 0;
}

void quota_release(struct tcb *tp)
{
    if (tcp_account(tp) != &tp->st->tcp.common)
        move(tp, &tp->st->tcp.common);
}

/* --- ranges out of order -----------------------------------------------------------------------
 */

struct ooo_range *range_new(struct tcb *tp)
{
    struct account *a = tcp_account(tp);
    struct ooo_range *r = NULL;

    if (account_has_room(a, sizeof(*r)))
        r = pool_get(&tp->st->tcp.range_pool);
    if (r)
        account_charge(a, sizeof(*r));
    return r;
}

void range_free(struct tcb *tp, struct ooo_range *r)
{
    account_refund(tcp_account(tp), sizeof(*r));
    pool_put(&tp->st->tcp.range_pool, r);
}
