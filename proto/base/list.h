/* SPDX-License-Identifier: MIT */
/*
 * Intrusive circular doubly linked list.
 * The same struct is the head of a list and the link inside a member; a head that points to itself
 * is empty, a link that points to itself (or is all zeroes) is in no list. Nothing is allocated;
 * the members belong to the caller. All operations but list_for_each are O(1).
 */
#ifndef TS_PROTO_BASE_LIST_H
#define TS_PROTO_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *prev;
};

/* The struct of the given type whose field `member` is *ptr. */
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* Walk the links of a list; the list must not change meanwhile. */
#define list_for_each(pos, head) for ((pos) = (head)->next; (pos) != (head); (pos) = (pos)->next)

/* Walk the links of a list; the body may unlink (and free) pos, but not tmp. */
#define list_for_each_safe(pos, tmp, head)                                                         \
    for ((pos) = (head)->next, (tmp) = (pos)->next; (pos) != (head);                               \
         (pos) = (tmp), (tmp) = (pos)->next)

/* Make an empty head, or a link that is in no list. */
static inline void list_init(struct list *n)
{
    n->next = n;
    n->prev = n;
}

/* Whether an initialised head has no members. */
static inline bool list_empty(const struct list *head)
{
    return head->next == head;
}

/* Whether a link is in a list; false for a zeroed link. */
static inline bool list_linked(const struct list *n)
{
    return n->next && n->next != n;
}

/* Put n, which is in no list, right behind pos. */
static inline void list_add_after(struct list *pos, struct list *n)
{
    n->prev = pos;
    n->next = pos->next;
    pos->next->prev = n;
    pos->next = n;
}

/* Put n, which is in no list, right before pos. */
static inline void list_add_before(struct list *pos, struct list *n)
{
    list_add_after(pos->prev, n);
}

/* Put n, which is in no list, first. */
static inline void list_add_head(struct list *head, struct list *n)
{
    list_add_after(head, n);
}

/* Put n, which is in no list, last. */
static inline void list_add_tail(struct list *head, struct list *n)
{
    list_add_after(head->prev, n);
}

/* Take n out of its list, if it is in one, and make it a link that is in none. */
static inline void list_del(struct list *n)
{
    if (n->next) {
        n->prev->next = n->next;
        n->next->prev = n->prev;
    }
    list_init(n);
}

/* The first link, NULL when the list is empty. */
static inline struct list *list_first(const struct list *head)
{
    return list_empty(head) ? NULL : head->next;
}

/* The last link, NULL when the list is empty. */
static inline struct list *list_last(const struct list *head)
{
    return list_empty(head) ? NULL : head->prev;
}

/* Take the first link out and return it, NULL when the list is empty. */
static inline struct list *list_pop(struct list *head)
{
    struct list *n = list_first(head);

    if (n)
        list_del(n);
    return n;
}

/* The link behind n, NULL when n is the last. */
static inline struct list *list_next(const struct list *head, const struct list *n)
{
    return n->next == head ? NULL : n->next;
}

/* The link before n, NULL when n is the first. */
static inline struct list *list_prev(const struct list *head, const struct list *n)
{
    return n->prev == head ? NULL : n->prev;
}

/* Move all members of `from`, in order, behind those of head; `from` is empty afterwards. */
static inline void list_splice_tail(struct list *head, struct list *from)
{
    if (list_empty(from))
        return;
    from->next->prev = head->prev;
    head->prev->next = from->next;
    from->prev->next = head;
    head->prev = from->prev;
    list_init(from);
}

#endif
