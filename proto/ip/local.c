/* SPDX-License-Identifier: MIT */
/*
 * Packets to our own address loop inside the core: a bounded queue of flattened copies, delivered
 * in batches, so that two connections of one stack that answer each other never recurse. They skip
 * checksums and segmentation.
 */
#include "proto/ip/ip_internal.h"

#include <errno.h>

int local_output(struct stack *st, const struct frame *f, const struct ip_addr *dst)
{
    struct ip_state *ip = &st->ip;
    struct held_packet *h = NULL;

    if (ip->local_queued < LOCAL_MAX_PACKETS && ip->local_bytes + held_size(f) <= LOCAL_MAX_BYTES)
        h = held_copy(st, f, dst);
    if (!h) {
        COUNT(st, ip_out_local_drops);
        return -ENOBUFS;
    }
    list_add_tail(&ip->local_queue, &h->link);
    ip->local_queued++;
    ip->local_bytes += h->size;
    COUNT(st, ip_out_local);
    return 0;
}

static struct held_packet *local_pop(struct ip_state *ip, struct list *from)
{
    struct list *l = list_pop(from);
    struct held_packet *h;

    if (!l)
        return NULL;
    h = container_of(l, struct held_packet, link);
    ip->local_queued--;
    ip->local_bytes -= h->size;
    return h;
}

void ip_run_local(struct stack *st)
{
    struct list batch;
    struct held_packet *h;

    list_init(&batch);
    list_splice_tail(&batch, &st->ip.local_queue);
    while ((h = local_pop(&st->ip, &batch))) {
        ipv4_input_local(st, h);
        held_free(st, h);
    }
}

void local_destroy(struct stack *st)
{
    struct held_packet *h;

    while ((h = local_pop(&st->ip, &st->ip.local_queue)))
        held_free(st, h);
}
