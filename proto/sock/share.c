/* SPDX-License-Identifier: MIT */
/*
 * A connection whose bytes lie in storage that the host shares with the program (the rings). The
 * streams are moved into extents from there, with everything that they hold, and take all later
 * ones from there; nothing else in the core knows the difference. Each extent is charged to the
 * stack's memory as any other.
 *
 * The program writes into what sock_send_grant() has granted, also while a larger extent takes
 * over: what was granted counts as occupied, so it stays where it is.
 */
#include "proto/sock/sock_internal.h"

#include <errno.h>

/** Memory is short: try again so much later. */
#define RETRY_US 10000

struct shared_way {
    struct sock_shared *all;
    enum sock_way way;
    struct mem mem;
    struct extent_pool pool;
    struct account account; /**< leads to who pays */
};

struct sock_shared {
    struct stack *st;
    struct sock_storage storage;
    struct shared_way ways[2];
};

static void *get(void *ctx, size_t size)
{
    struct shared_way *w = ctx;
    struct sock_shared *all = w->all;
    void *base;

    if (!mem_charge(&all->st->mem, size))
        return NULL;
    base = all->storage.get(all->storage.ctx, w->way, (uint32_t)size);
    if (!base)
        mem_uncharge(&all->st->mem, size);
    return base;
}

static void put(void *ctx, void *base, size_t size)
{
    struct shared_way *w = ctx;
    struct sock_shared *all = w->all;

    mem_uncharge(&all->st->mem, size);
    all->storage.put(all->storage.ctx, w->way, base, (uint32_t)size);
}

static struct sock_shared *make(struct stack *st, const struct sock_storage *storage,
                                struct account *payer)
{
    struct sock_shared *all = mem_zalloc(&st->mem, sizeof(*all));

    if (!all)
        return NULL;
    all->st = st;
    all->storage = *storage;
    for (int i = 0; i < 2; i++) {
        struct shared_way *w = &all->ways[i];

        w->all = all;
        w->way = (enum sock_way)i;
        mem_init(&w->mem, 0);
        w->mem.alloc = get;
        w->mem.release = put;
        w->mem.ctx = w;
        /* nothing is kept idle: the list would lie in memory that the program can write */
        extent_pool_init(&w->pool, &w->mem, 0);
        account_init(&w->account, &w->pool, 0);
        w->account.payer = payer;
    }
    return all;
}

static struct shared_way *way_of(const struct bytestream *b)
{
    return container_of(b->account, struct shared_way, account);
}

void tcp_unshare(struct tcb *tp)
{
    struct account *payer = tcp_account(tp);
    struct stack *st = tp->st;
    struct sock_shared *all;

    if (!tp->shared)
        return;
    all = way_of(&tp->snd)->all;
    bytestream_destroy(&tp->snd);
    bytestream_destroy(&tp->rcv);
    tp->snd.account = tp->rcv.account = payer;
    tp->shared = false;
    all->storage.done(all->storage.ctx);
    mem_free(&st->mem, all, sizeof(*all));
}

void tcp_share_payer(struct tcb *tp, struct account *payer)
{
    way_of(&tp->snd)->account.payer = payer;
    way_of(&tp->rcv)->account.payer = payer;
}

/* Both or none: once one stream has moved, there may be no memory to move it back. */
static bool get_both(struct tcb *tp, struct sock_shared *all, const uint32_t least[2],
                     struct extent out[2])
{
    const uint32_t size[2] = {bytestream_move_size(&tp->snd, least[SOCK_SENDS]),
                              bytestream_move_size(&tp->rcv, least[SOCK_RECEIVES])};

    if (!tcp_may_take(tp, (uint64_t)size[0] + size[1])) /* most of it holds nothing yet */
        return false;
    for (int i = 0; i < 2; i++)
        out[i] = account_extent_get(&all->ways[i].account, size[i]);
    if (out[0].base && out[1].base)
        return true;
    for (int i = 0; i < 2; i++)
        account_extent_put(&all->ways[i].account, out[i]);
    return false;
}

int sock_share(struct sock *s, const struct sock_storage *storage, const uint32_t least[2])
{
    struct tcb *tp = s->tcb;
    struct account *before = tcp_account(tp);
    struct sock_shared *all;
    struct extent to[2];

    if (tp->shared)
        return -EALREADY;
    if (tp->conn.state != TCPS_ESTABLISHED && tp->conn.state != TCPS_CLOSE_WAIT)
        return -ENOTCONN;
    all = make(s->st, storage, before);
    if (!all)
        return -ENOMEM;
    if (!get_both(tp, all, least, to)) {
        mem_free(&s->st->mem, all, sizeof(*all));
        return -ENOMEM;
    }
    bytestream_move(&tp->snd, tp->snd_offset, &all->ways[SOCK_SENDS].account, to[SOCK_SENDS]);
    bytestream_move(&tp->rcv, tcp_rcv_occupied(tp), &all->ways[SOCK_RECEIVES].account,
                    to[SOCK_RECEIVES]);
    tp->shared = true;
    return 0;
}

uint64_t sock_position(const struct sock *s, enum sock_way way)
{
    return way == SOCK_SENDS ? s->tcb->snd_offset : s->tcb->read_offset;
}

uint64_t sock_arrived(const struct sock *s)
{
    return s->tcb->rcv_offset;
}

uint64_t sock_acked(const struct sock *s)
{
    return s->tcb->snd.tail;
}

void sock_want_acked(struct sock *s)
{
    s->want_acked = true;
}

void sock_extents(const struct sock *s, enum sock_way way, struct sock_extents *out)
{
    const struct bytestream *b = way == SOCK_SENDS ? &s->tcb->snd : &s->tcb->rcv;

    *out = (struct sock_extents){.size = {b->ext[0].size, b->ext[1].size}};
    out->boundary = b->ext[1].base ? b->boundary : UINT64_MAX;
}

bool sock_peer_closed(const struct sock *s)
{
    return s->tcb->peer_fin;
}

uint64_t sock_send_grant(struct sock *s, uint64_t granted)
{
    struct tcb *tp = s->tcb;
    uint64_t wanted = tp->snd_offset + sock_send_space(s), limit = wanted;

    if (!tp->shared || !sock_send_ready(s))
        return granted;
    if (limit > granted)
        limit = tcp_grant_send(tp, granted, limit);
    /* who waits is woken for a third of the buffer, not for each packet (POLLOUT's rule) */
    s->want_write |= !tcp_is_writable(tp);
    if (limit <= tp->snd_offset) {
        s->want_write = true;
        tp->nospace = true;
        tcp_stop(tp, TCP_STOP_sndbuf);
        if (wanted > limit && !tp->packets_out) /* want of memory, and no ACK will come */
            tcp_timer_set(tp, TCP_TIMER_retry, s->st->now + RETRY_US);
    }
    return limit > granted ? limit : granted;
}

bool sock_send_ready(struct sock *s)
{
    struct tcb *tp = s->tcb;

    if (tp->send_shutdown ||
        !(tp->conn.state == TCPS_ESTABLISHED || tp->conn.state == TCPS_CLOSE_WAIT))
        return false;
    if (wqueue_have_spare(tp))
        return true;
    s->want_write = tp->nospace = true;
    tcp_timer_set(tp, TCP_TIMER_retry, s->st->now + RETRY_US);
    return false;
}

size_t sock_recv_room(const struct sock *s)
{
    return tcp_receive_window(s->tcb) + tcp_unread(s->tcb);
}

bool sock_idle(struct sock *s)
{
    struct tcb *tp = s->tcb;

    return tp->shared && tp->read_offset == tp->rcv_offset && rb_empty(&tp->ooo) &&
           !tcp_wmem_queued(tp);
}

bool sock_holds_storage(const struct sock *s)
{
    return bytestream_footprint(&s->tcb->snd) || bytestream_footprint(&s->tcb->rcv);
}

void sock_give_back(struct sock *s)
{
    if (!sock_idle(s))
        return;
    bytestream_give_back(&s->tcb->rcv);
    bytestream_give_back(&s->tcb->snd);
}
