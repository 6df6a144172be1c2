/* SPDX-License-Identifier: MIT */
/*
 * Intrusive red-black tree (Guibas and Sedgewick, 1978; deletion after CLRS).
 * The nodes sit in the caller's structs and belong to the caller; the order is the caller's as
 * well, either by a comparison handed to rb_insert, or by a descent of its own that ends in
 * rb_link. Equal keys are allowed and keep the order of insertion. A zeroed root is an empty tree.
 */
#ifndef TS_PROTO_BASE_RBTREE_H
#define TS_PROTO_BASE_RBTREE_H

#include <stdbool.h>
#include <stddef.h>

struct rb_node {
    struct rb_node *parent, *left, *right;
    bool red;
};

struct rb_root {
    struct rb_node *node; /* NULL when empty */
};

/* Whether the tree has no nodes. */
static inline bool rb_empty(const struct rb_root *root)
{
    return !root->node;
}

/* Put in node, which is in no tree, behind all nodes that are not greater; less(a, b): a is before
 * b. */
void rb_insert(struct rb_root *root, struct rb_node *node,
               bool (*less)(const struct rb_node *a, const struct rb_node *b));

/*
 * Put in node, which is in no tree, as the left or right child of parent, where there must be none,
 * and rebalance. parent is NULL for the first node of an empty tree.
 */
void rb_link(struct rb_root *root, struct rb_node *node, struct rb_node *parent, bool left);

/* Take node out of its tree; the other nodes stay where they are in memory. */
void rb_erase(struct rb_root *root, struct rb_node *node);

/* The first node in order, NULL when the tree is empty. */
struct rb_node *rb_first(const struct rb_root *root);

/* The last node in order, NULL when the tree is empty. */
struct rb_node *rb_last(const struct rb_root *root);

/* The node behind `node` in order, NULL when it is the last. */
struct rb_node *rb_next(const struct rb_node *node);

/* The node before `node` in order, NULL when it is the first. */
struct rb_node *rb_prev(const struct rb_node *node);

#endif
