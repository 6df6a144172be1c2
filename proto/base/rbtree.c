/* SPDX-License-Identifier: MIT */
/*
 * The rules: a red node has black children; every path from the root to a missing child passes the
 * same number of black nodes; the root is black. The mirrored cases share their code by side().
 */
#include "proto/base/rbtree.h"

static struct rb_node **side(struct rb_node *node, bool left)
{
    return left ? &node->left : &node->right;
}

static bool is_red(const struct rb_node *node)
{
    return node && node->red;
}

/* Put `with` (may be NULL) where `node` hangs. */
static void transplant(struct rb_root *root, struct rb_node *node, struct rb_node *with)
{
    struct rb_node *parent = node->parent;

    if (parent)
        *side(parent, parent->left == node) = with;
    else
        root->node = with;
    if (with)
        with->parent = parent;
}

/* Turn node down to its `left` side; the child on the other side takes its place. */
static void rotate(struct rb_root *root, struct rb_node *node, bool left)
{
    struct rb_node *up = *side(node, !left);
    struct rb_node *inner = *side(up, left);

    transplant(root, node, up);
    *side(node, !left) = inner;
    if (inner)
        inner->parent = node;
    *side(up, left) = node;
    node->parent = up;
}

/* node is red: push a red parent up the tree. */
static void insert_fixup(struct rb_root *root, struct rb_node *node)
{
    struct rb_node *parent, *grand, *uncle;
    bool left;

    while (is_red(node->parent)) {
        parent = node->parent;
        grand = parent->parent; /* there is one: the root is black */
        left = grand->left == parent;
        uncle = *side(grand, !left);
        if (is_red(uncle)) {
            parent->red = uncle->red = false;
            grand->red = true;
            node = grand;
            continue;
        }
        if (node == *side(parent, !left)) {
            rotate(root, parent, left);
            parent = node;
        }
        parent->red = false;
        grand->red = true;
        rotate(root, grand, !left);
        break;
    }
    root->node->red = false;
}

void rb_link(struct rb_root *root, struct rb_node *node, struct rb_node *parent, bool left)
{
    *node = (struct rb_node){.parent = parent, .red = true};
    if (parent)
        *side(parent, left) = node;
    else
        root->node = node;
    insert_fixup(root, node);
}

void rb_insert(struct rb_root *root, struct rb_node *node,
               bool (*less)(const struct rb_node *a, const struct rb_node *b))
{
    struct rb_node *parent = NULL;
    struct rb_node *at = root->node;
    bool left = false;

    while (at) {
        parent = at;
        left = less(node, at);
        at = *side(at, left);
    }
    rb_link(root, node, parent, left);
}

/* The paths through node (may be NULL), a child of parent, lack one black node. */
static void erase_fixup(struct rb_root *root, struct rb_node *node, struct rb_node *parent)
{
    struct rb_node *sibling;
    bool left;

    while (parent && !is_red(node)) {
        left = parent->left == node;
        sibling = *side(parent, !left); /* there is one: its paths have a black node more */
        if (sibling->red) {
            sibling->red = false;
            parent->red = true;
            rotate(root, parent, left);
            sibling = *side(parent, !left);
        }
        if (!is_red(sibling->left) && !is_red(sibling->right)) {
            sibling->red = true;
            node = parent;
            parent = node->parent;
            continue;
        }
        if (!is_red(*side(sibling, !left))) {
            (*side(sibling, left))->red = false;
            sibling->red = true;
            rotate(root, sibling, !left);
            sibling = *side(parent, !left);
        }
        sibling->red = parent->red;
        parent->red = false;
        (*side(sibling, !left))->red = false;
        rotate(root, parent, left);
        return;
    }
    if (node)
        node->red = false;
}

static struct rb_node *outermost(struct rb_node *node, bool left)
{
    while (node && *side(node, left))
        node = *side(node, left);
    return node;
}

void rb_erase(struct rb_root *root, struct rb_node *node)
{
    struct rb_node *child, *parent, *next;
    bool lost_red = node->red;

    if (!node->left || !node->right) {
        child = node->left ? node->left : node->right;
        parent = node->parent;
        transplant(root, node, child);
    } else {
        /* The next node, which has no left child, takes the place and the colour of this one. */
        next = outermost(node->right, true);
        lost_red = next->red;
        child = next->right;
        parent = next;
        if (next->parent != node) {
            parent = next->parent;
            transplant(root, next, child);
            next->right = node->right;
            next->right->parent = next;
        }
        transplant(root, node, next);
        next->left = node->left;
        next->left->parent = next;
        next->red = node->red;
    }
    if (!lost_red)
        erase_fixup(root, child, parent);
    *node = (struct rb_node){0};
}

struct rb_node *rb_first(const struct rb_root *root)
{
    return outermost(root->node, true);
}

struct rb_node *rb_last(const struct rb_root *root)
{
    return outermost(root->node, false);
}

/* The neighbour of node in order, on its left or its right. */
static struct rb_node *neighbour(const struct rb_node *node, bool left)
{
    struct rb_node *up = node->parent;
    struct rb_node *below = left ? node->left : node->right;

    if (below)
        return outermost(below, !left);
    while (up && *side(up, left) == node) {
        node = up;
        up = up->parent;
    }
    return up;
}

struct rb_node *rb_next(const struct rb_node *node)
{
    return neighbour(node, false);
}

struct rb_node *rb_prev(const struct rb_node *node)
{
    return neighbour(node, true);
}
