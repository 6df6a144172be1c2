/* SPDX-License-Identifier: MIT */
/* Memory of one script; see arena.h. */
#include "tests/pkt/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 65536u
#define ALIGN 16u

struct arena_block {
    struct arena_block *next;
    size_t size, used;
    _Alignas(ALIGN) uint8_t bytes[];
};

static struct arena_block *add_block(struct arena *a, size_t n)
{
    size_t size = n > BLOCK ? n : BLOCK;
    struct arena_block *b = malloc(sizeof(*b) + size);

    if (!b) {
        fprintf(stderr, "pkt: out of memory\n");
        exit(2);
    }
    b->next = NULL;
    b->size = size;
    b->used = 0;
    if (a->current)
        a->current->next = b;
    else
        a->first = b;
    a->current = b;
    return b;
}

void *arena_alloc(struct arena *a, size_t n)
{
    struct arena_block *b = a->current;
    void *p;

    n = (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (!b || b->size - b->used < n)
        b = add_block(a, n);
    p = b->bytes + b->used;
    b->used += n;
    return memset(p, 0, n);
}

char *arena_text(struct arena *a, const char *s, size_t n)
{
    char *p = arena_alloc(a, n + 1);

    memcpy(p, s, n);
    return p;
}

char *arena_printf(struct arena *a, const char *format, ...)
{
    char text[1024];
    va_list ap;
    int n;

    va_start(ap, format);
    n = vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    if (n < 0)
        n = 0;
    return arena_text(a, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

static void free_from(struct arena_block *b)
{
    while (b) {
        struct arena_block *next = b->next;

        free(b);
        b = next;
    }
}

void arena_reset(struct arena *a)
{
    if (!a->first)
        return;
    free_from(a->first->next);
    a->first->next = NULL;
    a->first->used = 0;
    a->current = a->first;
}

void arena_free(struct arena *a)
{
    free_from(a->first);
    a->first = a->current = NULL;
}
